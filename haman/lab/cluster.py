"""The hosts of a failover cluster, wired and addressed from its configuration file; nothing runs on them yet.

         client 192.0.2.10 and 198.18.0.0/15
            |
    192.0.2.1  router  10.0.0.254
                         |
      -------------------+------------------- one segment, 10.0.0.0/24 -------
       |        |        |        |        |
      lb1      lb2      rs1      rs2     watch 10.0.0.253

The client reaches the VIP only through the router, whose ARP cache is what a takeover has to correct. `watch` is where
the lab listens on the segment: whatever it asks and hears changes no cache that matters.
"""

from __future__ import annotations

from ipaddress import IPv4Interface
from typing import TYPE_CHECKING

from haman.config import load
from haman.errors import LabError

if TYPE_CHECKING:
    from pathlib import Path

    from haman.lab.hosts import Host, Network
    from haman.model.cluster import Cluster as Model

ROUTER_OUTSIDE, CLIENT = "192.0.2.1", "192.0.2.10"
SOURCES = "198.18.0.0/15"
"""The many clients: every address of this prefix (RFC 2544, for benchmarks) is the client host's own."""

INTERFACE = "eth0"


class Cluster:
    """directors, servers: hosts by name, as in the file. vip: of the first router. prefix: of the VIP's network."""

    def __init__(self, network: Network, config: Path) -> None:
        self.config = config
        self.model: Model = load(str(config))
        self.router_model = next(iter(self.model.routers.values()))
        address = self.router_model.addresses[0].interface
        if not isinstance(address, IPv4Interface):
            raise LabError("the lab's cluster needs an IPv4 address as its first")
        self.vip = str(address.ip)
        self.prefix = address.network.prefixlen
        *_, watch, gateway = address.network.hosts()
        self.watch_address, self._gateway = str(watch), str(gateway)
        self.lan = network.segment("lan")
        outside = network.segment("outside")
        self.router = network.host(
            "router",
            {
                INTERFACE: (self.lan, f"{gateway}/{self.prefix}"),
                "eth1": (outside, f"{ROUTER_OUTSIDE}/24"),
            },
            forward=True,
        )
        self.router.route(SOURCES, via=CLIENT)
        self.client = network.host("client", {INTERFACE: (outside, f"{CLIENT}/24")})
        self.client.route("default", via=ROUTER_OUTSIDE)
        self.client.ip(f"route add local {SOURCES} dev lo")
        self.watch = self._on_lan(network, "watch", self.watch_address)
        self.directors = {
            name: self._on_lan(network, name, str(director.address)) for name, director in self.model.directors.items()
        }
        self.servers = {name: self._server(network, name, ip) for name, ip in self._server_addresses().items()}

    def _server_addresses(self) -> dict[str, str]:
        return {
            server.name: str(server.address)
            for service in self.model.services.values()
            for server in service.servers.values()
        }

    def _on_lan(self, network: Network, name: str, address: str) -> Host:
        host = network.host(name, {INTERFACE: (self.lan, f"{address}/{self.prefix}")})
        host.route("default", via=self._gateway)
        return host

    def _server(self, network: Network, name: str, address: str) -> Host:
        """A real server for direct routing: the VIP on `lo`, silent, the sysctls BEFORE the address."""
        host = self._on_lan(network, name, address)
        host.sysctl("net/ipv4/conf/all/arp_ignore", 1)
        host.sysctl("net/ipv4/conf/all/arp_announce", 2)
        host.add_address("lo", f"{self.vip}/32")
        return host

    def port(self, service: str) -> int:
        return self.model.services[service].ports[0]

    def director_of(self, mac: str) -> str | None:
        """Whose MAC this is, among the directors."""
        return next((name for name, host in self.directors.items() if host.mac(INTERFACE) == mac), None)
