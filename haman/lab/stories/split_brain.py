"""Two directors that do not hear each other, in every way that happens to people, and an arbiter against it.

Two switches with a line between them: lb1, a server, a client and the gateway on one, lb2, a server and a client on
the other.
"""

from __future__ import annotations

import contextlib
import os
import re
import signal
from typing import TYPE_CHECKING, Any, ClassVar, Final
from urllib.request import urlopen

import yaml

from haman.director.ask import ask
from haman.errors import LabError, Unreachable
from haman.lab.stories import callers, servers
from haman.lab.stories.base import Story

if TYPE_CHECKING:
    from haman.lab.hosts import Host
    from haman.lab.stories.directors import Directors
    from haman.lab.stories.scene import Scene

VIP = "10.0.0.100"
GATEWAY = "10.0.0.254"
TOLD = "/run/told"
METRICS: Final = "127.0.0.1:9112"
ADVERTS: Final = 'haman_adverts_total{kind="received"'
FROZEN: Final = 'haman_transitions_total{cause="frozen"'
MISMATCHES: Final = 'haman_advert_mismatches_total{router="public",what="addresses"'
HEARD: Final = 20
"""Advertisements, two seconds of them: by the first of these whoever would act on it has."""

HOOK = f'#!/bin/sh\necho "$HAMAN_SPLIT $HAMAN_RIVAL" >> {TOLD}\n'


