"""What a health check costs: CPU seconds per 10,000 checks, haman's director against keepalived's checker.

Each program asks 1,000 servers of its own (100 ports on ten addresses) every two seconds, by TCP, by HTTP and by DNS,
both at the same time on one processor: whatever slows one window of some seconds down slows the checks of both in it.
Counted is the CPU time of the whole process that checks, as the scheduler counts it, with whatever else that process
does meanwhile; and the checks that the servers saw. The servers are a small process for each program on another host,
their time is not counted. The network's work inside the kernel is: it is done in the checker's system calls.

How to read it: below 1x haman's checks are cheaper than those of the program written in C. In user mode a system call
costs some 12 us, on iron a tenth of that: the lab's ratio is one of system calls more than of computing.
"""

from __future__ import annotations

import contextlib
import signal
import sys
import time
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final

from bench import clusters, session
from bench.figures import Goal, Measurement, Row, median
from bench.processor import cpu_seconds
from bench.programs import Haman, Keepalived, Program, pid_of, running
from haman.lab.hosts import Network
from haman.lab.waiting import until

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

    from haman.lab.hosts import Host

PORTS, SERVERS = 100, 10
WINDOWS: Final = 12
SETTLE, OVER = 6.0, 4.0
"""Seconds the programs run before they are measured, so that their checks have spread, and how long a window is."""

TIMING: Final = {"interval": "2s", "timeout": "1s", "fast_interval": "2s"}
PROBES: Final[dict[str, dict[str, Any]]] = {
    "TCP": {"tcp": {}, **TIMING},
    "HTTP": {"http": {"path": "/", "status": 200}, **TIMING},
    "DNS": {"dns": {"name": "www.example.com"}, **TIMING},
}
GOALS: Final = {"TCP": Goal(ratio=0.9), "HTTP": Goal(ratio=1.0)}


@dataclass(frozen=True, slots=True)
class Side:
    """One program and the hosts that are its alone: its director, and all its servers. folder: for its files."""

    program: Program
    director: Host
    servers: Host
    folder: Path


def measure(work: Path) -> Measurement:
    rows = []
    with Network() as network:
        sides = [_side(network, program, work) for program in (Haman(), Keepalived(only="--check"))]
        for probe, check in PROBES.items():
            samples: dict[str, list[float]] = {side.program.name: [] for side in sides}
            with contextlib.ExitStack() as open_:
                counts = [(side.program.name, open_.enter_context(_checking(side, probe, check))) for side in sides]
                time.sleep(SETTLE)
                for number in range(1, WINDOWS + 1):
                    before = [count() for _, count in counts]
                    time.sleep(OVER)
                    for (name, count), (cpu, seen) in zip(counts, before, strict=True):
                        cpu_now, seen_now = count()
                        checks = seen_now - seen
                        samples[name].append((cpu_now - cpu) / checks * 10_000)
                        session.say(
                            f"{probe}, window {number}, {name}: {checks / OVER:.0f} checks/s,"
                            f" {samples[name][-1]:.2f} s per 10,000"
                        )
            cells = {name: median(values) for name, values in samples.items()}
            rows.append(Row(what=f"10,000 {probe} checks", unit="s", cells=cells, goal=GOALS.get(probe)))
    return Measurement(
        name="checks",
        title="CPU time of health checks",
        statistic=f"median of {WINDOWS} windows of {OVER:g} s (smallest - largest), both programs in the same ones",
        rows=tuple(rows),
        conditions=session.versions("keepalived"),
    )


def _side(network: Network, program: Program, work: Path) -> Side:
    lan = network.segment(f"lan-{program.name}")
    director = network.host(f"d-{program.name}", {"eth0": (lan, "10.0.0.1/24")})
    addresses = [f"{address}/24" for address in clusters.server_addresses(SERVERS)]
    servers = network.host(f"s-{program.name}", {"eth0": (lan, addresses)})
    folder = work / program.name
    folder.mkdir()
    return Side(program, director, servers, folder)


@contextlib.contextmanager
def _checking(side: Side, probe: str, check: dict[str, Any]) -> Iterator[Callable[[], tuple[float, int]]]:
    """The program checks its servers while inside. Yields what tells its CPU seconds and the checks seen, so far."""
    file = side.folder / f"{probe}.yaml"
    model = clusters.write(file, advert="1s", services=PORTS, servers=SERVERS, check=check)
    counter = side.folder / "connections"
    counter.unlink(missing_ok=True)
    words = ["--first", clusters.FIRST_PORT, "--ports", PORTS, "--out", counter, "--speaks", probe.lower()]
    command = [sys.executable, "-m", "bench.responder", *map(str, words)]
    responder = side.servers.spawn(*command, log=side.folder / "responder.log")
    try:
        until("the servers to listen", counter.exists, within=20)

        def seen() -> int:
            """What the responder has counted, asked for anew."""
            counter.unlink(missing_ok=True)
            responder.signal(signal.SIGUSR1)
            return int(until("the servers' count", lambda: counter.exists() and counter.read_text(), within=10) or 0)

        with running(side.program, side.director, model, file) as process:
            pid = pid_of(side.program, process, "checker")
            until("the first checks", lambda: seen() > PORTS * SERVERS, within=60)
            yield lambda: (cpu_seconds(pid), seen())
    finally:
        responder.kill()


if __name__ == "__main__":
    sys.exit(session.main("checks", measure, timeout=700))
