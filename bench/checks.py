"""What a health check costs: CPU seconds per 10,000 checks, haman's director against keepalived's checker.

1,000 servers (100 ports on ten addresses) are asked once a second, by TCP and by HTTP, by one program after the other
in several rounds. Counted is the CPU time of the whole process that checks, as the scheduler counts it, with whatever
else that process does meanwhile; and the checks that the servers saw. The servers are one small process on another
host, its time is not counted. The network's work inside the kernel is: it is done in the checker's system calls.

How to read it: below 1x haman's checks are cheaper than those of the program written in C. In user mode a system call
costs some 12 us, on iron a tenth of that: the lab's ratio is one of system calls more than of computing.
"""

from __future__ import annotations

import signal
import sys
import time
from typing import TYPE_CHECKING, Any, Final

from bench import clusters, session
from bench.figures import Goal, Measurement, Row, median
from bench.processor import cpu_seconds
from bench.programs import Haman, Keepalived, Program, pid_of, running
from haman.lab.hosts import Network
from haman.lab.waiting import until

if TYPE_CHECKING:
    from pathlib import Path

    from haman.lab.hosts import Host
    from haman.lab.processes import Process

PORTS, SERVERS = 100, 10
ROUNDS: Final = 3
SETTLE, OVER = 4.0, 12.0
"""Seconds a program runs before it is measured, so that its checks have spread, and how long it is."""

TIMING: Final = {"interval": "1s", "timeout": "1s", "fast_interval": "1s"}
PROBES: Final[dict[str, dict[str, Any]]] = {
    "TCP": {"tcp": {}, **TIMING},
    "HTTP": {"http": {"path": "/", "status": 200}, **TIMING},
}
GOALS: Final = {"TCP": Goal(ratio=0.9), "HTTP": Goal(ratio=1.0)}


def measure(work: Path) -> Measurement:
    programs: list[Program] = [Haman(), Keepalived(only="--check")]
    rows, rates = [], []
    with Network() as network:
        lan = network.segment("lan")
        director = network.host("d1", {"eth0": (lan, "10.0.0.1/24")})
        addresses = [f"{address}/24" for address in clusters.server_addresses(SERVERS)]
        servers = network.host("servers", {"eth0": (lan, addresses)})
        for probe, check in PROBES.items():
            file = work / f"{probe}.yaml"
            model = clusters.write(file, advert="1s", services=PORTS, servers=SERVERS, check=check)
            samples: dict[str, list[float]] = {program.name: [] for program in programs}
            for number in range(ROUNDS):
                for program in programs:
                    responder = _respond(servers, work, speaks=probe == "HTTP")
                    with running(program, director, model, file) as process:
                        seconds, checks = _observe(pid_of(program, process, "checker"), responder, work)
                    responder.kill()
                    samples[program.name].append(seconds / checks * 10_000)
                    rates.append(f"{checks / OVER:.0f}")
                    session.say(
                        f"{probe}, round {number + 1}, {program.name}: {checks / OVER:.0f} checks/s,"
                        f" {samples[program.name][-1]:.2f} s per 10,000"
                    )
            cells = {name: median(values) for name, values in samples.items()}
            rows.append(Row(what=f"10,000 {probe} checks", unit="s", cells=cells, goal=GOALS[probe]))
    return Measurement(
        name="checks",
        title="CPU time of health checks",
        statistic=f"median of {ROUNDS} rounds of {OVER:g} s (smallest - largest)",
        rows=tuple(rows),
        conditions=session.versions("keepalived"),
    )


def _respond(host: Host, work: Path, *, speaks: bool) -> Process:
    counter = work / "connections"
    counter.unlink(missing_ok=True)
    words = ["--first", clusters.FIRST_PORT, "--ports", PORTS, "--out", counter, *(["--speaks"] if speaks else [])]
    process = host.spawn(sys.executable, "-m", "bench.responder", *map(str, words), log=work / "responder.log")
    until("the servers to listen", counter.exists, within=20)
    return process


def _observe(pid: int, responder: Process, work: Path) -> tuple[float, int]:
    """CPU seconds of `pid`, and checks seen by the servers, within OVER seconds."""
    until("the first checks", lambda: _seen(responder, work) > PORTS * SERVERS, within=60)
    time.sleep(SETTLE)
    cpu, seen = cpu_seconds(pid), _seen(responder, work)
    time.sleep(OVER)
    return cpu_seconds(pid) - cpu, _seen(responder, work) - seen


def _seen(responder: Process, work: Path) -> int:
    """What the responder has counted, asked for anew."""
    counter = work / "connections"
    counter.unlink(missing_ok=True)
    responder.signal(signal.SIGUSR1)
    return int(until("the servers' count", lambda: counter.exists() and counter.read_text(), within=10) or 0)


if __name__ == "__main__":
    sys.exit(session.main("checks", measure, timeout=400))