class SplitBrain(Story):
    name = "split-brain"
    title = "directors that do not hear each other, and an arbiter"
    examples = ("arbiter.yaml", "vip-only-nginx.yaml")
    plants: ClassVar = {
        "no-channel": "directors do not talk to each other",
        "hook-forgotten": "nobody is told of a split brain",
        "arbiter-ignored": "a standby takes over without asking the arbiter",
    }

    def play(self, scene: Scene) -> None:
        site = Site(scene)
        if not scene.planted("arbiter-ignored"):
            alone = scene.directors("arbiter.yaml", site.directors, _without_arbiter(scene.planted("no-channel")))
            alone.start()
            self.undecided(scene, site, alone)
            for name in site.directors:
                alone.stop(name)
        guarded = scene.directors("arbiter.yaml", site.directors)
        guarded.start()
        self.decided(scene, site, guarded)

    def undecided(self, scene: Scene, site: Site, pair: Directors) -> None:
        """Without an arbiter."""
        with scene.act("the line between the switches breaks, with a client on either side"):
            site.break_line()
            _both_active(scene, pair)
            for side, client in site.clients.items():
                scene.until(f"the client in the {side} is served", lambda client=client: callers.page(client, VIP))  # type: ignore[misc]
        with scene.act("the line is mended"):
            site.mend_line()
            scene.until("lb1 alone is active", lambda: pair.active() == "lb1")
            _follow(scene, site, "lb1")
            scene.until("its hook was told of a beginning and an end", lambda: site.told("lb1", "begin", "end"))
            scene.proved("its metrics count it", _metric(pair, "lb1", "haman_split_brains_total") >= 1)
            scene.proved("`haman why` tells of it there", "10.0.0.2" in _told(pair, "lb1", "two directors are active"))
        with scene.act("the switch drops multicast"):
            site.forget()
            site.drop_multicast()
            _both_active(scene, pair)
            for name, rival in (("lb1", "10.0.0.2"), ("lb2", "10.0.0.1")):
                shows = f"{name} shows the other one, though no advertisement of it is heard"
                scene.until(shows, lambda name=name, rival=rival: _rivals(pair, name) == [rival])  # type: ignore[misc]
                scene.until(f"{name}'s hook was told of {rival}", lambda name=name: site.told(name, "begin"))  # type: ignore[misc]
                _shown(scene, pair, name, rival)
        with scene.act("it still does, and the directors are told to speak unicast"):
            _speak(pair, "unicast")
            _one_again(scene, site, pair)
            site.forward_multicast()
            _speak(pair, "multicast")
        with scene.act("the standby hears nothing, and is heard"):
            site.forget()
            _deafen(site.directors["lb2"])
            _both_active(scene, pair)
            scene.until("lb1 shows the other one", lambda: _rivals(pair, "lb1") == ["10.0.0.2"])
            _shown(scene, pair, "lb1", "10.0.0.2")
            scene.proved("its metrics count advertisements of a rival", _metric(pair, "lb1", "haman_rivals_total") >= 1)
            _listen(site.directors["lb2"])
            _one_again(scene, site, pair)
        with scene.act("the active one hears nothing, and is heard"):
            before = _metric(pair, "lb2", ADVERTS)
            _deafen(site.directors["lb1"])
            scene.until("lb2 hears it on", lambda: _metric(pair, "lb2", ADVERTS) >= before + HEARD)
            scene.proved("nothing moves", pair.roles() == {"lb1": "active", "lb2": "standby"})
            _listen(site.directors["lb1"])
        with scene.act("lb1 stands still as a whole, and goes on"):
            with _stopped(site.directors["lb1"]):
                scene.until("lb2 is active", lambda: pair.role("lb2") == "active")
                _follow(scene, site, "lb2")
            scene.until("lb1 is standby", lambda: pair.role("lb1") == "standby")
            scene.until("lb1 has no VIP on its NIC", lambda: VIP not in _on_nic(site.directors["lb1"]))
            scene.proved("it noticed", scene.stalls())
            scene.until("its metrics count it", lambda: _metric(pair, "lb1", FROZEN) >= 1)
            scene.until("`haman why` tells of it there", lambda: _told(pair, "lb1", "stood still for"))
            scene.forgive_stalls()
            _follow(scene, site, "lb2")
        with scene.act("another cluster comes with the same VRID and a higher priority"):
            stranger = scene.directors("vip-only-nginx.yaml", {"web1": site.stranger}, _stranger)
            stranger.nodes["web1"].launch()
            scene.until("both are standby to it", lambda: set(pair.roles().values()) == {"standby"})
            scene.until(
                "lb2 says what is wrong with its advertisements", lambda: "10.0.0.200" in _complaints(pair, "lb2")
            )
            scene.until("its metrics count them", lambda: _metric(pair, "lb2", MISMATCHES) >= 1)
            scene.until("`haman why` tells of them there", lambda: _told(pair, "lb2", "not ours in: addresses"))
            stranger.stop("web1")
            scene.until("without it one is active again, and serves", lambda: _served(site, pair))

    def decided(self, scene: Scene, site: Site, pair: Directors) -> None:
        """With the gateway as arbiter, on lb1's side."""
        with scene.act("the line breaks again: the standby does not reach the arbiter"):
            site.break_line()
            scene.until("lb2 says that it is held back", lambda: "the arbiter says no" in _held(pair, "lb2"))
            scene.proved("lb2 is standby", pair.role("lb2") == "standby")
            scene.proved("lb1 is active", pair.role("lb1") == "active")
            scene.until("the client in the west is served", lambda: callers.page(site.clients["west"], VIP))
            site.mend_line()
            scene.until("lb2 hears lb1 again", lambda: not _held(pair, "lb2"))
            scene.proved("nobody has taken anything", pair.roles() == {"lb1": "active", "lb2": "standby"})
        with scene.act("lb1 dies"):
            _die(pair, "lb1")
            scene.until("lb2 is active", lambda: pair.role("lb2") == "active")
            scene.proved("with the arbiter's consent", "the arbiter agrees" in _why(pair, "lb2"))
            _follow(scene, site, "lb2")
            pair.nodes["lb1"].launch()
            scene.until("lb1 is back", lambda: pair.role("lb1") == "standby")
        with scene.act("the arbiter dies"):
            site.gateway.cut("eth0")
            for name in pair.nodes:
                lost = f"{name} says that the arbiter is lost"
                scene.until(lost, lambda name=name: _arbiter(pair, name) == "down")  # type: ignore[misc]
            scene.until("lb1 knows that lb2 does not reach it", lambda: _peer_reaches(pair, "lb1") is False)
            scene.proved("nothing moves", pair.roles() == {"lb1": "standby", "lb2": "active"})
            scene.until("clients are served", lambda: callers.page(site.clients["west"], VIP))
        with scene.act("and then the active director dies too"):
            _die(pair, "lb2")
            scene.until("lb1 is active: an arbiter that answers nobody is none", lambda: pair.role("lb1") == "active")
            scene.until("clients are served", lambda: callers.page(site.clients["west"], VIP))


