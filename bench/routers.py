"""What 255 virtual routers on one interface cost: CPU seconds per minute, haman's elector against keepalived's.

Two directors of each program, with every VRID there is and adverts every second: one is active for all, the other
stands by for all. All four run at the same time on one processor, so whatever slows one window down slows all in it.

How to read it: the active one sends 255 packets a second, the standby hears as many. On a real machine both are a few
thousandths of a processor.
"""

from __future__ import annotations

import contextlib
import sys
import time
from functools import partial
from typing import TYPE_CHECKING, Final

from bench import clusters, session
from bench.figures import Measurement, Row, median
from bench.processor import cpu_seconds
from bench.programs import START, Haman, Keepalived, Program, pid_of, running
from haman.lab.hosts import Network
from haman.lab.waiting import until

if TYPE_CHECKING:
    from pathlib import Path

    from haman.lab.hosts import Host

ROUTERS: Final = 255
WINDOWS: Final = 12
SETTLE, OVER = 15.0, 5.0
"""Seconds from the last takeover to the first window, longer than announcements are repeated; and a window's length."""


def measure(work: Path) -> Measurement:
    programs: list[Program] = [Haman(), Keepalived(only="--vrrp")]
    samples: dict[str, dict[str, list[float]]] = {"active": {}, "standby": {}}
    with Network() as network, contextlib.ExitStack() as open_:
        pids = {}
        for program in programs:
            folder = work / program.name
            folder.mkdir()
            file = folder / "cluster.yaml"
            model = clusters.write(file, advert="1s", routers=ROUTERS)
            lan = network.segment(f"lan-{program.name}")
            for role, (name, address) in zip(samples, clusters.DIRECTORS.items(), strict=True):
                host = network.host(f"{name}-{program.name}", {"eth0": (lan, f"{address}/24")})
                process = open_.enter_context(running(program, host, model, file, name))
                pids[role, program.name] = pid_of(program, process, "elector")
                if role == "active":
                    until(f"{program.name} to be active", partial(_holds_all, host), START)
        time.sleep(SETTLE)
        for number in range(1, WINDOWS + 1):
            before = {each: cpu_seconds(pid) for each, pid in pids.items()}
            time.sleep(OVER)
            for (role, name), pid in pids.items():
                spent = (cpu_seconds(pid) - before[role, name]) / OVER * 60
                samples[role].setdefault(name, []).append(spent)
                session.say(f"window {number}, {role}, {name}: {spent:.2f} s per minute")
    rows = [
        Row(what=f"{role} for {ROUTERS} routers, a minute", unit="s", cells={n: median(v) for n, v in by_name.items()})
        for role, by_name in samples.items()
    ]
    return Measurement(
        name="routers",
        title="CPU time of many virtual routers",
        statistic=f"median of {WINDOWS} windows of {OVER:g} s (smallest - largest), all four in the same ones",
        rows=tuple(rows),
        conditions=session.versions("keepalived"),
    )


def _holds_all(host: Host) -> bool:
    """Are all VIPs on its NIC, beside its own address?"""
    lines = host.run("ip", "-4", "-oneline", "address", "show", "dev", "eth0").stdout.splitlines()
    return len(lines) - 1 == ROUTERS


if __name__ == "__main__":
    sys.exit(session.main("routers", measure, timeout=400))
