"""Two-box LVS: both machines are directors and real servers. What one gives to the other must stay there."""

from __future__ import annotations

import time
from itertools import pairwise, takewhile
from typing import TYPE_CHECKING, Any, ClassVar

from haman.director.ask import ask
from haman.lab import measure
from haman.lab.plants import PLANTS
from haman.lab.stories import callers, servers
from haman.lab.stories.base import Story
from haman.lab.waiting import happens

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

    from haman.lab.hosts import Host
    from haman.lab.processes import Process
    from haman.lab.records import Chunk, Request, Short
    from haman.lab.stories.callers import Caller
    from haman.lab.stories.directors import Directors
    from haman.lab.stories.scene import Scene

VIP = "10.0.0.100"
SOURCES = "100.64.0.0/14"
"""Minutes of addresses that were never used before. A flow that comes back within the timeout of UDP may be known to
a director that is active no more, and not to its successor: see docs/how-to/two-box.md."""
STREAMS = 20

THROUGH = 3.0
"""Packets that the two IPVS may see for each that clients send: one on the active director, and one more on the other
for every packet that is sent on. A packet that goes to and fro is seen some sixty times."""

TOGETHER = 4.0
"""Seconds of traffic that are counted."""

ODDS = 1.0
"""Seconds for which two tables differ."""

RETURN = 150.0
"""Seconds for a director that comes back to take over: it waits until it knows the connections, a minute at most, and
then for a machine that is slow."""

HANG = 8.0
"""Seconds without a chunk after which a download is given up, and begun anew."""

STALL = 0.4
"""A pause of the machine, seconds, after which an answer comes too late to be counted as one."""


MOVES = 10
REQUESTS = 10_000
"""UDP requests that are sent during the moves, at least."""

NAMED = 5
"""Lost requests that are told one by one."""

PORTS = 10_000
"""Own ports that the short requests of one part of the story may use, each once: what directors remember of a port that
is used again is another story (tests/kernel/test_port_reuse.py)."""

STEADY, NEW = 0, 1
"""The two flows of UDP requests, by what is left of a request's number divided by two."""


class Clients:
    """All that runs against the VIP while the story goes on."""

    def __init__(self, scene: Scene, host: Host) -> None:
        self.host = host
        self._work = scene.work
        self._own = 0
        self.begin()

    def begin(self) -> None:
        """From new ports."""
        self.requests: Caller[Request] = callers.requests(self.host, self._work, VIP, 5060, SOURCES)
        self._own += PORTS
        self.shorts: Caller[Short] = callers.shorts(self.host, self._work, VIP, 80, own=self._own)
        self.streams: Caller[Chunk] = callers.streams(self.host, self._work, VIP, 443, STREAMS, HANG)

    def stop(self) -> None:
        for each in (self.requests, self.shorts, self.streams):
            each.stop()


