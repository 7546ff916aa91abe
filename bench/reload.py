"""Reload of 10,000 servers with one change: haman's beside keepalived's, by turns, each with the same table.

The weight of the last of 10,000 servers (1,000 services of ten, without checks) is changed in the file, and the program
told by SIGHUP. Measured: the time until the kernel has the new weight, the processor time that all of the program's
processes take for it, and how late its advertisements (10 ms apart, as another host hears them) are meanwhile. Then the
same file is read once more, unchanged.

How to read it: nobody's traffic waits for a reload; its time is the operator's. What counts for clients is the
lateness: a standby waits three advertisements and its skew, some 33 ms here. One processor does everything in the lab,
so the reading thread and the election share it.
"""

from __future__ import annotations

import contextlib
import signal
import sys
import time
from ipaddress import IPv4Address
from typing import TYPE_CHECKING, Final

from bench import clusters, session
from bench.adverts import Ear, lateness
from bench.figures import Measurement, Row, median
from bench.processor import cpu_seconds, family
from bench.programs import Haman, Keepalived, Program, pid_of, running
from haman.lab.hosts import Network
from haman.lab.waiting import until

if TYPE_CHECKING:
    from pathlib import Path

    from haman.lab.hosts import Host
    from haman.lab.processes import Process

INTERVAL: Final = 0.010
SERVICES, SERVERS = 1000, 10
RELOADS: Final = 5
WITHIN: Final = 60.0
QUIET: Final = 2.0
"""Seconds after the change is there, or after the signal, in which work that goes on still counts."""

LOOK_EVERY: Final = 0.05
TABLE: Final = "/proc/thread-self/net/ip_vs"
LAST = f"{int(IPv4Address(clusters.server_addresses(SERVERS)[-1])):08X}:{clusters.FIRST_PORT + SERVICES - 1:04X}"


def measure(work: Path) -> Measurement:
    programs: list[Program] = [Haman(), Keepalived(real_time=True)]
    samples: dict[str, dict[str, list[float]]] = {}
    for program in programs:
        with Network() as network:
            for what, values in _observe(program, network, work).items():
                samples.setdefault(what, {})[program.name] = values
                session.say(f"{program.name}: {what} " + ", ".join(f"{value:.3f}" for value in values))
    rows = [
        Row(what=what, unit="s", cells={name: median(values) for name, values in by_program.items()})
        for what, by_program in samples.items()
    ]
    return Measurement(
        name="reload",
        title="Reload of 10,000 servers",
        statistic=f"median of {RELOADS} (smallest - largest)",
        rows=tuple(rows),
        conditions=session.versions("keepalived"),
    )


def _observe(program: Program, network: Network, work: Path) -> dict[str, list[float]]:
    lan = network.segment("lan")
    director = network.host("d1", {"eth0": (lan, f"{clusters.DIRECTORS['d1']}/24")})
    listener = network.host("d2", {"eth0": (lan, f"{clusters.DIRECTORS['d2']}/24")})
    file = work / "large.yaml"
    model = clusters.write(file, advert="10ms", services=SERVICES, servers=SERVERS)
    plain = file.read_text()
    found: dict[str, list[float]] = {}
    source = clusters.DIRECTORS["d1"]
    with Ear(listener) as ear, running(program, director, model, file) as process:
        ear.first_advert(source, WITHIN)
        pid_of(program, process, "checker")
        until("10,000 servers", lambda: director.read(TABLE).count("->") > SERVICES * SERVERS, WITHIN, LOOK_EVERY)
        time.sleep(5)
        for number in range(RELOADS):
            for changed in (True, False):
                if changed:
                    _write(program, file, plain, number + 2)
                kind = "one change" if changed else "unchanged"
                for what, value in _reload(process, director, ear, number + 2 if changed else None).items():
                    found.setdefault(f"{kind}: {what}", []).append(value)
    return found


def _write(program: Program, file: Path, plain: str, weight: int) -> None:
    """The last server has another weight, in haman's file and in keepalived's."""
    head, _, tail = plain.rpartition("address: ")
    line, rest = tail.split("\n", 1) if "\n" in tail else (tail, "")
    file.write_text(f"{head}address: {line}\n        weight: {weight}\n{rest}")
    from haman import config

    program.command(config.load(file), file, "d1")


def _reload(process: Process, director: Host, ear: Ear, weight: int | None) -> dict[str, float]:
    pids = family(process.pid)
    ear.adverts(clusters.DIRECTORS["d1"])
    before = _cpu(pids)
    begun = time.monotonic()
    process.signal(signal.SIGHUP)
    seen = begun
    if weight is not None:
        until("the new weight", lambda: _weight(director) == weight, WITHIN, LOOK_EVERY)
        seen = time.monotonic()
    time.sleep(QUIET)
    arrivals = ear.adverts(clusters.DIRECTORS["d1"])
    found = {
        "processor time": _cpu(family(process.pid)) - before,
        "latest advertisement": max(lateness(arrivals, INTERVAL)),
    }
    return found if weight is None else {"until the kernel has it": seen - begun, **found}


def _weight(director: Host) -> int:
    """Of the last server."""
    for line in reversed(director.read(TABLE).splitlines()):
        words = line.split()
        if words[:1] == ["->"] and words[1] == LAST:
            return int(words[3])
    return 0


def _cpu(pids: list[int]) -> float:
    total = 0.0
    for pid in pids:
        with contextlib.suppress(OSError):
            total += cpu_seconds(pid)
    return total


if __name__ == "__main__":
    sys.exit(session.main("reload", measure, timeout=900))
