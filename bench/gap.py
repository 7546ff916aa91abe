"""What clients notice: how long nobody answers when the active director's cable is cut, and what an orderly stop loses.

Two directors, two real servers, a router and a client that sends 1,000 UDP requests a second, half of them in one flow,
half each from another address: the cluster of `haman lab failover`, without preemption, so that the directors change
places with every cut. haman runs on both directors, then keepalived, by turns, for advertisements every second, every
100 ms and every 10 ms.

Gap: a cut is placed right after an advertisement was heard, so the standby has its whole patience still before it; from
the last answer before to the first one after. Lost: of the 8,000 requests from the stop (SIGTERM) on, those that nobody
answered. What happened while the client itself was held up is left out and done again; the notes say how often.

How to read it: three advertisements and a skew are the protocol's, 3.4 to 3.6 times the interval; what the gap has
beyond is the program's. The ratio can hardly be far from one: the stop's losses can.
"""

from __future__ import annotations

import sys
import time
from itertools import pairwise
from typing import TYPE_CHECKING, Final

import yaml

from bench import session
from bench.figures import Measurement, Row, median
from haman.errors import LabError
from haman.lab import instruments, measure, tables
from haman.lab.cluster import INTERFACE, SOURCES, Cluster
from haman.lab.hosts import Network
from haman.lab.keepalived import Keepalived
from haman.lab.records import Recording, Request
from haman.lab.software import Haman, Node
from haman.lab.variants import FAILOVER
from haman.lab.waiting import until
from haman.lab.watch import SegmentWatch
from haman.lab.workload import REAL_TIME, UDP, Servers, program

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Sequence
    from pathlib import Path

    from haman.lab.software import Software

INTERVALS: Final = {"1 s": 1.0, "100 ms": 0.1, "10 ms": 0.01}
TURNS: Final = 7
"""How often each program gets its turn with each interval."""

CUTS, STOPS = 3, 1
"""In each turn."""

REQUESTS = 8000
ATTEMPTS = 2
"""How often a cut or stop is tried, times their number, before the machine is called too busy to measure on."""

EDGE = 0.1
"""Seconds around the last answer before a gap and the first one after it, in which the client must not be held up."""

READY = 60.0
SETTLED = 1.0
"""Seconds between everything being well and the next fault."""


class Scene:
    """A running cluster with one client; `close` by leaving the network."""

    def __init__(self, network: Network, work: Path, software: Software, advert: float) -> None:
        work.mkdir(parents=True)
        self.advert = advert
        self.cluster = Cluster(network, _configuration(work / "cluster.yaml", advert))
        self.nodes = {name: Node(name, self.cluster, software, work) for name in self.cluster.directors}
        self.software = software
        self.watch = SegmentWatch(self.cluster)
        self.udp = Recording(work / "udp.records", Request)
        self._servers = Servers(self.cluster, work)
        self._servers.start_all()
        for node in self.nodes.values():
            node.start()
        self.whole()
        to = ("--address", self.cluster.vip, "--port", self.cluster.port(UDP), "--sources", SOURCES)
        command = program("udp_client", *to, "--real-time", REAL_TIME, "--out", str(self.udp.path))
        self.cluster.client.spawn(*command, log=work / "udp_client.log")

    def whole(self) -> Node:
        """Wait until all is well for a while. Returns the active director. Errors: LabError."""
        until("the cluster to be whole", self._is_whole, READY, every=0.05)
        time.sleep(SETTLED + 3 * self.advert)
        return self.nodes[until("one owner of the VIP", self.watch.owner, READY) or ""]

    def _is_whole(self) -> bool:
        for node in self.nodes.values():
            node.require_running()
            if self.software.ready(node) or len(tables.servers(node.host)) < 2 * len(self.cluster.model.services):
                return False
        return self.watch.owner() is not None

    def answered_again(self, since: float) -> None:
        """Wait until the latest requests, all sent after this time, are answered. Errors: LabError."""

        def again() -> bool:
            self.udp.read()
            latest = self.udp.records[-50:]
            return len(latest) == 50 and all(each.sent > since and each.answered is not None for each in latest)

        until("requests to be answered", again, READY, every=0.05)

    def recorded(self, begin: float, end: float) -> list[Request]:
        """The requests sent between these times, their fate known. Errors: LabError."""

        def known() -> bool:
            self.udp.read()
            return self.udp.covered >= end

        until("the client's records", known, READY, every=0.05)
        found = [each for each in self.udp.records if begin <= each.sent < end]
        self.udp.drop_before(end - 1.0)
        return found

    def sent_since(self, begin: float) -> int:
        """How many requests sent since then are on record."""
        self.udp.read()
        return sum(each.sent >= begin for each in self.udp.records)

    def punctual(self, requests: Sequence[Request], begin: float, end: float) -> bool:
        """Whether the client kept its pace between these times."""
        head = self.udp.head
        return measure.pace(requests, head["start"], head["interval"], begin, end).worst <= instruments.STALL