class TwoBox(Story):
    """Plays what any way of two-box LVS must stand; its subclasses are the other ways, with acts of their own.

    alone: the first director is well without the other. agrees: a standby keeps its table as the active one has it.
    costs: UDP requests that a planned move may cost. young: may it cost the short TCP requests, too, that are under way
    at its moment? unasked: may it at least where the old director is not there to be asked, since it was stopped?
    odds: UDP requests that one second may cost in which a standby's table is not what it was; None where that is only
    told.
    """

    name = "two-box"
    title = "two machines, each a director and a real server"
    examples = ("two-boxes.yaml",)
    plants: ClassVar = {
        "no-channel": PLANTS["no-channel"].words,
        "abrupt-stop": PLANTS["abrupt-stop"].words,
    }
    takes: ClassVar = 105.0
    alone: ClassVar = True
    agrees: ClassVar = True
    costs: ClassVar = 0
    young: ClassVar = False
    unasked: ClassVar = False
    odds: ClassVar[int | None] = None

    def play(self, scene: Scene) -> None:
        (example,) = self.examples
        hosts, client, programs = boxes(scene)
        pair = together(scene, example, hosts, alone=self.alone)
        clients = Clients(scene, client)
        with scene.act("both run"):
            scene.until("node1 is active", lambda: pair.active() == "node1", within=RETURN)
            self.settled(scene, hosts, "node1", "node2")
            self.served(scene, hosts, clients, "node2")
        with scene.act("node2's check of itself fails (only node2 sees that)"):
            self.disagree(scene, pair, clients, "node2")
            scene.until("node2 is content with itself again", lambda: _own_verdict(pair, "node2") == "up")
        with scene.act("somebody takes node2 out of node2's own table, for a second"):
            self.at_odds(scene, hosts, clients, "node2")
        self.meddled(scene, hosts, clients)
        with scene.act("haman on node1 is stopped, its services run on"):
            self.moved(scene, pair, clients, "node2", lambda: pair.stop("node1"), young=self.unasked)
            self.settled(scene, hosts, "node2", "node1")
            self.served(scene, hosts, clients, "node1")
        with scene.act("haman on node1 is started, and takes over again"):
            self.moved(scene, pair, clients, "node1", pair.nodes["node1"].launch)
            scene.until("all is well", lambda: not pair.missing())
            self.settled(scene, hosts, "node1", "node2")
        if not self.costs:
            with scene.act(f"the operator moves the VIP, {MOVES} times, there and back"):
                self.ordered(scene, pair, clients)
        with scene.act("the cable of node1 is cut"):
            self.cut(scene, pair, clients, "node1", "node2")
        with scene.act("the cable of node1 is plugged in again, and it takes over again"):
            self.moved(scene, pair, clients, "node1", lambda: hosts["node1"].heal("eth0"))
            scene.until("node1 is a real server again", lambda: serves(hosts["node2"], "node1"))
            self.settled(scene, hosts, "node1", "node2")
            self.served(scene, hosts, clients, "node2")
        self.over(scene, pair)
        scene.proved("every local service is the process it was at the start", all(each.running() for each in programs))

    def settled(self, scene: Scene, hosts: Mapping[str, Host], active: str, standby: str) -> None:
        """What has to come true, whoever is active, before all is as it should be."""

    def served(self, scene: Scene, hosts: Mapping[str, Host], clients: Clients, standby: str) -> None:
        """A while of traffic: all is answered, by both, and no packet is seen more often than it must be."""
        scene.until("both answer", lambda: answering(clients) == set(hosts), every=0.5)
        seen = scheduled(hosts)
        begin = time.monotonic()
        end = begin + TOGETHER
        requests = [each for each in clients.requests.covered(end) if begin <= each.sent < end]
        packets = scheduled(hosts) - seen
        self.lost(scene, clients, begin, end)
        shorts = sum(begin <= each.begun < end for each in clients.shorts.records())
        sent = len(requests) + 8 * shorts + _acknowledged(clients, begin, end)
        scene.at_most("packets in both IPVS for each that clients sent", THROUGH, round(packets / max(1, sent), 2))

    def meddled(self, scene: Scene, hosts: Mapping[str, Host], clients: Clients) -> None:
        """Acts in which somebody changes what this way stands on."""

    def over(self, scene: Scene, pair: Directors) -> None:
        """Acts after which node1 is active no more."""

    def lost(
        self, scene: Scene, clients: Clients, begin: float, end: float, udp: int = 0, *, young: bool = False
    ) -> None:
        """No more than so many UDP requests of this stretch, and no short TCP request, or those of one moment."""
        requests = clients.requests.covered(end)
        answered = measure.answered(requests, begin, end)
        pauses = [late.sent - early.sent for early, late in pairwise(requests) if begin <= late.sent < end]
        records = clients.shorts.covered(end)
        shorts = measure.shorts(records, begin, end)
        tcp = measure.under_way(records, begin, end) if young else 0
        failed = shorts.failures(80)
        if (answered.lost > udp or failed.total() > tcp) and max(pauses, default=0.0) > STALL:
            scene.doubt(f"the machine stood still for {max(pauses) * 1000:.0f} ms")
        lost = [each for each in requests if begin <= each.sent < end and each.answered is None]
        for each in lost[:NAMED] if answered.lost > udp else ():
            scene.note(f"lost: a request of the {_flow(each)} flow, {each.sent - begin:.3f} s after it began")
        scene.at_most(f"UDP requests lost, of {answered.sent}", udp, answered.lost)
        kinds = f" ({', '.join(f'{count} {kind}' for kind, count in failed.items())})" if failed else ""
        scene.at_most(f"short TCP requests that failed{kinds}, of {shorts.count(80)}", tcp, failed.total())

    def moved(
        self,
        scene: Scene,
        pair: Directors,
        clients: Clients,
        comes: str,
        move: Callable[[], object],
        *,
        young: bool = False,
    ) -> None:
        """The router goes to the other one in good order: what that costs, and that it keeps all downloads."""
        begin = time.monotonic()
        move()
        scene.until(f"{comes} is active", lambda: pair.active() == comes, within=RETURN)
        end = time.monotonic() + 1.0
        self.lost(scene, clients, begin, end, self.costs, young=young or self.young)
        self.kept(scene, clients, begin, end, STREAMS)

    def ordered(self, scene: Scene, pair: Directors, clients: Clients) -> None:
        """Again as soon as the other one can take it, so that a move comes into the second chances of the one before;
        nothing may be lost of all."""
        begin, done = time.monotonic(), 0
        for here, there in (("node1", "node2"), ("node2", "node1")) * (MOVES // 2):
            if not self._ordered(scene, pair, here, there):
                break
            done += 1
        scene.at_least("moves", MOVES, done)
        scene.until(
            f"{REQUESTS:,} UDP requests were sent meanwhile",
            lambda: sum(each.sent >= begin for each in clients.requests.records()) >= REQUESTS,
            every=0.5,
        )
        end = time.monotonic()
        self.lost(scene, clients, begin, end)
        self.kept(scene, clients, begin, end, STREAMS)
        for host in pair.hosts.values():
            host.call(ask, "switchover", patience=RETURN, back=True, by="the story")

    def _ordered(self, scene: Scene, pair: Directors, here: str, there: str) -> bool:
        """It is refused, and nothing happens, until the other one could serve at once."""
        answer: dict[str, Any] = {}

        def obeyed() -> bool:
            answer.update(pair.hosts[here].call(ask, "switchover", patience=RETURN, by="the story"))
            return bool(answer["ok"] or answer["moves"])

        if not happens(obeyed, scene.patience, every=0.2) or not answer["ok"]:
            scene.note(f"on {here}: {'; '.join(answer['lines'])}")
            return False
        return happens(lambda: pair.active() == there, scene.patience)

    def disagree(self, scene: Scene, pair: Directors, clients: Clients, other: str) -> None:
        """A standby would take itself out, and send what the active one gives it back, if its own checks counted."""
        host = pair.hosts[other]
        rule = f"tcp dport 80 ip daddr {_address(other)} iif lo drop"
        host.run(
            "nft",
            "-f",
            "-",
            input=f"table ip unlucky {{\nchain in {{\ntype filter hook input priority 0;\n{rule}\n}}\n}}\n",
        )
        begin = time.monotonic()
        seen = scheduled(pair.hosts)
        try:
            scene.until(f"{other}'s own check of itself has failed", lambda: _own_verdict(pair, other) == "down")
            end = time.monotonic() + TOGETHER
            requests = [each for each in clients.requests.covered(end) if begin <= each.sent < end]
            self.lost(scene, clients, begin, end)
            packets = (scheduled(pair.hosts) - seen) / max(1, len(requests))
            scene.note(f"{packets:.2f} packets in both IPVS for each UDP request")
            if self.agrees:
                scene.proved(f"{other} says whose word it follows", _follows(pair, other) != other)
        finally:
            host.run("nft", "delete", "table", "ip", "unlucky")

    def at_odds(self, scene: Scene, hosts: Mapping[str, Host], clients: Clients, standby: str) -> None:
        """Two tables that differ, whatever the reason: haman repairs the one, and it is changed again, for a second.
        What was under way then may go to and fro for as long as it lives, so the clients begin anew."""
        seen, begin = scheduled(hosts), time.monotonic()
        while time.monotonic() < begin + ODDS:
            take_out(hosts[standby], standby)
        end = time.monotonic()
        packets = scheduled(hosts) - seen
        scene.until(f"{standby} has itself in its table again", lambda: serves(hosts[standby], standby))
        repaired = time.monotonic()
        answered = measure.answered(clients.requests.covered(end), begin, end)
        each = f"{packets / max(1, answered.sent):.1f} packets in both IPVS for each"
        scene.note(f"tables that differ for a second: {answered.lost} of {answered.sent} UDP requests lost, {each}")
        if self.odds is not None:
            scene.at_most(f"UDP requests lost, of {answered.sent}", self.odds, answered.lost)
        scene.until("whoever is new is answered", lambda: all_answered(clients, NEW), every=0.5)
        scene.note(f"whoever was new was answered within {time.monotonic() - repaired:.1f} s of the repair")
        scene.until("all downloads run", lambda: running(clients) == STREAMS, every=0.5)
        found = measure.downloads(clients.streams.records(), begin, repaired)
        scene.note(found.fate)
        clients.stop()
        clients.begin()

    def cut(self, scene: Scene, pair: Directors, clients: Clients, gone: str, stays: str) -> None:
        """What the lost machine served itself is lost with it; what the other one served goes on, and all that is
        new. It stays cut until the lost downloads have begun anew, so that all are old when it comes back."""
        elsewhere = served_by(pair.hosts[stays], clients.host)
        begin = time.monotonic()
        pair.hosts[gone].cut("eth0")
        scene.until(f"{stays} is active", lambda: pair.role(stays) == "active")
        scene.until(f"{stays} has taken {gone} out of its table", lambda: not serves(pair.hosts[stays], gone))
        cured = time.monotonic()
        end = cured + 2.0
        requests = clients.requests.covered(end)
        scene.at_most("UDP requests lost after that", 0, measure.answered(requests, cured, end).lost)
        self.kept(scene, clients, begin, cured, elsewhere, among=f"that {stays} served")
        scene.until("all downloads run again", lambda: running(clients) == STREAMS, every=0.5)

    def kept(self, scene: Scene, clients: Clients, begin: float, since: float, least: int, among: str = "") -> None:

        def found() -> measure.Downloads:
            return measure.downloads(clients.streams.records(), begin, since)

        happens(lambda: found().kept >= least, scene.patience, every=0.5)
        last = found()
        scene.at_least(f"downloads kept {among}".rstrip(), least, last.kept)
        if last.kept < least:
            scene.note(f"{last.fate}, {len(last.silent)} are silent")


def boxes(scene: Scene) -> tuple[Mapping[str, Host], Host, Sequence[Process]]:
    """Both machines with their services, a host for clients; the services' programs."""
    lan = scene.network.segment("lan")
    hosts = {
        f"node{number}": scene.network.host(f"node{number}", {"eth0": (lan, f"10.0.0.{number}/24")})
        for number in (1, 2)
    }
    client = scene.network.host("client", {"eth0": (lan, "10.0.0.9/24")})
    programs = []
    for host in hosts.values():
        host.ip(f"route add {SOURCES} via 10.0.0.9")
        servers.silent_vip(host, VIP)  # the UDP server binds to it, before haman has come
        programs += [servers.web(host, 80), servers.downloads(host, 443), servers.echo(host, VIP, 5060)]
    return hosts, client, programs


def together(scene: Scene, example: str, hosts: Mapping[str, Host], *, alone: bool = True) -> Directors:
    """haman from this example on both, all well. alone: the first one is well without the other."""
    pair = scene.directors(example, hosts)
    if alone:
        pair.start()
    else:
        for node in pair.nodes.values():
            node.launch()
        pair.need_well()
    return pair


def scheduled(hosts: Mapping[str, Host]) -> int:
    """Packets that IPVS has taken on all of these hosts so far."""
    return sum(counted(host)[1] for host in hosts.values())


def counted(host: Host) -> tuple[int, int]:
    """What IPVS has counted on this host so far: connections that it has scheduled, and packets. Of each processor: the
    sum that the kernel gives is one of two seconds ago."""
    rows = (line.split() for line in host.read("/proc/thread-self/net/ip_vs_stats_percpu").splitlines())
    counts = [row for row in rows if len(row) == 6 and row[0] not in ("CPU", "~")]
    return sum(int(row[1], 16) for row in counts), sum(int(row[2], 16) for row in counts)


def _acknowledged(clients: Clients, begin: float, end: float) -> int:
    """Packets that the downloads' clients sent: an acknowledgement for a chunk, at most."""
    return sum(begin <= each.at < end for each in clients.streams.records())


def answering(clients: Clients) -> set[str | None]:
    """Who has answered within the last second. One that has just come back has the fewest connections, and gets all new
    ones of `wlc` until it has as many as the other."""
    since = time.monotonic() - 1.0
    recent = takewhile(lambda each: each.sent >= since, reversed(clients.requests.records()))
    return {each.server for each in recent if each.answered is not None}


def all_answered(clients: Clients, *flows: int) -> bool:
    """Whether all requests of a second were answered, the latest whose fate is known. flows: these only."""
    requests = clients.requests.records()
    recent = takewhile(lambda each: each.sent >= requests[-1].sent - 1.0, reversed(requests))
    return all(each.answered is not None for each in recent if each.number % 2 in (flows or (STEADY, NEW)))


def running(clients: Clients) -> int:
    """How many downloads have got a chunk within the last two seconds."""
    since = time.monotonic() - 2.0
    recent = takewhile(lambda each: each.at >= since, reversed(clients.streams.records()))
    return len({each.stream for each in recent if each.event == "data"})


def _flow(request: Request) -> str:
    return "steady" if request.number % 2 == STEADY else "new"


def take_out(host: Host, node: str) -> None:
    """Remove a machine from all services of this host's table, as somebody would by hand."""
    words = (line.split() for line in host.run("ipvsadm", "-Sn").stdout.splitlines())
    orders = [
        f"-d {' '.join(line[1:5])}" for line in words if line[0] == "-a" and line[4].startswith(f"{_address(node)}:")
    ]
    if orders:
        host.run("ipvsadm", "-R", input="\n".join(orders) + "\n", check=False)


def _address(node: str) -> str:
    return f"10.0.0.{node[-1]}"


def _own_verdict(pair: Directors, node: str) -> str:
    """What a node's check says of its own web server."""
    services = pair.status(node)["services"]
    web = next(each for each in services if each["name"] == "web")
    return next(str(each["state"]) for each in web["servers"] if each["name"] == node and each["port"] == 80)


def _follows(pair: Directors, node: str) -> str:
    return next(str(each["follows"]) for each in pair.status(node)["services"] if each["name"] == "web")


def serves(host: Host, node: str) -> bool:
    """Whether a machine is in this host's table."""
    return f"{_address(node)}:" in host.run("ipvsadm", "-Ln").stdout


def served_by(server: Host, client: Host) -> int:
    """How many of the client's established downloads this host's program has. Sockets tell, not the director's list of
    connections: this story has tens of thousands, and of a list that grows while it is read some come twice."""
    return len(_established(client, remote=True) & _established(server, remote=False))


def _established(host: Host, *, remote: bool) -> set[str]:
    """The clients' ports of the established downloads on this host, where port 443 is the remote one or its own."""
    sockets = (line.split() for line in host.read("/proc/thread-self/net/tcp").splitlines()[1:])
    ends = (fields[1:3] if remote else fields[2:0:-1] for fields in sockets if fields[3] == "01")
    return {port.rpartition(":")[2] for port, service in ends if service.endswith(f":{443:04X}")}
