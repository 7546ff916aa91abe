"""Start-up time and memory: haman's two processes beside keepalived's, with one service and with 10,000 servers.

Times run from the start of the program to its first advertisement, as another host hears it, and to a kernel that holds
the whole table. Advertisements are 10 ms apart, so the election's own patience is 36 ms of the first; servers have no
checks, so none has to be waited for. Memory is taken a while later: resident, and the sum over all processes with
pages that several share counted once (PSS).

How to read it: time is what an operator waits for after a restart; nobody's traffic does, the kernel goes on with the
table it has, and a peer serves. Much of it is Python's own start, twice, and with 10,000 servers YAML.
"""

from __future__ import annotations

import contextlib
import sys
import time
from ipaddress import IPv4Address
from typing import TYPE_CHECKING, Final

from bench import clusters, session
from bench.adverts import Ear
from bench.figures import Measurement, Row, median
from bench.processor import family, memory
from bench.programs import START, Haman, Keepalived, Program, pid_of, running
from haman.errors import HamanError
from haman.kernel.ipvs import numbers
from haman.kernel.ipvs.encode import service_identity
from haman.kernel.netlink import NETLINK_GENERIC, Netlink, family_number, generic
from haman.lab.hosts import Network
from haman.lab.waiting import until
from haman.model.kernel import ServiceKey
from haman.model.services import Protocol

if TYPE_CHECKING:
    from pathlib import Path

    from haman.lab.hosts import Host
    from haman.model.cluster import Cluster

ROUNDS: Final = 3
SIZES: Final = {"1 service, 2 servers": (1, 2), "1,000 services, 10,000 servers": (1000, 10)}
SETTLE = 5.0
"""Seconds from a whole table to the look at memory."""

LOOK_EVERY = 0.01


def measure(work: Path) -> Measurement:
    programs: list[Program] = [Haman(), Keepalived()]
    rows: list[Row] = []
    for size, (services, servers) in SIZES.items():
        file = work / f"{services}.yaml"
        model = clusters.write(file, advert="10ms", services=services, servers=servers)
        samples: dict[str, dict[str, list[float]]] = {}
        for number in range(ROUNDS):
            for program in programs:
                with Network() as network:
                    found = _observe(program, network, model, file, servers)
                for what, value in found.items():
                    samples.setdefault(what, {}).setdefault(program.name, []).append(value)
                words = ", ".join(f"{what} {value:.3f}" for what, value in found.items())
                session.say(f"{size}, round {number + 1}, {program.name}: {words}")
        for what, by_program in samples.items():
            cells = {name: median(values) for name, values in by_program.items()}
            unit = "s" if what.startswith("to ") else "MiB"
            rows.append(Row(what=f"{size}: {what}", unit=unit, cells=cells))
    return Measurement(
        name="footprint",
        title="Start-up and memory",
        statistic=f"median of {ROUNDS} (smallest - largest)",
        rows=tuple(rows),
        conditions=session.versions("keepalived"),
    )


def _observe(program: Program, network: Network, model: Cluster, file: Path, servers: int) -> dict[str, float]:
    lan = network.segment("lan")
    director = network.host("d1", {"eth0": (lan, f"{clusters.DIRECTORS['d1']}/24")})
    listener = network.host("d2", {"eth0": (lan, f"{clusters.DIRECTORS['d2']}/24")})
    last = max(port for service in model.services.values() for port in service.ports)
    with Ear(listener) as ear:
        begun = time.monotonic()
        with running(program, director, model, file) as process:
            until("the last service's servers", lambda: _servers(director, last) == servers, START, LOOK_EVERY)
            whole = time.monotonic()
            advert = ear.first_advert(clusters.DIRECTORS["d1"], within=START)
            elector, checker = pid_of(program, process, "elector"), pid_of(program, process, "checker")
            time.sleep(SETTLE)
            every = [memory(pid) for pid in family(process.pid)]
            return {
                "to the first advertisement": advert - begun,
                "to the whole table": whole - begun,
                "memory of all processes, PSS": sum(pss for _, pss in every),
                "resident, the process that elects": memory(elector)[0],
                "resident, the process that checks": memory(checker)[0],
            }


def _servers(director: Host, port: int) -> int:
    """How many servers the service on this port has now: asked for that one alone, which disturbs nobody."""
    key = ServiceKey.at(Protocol.TCP, IPv4Address(clusters.VIP), port)

    def ask() -> int:
        netlink = Netlink(NETLINK_GENERIC)
        with contextlib.closing(netlink), contextlib.suppress(HamanError):
            family = family_number(netlink, numbers.GENL_NAME)
            request = generic(family, numbers.CMD_GET_DEST, numbers.GENL_VERSION, service_identity(key))
            return sum(len(spans) for _, spans in netlink.dump(request))
        return 0

    return director.call(ask)


if __name__ == "__main__":
    sys.exit(session.main("footprint", measure, timeout=600))