def silence(requests: Iterable[Request]) -> tuple[float, float]:
    """The longest time without an answer: when the last one came before it, and the first one after it.
    At least two requests were answered."""
    arrivals = sorted(each.answered for each in requests if each.answered is not None)
    return max(pairwise(arrivals), key=lambda pair: pair[1] - pair[0])


def _configuration(path: Path, advert: float) -> Path:
    file = yaml.safe_load(FAILOVER.read_text())
    for router in file["routers"].values():
        router["advert_interval"] = f"{advert * 1000:g}ms"
        router["preempt"] = False
    path.write_text(yaml.safe_dump(file, sort_keys=False))
    return path


def cut(scene: Scene) -> float | None:
    """Seconds that nobody answered; None when the client was held up at either end of them."""
    active = scene.whole()
    scene.answered_again(time.monotonic() - 0.5)
    scene.watch.next_advert(active.name, within=2 * scene.advert + 1)
    begun = time.monotonic()
    active.host.cut(INTERFACE)
    scene.answered_again(begun)
    requests = scene.recorded(begun - EDGE, time.monotonic())
    active.host.heal(INTERFACE)
    last, first = silence(requests)
    edges = (scene.punctual(requests, at - EDGE, at + EDGE) for at in (last, first))
    return first - last if all(edges) else None


def stop(scene: Scene) -> float | None:
    """Requests lost of REQUESTS; None when the client was held up around the stop."""
    active = scene.whole()
    scene.answered_again(time.monotonic() - 0.5)
    begun = time.monotonic()
    active.terminate()
    active.ended()
    stopped = time.monotonic()
    scene.answered_again(begun)
    until("the stop's requests", lambda: scene.sent_since(begun) >= REQUESTS, 5 * REQUESTS / 1000, every=0.2)
    requests = scene.recorded(begun - EDGE, time.monotonic())
    active.start()
    if not scene.punctual(requests, begun - EDGE, stopped + EDGE):
        return None
    counted = [each for each in requests if each.sent >= begun][:REQUESTS]
    return float(sum(each.answered is None for each in counted))


def repeated(act: Callable[[Scene], float | None], scene: Scene, times: int) -> tuple[list[float], int]:
    """So many good samples, and how many were no good. Errors: LabError when it takes too many."""
    samples: list[float] = []
    for attempt in range(ATTEMPTS * times):
        value = act(scene)
        if value is not None:
            samples.append(value)
        if len(samples) == times:
            return samples, attempt + 1 - times
    raise LabError("the client was held up too often: this machine is too busy to measure on")


def measure_all(work: Path) -> Measurement:
    software: list[Software] = [Haman(), Keepalived()]
    gaps: dict[tuple[str, str], list[float]] = {}
    lost: dict[tuple[str, str], list[float]] = {}
    rows, again = [], 0
    for words, advert in INTERVALS.items():
        for turn in range(TURNS):
            for each in software:
                with Network() as network:
                    scene = Scene(network, work / f"{each.name}-{advert:g}-{turn}", each, advert)
                    cuts, bad_cuts = repeated(cut, scene, CUTS)
                    stops, bad_stops = repeated(stop, scene, STOPS)
                    scene.watch.close()
                gaps.setdefault((words, each.name), []).extend(cuts)
                lost.setdefault((words, each.name), []).extend(stops)
                again += bad_cuts + bad_stops
                session.say(
                    f"adverts every {words}, turn {turn + 1}, {each.name}: gap {median(cuts).value * 1000:.0f} ms,"
                    f" lost at a stop {', '.join(f'{count:.0f}' for count in stops)}"
                )
    for what, unit, kind in (("gap at a cut", "s", gaps), ("lost at a stop", "", lost)):
        for words in INTERVALS:
            cells = {each.name: median(kind[words, each.name]) for each in software}
            rows.append(Row(what=f"{what}, adverts every {words}", unit=unit, cells=cells))
    return Measurement(
        name="gap",
        title="What clients notice",
        statistic=f"medians of {TURNS * CUTS} cuts and of {TURNS * STOPS} stops (smallest - largest)",
        rows=tuple(rows),
        notes=(f"{again} cuts and stops were done again, because the client was held up meanwhile.",),
        conditions=session.versions("keepalived"),
    )


if __name__ == "__main__":
    sys.exit(session.main("gap", measure_all, timeout=5400))
