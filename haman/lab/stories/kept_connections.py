"""Long TCP connections over an orderly switch, a cut, and a director that is a new machine, out and back: synchronised
(DR, NAT), and by hashing alone."""

from __future__ import annotations

import time
from collections import Counter
from typing import TYPE_CHECKING, Any, ClassVar

from haman.lab import measure, tables
from haman.lab.plants import PLANTS
from haman.lab.stories import callers, servers
from haman.lab.stories.base import Story

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from haman.lab.hosts import Host
    from haman.lab.records import Chunk
    from haman.lab.stories.callers import Caller
    from haman.lab.stories.directors import Directors
    from haman.lab.stories.scene import Scene

VIP = "10.0.0.100"
DR, NAT = 90, 91
STREAMS = 10
OFTEN = 30.0
"""Seconds a stream may take to go on once the service is back: retransmissions back off to about twice the gap."""


class Site:
    """Two directors, a client and two servers on one segment; where there are NAT servers, an inner one with two of
    them, where the directors tell each other their connections. serve: what runs on a server at its port."""

    def __init__(self, scene: Scene, *, inner: bool, serve: Callable[[Host, int], object] = servers.downloads) -> None:
        self._network = network = scene.network
        self._lan, self._inner = network.segment("lan"), network.segment("inner")
        self.balancers = {f"lb{n}": self.balancer(n) for n in (1, 2)}
        self.client = network.host("client", {"eth0": (self._lan, "10.0.0.9/24")})
        for n in (1, 2):
            host = network.host(f"rs{n}", {"eth0": (self._lan, f"10.0.0.1{n}/24")})
            servers.silent_vip(host, VIP)
            serve(host, DR)
            if inner:
                host = network.host(f"app{n}", {"eth0": (self._inner, f"10.1.0.1{n}/24")})
                host.route("default", via="10.1.0.254")
                serve(host, NAT)

    def balancer(self, n: int) -> Host:
        """A machine for a director, as it is after it has booted."""
        interfaces = {"eth0": (self._lan, f"10.0.0.{n}/24"), "eth1": (self._inner, f"10.1.0.{n}/24")}
        return self._network.host(f"lb{n}", interfaces, forward=True)


class Kept(Story):
    """What both ways have in common: the acts. inner: are there NAT servers on a network of their own?"""

    inner: ClassVar[bool]

    def play(self, scene: Scene) -> None:
        site = Site(scene, inner=self.inner)
        pair = scene.directors(self.examples[0], site.balancers, self.change(scene))
        pair.start()
        running = {"DR": callers.streams(site.client, scene.work, VIP, DR, STREAMS)}
        if self.inner:
            running["NAT"] = callers.streams(site.client, scene.work, VIP, NAT, STREAMS)
        lb1 = site.balancers["lb1"]
        with scene.act(f"{STREAMS} downloads run by each method ({', '.join(running)})"):
            self.before(scene, pair)
        with scene.act("haman on lb1 is stopped (SIGTERM)"):
            survive(scene, pair, running, "lb2", lambda: pair.stop("lb1"))
        with scene.act("haman on lb1 is started, and preempts"):
            survive(scene, pair, running, "lb1", pair.nodes["lb1"].launch)
            pair.need_well()
        with scene.act("the cables of lb1 are cut"):
            survive(scene, pair, running, "lb2", lambda: _each(lb1.cut))
        with scene.act("the cables of lb1 are plugged in again, and it preempts"):
            survive(scene, pair, running, "lb1", lambda: _each(lb1.heal))
        with scene.act("haman on lb1 is stopped again, and its machine goes"):
            survive(scene, pair, running, "lb2", lambda: pair.stop("lb1"))
            lb1.close()
        with scene.act("a machine that has just booted takes its place, and preempts"):
            pair.replace("lb1", site.balancer(1))
            survive(scene, pair, running, "lb1", pair.nodes["lb1"].launch)
            self.after(scene, pair)

    def change(self, scene: Scene) -> Callable[[dict[str, Any]], None] | None:
        """A fault in the file that this story plants itself."""
        return None

    def before(self, scene: Scene, pair: Directors) -> None:
        """What holds before anything happens."""
        raise NotImplementedError

    def after(self, scene: Scene, pair: Directors) -> None:
        """What must hold of a machine that knew of no connection and is active now."""


