"""Three name servers that are all directors (Graeme Fowler's cluster), with Debian's BIND; two of three are lost."""

from __future__ import annotations

from typing import TYPE_CHECKING, ClassVar

from haman.lab.plants import PLANTS
from haman.lab.stories import bind
from haman.lab.stories.base import Story
from haman.lab.stories.two_box import counted

if TYPE_CHECKING:
    from collections.abc import Mapping

    from haman.lab.hosts import Host
    from haman.lab.stories.directors import Directors
    from haman.lab.stories.scene import Scene

VIPS = ("192.0.2.53", "192.0.2.54")
RESOLVER, EXCLUDED = VIPS
GATEWAY = "10.9.0.254"
BEHIND = "10.7.0.0/24"
ALL = {"ns1", "ns2", "ns3"}

TOGETHER = 200
"""Questions that are counted."""

AGAIN = 10
"""Questions that standbys may share out once more, of as many: those of a moment before their rules stood."""


class ThreeNodeDns(Story):
    name = "three-node-dns"
    title = "three name servers, all of them directors"
    examples = ("three-node-dns.yaml",)
    packages = ("bind9", "nftables")
    plants: ClassVar = {
        "silent-hook": "nobody tells BIND that there are new addresses",
        "unscreened": PLANTS["unscreened"].words,
    }

    def play(self, scene: Scene) -> None:
        network = scene.network
        directors, clients, inner = (network.segment(name) for name in ("directors", "clients", "inner"))
        nodes = {
            f"ns{n}": network.host(
                f"ns{n}",
                {
                    "eth0": (directors, f"10.0.0.{n}/24"),
                    "eth1": (clients, f"192.0.2.{n}/24"),
                    "eth2": (inner, f"10.9.0.{10 + n}/24"),
                },
                forward=True,
            )
            for n in (1, 2, 3)
        }
        client = network.host("client", {"eth0": (clients, "192.0.2.99/24")})
        client.route("10.9.0.0/24", via=RESOLVER)
        machine = network.host("machine", {"eth0": (inner, "10.9.0.99/24")})
        machine.route("default", via=GATEWAY)
        network.host("behind", {"eth0": (inner, "10.9.0.1/24")}).add_address("lo", "10.7.0.1/24")
        named = {name: bind.serve(scene, host) for name, host in nodes.items()}
        for host in nodes.values():
            hook = "#!/bin/sh\n" if scene.planted("silent-hook") else bind.HOOK.read_text()
            host.write("/etc/haman/hooks/named.sh", hook, 0o755)
        cluster = scene.directors("three-node-dns.yaml", nodes)
        cluster.nodes["ns1"].launch()
        scene.until("ns1 is active before the others come", lambda: cluster.role("ns1") == "active")
        for name in ("ns2", "ns3"):
            cluster.nodes[name].launch()
        cluster.need_well()  # each knows the others' MAC addresses by now, and marks

        with scene.act("named runs already on all three, and haman comes up"):
            self.serves(scene, cluster, client, "ns1", ALL)
            scene.proved("the SOA of the zone comes by UDP", bind.soa(client, RESOLVER) == "noerror")
            scene.proved("and by TCP", bind.soa(client, RESOLVER, tcp=True) == "noerror")
            scene.proved("from the excluded address too", bind.soa(client, EXCLUDED) == "noerror")
            self.leads(scene, nodes, "ns1", client, machine)
            self.once(scene, nodes, client, "ns1")
        with scene.act("named on ns3 is killed"):
            named["ns3"].kill()
            scene.until("its weight is 0, and it keeps its place", lambda: _weights(nodes["ns1"], "ns3") == [0])
            scene.until("UDP is served without it", lambda: _answering(client, 10) == ALL - {"ns3"})
            scene.until("TCP is served without it", lambda: _answering(client, 10, tcp=True) == ALL - {"ns3"})
            bind.serve(scene, nodes["ns3"])
            scene.until("it is back with its weight", lambda: _weights(nodes["ns1"], "ns3") == [10])
        with scene.act("ns1 is lost: all its cables are cut"):
            _cut(nodes["ns1"])
            self.serves(scene, cluster, client, "ns2", ALL - {"ns1"})
            self.leads(scene, {name: nodes[name] for name in ("ns2", "ns3")}, "ns2", client, machine)
        with scene.act("ns2 is lost too"):
            _cut(nodes["ns2"])
            self.serves(scene, cluster, client, "ns3", {"ns3"})
            self.leads(scene, {"ns3": nodes["ns3"]}, "ns3", client, machine)
        with scene.act("ns1 and ns2 are back"):
            for name in ("ns1", "ns2"):
                _heal(nodes[name])
            for name in ("ns1", "ns2"):
                scene.until(f"{name} is standby", lambda name=name: cluster.role(name) == "standby")  # type: ignore[misc]
            self.serves(scene, cluster, client, "ns3", ALL)
            self.leads(scene, nodes, "ns3", client, machine)
            self.once(scene, nodes, client, "ns3")

    def serves(self, scene: Scene, cluster: Directors, client: Host, active: str, by: set[str]) -> None:
        """The group is on one node, and these name servers answer."""
        for router in cluster.model.routers:
            role = lambda router=router: cluster.role(active, router)  # noqa: E731
            scene.until(f"{router} is active on {active}", lambda role=role: role() == "active")  # type: ignore[misc]
        names = ", ".join(sorted(by))
        answered: set[str] = set()

        def all_of_them() -> bool:
            answered.update(_answering(client, 10))
            return answered >= by

        scene.until(f"questions are answered by {names}", all_of_them)
        scene.until("and every one of them", lambda: "" not in _answering(client, 10))
        scene.until("those over TCP too", lambda: "" not in _answering(client, 5, tcp=True))

    def once(self, scene: Scene, nodes: Mapping[str, Host], client: Host, active: str) -> None:
        """What the active one passes on is answered, and shared out no second time."""
        standbys = [host for name, host in nodes.items() if name != active]
        before = sum(counted(host)[0] for host in standbys)
        _answering(client, TOGETHER)
        again = sum(counted(host)[0] for host in standbys) - before
        scene.at_most(f"of {TOGETHER} questions, shared out once more by standbys", AGAIN, again)

    def leads(self, scene: Scene, nodes: Mapping[str, Host], active: str, client: Host, machine: Host) -> None:
        """Addresses and routes are where the role is."""
        for name, host in nodes.items():
            expected = {(vip, "lo") for vip in VIPS}
            if name == active:
                expected |= {(vip, "eth1") for vip in VIPS} | {(GATEWAY, "eth2")}
            scene.until(f"{name} has its addresses", lambda host=host, want=expected: _addresses(host) == want)  # type: ignore[misc]
            routed = (name == active) == (BEHIND in host.run("ip", "route").stdout)
            scene.proved(f"{name} has {'the' if name == active else 'no'} route to {BEHIND}", routed)
        ping = ("ping", "-c1", "-W2")
        scene.until(
            "machines behind reach the clients' network",
            lambda: not machine.run(*ping, "192.0.2.99", check=False).returncode,
        )


def _answering(client: Host, count: int, *, tcp: bool = False) -> set[str]:
    """Who answers so many questions, each from a port of its own; "" is nobody."""
    return {bind.who(client, RESOLVER, tcp=tcp) for _ in range(count)}


def _cut(host: Host) -> None:
    for interface in ("eth0", "eth1", "eth2"):
        host.cut(interface)


def _heal(host: Host) -> None:
    for interface in ("eth0", "eth1", "eth2"):
        host.heal(interface)


def _addresses(host: Host) -> set[tuple[str, str]]:
    """The VIPs this host has, each with its interface."""
    fields = (line.split() for line in host.run("ip", "-4", "-oneline", "address").stdout.splitlines())
    held = {(field[3].partition("/")[0], field[1]) for field in fields}
    return {(address, interface) for address, interface in held if address in (*VIPS, GATEWAY)}


def _weights(host: Host, server: str) -> list[int]:
    """Of the server `nsN`, by IPVS service, in this host's table."""
    number = int(server[-1])
    lines = (line.split() for line in host.read("/proc/thread-self/net/ip_vs").splitlines())
    return [int(line[3]) for line in lines if line and line[0] == "->" and line[1].startswith(f"0A0000{number:02X}:")]
