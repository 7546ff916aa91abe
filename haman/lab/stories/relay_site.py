"""A remote site that is told who the clients are: by relay, to Debian's HAProxy and a UDP server that take the PROXY
protocol; with clients that end their direction first, a takeover meanwhile, and sessions that are drained at the end.
"""

from __future__ import annotations

import socket
import time
from contextlib import ExitStack
from typing import TYPE_CHECKING, Any, ClassVar

from haman.lab.stories import callers, servers, sites
from haman.lab.stories.backup_site import FAR
from haman.lab.stories.base import Story
from haman.lab.stories.gaps import SOURCES, Clients
from haman.lab.waiting import until
from haman.lab.workload import START, listens, program

if TYPE_CHECKING:
    from haman.lab.hosts import Host
    from haman.lab.processes import Process
    from haman.lab.stories.directors import Directors
    from haman.lab.stories.scene import Scene

VIP, WEB, COUNT, VOICE = "10.0.0.100", 80, 7, 5060
CLIENT, EAST = "10.0.0.9", "203.0.113.10"
EAST_COUNT, EAST_VOICE = 7007, 5070
SERVICES = ("web", "count", "voice")

HAPROXY = f"""
defaults
  mode http
  timeout connect 5s
  timeout client 60s
  timeout server 60s
frontend web
  bind {EAST}:8080 accept-proxy
  http-request return status 200 content-type text/plain lf-string "%H %ci:%cp"
frontend health
  bind {EAST}:8081
  http-request return status 200
listen count
  mode tcp
  bind {EAST}:{EAST_COUNT} accept-proxy
  server own 127.0.0.1:{COUNT}
"""
"""`%ci:%cp`: the client, as the PROXY header tells it."""

WITHIN = 2.0
"""Seconds a client waits for one answer, see `callers.WITHIN`."""

MUCH = 1 << 20
"""Bytes that a client sends before it ends its direction: more than all buffers on the way."""

DATAGRAMS = 20

GOES_ON = 3.0
"""Seconds for which a session that is drained is seen to go on."""

MOMENT = 0.2
"""Seconds between two looks at a session."""


