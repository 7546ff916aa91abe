"""A remote site answers when no local server is left: TCP, UDP and a resolver, across a takeover, and back again.

The way there has delay and loss; clients of all kinds run through the whole story, and each act tells what they saw.
"""

from __future__ import annotations

import socket
import time
from typing import TYPE_CHECKING, ClassVar

from haman.lab.stories import bind, callers, servers, sites
from haman.lab.stories.base import Story
from haman.lab.stories.gaps import SOURCES, Clients
from haman.lab.stories.scene import PATIENCE, PLANTED

if TYPE_CHECKING:
    from haman.lab.hosts import Host
    from haman.lab.processes import Process
    from haman.lab.stories.directors import Directors
    from haman.lab.stories.scene import Scene

VIP, WEB, FILES, VOICE = "10.0.0.100", 80, 90, 5060
EAST, STRANGER = "203.0.113.10", "203.0.113.77"
WITHIN = 2.0
"""Seconds a client waits for one answer, see `callers.WITHIN`."""

PATIENT = 0.2
"""Seconds the UDP client waits for one answer: it asks anew often, so that it sees the first one that comes."""

PAUSE = 0.01
"""Seconds between two questions of a client that was refused."""

FAR = ("delay", "10ms", "loss", "1%")
"""What netem does to the way to the other site, each way."""


class BackupSite(Story):
    name = "backup-site"
    title = "a remote site answers when no local server is left"
    examples = ("backup-site.yaml",)
    packages = ("bind9",)
    plants: ClassVar = {
        "no-backup": "the UDP service has no backup",
        "unknown-site": "the other site sends from an address that nobody has named",
    }

    def play(self, scene: Scene) -> None:
        lan, wan = scene.network.segment("lan"), scene.network.segment("wan")
        self.lbs = {
            name: scene.network.host(name, {"eth0": (lan, f"10.0.0.{n}/24")}, forward=True)
            for n, name in ((1, "lb1"), (2, "lb2"))
        }
        border = scene.network.host(
            "border", {"eth0": (lan, "10.0.0.254/24"), "eth1": (wan, "203.0.113.14/24")}, forward=True
        )
        for device in ("eth0", "eth1"):
            border.run("tc", "qdisc", "add", "dev", device, "root", "netem", *FAR)
        self.east = scene.network.host("east", {"eth0": (wan, [f"{EAST}/24", f"{STRANGER}/24"])})
        self.east.ip("route add 10.0.0.0/24 via 203.0.113.14")
        self.client = scene.network.host("client", {"eth0": (lan, "10.0.0.9/24")})
        self.local = {
            name: scene.network.host(name, {"eth0": (lan, f"10.0.0.{n}/24")}) for n, name in ((11, "rs1"), (12, "rs2"))
        }
        for host in (*self.lbs.values(), *self.local.values()):
            host.ip("route add default via 10.0.0.254", f"route add {SOURCES} via 10.0.0.9")
        self.running = {}
        for name, host in self.local.items():
            servers.silent_vip(host, VIP)
            self.running[name] = _serve(scene, host, VIP)
        self.running["east"] = _serve(scene, self.east, EAST)
        pair = scene.directors("backup-site.yaml", self.lbs, _no_backup if scene.planted("no-backup") else None)
        pair.start()
        voice = callers.Asker(self.client, VIP, VOICE, PATIENT)
        try:
            with scene.act("both local servers run"):
                scene.until("the backup was checked", lambda: sites.checked(pair, "lb1", "web") == "up")
                scene.proved("local servers answer", set(callers.pages(self.client, VIP, 10)) <= {"rs1", "rs2"})
                scene.until("and the UDP client", voice.ask)
                scene.until("and the resolver", lambda: bind.who(self.client, VIP) in self.local)
                clients = Clients(self.client, scene.work, VIP, web=WEB, echo=VOICE, files=FILES)
            self._fall(scene, pair, clients, voice)
            self._take_over(scene, pair, clients)
            self._return(scene, pair, clients, voice)
        finally:
            voice.close()

    def _answers(self, scene: Scene, who: str, voice: callers.Asker) -> None:
        """TCP, UDP on the port that its client has, and names over UDP and TCP."""
        scene.until("the UDP client is answered by it, on the port it has", lambda: voice.ask() == who)
        scene.until("TCP clients too", lambda: callers.page(self.client, VIP) == who)
        scene.until("its resolver answers", lambda: bind.who(self.client, VIP) == who)
        scene.until("over TCP too", lambda: bind.who(self.client, VIP, tcp=True) == who)

    def _kill(self, name: str) -> None:
        for process in self.running[name]:
            process.kill()

    def _fall(self, scene: Scene, pair: Directors, clients: Clients, voice: callers.Asker) -> None:
        client = self.client
        with clients.act(scene, "rs1 dies"):
            self._kill("rs1")
            scene.until("rs2 answers alone", lambda: set(callers.pages(client, VIP, 8)) == {"rs2"})
            self._answers(scene, "rs2", voice)
            scene.proved("the site stays", sites.serving(pair, "web") == {"local"})
        with clients.act(scene, "rs2's cable is cut"), client.call(_connect) as talk:
            begun = time.monotonic()
            self.local["rs2"].cut("eth0")
            gap = _gap(voice, "east", PLANTED if scene.plant else PATIENCE)
            self._answers(scene, "east", voice)
            scene.note(f"UDP with one port: {gap or 0:.2f} s until the other site's first answer, detection included")
            scene.note(f"TCP, and names: answered {time.monotonic() - begun:.2f} s after the cut")
            scene.proved("an old connection is reset, and does not hang", _fate(talk) == "reset")
            scene.until("both directors say so", lambda: sites.serving(pair, "web") == {"east"})
        with clients.act(scene, "the other site, whose servers are down as well, sends here"):
            source = STRANGER if scene.planted("unknown-site") else EAST
            asked = callers.page(self.east, VIP, source=source)
            scene.proved("it is refused, and not sent back to it", asked == "")
            scene.until("clients are answered all the same", lambda: callers.page(client, VIP) == "east")

    def _take_over(self, scene: Scene, pair: Directors, clients: Clients) -> None:
        with clients.act(scene, "the active director ends while the other site serves"):
            with self.client.call(_connect) as talk:
                active = pair.active()
                (other,) = set(pair.nodes) - {active}
                pair.stop(active)
                scene.until("the other one is active", lambda: pair.role(other) == "active")
                scene.until("it sends to the other site", lambda: callers.page(self.client, VIP) == "east")
                scene.proved("and never thought of anything else", sites.sites_of(pair, other, "web") == ["east"])
                fate = _fate(talk)
                scene.note(f"an old connection to the other site, by way of the other director: {fate}")
                scene.proved("an old connection goes on or is reset, and does not hang", fate in ("answered", "reset"))
            pair.nodes[active].launch()
            scene.until("the first one is back, beside it", lambda: pair.role(active) == "standby")
            scene.until("with the same site", lambda: sites.serving(pair, "web") == {"east"})

    def _return(self, scene: Scene, pair: Directors, clients: Clients, voice: callers.Asker) -> None:
        client = self.client
        with clients.act(scene, "the other site dies too"):
            self._kill("east")
            scene.until("clients are refused, at once", lambda: callers.refused(client, VIP, WEB))
        with clients.act(scene, "rs2 is back"):
            self.local["rs2"].heal("eth0")
            self._answers(scene, "rs2", voice)
        with clients.act(scene, "rs1 is back"):
            self.running["rs1"] = _serve(scene, self.local["rs1"], VIP)
            scene.until("both answer", lambda: set(callers.pages(client, VIP, 8)) == {"rs1", "rs2"})
        with clients.act(scene, "the other site is back, and the operator moves the service there"):
            self.running["east"] = _serve(scene, self.east, EAST)
            scene.until("it is checked", lambda: sites.checked(pair, pair.active(), "web") == "up")
            sites.use(pair, "backup", "web")
            scene.until("it answers", lambda: callers.page(client, VIP) == "east")
            scene.until("both directors know", lambda: sites.serving(pair, "web") == {"east"})
            scene.until("the UDP service stays local", lambda: voice.ask() in self.local)
        with clients.act(scene, "the operator leaves it to health again"):
            sites.use(pair, "auto", "web")
            scene.until("local servers answer", lambda: callers.page(client, VIP) in self.local)


