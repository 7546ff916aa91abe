"""How late advertisements are: 10 ms apart, on an idle machine and on a busy one, haman's beside keepalived's.

A director sends to another host, whose kernel stamps what arrives. Lateness is the time from one advertisement to the
next, less the 10 ms it should be. Three conditions: nothing else runs; four programs that count for ever run; the work
of a director with 1,000 services and 10,000 servers runs, 1,000 checks a second and its table again and again.

On the host's own kernel, where two or more processors and a real scheduler are, that last load is the director's code
without the kernel's part (bench.busy). In the lab it is the real one: all of haman, all of keepalived, each with the
same 10,000 servers, and every few seconds the table is emptied behind its back and the configuration read anew.
haman's director is ended for that, keepalived gets its SIGHUP. There one processor does everything, and the kernel
does not let go of it in the middle of a system call.

How to read it: the p99.9 is the number. A standby waits for three advertisements and its skew, some 33 ms here: what is
later than that is a needless takeover. keepalived is measured as Debian starts it, an ordinary process, and with the
real-time class that haman takes unasked.
"""

from __future__ import annotations

import contextlib
import os
import signal
import sys
import time
from typing import TYPE_CHECKING, Final

from bench import clusters, session
from bench.adverts import Ear, lateness
from bench.figures import OURS, Goal, Measurement, Row, tail
from bench.programs import Haman, Keepalived, Program, pid_of, running
from haman.errors import LabError
from haman.lab.hosts import Network
from haman.lab.waiting import until

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from haman.lab.hosts import Host
    from haman.lab.processes import Process

INTERVAL = 0.010
ROUNDS: Final = 1
OVER: Final = 6.0
"""Seconds of each round: 1,500 advertisements."""

QUANTILE = 0.999
HOGS = 4
SERVICES, SERVERS = 1000, 10
CHECK: Final = {"tcp": {}, "interval": "10s", "timeout": "2s", "fast_interval": "10s"}
RELOAD_EVERY = 5.0
IDLE, HOGGED, WORKING = "idle", f"{HOGS} busy loops", "1,000 checks/s, 10,000 servers"
WORSE: Final = Goal(more=0.001, than=IDLE)


class Scene:
    """The hosts: a director, one that listens, one with ten servers' addresses."""

    def __init__(self, network: Network, work: Path) -> None:
        lan = network.segment("lan")
        self.work = work
        self.director = network.host("d1", {"eth0": (lan, f"{clusters.DIRECTORS['d1']}/24")})
        self.listener = network.host("d2", {"eth0": (lan, f"{clusters.DIRECTORS['d2']}/24")})
        addresses = [f"{address}/24" for address in clusters.server_addresses(SERVERS)]
        self.servers = network.host("servers", {"eth0": (lan, addresses)})
        self.small = work / "small.yaml"
        self.small_model = clusters.write(self.small, advert="10ms")
        self.large = work / "large.yaml"
        self.large_model = clusters.write(
            self.large, advert="10ms", services=SERVICES, servers=SERVERS, check=dict(CHECK)
        )

    def spawn(self, host: Host, module: str, *words: str) -> Process:
        return host.spawn(sys.executable, "-m", module, *words, log=self.work / "load.log")


def measure(work: Path) -> Measurement:
    host = session.inside() == "host"
    programs: list[Program] = [Haman(), Keepalived(), Keepalived(real_time=True)]
    rows = []
    with Network() as network:
        scene = Scene(network, work)
        for condition, load in {IDLE: _nothing, HOGGED: _hogs, WORKING: _work if host else _servers}.items():
            samples: dict[str, list[float]] = {program.name: [] for program in programs}
            real = condition == WORKING and not host
            for number in range(ROUNDS):
                for program in programs:
                    with load(scene):
                        late = _observe(program, scene, real=real)
                    samples[program.name] += late
                    text = f"{tail(late, QUANTILE).value * 1000:.2f} ms, worst {max(late) * 1000:.2f} ms"
                    session.say(f"{condition}, round {number + 1}, {program.name}: p99.9 {text}")
            cells = {name: tail(late, QUANTILE) for name, late in samples.items()}
            rows.append(Row(what=condition, unit="s", cells=cells, goal=None if condition == IDLE else WORSE))
    return Measurement(
        name=f"lateness-{'host' if host else 'lab'}",
        title=f"Lateness of advertisements every 10 ms, {'the host' if host else 'the lab'}'s kernel",
        statistic=f"p99.9 of {ROUNDS * OVER / INTERVAL:,.0f} (median - worst)",
        rows=tuple(rows),
        conditions={**session.versions("keepalived"), "processors": str(os.cpu_count())},
    )


def _observe(program: Program, scene: Scene, *, real: bool) -> list[float]:
    """The lateness of OVER seconds of advertisements. real: with all its servers, and reloads meanwhile."""
    file, model = (scene.large, scene.large_model) if real else (scene.small, scene.small_model)
    source = clusters.DIRECTORS["d1"]
    with Ear(scene.listener) as ear, running(program, scene.director, model, file) as process:
        ear.first_advert(source, within=30)
        pid_of(program, process, "elector")
        if real:
            _loaded(scene.director, within=120)
        else:
            time.sleep(3)  # what a program does once, when it starts, is measured elsewhere
        ear.adverts(source)
        end = time.monotonic() + OVER
        while (left := end - time.monotonic()) > 0:
            time.sleep(min(RELOAD_EVERY, left))
            if real and end - time.monotonic() > RELOAD_EVERY / 2:
                _reload(program, process, scene.director)
        heard = ear.adverts(source)
    if len(heard) < 0.5 * OVER / INTERVAL:
        raise LabError(f"{program.name} sent only {len(heard)} advertisements in {OVER:g} s")
    return lateness(heard, INTERVAL)


def _loaded(director: Host, within: float) -> None:
    def complete() -> bool:
        return director.read("/proc/thread-self/net/ip_vs").count("->") > SERVICES * SERVERS

    until("10,000 servers in the table", complete, within, every=0.5)


def _reload(program: Program, process: Process, director: Host) -> None:
    """The table is emptied, and the configuration read again: what each program does then is its own."""
    director.run("ipvsadm", "-C")
    if program.name == OURS:
        with contextlib.suppress(ProcessLookupError):
            os.kill(pid_of(program, process, "checker"), signal.SIGTERM)
    else:
        process.signal(signal.SIGHUP)


@contextlib.contextmanager
def _nothing(scene: Scene) -> Iterator[None]:
    yield


@contextlib.contextmanager
def _hogs(scene: Scene) -> Iterator[None]:
    processes = [scene.spawn(scene.servers, "bench.busy", "loop") for _ in range(HOGS)]
    yield
    for process in processes:
        process.kill()


@contextlib.contextmanager
def _servers(scene: Scene) -> Iterator[None]:
    counter = scene.work / "connections"
    counter.unlink(missing_ok=True)
    words = ("--first", clusters.FIRST_PORT, "--ports", SERVICES, "--out", counter)
    process = scene.spawn(scene.servers, "bench.responder", *map(str, words))
    until("the servers to listen", counter.exists, within=60)
    yield
    process.kill()


@contextlib.contextmanager
def _work(scene: Scene) -> Iterator[None]:
    """Without IPVS: its kinds of work, by another process on the director's host."""
    with _servers(scene):
        process = scene.spawn(scene.director, "bench.busy", "director", str(scene.large))
        yield
        process.kill()


if __name__ == "__main__":
    sys.exit(session.main("lateness", measure, timeout=900, own_kernel=True))
