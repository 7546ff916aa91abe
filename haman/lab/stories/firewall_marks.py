"""Firewall marks: one service for several VIPs, ports, a range of ports, TCP and UDP; a client keeps its server."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, ClassVar

from haman.lab.stories import callers, servers
from haman.lab.stories.base import Story

if TYPE_CHECKING:
    from haman.lab.stories.scene import Scene

VIPS, VIP6 = ("10.0.0.100", "10.0.0.101"), "2001:db8::100"
CLIENTS = [f"10.0.0.{number}" for number in range(200, 216)]


class FirewallMarks(Story):
    name = "firewall-mark"
    title = "firewall marks: many VIPs, ports and protocols as one service"
    examples = ("firewall-mark.yaml",)
    plants: ClassVar = {"forgotten-ports": "the range of ports is not marked"}

    def play(self, scene: Scene) -> None:
        lan = scene.network.segment("lan")
        addresses = {"lb1": 1, "lb2": 2, "rs1": 11, "rs2": 12}
        hosts = {
            name: scene.network.host(name, {"eth0": (lan, [f"10.0.0.{number}/24", f"2001:db8::{number}/64"])})
            for name, number in addresses.items()
        }
        client = scene.network.host(
            "client", {"eth0": (lan, ["10.0.0.9/24", "2001:db8::9/64", *(f"{each}/24" for each in CLIENTS)])}
        )
        for name in ("rs1", "rs2"):
            servers.silent_vip(hosts[name], *VIPS, VIP6)
            servers.web(hosts[name], 80, 443, 8000, 8100, 9000, ipv6=True)
            servers.echo(hosts[name], VIPS[1], 443)
        pair = scene.directors("firewall-mark.yaml", hosts, _forget if scene.planted("forgotten-ports") else None)
        pair.start()
        with scene.act("both servers run"):
            scene.until("clients reach one or the other", lambda: bool(callers.page(client, VIPS[0])))
            found = {each: callers.page(client, VIPS[0], source=each) for each in CLIENTS}
            scene.proved("sixteen clients are on two servers", set(found.values()) == {"rs1", "rs2"})
            for port in (443, 8000, 8100):
                again = {each: callers.page(client, VIPS[1], port, source=each) for each in CLIENTS}
                scene.proved(f"each has its own on the other VIP's port {port}", again == found)
            own = callers.page(client, VIPS[0])
            scene.proved("and over UDP", set(callers.datagrams(client, VIPS[1], 443, 10)) == {own})
            scene.proved("what is not named is not balanced", not callers.page(client, VIPS[0], 9000, within=0.5))
            six = callers.pages(client, VIP6, 6, 443) + callers.pages(client, VIP6, 6, 8000)
            scene.proved("the same over IPv6", len(six) == 1 and set(six) <= {"rs1", "rs2"})
        with scene.act("somebody deletes haman's table on the active director"):
            active = pair.active()
            hosts[active].run("nft", "delete", "table", "inet", "haman")
            scene.until("marks are set again", lambda: callers.page(client, VIPS[0]) == own)
        with scene.act("the server of one client dies"):
            for pid in hosts[own].processes():
                if "tcp_server" in hosts[own].run("cat", f"/proc/{pid}/cmdline").stdout:
                    hosts[own].run("kill", "-9", str(pid))
            other = ({"rs1", "rs2"} - {own}).pop()
            scene.until("it has the other one", lambda: callers.page(client, VIPS[0]) == other)
            scene.proved("for all its ports", callers.page(client, VIPS[1], 8100) == other)


def _forget(file: dict[str, Any]) -> None:
    for service in file["services"].values():
        service["match"] = [{"router": "public", "protocol": "tcp", "ports": [80, 443]}, service["match"][1]]
