"""What the three ways of two-box LVS cost: `mh`, marks by the sender, `backup_only`; beside plain direct routing.

Two machines that are directors and real servers, from each of the three examples of etc/examples; and the same two
without haman, one of them with a table typed with ipvsadm (wlc, direct routing, itself and the other one), the other
with none: the least that sharing can cost, since nothing there can fail over.

First the price of a request, all sites up at the same time and asked by turns (as in bench.forwarding): UDP from a new
port for each request, and from 16 sockets that stay. Then, way by way, the traffic of the story `two-box` (1,000 UDP
requests a second, every other one from an address of its own, 20 short TCP requests a second, 20 long downloads) while

* both just serve: packets that the two IPVS see for each UDP request, all traffic together;
* for a second somebody keeps the standby out of the standby's own table: the two disagree about a server;
* haman on the active one is stopped in good order, and started, and takes over again, MOVES times;
* the active one's cable is cut. What the other one does not answer until the lost machine is out of its table is lost
  with any way; what a way adds is in the connections.

How to read it: clients, directors and servers share one processor. Of moves there are few, so the spread says more
than the median.
"""

from __future__ import annotations

import socket
import sys
import time
from collections import defaultdict
from contextlib import ExitStack
from random import Random
from typing import TYPE_CHECKING, Final

from bench import session
from bench.figures import OURS, Measurement, Row, median
from haman.errors import LabError
from haman.lab import measure
from haman.lab.hosts import Network
from haman.lab.stories.scene import Scene
from haman.lab.stories.two_box import (
    NEW,
    ODDS,
    RETURN,
    STREAMS,
    VIP,
    Clients,
    all_answered,
    answering,
    boxes,
    running,
    scheduled,
    served_by,
    serves,
    take_out,
    together,
)
from haman.lab.waiting import until

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence
    from pathlib import Path

    from haman.lab.hosts import Host
    from haman.lab.stories.directors import Directors

WAYS: Final = {
    "mh": "two-boxes.yaml",
    "marks": "two-boxes-marks.yaml",
    "backup_only": "two-boxes-backup-only.yaml",
}
HAND: Final = "plain dr, ipvsadm"
KINDS: Final = {"each from a new port": True, "from 16 sockets": False}
ROUNDS, TURNS, SLICE = 5, 40, 0.02
"""Runs; turns of each; seconds of asking at a time."""

MOVES: Final = 2
STEADY, AFTER = 4.0, 1.0
"""Seconds that are counted: nothing happens; from a move's end on."""

PATIENCE = 60.0
UDP = 5060
BATCH = 16
REQUEST = bytes(8)


class Asker:
    """A client's sockets: BATCH requests under way, each from a new port or from those that stay. Made on its host.
    rate: requests a second so far, of the time in which it asked."""

    def __init__(self, *, fresh: bool) -> None:
        self._opened = [] if fresh else self._open()
        self._turns, self._seconds = 0, 0.0

    def ask(self, seconds: float) -> None:
        """For about so long, on its host. Errors: LabError for an answer that does not come."""
        begun = now = time.perf_counter()
        while now < begun + seconds:
            opened = self._opened or self._open()
            try:
                for each in opened:
                    each.send(REQUEST)
                for each in opened:
                    each.recv(64)
            except OSError as error:
                raise LabError(f"no answer after {self._turns * BATCH} requests: {error}") from None
            if not self._opened:
                _close(opened)
            self._turns += 1
            now = time.perf_counter()
        self._seconds += now - begun

    @property
    def rate(self) -> float:
        return self._turns * BATCH / self._seconds

    def _open(self) -> list[socket.socket]:
        opened = []
        for _ in range(BATCH):
            made = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
            made.settimeout(PATIENCE)
            made.connect((VIP, UDP))
            opened.append(made)
        return opened

    def close(self) -> None:
        _close(self._opened)