class RelaySite(Story):
    name = "relay-site"
    title = "a remote site that is told who the clients are, by relay"
    examples = ("relay-site.yaml",)
    packages = ("haproxy",)
    plants: ClassVar = {
        "no-proxy": "the other site is not told who the client is",
        "no-drain": "sessions at the other site are not given time to end",
    }

    def play(self, scene: Scene) -> None:
        lan, wan = scene.network.segment("lan"), scene.network.segment("wan")
        lbs = {
            name: scene.network.host(name, {"eth0": (lan, f"10.0.0.{n}/24")}) for n, name in ((1, "lb1"), (2, "lb2"))
        }
        border = scene.network.host(
            "border", {"eth0": (lan, "10.0.0.254/24"), "eth1": (wan, "203.0.113.14/24")}, forward=True
        )
        for device in ("eth0", "eth1"):
            border.run("tc", "qdisc", "add", "dev", device, "root", "netem", *FAR)
        self.east = scene.network.host("east", {"eth0": (wan, f"{EAST}/24")})
        self.east.ip("route add 10.0.0.0/24 via 203.0.113.14")
        self.client = scene.network.host("client", {"eth0": (lan, f"{CLIENT}/24")})
        self.local = {
            name: scene.network.host(name, {"eth0": (lan, f"10.0.0.{n}/24")}) for n, name in ((11, "rs1"), (12, "rs2"))
        }
        for host in (*lbs.values(), *self.local.values()):
            host.ip("route add default via 10.0.0.254", f"route add {SOURCES} via {CLIENT}")
        self.running = {}
        for name, host in self.local.items():
            servers.silent_vip(host, VIP)
            self.running[name] = _serve(host)
        _serve_proxied(scene, self.east)
        change = next((each for name, each in CHANGES.items() if scene.planted(name)), None)
        pair = scene.directors("relay-site.yaml", lbs, change)
        pair.start()
        with ExitStack() as open:
            voice = callers.Asker(self.client, VIP, VOICE)
            open.callback(voice.close)
            with scene.act("both local servers run"):
                for name in SERVICES:
                    scene.until(f"{name}: the backup was checked", lambda name=name: self._checked(pair, name))  # type: ignore[misc]
                scene.until("both directors have a relay ready", lambda: all(_relay(pair, name) for name in lbs))
                scene.proved("local servers answer", set(callers.pages(self.client, VIP, 10)) <= self.local.keys())
                scene.until("and the UDP client", lambda: voice.ask() in self.local)
                clients = Clients(self.client, scene.work, VIP, web=WEB, echo=VOICE)
            self._fall(scene, pair, clients, voice)
            self._take_over(scene, pair, clients, voice)
            self._return(scene, pair, clients, voice)

    def _checked(self, pair: Directors, service: str) -> bool:
        return {sites.checked(pair, name, service) for name in pair.nodes} == {"up"}

    def _told(self) -> bool:
        """Whether a new TCP client is answered by the other site, which knows its address and port."""
        return self.client.call(_web_told)

    def _fall(self, scene: Scene, pair: Directors, clients: Clients, voice: callers.Asker) -> None:
        client = self.client
        with clients.act(scene, "rs1 dies, and then rs2"):
            for processes in self.running.values():
                for process in processes:
                    process.kill()
            scene.until("TCP is answered by the other site, which sees the client's address", self._told)
            scene.until("UDP too, on the port that its client has", lambda: _at_east(voice.ask()))
            scene.until(
                f"the header is on each of {DATAGRAMS} datagrams of a flow", lambda: client.call(_flow_told, DATAGRAMS)
            )
            scene.until("both directors say so", lambda: sites.serving(pair, "web") == {"east"})
            scene.proved("the connections come from the VIP", self._peers() == {VIP})
        with clients.act(scene, "a client ends its direction before it is answered"):
            whole = f"{MUCH} east"
            scene.until("it is told how much came", lambda: client.call(_counted, MUCH) == whole)

    def _peers(self) -> set[str]:
        """Who is connected to the other site's web server."""

        def found() -> set[str]:
            lines = self.east.run("ss", "-Htn", "state", "established", "sport", "=", ":8080").stdout.splitlines()
            return {line.split()[3].rpartition(":")[0] for line in lines}

        with self.client.call(_connect, WEB):
            return until("a connection to be seen there", found, START)

    def _take_over(self, scene: Scene, pair: Directors, clients: Clients, voice: callers.Asker) -> None:
        active = pair.active()
        (other,) = set(pair.nodes) - {active}
        with clients.act(scene, "the active director's cable is cut, while the other site serves"):
            with self.client.call(_connect, COUNT) as talk:
                scene.proved("a session is open there", _state(talk) == "open")
                pair.hosts[active].cut("eth0")
                scene.until("the other director is active", lambda: pair.role(other) == "active")
                scene.until("new sessions go by way of its relay", self._told)
                scene.until("UDP too", lambda: _at_east(voice.ask()))
                scene.until("the old session is reset, and does not hang", lambda: _state(talk) == "reset")
            scene.proved("it never thought of another site", sites.sites_of(pair, other, "web") == ["east"])
        with clients.act(scene, "the cable is plugged in again"):
            pair.hosts[active].heal("eth0")
            scene.until("one director is active", pair.active)
            scene.until("both have the same site", lambda: sites.serving(pair, "web") == {"east"})
            scene.until("new clients are told", self._told)

    def _return(self, scene: Scene, pair: Directors, clients: Clients, voice: callers.Asker) -> None:
        client = self.client
        with (
            clients.act(scene, "local servers are back"),
            client.call(_connect, COUNT) as kept,
            client.call(_connect, COUNT) as endless,
        ):
            active = pair.active()
            scene.until("two sessions are open there", lambda: _sessions(pair, active) == 2)
            for name, host in self.local.items():
                self.running[name] = _serve(host)
            scene.until("new TCP clients are answered locally", lambda: callers.page(client, VIP) in self.local)
            sent, went_on = _goes_on(kept)
            scene.proved("a session at the other site goes on", went_on)
            scene.proved("and ends as its client wants", went_on and _rest(kept) == f"{sent} east")
            scene.until("UDP is answered locally, on the port that its client has", lambda: voice.ask() in self.local)
            scene.until("a session that does not end is reset then", lambda: _state(endless) == "reset")
            scene.until("the relay has none left", lambda: _sessions(pair, active) == 0)


def _serve(host: Host) -> list[Process]:
    """The checked one comes last: when it answers, all do."""
    return [_count(host), servers.echo(host, VIP, VOICE), servers.web(host, WEB)]


