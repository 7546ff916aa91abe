"""Real servers without the VIP (Horms' redirect method), beside those that have it on `lo` or behind a tunnel.

`haman realserver` makes them ready, keeps them so, and leaves them as they were.
"""

from __future__ import annotations

import re
import signal
import time
from typing import TYPE_CHECKING, ClassVar

from haman.lab import measure
from haman.lab.stories import callers, servers
from haman.lab.stories.base import Story
from haman.lab.stories.doctor import HAMAN, TAKES, findings

if TYPE_CHECKING:
    from pathlib import Path

    from haman.lab.hosts import Host
    from haman.lab.processes import Process
    from haman.lab.stories.scene import Scene

VIP, VIP6 = "10.0.0.100", "2001:db8::100"
ALL = {"rs1", "rs2", "far"}
METHODS = {"rs1": (), "rs2": ("--method", "redirect"), "far": ()}
LOOKED_AT = ("ip -o link", "ip -o -4 address", "ip -o -6 address", "nft list ruleset")
SETTINGS = ("arp_ignore", "arp_announce")


class RealServers(Story):
    name = "real-servers"
    title = "real servers with the VIP on lo, with a tunnel, and without the VIP"
    examples = ("real-servers.yaml",)
    plants: ClassVar = {"loud-vip": "the VIP is put on a real server by hand, and the ARP settings are forgotten"}

    def play(self, scene: Scene) -> None:
        lan, far, out = (scene.network.segment(name) for name in ("lan", "far", "out"))
        lbs = {
            f"lb{n}": scene.network.host(f"lb{n}", {"eth0": (lan, [f"10.0.0.{n}/24", f"2001:db8::{n}/64"])})
            for n in (1, 2)
        }
        rss = {
            f"rs{n}": scene.network.host(f"rs{n}", {"eth0": (lan, [f"10.0.0.1{n}/24", f"2001:db8::1{n}/64"])})
            for n in (1, 2)
        }
        rss["far"] = scene.network.host("far", {"eth0": (far, ["10.2.0.13/24", "2001:db8:2::13/64"])})
        client = scene.network.host("client", {"eth0": (out, ["203.0.113.9/24", "2001:db8:9::9/64"])})
        watch = scene.network.host("watch", {"eth0": (lan, "10.0.0.253/24")})
        scene.network.host(
            "router",
            {
                "eth0": (lan, ["10.0.0.254/24", "2001:db8::fe/64"]),
                "eth1": (far, ["10.2.0.254/24", "2001:db8:2::fe/64"]),
                "eth2": (out, ["203.0.113.254/24", "2001:db8:9::fe/64"]),
            },
            forward=True,
        )
        for host in (*lbs.values(), rss["rs1"], rss["rs2"]):
            host.ip("route add default via 10.0.0.254", "route add default via 2001:db8::fe")
        rss["far"].ip("route add default via 10.2.0.254", "route add default via 2001:db8:2::fe")
        client.ip("route add default via 203.0.113.254", "route add default via 2001:db8:9::fe")
        for host in rss.values():
            host.sysctl("net/ipv4/conf/all/rp_filter", 1)  # as distributions have it
            servers.web(host, 80, ipv6=True)
        pair = scene.directors("real-servers.yaml", lbs)
        before = {name: _state(host) for name, host in rss.items()}
        with scene.act("real servers as they were installed"):
            for name, host in rss.items():
                found = findings(host, pair.config)
                scene.proved(
                    f"haman doctor says that {name} drops what is for the VIP", any(VIP in each for each in found)
                )
        with scene.act("the commands that haman realserver prints, typed on rs1"):
            printed = rss["rs1"].run(*HAMAN, "realserver", pair.config, "--print", timeout=TAKES).stdout
            rss["rs1"].run("sh", "-ec", printed)
            scene.proved("haman doctor finds nothing more", not findings(rss["rs1"], pair.config))
            said = rss["rs1"].run(*HAMAN, "realserver", pair.config, timeout=TAKES).stdout
            scene.proved("haman realserver has nothing to add", said == "all is in place already\n")
            rss["rs1"].ip(f"address del {VIP}/32 dev lo", f"address del {VIP6}/128 dev lo")
            for name in SETTINGS:
                rss["rs1"].sysctl(f"net/ipv4/conf/all/{name}", 0)
            scene.proved("taken back by hand, all is as it was", _state(rss["rs1"]) == before["rs1"])
        with scene.act("haman realserver on all three, as its unit starts it"):
            staying = {
                name: self.made_ready(scene, name, host, pair.config)
                for name, host in rss.items()
                if not (scene.planted("loud-vip") and name == "rs1")
            }
            if scene.planted("loud-vip"):
                rss["rs1"].ip(f"address add {VIP}/32 dev lo", f"address add {VIP6}/128 dev lo")
            made = {name: _state(host) for name, host in rss.items()}
            left = [f"{name}: {words}" for name, host in rss.items() for words in findings(host, pair.config)]
            scene.proved("haman doctor finds nothing wrong", not left)
            for words in left:
                scene.note(words)
            scene.proved("rs2 does not have the VIP", f" {VIP}/" not in rss["rs2"].run("ip", "-o", "address").stdout)
            for name, address in (("rs1", VIP), ("rs2", "10.0.0.12"), ("far", VIP)):
                servers.echo(rss[name], address, 514)
        pair.start()
        with scene.act("clients come through a router"):
            self.all_serve(scene, client)
        with scene.act('"who has the VIP?", a thousand times a second'):
            self.directors_answer(scene, watch, {host.mac("eth0") for host in lbs.values()})
        with scene.act("somebody removes what was made"):
            rss["rs1"].ip(f"address del {VIP}/32 dev lo")
            rss["rs2"].run("nft", "flush", "ruleset")
            rss["far"].ip("link del haman-ipip")
            for name, host in rss.items():
                scene.until(f"{name} has it again", lambda name=name, host=host: _state(host) == made[name])  # type: ignore[misc]
            self.all_serve(scene, client)
        with scene.act("their duty ends (SIGTERM)"):
            scene.until("no redirected connection is left", lambda: "ESTABLISHED" not in _tracked(rss["rs2"]))
            for process in staying.values():
                process.signal(signal.SIGTERM)
            ended = {name: process.wait(TAKES) for name, process in staying.items()}
            scene.proved("each ends in good order", set(ended.values()) == {0})
            for name, host in rss.items():
                scene.proved(f"{name} is as it was", _state(host) == before[name])

    def made_ready(self, scene: Scene, name: str, host: Host, file: Path) -> Process:
        log = scene.work / f"{name}-realserver.log"
        process = host.spawn(*HAMAN, "realserver", file, "--stay", *METHODS[name], log=log)
        scene.until(f"{name} is made ready", lambda: "wanted: " in log.read_text())
        return process

    def all_serve(self, scene: Scene, client: Host) -> None:
        for what, ask in (
            ("TCP", lambda: callers.pages(client, VIP, 24)),
            ("TCP over IPv6", lambda: callers.pages(client, VIP6, 24)),
            ("UDP", lambda: callers.datagrams(client, VIP, 514, 24)),
        ):
            scene.until(f"{what}: all three serve, and every request", lambda ask=ask: set(ask()) == ALL)  # type: ignore[misc]

    def directors_answer(self, scene: Scene, watch: Host, macs: set[str]) -> None:
        begin = time.monotonic()
        asking = callers.arp(watch, scene.work, "10.0.0.253", VIP)
        scene.until("it is answered", lambda: len(asking.records()) > 100)
        end = time.monotonic()
        seen = measure.ownership(asking.covered(end), begin, end)
        asking.stop()
        scene.proved("only directors ever answer", set(seen.first) <= macs)


def _state(host: Host) -> list[str]:
    """Links, addresses, packet filter and settings, without what changes by itself."""
    lines = [line for command in LOOKED_AT for line in host.run(*command.split()).stdout.splitlines()]
    found = [_plain(line) for line in lines if " fe80::" not in line]
    return [*sorted(found), *(host.read(f"/proc/sys/net/ipv4/conf/all/{name}").strip() for name in SETTINGS)]


def _plain(line: str) -> str:
    """Without interface numbers, lifetimes and addresses that the kernel makes up."""
    return " ".join(re.sub(r"^\d+: ", "", line).partition("valid_lft")[0].partition("permaddr")[0].split())


def _tracked(host: Host) -> str:
    return host.run("cat", "/proc/net/nf_conntrack", check=False).stdout