class Site:
    """The machines of the story, and the line between the two switches."""

    def __init__(self, scene: Scene) -> None:
        network = scene.network
        west, east = network.segment("west"), network.segment("east")
        self.line = network.host("line", {"eth0": (west, ()), "eth1": (east, ())})
        self.line.ip("link add name joint type bridge mcast_snooping 0 forward_delay 0", "link set dev joint up")
        self.mend_line()
        self.directors = {
            "lb1": network.host("lb1", {"eth0": (west, "10.0.0.1/24")}),
            "lb2": network.host("lb2", {"eth0": (east, "10.0.0.2/24")}),
        }
        self.clients = {
            "west": network.host("client-west", {"eth0": (west, "10.0.0.51/24")}),
            "east": network.host("client-east", {"eth0": (east, "10.0.0.52/24")}),
        }
        self.gateway = network.host("gateway", {"eth0": (west, f"{GATEWAY}/24")})
        self.stranger = network.host("web1", {"eth0": (west, "10.0.0.61/24")})
        for name, segment, address in (("rs1", west, "10.0.0.11/24"), ("rs2", east, "10.0.0.12/24")):
            server = network.host(name, {"eth0": (segment, address)})
            servers.silent_vip(server, VIP)
            servers.web(server, 80)
        for host in self.directors.values():
            host.write("/etc/haman/hooks/split.sh", HOOK, 0o755)
        self.forget()

    def break_line(self) -> None:
        """Every machine keeps its carrier."""
        self.line.ip("link set dev eth1 nomaster")

    def mend_line(self) -> None:
        self.line.ip("link set dev eth0 master joint", "link set dev eth1 master joint")

    def drop_multicast(self) -> None:
        """As a switch that snoops and has forgotten who wants it; all else passes."""
        chains = "".join(
            f"chain {port} {{\ntype filter hook ingress device {port} priority 0;\n"
            "ether daddr 01:00:5e:00:00:12 drop\n}\n"
            for port in ("eth0", "eth1")
        )
        self.line.run("nft", "-f", "-", input=f"table netdev snooping {{\n{chains}}}\n")

    def forward_multicast(self) -> None:
        self.line.run("nft", "delete", "table", "netdev", "snooping")

    def forget(self) -> None:
        """What hooks were told so far."""
        for host in self.directors.values():
            host.write(TOLD, "", 0o666)

    def told(self, name: str, *phases: str) -> bool:
        """Have all of these been told to the hook of this director, the last one last?"""
        lines = self.directors[name].read(TOLD).split("\n")[:-1]
        said = [line.partition(" ")[0] for line in lines]
        return set(phases) <= set(said) and said[-1] == phases[-1]


def _without_arbiter(no_channel: bool) -> Any:
    def change(file: dict[str, Any]) -> None:
        del file["arbiter"]
        file["metrics"] = {"listen": METRICS}
        for hook in file["hooks"]:
            hook["on"] = hook.pop(True)  # what `on` is to YAML 1.1, which the lab reads examples by
        if no_channel:
            file["channel"] = False

    return change


def _stranger(file: dict[str, Any]) -> None:
    """A cluster of one with our VRID."""
    file["directors"] = {"web1": {"address": "10.0.0.61", "priority": 200}}
    front = {"interface": "eth0", "vrid": 51, "advert_interval": "100ms", "addresses": ["10.0.0.200/24"]}
    file["routers"] = {"front": front | {"preempt": True}}


def _deafen(host: Host) -> None:
    """Advertisements do not come in; all else does."""
    rules = "chain in {\ntype filter hook input priority 0;\nip protocol 112 drop\n}"
    host.run("nft", "-f", "-", input=f"table ip deaf {{\n{rules}\n}}\n")


def _listen(host: Host) -> None:
    host.run("nft", "delete", "table", "ip", "deaf")


def _speak(pair: Directors, transport: str) -> None:
    """Errors: LabError."""
    file = yaml.safe_load(pair.config.read_text())
    file["routers"]["public"]["transport"] = transport
    pair.config.write_text(yaml.safe_dump(file, sort_keys=False))
    for host in pair.hosts.values():
        if not (answer := host.call(ask, "reload"))["ok"]:
            raise LabError(f"{host.name} refuses to speak {transport}: {answer}")


