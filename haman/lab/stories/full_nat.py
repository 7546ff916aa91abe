"""Full NAT ("F5 SNAT"): servers that know nothing of the directors, in another network and next door to the clients."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, ClassVar

from haman.lab.stories import callers, servers
from haman.lab.stories.base import Story

if TYPE_CHECKING:
    from haman.lab.hosts import Host
    from haman.lab.stories.scene import Scene

VIP, VIP6 = "10.0.0.100", "2001:db8::100"
BOTH = {"app1", "app2"}


class FullNat(Story):
    name = "full-nat"
    title = "full NAT: servers in another network, nothing changed on them"
    examples = ("full-nat.yaml",)
    plants: ClassVar = {"plain-nat": "the servers are reached by plain NAT, and nobody is their gateway"}

    def play(self, scene: Scene) -> None:
        lan, city = scene.network.segment("lan"), scene.network.segment("city")
        hosts = {
            f"lb{number}": scene.network.host(
                f"lb{number}", {"eth0": (lan, [f"10.0.0.{number}/24", f"2001:db8::{number}/64"])}, forward=True
            )
            for number in (1, 2)
        }
        scene.network.host(
            "router",
            {
                "eth0": (lan, ["10.0.0.254/24", "2001:db8::ffff/64"]),
                "eth1": (city, ["172.18.1.254/24", "2001:db8:18::ffff/64"]),
            },
            forward=True,
        )
        app1 = scene.network.host("app1", {"eth0": (city, ["172.18.1.11/24", "2001:db8:18::11/64"])})
        app1.ip("route add default via 172.18.1.254", "route add 2001:db8::/64 via 2001:db8:18::ffff")
        app2 = scene.network.host("app2", {"eth0": (lan, ["10.0.0.12/24", "2001:db8::12/64"])})
        client = scene.network.host("client", {"eth0": (lan, ["10.0.0.9/24", "2001:db8::9/64"])})
        for host in hosts.values():
            host.ip("route add 172.18.0.0/16 via 10.0.0.254", "route add 2001:db8:18::/64 via 2001:db8::ffff")
        for host, address in ((app1, "172.18.1.11"), (app2, "10.0.0.12")):
            servers.web(host, 80, 443, ipv6=True)
            servers.echo(host, address, 5060)
        pair = scene.directors("full-nat.yaml", hosts, _plain if scene.planted("plain-nat") else None)
        pair.start()
        with scene.act("both servers run; app1's default gateway is a router that is no director"):
            self.all_answer(scene, client)
            scene.proved("no server has the VIP", not any(VIP in _addresses(host) for host in (app1, app2)))
            connections = app2.run("ss", "-Htn", "state", "all", "sport", "=", ":80").stdout
            scene.proved("app2, on the client's own network, saw no client", "10.0.0.9" not in connections)
        active = pair.active("shop")
        with scene.act("somebody flushes the packet filter of the active director"):
            table = _table(hosts[active])
            hosts[active].run("nft", "flush", "ruleset")
            scene.until("haman's table is there again", lambda: table and _table(hosts[active]) == table)
            scene.until("and told", lambda: pair.logged("packet-filter table inet haman: missing -> repaired") == 1)
            self.all_answer(scene, client)
        with scene.act("somebody switches net.ipv4.vs.conntrack off there"):
            path = "net/ipv4/vs/conntrack"
            hosts[active].sysctl(path, 0)
            scene.until("haman switches it on again", lambda: hosts[active].read(f"/proc/sys/{path}").strip() == "1")
            self.all_answer(scene, client)
        with scene.act("haman on the active director is stopped"):
            pair.stop(active)
            scene.until("the other one is active", lambda: pair.active("shop") not in ("", active))
            self.all_answer(scene, client)

    def all_answer(self, scene: Scene, client: Host) -> None:
        for what, ask in (
            ("TCP", lambda: callers.pages(client, VIP, 10)),
            ("TCP over IPv6", lambda: callers.pages(client, VIP6, 10, 443)),
            ("UDP", lambda: callers.datagrams(client, VIP, 5060, 10)),
        ):
            scene.until(f"{what}: both answer, and every request", lambda ask=ask: set(ask()) == BOTH)  # type: ignore[misc]


def _plain(file: dict[str, Any]) -> None:
    for service in file["services"].values():
        service["forward"] = "nat"
        service.pop("source", None)


def _addresses(host: Host) -> str:
    return host.run("ip", "-brief", "address").stdout


def _table(host: Host) -> str:
    return host.run("nft", "list", "table", "inet", "haman", check=False).stdout
