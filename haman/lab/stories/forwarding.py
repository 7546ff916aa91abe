"""LVS-NAT and LVS-TUN as the examples have them, on real servers that `haman realserver` made ready; what each method
needs is found by `haman doctor` where it is missing. (Direct routing is in most other stories.)
"""

from __future__ import annotations

from typing import TYPE_CHECKING, ClassVar

from haman.lab.stories import callers, servers
from haman.lab.stories.base import Story
from haman.lab.stories.doctor import HAMAN, TAKES, findings

if TYPE_CHECKING:
    from haman.lab.hosts import Host
    from haman.lab.stories.scene import Scene

SHOP, SHOP6 = "203.0.113.10", "2001:db8:1::10"
FAR, FAR6 = "198.51.100.10", "2001:db8:1::10"
APPS = {"app1", "app2"}


class Forwarding(Story):
    name = "forwarding"
    title = "LVS-NAT, and LVS-TUN by IP in IP, GRE and GUE"
    examples = ("nat.yaml", "tunnel.yaml")
    plants: ClassVar = {
        "no-way-back": "a NAT server's default route does not lead to the active director",
        "strict-filter": "a tunnel's reverse path filter is strict",
    }

    def play(self, scene: Scene) -> None:
        self.nat(scene)
        self.tunnels(scene)

    def nat(self, scene: Scene) -> None:
        outside, inside = scene.network.segment("outside"), scene.network.segment("inside")
        lbs = {
            name: scene.network.host(
                name,
                {
                    "eth0": (outside, [f"203.0.113.{n}/24", f"2001:db8:1::{n}/64"]),
                    "eth1": (inside, [f"10.1.0.{n}/24", f"2001:db8:2::{n}/64"]),
                },
                forward=True,
            )
            for n, name in ((2, "lb1"), (3, "lb2"))
        }
        client = scene.network.host("client", {"eth0": (outside, ["203.0.113.9/24", "2001:db8:1::9/64"])})
        apps = {
            name: scene.network.host(name, {"eth0": (inside, [f"10.1.0.{n}/24", f"2001:db8:2::{n}/64"])})
            for n, name in ((11, "app1"), (12, "app2"))
        }
        for (name, host), own in zip(apps.items(), ("10.1.0.11", "10.1.0.12"), strict=True):
            host.ip(f"route add default via {'10.1.0.3' if _broken(scene, name) else '10.1.0.254'}")
            host.ip("route add default via 2001:db8:2::fe")
            servers.web(host, 8443, ipv6=True)
            servers.echo(host, own, 5353)
        pair = scene.directors("nat.yaml", lbs)
        pair.start()
        with scene.act("servers behind NAT, on another port"):
            self.both_serve(scene, client)
            scene.proved("haman doctor finds nothing wrong with app1", not findings(apps["app1"], pair.config))
            apps["app1"].ip("route replace default via 10.1.0.2")
            words = findings(apps["app1"], pair.config, hints=True)
            scene.proved("nor hides a way back that is one director's", any("do not leave by way" in w for w in words))
            apps["app1"].ip("route replace default via 10.1.0.254")
        with scene.act("the active director forwards no more"):
            lbs["lb1"].sysctl("net/ipv4/ip_forward", 0)
            scene.until("nobody gets an answer", lambda: set(callers.pages(client, SHOP, 2, 443)) == {""})
            fixed = lbs["lb1"].run(
                *HAMAN, "doctor", "--config", pair.config, "--node", "lb1", "--fix", check=False, timeout=TAKES
            )
            scene.proved("haman doctor --fix says what it writes", "FIXED: net.ipv4.ip_forward = 1" in fixed.stdout)
            scene.until("both serve again", lambda: set(callers.pages(client, SHOP, 8, 443)) == APPS)
        with scene.act("lb1 stops"):
            pair.stop("lb1")
            self.both_serve(scene, client)
        pair.stop("lb2")

    def both_serve(self, scene: Scene, client: Host) -> None:
        scene.until("both serve", lambda: set(callers.pages(client, SHOP, 8, 443)) == APPS)
        scene.until("over IPv6 too", lambda: set(callers.pages(client, SHOP6, 8, 443)) == APPS)
        scene.until("and UDP", lambda: set(callers.datagrams(client, SHOP, 53, 16)) == APPS)

    def tunnels(self, scene: Scene) -> None:
        near, far, home = (scene.network.segment(name) for name in ("near", "far", "home"))
        scene.network.host(
            "internet",
            {
                "eth0": (near, ["198.51.100.1/24", "2001:db8:1::fe/64"]),
                "eth1": (far, ["192.0.2.1/24", "2001:db8:2::fe/64"]),
                "eth2": (home, ["203.0.113.129/25", "2001:db8:3::fe/64"]),
            },
            forward=True,
        )
        lbs = {
            name: scene.network.host(f"tun-{name}", {"eth0": (near, [f"198.51.100.{n}/24", f"2001:db8:1::{n}/64"])})
            for n, name in ((2, "lb1"), (3, "lb2"))
        }
        client = scene.network.host("browser", {"eth0": (home, ["203.0.113.140/25", "2001:db8:3::9/64"])})
        cities = {
            name: scene.network.host(name, {"eth0": (far, [f"192.0.2.{n}/24", f"2001:db8:2::{n}/64"])})
            for n, name in ((20, "berlin"), (40, "madrid"), (60, "oslo"))
        }
        client.ip("route add default via 203.0.113.129", "route add default via 2001:db8:3::fe")
        for host in lbs.values():
            host.ip("route add default via 198.51.100.1", "route add default via 2001:db8:1::fe")
        pair = scene.directors("tunnel.yaml", lbs)
        for host in cities.values():
            host.ip("route add default via 192.0.2.1", "route add default via 2001:db8:2::fe")
            host.sysctl("net/ipv4/conf/all/rp_filter", 1)  # as distributions have it
            servers.web(host, 80, 8080, ipv6=True)
        with scene.act("real servers that have not been made ready"):
            for name, words in (("berlin", "unwraps IP in IP"), ("madrid", "unwraps GRE"), ("oslo", "unwraps GUE")):
                found = findings(cities[name], pair.config)
                scene.proved(f"haman doctor says what {name} lacks", any(words in each for each in found))
            for host in cities.values():
                host.run(*HAMAN, "realserver", pair.config, timeout=TAKES)
            scene.proved("haman realserver made all of it", not any(findings(h, pair.config) for h in cities.values()))
        for host in cities.values():
            servers.echo(host, FAR, 514)
        pair.start()
        if scene.planted("strict-filter"):
            cities["madrid"].sysctl("net/ipv4/conf/haman-gre/rp_filter", 1)
        with scene.act("servers anywhere, each by another tunnel"):
            scene.until("all three serve", lambda: set(callers.pages(client, FAR, 30)) == set(cities))
            scene.until("over IPv6 too", lambda: set(callers.pages(client, FAR6, 30)) == set(cities))
            scene.until("and UDP", lambda: set(callers.datagrams(client, FAR, 514, 30)) == set(cities))
            scene.at_most("requests lost of 60", 0, callers.pages(client, FAR, 60)[""])
            said = findings(lbs["lb1"], pair.config, hints=True, director="lb1")
            scene.proved(
                "haman doctor on lb1 says that packets of full size do not fit",
                "tunnelled packets of full size do not fit" in said,
            )
        with scene.act("oslo's duty ends"):
            cities["oslo"].run(*HAMAN, "realserver", "--undo", timeout=TAKES)
            scene.proved("nothing of it is left", "haman-" not in cities["oslo"].run("ip", "address").stdout)
            scene.until("its share is lost", lambda: callers.pages(client, FAR, 8)[""])
            cities["oslo"].run(*HAMAN, "realserver", pair.config, timeout=TAKES)
            scene.until("and served when it is back", lambda: not callers.pages(client, FAR, 30)[""])


def _broken(scene: Scene, name: str) -> bool:
    return scene.planted("no-way-back") and name == "app2"