def _one_again(scene: Scene, site: Site, pair: Directors) -> None:
    scene.until("lb1 alone is active again", lambda: pair.active() == "lb1")
    scene.until("it has no rival any more", lambda: not _rivals(pair, "lb1"))
    scene.until("its hook was told of the end", lambda: site.told("lb1", "begin", "end"))
    _follow(scene, site, "lb1")


def _shown(scene: Scene, pair: Directors, name: str, rival: str) -> None:
    scene.proved(f"`haman why` names {rival} on {name}", rival in _told(pair, name, "split brain: "))
    scene.proved(f"{name}'s metrics say it", _metric(pair, name, "haman_router_split_brain") == 1)


def _both_active(scene: Scene, pair: Directors) -> None:
    scene.until("both are active", lambda: set(pair.roles().values()) == {"active"})


def _follow(scene: Scene, site: Site, name: str) -> None:
    """Every client is served, and by this director."""
    mac = site.directors[name].mac("eth0")
    for side, client in site.clients.items():
        served = f"the client in the {side} is served by {name}"
        scene.until(served, lambda client=client: callers.page(client, VIP) and mac in _neighbour(client))  # type: ignore[misc]


def _served(site: Site, pair: Directors) -> bool:
    """Is one alone active, and is every client served by it?"""
    name = pair.active()
    mac = site.directors[name].mac("eth0") if name else "-"
    return all(callers.page(client, VIP) and mac in _neighbour(client) for client in site.clients.values())


def _die(pair: Directors, name: str) -> None:
    """As a machine: of what it was nothing answers any more."""
    pair.nodes[name].crash()
    pair.hosts[name].run("ip", "address", "flush", "dev", "eth0", "to", VIP)


def _neighbour(host: Host) -> str:
    return host.run("ip", "neighbour", "show", VIP).stdout


def _on_nic(host: Host) -> str:
    return host.run("ip", "-4", "-brief", "address", "show", "dev", "eth0").stdout


@contextlib.contextmanager
def _stopped(host: Host) -> Any:
    """All of its processes stand still, as those of a virtual machine that is paused."""
    pids = [pid for pid in host.processes() if pid != os.getpid()]
    for pid in pids:
        os.kill(pid, signal.SIGSTOP)
    try:
        yield
    finally:
        for pid in pids:
            with contextlib.suppress(ProcessLookupError):
                os.kill(pid, signal.SIGCONT)


def _told(pair: Directors, name: str, which: str) -> str:
    """The lines of `haman why public` in which these words stand."""
    (chain,) = pair.hosts[name].call(ask, "why", object="public")["chains"]
    return "\n".join(line["text"] for line in chain if which in line["text"])


def _metric(pair: Directors, name: str, series: str) -> float:
    """The sum of all whose name and labels begin so."""

    def read() -> str:
        with urlopen(f"http://{METRICS}/metrics", timeout=30) as answer:
            return str(answer.read().decode())

    found = re.findall(rf"^{re.escape(series)}.* (\S+)$", pair.hosts[name].call(read), re.MULTILINE)
    return sum(map(float, found))


def _rivals(pair: Directors, name: str) -> list[str]:
    split = pair.router(name).get("split_brain")
    return [] if split is None else list(split["rivals"])


def _held(pair: Directors, name: str) -> str:
    return str(pair.router(name).get("held") or "")


def _why(pair: Directors, name: str) -> str:
    return str(pair.router(name).get("why") or "")


def _complaints(pair: Directors, name: str) -> str:
    return " ".join(pair.router(name).get("complaints", ()))


def _peer_reaches(pair: Directors, name: str) -> bool | None:
    """What the other director said last of the arbiter."""
    try:
        (peer,) = pair.status(name)["directors"]
    except Unreachable:
        return None
    reached: bool | None = peer["reaches_arbiter"]
    return reached


def _arbiter(pair: Directors, name: str) -> str:
    try:
        arbiter = pair.status(name)["arbiter"]
    except Unreachable:
        return ""
    return "" if arbiter is None else str(arbiter["state"])