def _close(sockets: Sequence[socket.socket]) -> None:
    for each in sockets:
        each.close()


class Site:
    """Two boxes and a client, up and well when it is made. way: of WAYS, or HAND."""

    def __init__(self, way: str, work: Path, open: ExitStack) -> None:
        self.way = way
        work.mkdir(parents=True)
        work.chmod(0o755)
        self.scene = Scene(open.enter_context(Network()), work, session.say)
        self.hosts, self.client, _ = boxes(self.scene)
        self._pair: Directors | None = None
        if way == HAND:
            self.hosts["node1"].add_address("eth0", f"{VIP}/24")
            self.hosts["node1"].run("ipvsadm", "-R", input=_by_hand())
        else:
            self._pair = together(self.scene, WAYS[way], self.hosts, alone=way == "mh")
            until("node1 to be active", lambda: self.pair.active() == "node1", RETURN)

    @property
    def pair(self) -> Directors:
        if self._pair is None:
            raise LabError("nobody directs this site")
        return self._pair


def _by_hand() -> str:
    """What `ipvsadm -R` reads: the services of the examples."""
    names = [f"-t {VIP}:80", f"-t {VIP}:443", f"-u {VIP}:{UDP}"]
    return "".join(
        "\n".join([f"-A {name} -s wlc", *(f"-a {name} -r 10.0.0.{n} -g -w 1" for n in (1, 2)), ""]) for name in names
    )


def prices(sites: Mapping[str, Site]) -> dict[tuple[str, str], list[float]]:
    """Requests a second by way and kind, of each run."""
    found: dict[tuple[str, str], list[float]] = defaultdict(list)
    for number in range(-1, ROUNDS):  # the first one only warms up
        for kind, fresh in KINDS.items():
            clients = {way: site.client.call(Asker, fresh=fresh) for way, site in sites.items()}
            order = Random(number)
            for _ in range(TURNS if number >= 0 else 1):
                for way in order.sample(list(clients), len(clients)):
                    sites[way].client.call(clients[way].ask, SLICE)
            for way, client in clients.items():
                if number >= 0:
                    found[way, kind].append(client.rate)
                client.close()
        session.say(f"prices: run {number + 1} of {ROUNDS}")
    return found


def moves(site: Site) -> dict[str, list[float]]:
    """What the traffic of the story meets, by quantity."""
    clients = Clients(site.scene, site.client)
    found: dict[str, list[float]] = defaultdict(list)
    hosts, pair = site.hosts, site.pair

    def well() -> None:
        until("both to answer", lambda: answering(clients) == set(hosts), PATIENCE, every=0.5)
        until("all requests to be answered", lambda: all_answered(clients), PATIENCE, every=0.5)
        until("all downloads to run", lambda: running(clients) == STREAMS, PATIENCE, every=0.5)

    well()
    seen, begin = scheduled(hosts), time.monotonic()
    end = begin + STEADY
    sent = measure.answered(clients.requests.covered(end), begin, end).sent
    found["packets in both IPVS for each UDP request, all traffic together"].append((scheduled(hosts) - seen) / sent)
    _at_odds(hosts, clients, found)
    well()
    for _ in range(MOVES):
        _moved("stopped in good order", clients, found, lambda: pair.stop("node1"), lambda: pair.active() == "node2")
        well()
        _moved("takes over again", clients, found, pair.nodes["node1"].launch, lambda: pair.active() == "node1")
        pair.need_well()
        well()
    _cut(hosts, pair, clients, found)
    clients.stop()
    return found