def _count(host: Host) -> Process:
    process = host.spawn(*program("count_server", "--port", COUNT, "--name", host.name))
    until(f"{host.name}: the counting server", lambda: listens(host, "tcp", COUNT), START)
    return process


def _serve_proxied(scene: Scene, host: Host) -> None:
    """The same, each told the client by the PROXY protocol."""
    _count(host)
    told = program("told_server", "--address", EAST, "--port", EAST_VOICE, "--name", host.name)
    host.spawn(*told, log=scene.work / f"{host.name}-told.log")
    until(f"{host.name}: the UDP server", lambda: listens(host, "udp", EAST_VOICE), START)
    host.write("/run/haproxy.cfg", HAPROXY)
    host.spawn("haproxy", "-db", "-f", "/run/haproxy.cfg", log=scene.work / f"{host.name}-haproxy.log")
    until(f"HAProxy on {host.name}", lambda: listens(host, "tcp", EAST_COUNT), START)


def _relay(pair: Directors, director: str, service: str = "web") -> dict[str, Any]:
    """What its relay to the first backup says of itself; empty while it says nothing."""
    return sites.site(pair, director, service)["backups"][0]["relay"] or {}


def _sessions(pair: Directors, director: str) -> int:
    """With the other site's counting server."""
    return int(_relay(pair, director, "count").get("sessions", -1))


def _at_east(answer: str) -> bool:
    """Whether the other site answers, and knows which address asks."""
    return answer.startswith(f"east {CLIENT}:")


# -- clients, called on their host --------------------------------------------------------------------------------


def _connect(port: int) -> socket.socket:
    talk = socket.create_connection((VIP, port), WITHIN)
    talk.settimeout(WITHIN)
    return talk


def _web_told() -> bool:
    try:
        with _connect(WEB) as talk:
            own, port = talk.getsockname()
            talk.sendall(b"GET / HTTP/1.0\r\n\r\n")
            return _rest(talk, shut=False).endswith(f"\r\n\r\neast {own}:{port}")
    except OSError:
        return False


def _flow_told(count: int) -> bool:
    """Whether so many datagrams, all from one port, were answered with that port; a lost one is sent again."""
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as sock:
        sock.settimeout(WITHIN)
        sock.connect((VIP, VOICE))
        own, port = sock.getsockname()
        answered = 0
        for number in range(2 * count):
            try:
                sock.send(number.to_bytes(8, "big"))
                answered += sock.recv(64)[8:].decode() == f"east {own}:{port}"
            except OSError:
                continue
            if answered == count:
                return True
    return False


def _counted(size: int) -> str:
    """What the counting server says once so many bytes and the end have come."""
    try:
        with _connect(COUNT) as talk:
            talk.settimeout(callers.HANG)
            talk.sendall(bytes(size))
            return _rest(talk)
    except OSError:
        return ""


def _rest(talk: socket.socket, *, shut: bool = True) -> str:
    """All that comes after the client has ended its own direction; empty for a session that breaks."""
    heard = b""
    try:
        if shut:
            talk.shutdown(socket.SHUT_WR)
        while some := talk.recv(4096):
            heard += some
    except OSError:
        return ""
    return heard.decode()


def _state(talk: socket.socket) -> str:
    """Of a session whose server only listens, after one byte more: `open`, `ended` or `reset`."""
    talk.settimeout(MOMENT)
    try:
        talk.send(b"x")
        return "answered" if talk.recv(64) else "ended"
    except TimeoutError:
        return "open"
    except OSError:
        return "reset"


def _goes_on(talk: socket.socket) -> tuple[int, bool]:
    """Bytes that were sent, and whether it was open all the time."""
    end, sent = time.monotonic() + GOES_ON, 0
    while time.monotonic() < end:
        sent += 1
        if _state(talk) != "open":
            return sent, False
    talk.settimeout(callers.HANG)
    return sent, True


# -- planted faults -----------------------------------------------------------------------------------------------


def _no_proxy(file: dict[str, Any]) -> None:
    for service in file["services"].values():
        del service["backup"][0]["proxy"]


def _no_drain(file: dict[str, Any]) -> None:
    for service in file["services"].values():
        service["backup"][0]["drain"] = "0s"


CHANGES = {"no-proxy": _no_proxy, "no-drain": _no_drain}