def _serve(scene: Scene, host: Host, own: str) -> list[Process]:
    """The checked one comes last: when it answers, all do."""
    return [
        bind.serve(scene, host),
        servers.echo(host, own, VOICE),
        servers.downloads(host, FILES),
        servers.web(host, WEB),
    ]


def _connect() -> socket.socket:
    """A connection that stays open: its server waits for a request."""
    talk = socket.create_connection((VIP, WEB), timeout=WITHIN)
    talk.settimeout(WITHIN)
    return talk


def _fate(talk: socket.socket) -> str:
    """What becomes of the connection when its client sends again: `answered`, `reset` or, worst, `nothing`."""
    for _ in range(10):
        try:
            talk.send(b"GET / HTTP/1.0\r\n")
            return "answered" if talk.recv(64) else "closed"
        except TimeoutError:
            continue
        except OSError:
            return "reset"
    return "nothing"


def _gap(voice: callers.Asker, who: str, patience: float) -> float | None:
    """Seconds without an answer before this one's first; None if it never came."""
    begun = time.monotonic()
    while time.monotonic() < begun + patience:
        if voice.ask() == who:
            return time.monotonic() - begun
        time.sleep(PAUSE)
    return None


def _no_backup(file: dict[str, object]) -> None:
    service = file["services"]["voice"]  # type: ignore[index]
    del service["backup"], service["failover"]