def _at_odds(hosts: Mapping[str, Host], clients: Clients, found: dict[str, list[float]]) -> None:
    begin, seen = time.monotonic(), scheduled(hosts)
    while time.monotonic() < begin + ODDS:
        take_out(hosts["node2"], "node2")
    end = time.monotonic()
    answered = measure.answered(clients.requests.covered(end), begin, end)
    packets = (scheduled(hosts) - seen) / answered.sent
    until("whoever is new to be answered", lambda: all_answered(clients, NEW), PATIENCE, every=0.5)
    whole = time.monotonic()
    until("all downloads to run", lambda: running(clients) == STREAMS, PATIENCE, every=0.5)
    lost = measure.downloads(clients.streams.records(), begin, end).lost.total()
    found["at odds for a second: UDP requests lost, of 100"].append(100 * answered.lost / answered.sent)
    found["at odds for a second: packets in both IPVS for each UDP request"].append(packets)
    found["at odds for a second: seconds until whoever is new is answered"].append(whole - end)
    found[f"at odds for a second: downloads lost, of {STREAMS}"].append(lost)
    clients.stop()  # what was under way may go to and fro for as long as it lives
    clients.begin()


def _moved(
    what: str,
    clients: Clients,
    found: dict[str, list[float]],
    move: Callable[[], object],
    over: Callable[[], bool],
) -> None:
    begin = time.monotonic()
    move()
    until(f"{what}: the move", over, RETURN)
    _toll(what, clients, found, begin, time.monotonic(), STREAMS)


def _cut(hosts: Mapping[str, Host], pair: Directors, clients: Clients, found: dict[str, list[float]]) -> None:
    alive = served_by(hosts["node2"], clients.host)
    begin = time.monotonic()
    hosts["node1"].cut("eth0")
    until("node2 to be active", lambda: pair.role("node2") == "active", PATIENCE)
    until("node1 to be out of the table", lambda: not serves(hosts["node2"], "node1"), PATIENCE)
    _toll("cut, until the lost server is found out", clients, found, begin, time.monotonic(), alive)


def _toll(what: str, clients: Clients, found: dict[str, list[float]], begin: float, since: float, streams: int) -> None:
    """streams: downloads whose server is there; those that were kept got a chunk since."""
    end = since + AFTER
    answered = measure.answered(clients.requests.covered(end), begin, end)
    shorts = measure.shorts(clients.shorts.covered(end), begin, end)
    kept = measure.downloads(clients.streams.records(), begin, since).kept
    found[f"{what}: UDP requests lost"].append(answered.lost)
    found[f"{what}: short TCP requests that failed"].append(shorts.failures(80).total())
    found[f"{what}: downloads lost whose server is there"].append(max(0, streams - kept))


def main(work: Path) -> Measurement:
    with ExitStack() as open:
        sites = {way: Site(way, work / way, open) for way in (HAND, *WAYS)}
        session.say("four sites are up")
        rates = prices(sites)
        tolls: dict[str, dict[str, list[float]]] = {}
        for way in WAYS:
            tolls[way] = moves(sites[way])
            session.say(f"{way}: moved")
    return Measurement(
        name="ways",
        title="The three ways of two-box LVS",
        statistic=f"requests a second: median of {ROUNDS} runs of {TURNS * SLICE:g} s; else of all that were counted"
        " (smallest - largest)",
        rows=(*_priced(rates), *_counted(tolls)),
        conditions=session.versions("nftables", "ipvsadm"),
    )


def _priced(rates: Mapping[tuple[str, str], list[float]]) -> list[Row]:
    return [
        Row(
            what=f"{way}: UDP requests, {kind}",
            unit="/s",
            cells={OURS: median(rates[way, kind]), HAND: median(rates[HAND, kind])},
            paired=median([one / two for one, two in zip(rates[way, kind], rates[HAND, kind], strict=True)]),
        )
        for kind in KINDS
        for way in WAYS
    ]


def _counted(tolls: Mapping[str, Mapping[str, list[float]]]) -> list[Row]:
    return [
        Row(what=f"{way}: {what}", unit="", cells={OURS: median(tolls[way][what])})
        for what in next(iter(tolls.values()))
        for way in WAYS
    ]


if __name__ == "__main__":
    sys.exit(session.main("ways", main, timeout=2400, memory=2048))