def survive(
    scene: Scene,
    pair: Directors,
    running: Mapping[str, Caller[Chunk]],
    to: str,
    act: Callable[[], object],
) -> None:
    """`act` makes `to` the active director, and no download is lost."""
    begin = time.monotonic()
    act()
    scene.until(f"{to} is active", lambda: pair.active() == to)
    well = time.monotonic()
    for method, streams in running.items():

        def seen(streams: Caller[Chunk] = streams) -> measure.Downloads:
            return measure.downloads(streams.records(), begin, well)

        scene.until(f"all {method} downloads have gone on", lambda seen=seen: not seen().silent, OFTEN)  # type: ignore[misc]
        lost = seen().lost
        how = f" ({', '.join(sorted(lost))})" if lost else ""
        scene.at_most(f"{method} downloads lost{how}, of {seen().running}", 0, lost.total())


class Synchronised(Kept):
    name = "connection-sync"
    title = "long connections outlive their director: synchronised"
    examples = ("synchronised.yaml",)
    plants: ClassVar = {name: PLANTS[name].words for name in ("sync-off", "unheard")}
    inner = True

    def before(self, scene: Scene, pair: Directors) -> None:
        if not scene.planted("sync-off"):
            for name, host in pair.hosts.items():
                what = f"{name} runs both daemons, on eth1 with id 61"
                scene.until(what, lambda host=host: _daemons(host) == {"master": 1, "backup": 1})  # type: ignore[misc]
        if not scene.planted("sync-off"):
            for method, port in (("DR", DR), ("NAT", NAT)):
                scene.until(
                    f"lb2 has been told all {method} connections",
                    lambda port=port: len(tables.connections(pair.hosts["lb2"], port)) >= STREAMS,  # type: ignore[misc]
                )

    def after(self, scene: Scene, pair: Directors) -> None:
        """Said of the past, since it is over when somebody looks."""
        told = [each for each in pair.status("lb1")["transitions"] if each["kind"] == "sync"]
        scene.proved("it waited for connections", any(each["after"] == "waiting" for each in told))
        scene.proved("until it held them", any(each["cause"] == "held" for each in told))


class Hashed(Kept):
    name = "no-sync"
    title = "long connections outlive their director: mh alone"
    examples = ("not-synchronised.yaml",)
    plants: ClassVar = {"own-choice": "each director chooses for itself (wlc)"}
    inner = False

    def change(self, scene: Scene) -> Callable[[dict[str, Any]], None] | None:
        return _own_choice if scene.planted("own-choice") else None

    def before(self, scene: Scene, pair: Directors) -> None:
        lb1, lb2 = pair.hosts.values()
        scene.proved("no sync daemon runs", not (lb1.run("ipvsadm", "-L", "--daemon").stdout.strip()))
        scene.proved("lb2 knows none of the connections", not tables.connections(lb2, DR))
        if not scene.planted("own-choice"):
            sloppy = {host.read("/proc/sys/net/ipv4/vs/sloppy_tcp").strip() for host in (lb1, lb2)}
            scene.proved("sloppy_tcp is set on both", sloppy == {"1"})


def _daemons(host: Host) -> Counter[str]:
    """`ipvsadm -L --daemon`: one line each for what this director tells and what it hears."""
    shown = host.run("ipvsadm", "-L", "--daemon").stdout
    return Counter(line.split()[0] for line in shown.splitlines() if "mcast=eth1, syncid=61" in line)


def _own_choice(file: dict[str, Any]) -> None:
    file["services"]["files"]["scheduler"] = "wlc"


def _each(what: Callable[[str], None]) -> None:
    for interface in ("eth0", "eth1"):
        what(interface)
