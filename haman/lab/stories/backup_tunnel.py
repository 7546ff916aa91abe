"""Another site behind a tunnel: clients keep their address there and are answered directly, over both families, and a
director may fail meanwhile. Beside it a service that sends there only the share that local servers lack.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, ClassVar

from haman.lab.stories import callers, servers
from haman.lab.stories.base import Story
from haman.lab.stories.doctor import HAMAN, TAKES
from haman.lab.stories.gaps import SOURCES, STREAMS, Clients
from haman.lab.stories.kept_connections import survive
from haman.lab.stories.sites import checked, serving

if TYPE_CHECKING:
    from haman.lab.hosts import Host
    from haman.lab.processes import Process
    from haman.lab.stories.scene import Scene

VIP, VIP6 = "10.0.0.100", "2001:db8::100"
WEB, SHARED, FILES, VOICE = 80, 8080, 90, 5060
CLIENT, CLIENT6 = "198.51.100.9", "2001:db8:c::9"
ASKED = 24
"""Requests that are counted for a share: by weighted round robin it is exact."""

ALL = ("web", "web6", "files", "voice", "shared")


class BackupTunnel(Story):
    name = "backup-tunnel"
    title = "another site behind a tunnel answers clients directly"
    examples = ("backup-tunnel.yaml",)
    plants: ClassVar = {
        "nobody-unwraps": "the server at the other site is not made ready for tunnels",
        "all-away": "the service that is to be shared out has no spill_over",
    }

    def play(self, scene: Scene) -> None:
        lan, wan, home = (scene.network.segment(name) for name in ("lan", "wan", "home"))
        lbs = {
            f"lb{n}": scene.network.host(f"lb{n}", {"eth0": (lan, [f"10.0.0.{n}/24", f"2001:db8::{n}/64"])})
            for n in (1, 2)
        }
        border = scene.network.host(
            "border",
            {
                "eth0": (lan, ["10.0.0.254/24", "2001:db8::fe/64"]),
                "eth1": (wan, ["203.0.113.14/24", "2001:db8:e::fe/64"]),
                "eth2": (home, ["198.51.100.254/24", "2001:db8:c::fe/64"]),
            },
            forward=True,
        )
        border.run("tc", "qdisc", "add", "dev", "eth1", "root", "netem", "delay", "10ms")
        east = scene.network.host("east", {"eth0": (wan, ["203.0.113.10/24", "2001:db8:e::10/64"])})
        east.ip("route add default via 203.0.113.14", "route add default via 2001:db8:e::fe")
        east.sysctl("net/ipv4/conf/all/rp_filter", 1)  # as distributions have it
        client = scene.network.host("client", {"eth0": (home, [f"{CLIENT}/24", f"{CLIENT6}/64"])})
        client.ip("route add default via 198.51.100.254", "route add default via 2001:db8:c::fe")
        local = {
            f"rs{n}": scene.network.host(f"rs{n}", {"eth0": (lan, [f"10.0.0.1{n}/24", f"2001:db8::1{n}/64"])})
            for n in (1, 2)
        }
        border.ip(f"route add {SOURCES} via {CLIENT}")
        for host in (*lbs.values(), *local.values()):
            host.ip("route add default via 10.0.0.254", "route add default via 2001:db8::fe")
        running = {}
        for name, host in local.items():
            servers.silent_vip(host, VIP, VIP6)
            running[name] = _serve(host)
        pair = scene.directors("backup-tunnel.yaml", lbs, _all_away if scene.planted("all-away") else None)
        if not scene.planted("nobody-unwraps"):
            east.run(*HAMAN, "realserver", pair.config, timeout=TAKES)
        else:
            servers.silent_vip(east, VIP, VIP6)
        _serve(east)
        pair.start()
        voice = callers.Asker(client, VIP, VOICE)
        try:
            with scene.act("local servers run"):
                for each in ALL:
                    scene.until(
                        f"{each}: the backup was checked",
                        lambda each=each: checked(pair, pair.active(), each) == "up",  # type: ignore[misc]
                    )
                scene.until("they answer", lambda: set(callers.pages(client, VIP, 8)) == {"rs1", "rs2"})
                scene.until("and the UDP client", voice.ask)
                clients = Clients(client, scene.work, VIP, web=WEB, echo=VOICE, files=FILES)
            with clients.act(scene, "both die"):
                for name in local:
                    _kill(running[name])
                scene.until("the other site answers", lambda: callers.page(client, VIP) == "east")
                scene.until("over IPv6 too", lambda: callers.page(client, VIP6) == "east")
                scene.until("and the UDP client, on the port it has", lambda: voice.ask() == "east")
                scene.until("downloads run there", lambda: clients.streams.mark("streams") == STREAMS)
                scene.until("it sees the client's own address", lambda: f"{CLIENT}:" in _connected(east))
                scene.proved("and answers past the directors", _answers(lbs) == 0)
            with clients.act(scene, "the active director's cable is cut, while the other site serves"):
                active = pair.active()
                (other,) = set(lbs) - {active}
                survive(scene, pair, {"tunnel": clients.streams}, other, lambda: lbs[active].cut("eth0"))
                scene.until("the UDP client is answered there", lambda: voice.ask() == "east")
                scene.until("new clients too", lambda: callers.page(client, VIP) == "east")
                scene.until("over IPv6 too", lambda: callers.page(client, VIP6) == "east")
            with clients.act(scene, "the cable is plugged in again"):
                lbs[active].heal("eth0")
                scene.until("one director is active", pair.active)
                scene.until("both have the same site", lambda: serving(pair, "web") == {"east"})
            with clients.act(scene, "rs1 is back"):
                running["rs1"] = _serve(local["rs1"])
                scene.until("it answers alone", lambda: set(callers.pages(client, VIP, 4)) == {"rs1"})
                scene.until("the UDP client too", lambda: voice.ask() == "rs1")
                half = {"rs1": ASKED // 2, "east": ASKED // 2}
                scene.until("what is shared out is halved", lambda: _shares(client) == half)
            with clients.act(scene, "rs2 is back"):
                running["rs2"] = _serve(local["rs2"])
                whole = {"rs1": ASKED // 2, "rs2": ASKED // 2}
                scene.until("the other site has no share any more", lambda: _shares(client) == whole)
        finally:
            voice.close()


def _serve(host: Host) -> list[Process]:
    return [
        servers.web(host, WEB, SHARED, ipv6=True),
        servers.downloads(host, FILES),
        servers.echo(host, VIP, VOICE),
    ]


def _kill(running: list[Process]) -> None:
    for process in running:
        process.kill()


def _connected(host: Host) -> str:
    """The downloads that it serves."""
    return host.run("ss", "-Htn", "sport", "=", f":{FILES}").stdout


def _shares(client: Host) -> dict[str, int]:
    return dict(callers.pages(client, VIP, ASKED, SHARED))


def _answers(lbs: dict[str, Host]) -> int:
    """Packets of answers that IPVS has seen on its way back (net/netfilter/ipvs/ip_vs_ctl.c, ip_vs_stats: OutPkts)."""
    return sum(int(lb.read("/proc/thread-self/net/ip_vs_stats").splitlines()[2].split()[2], 16) for lb in lbs.values())


def _all_away(file: dict[str, Any]) -> None:
    del file["services"]["shared"]["failover"]["spill_over"]
