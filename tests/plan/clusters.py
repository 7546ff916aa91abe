"""A small cluster with one of everything, as the configuration would build it."""

from __future__ import annotations

from ipaddress import IPv4Address, ip_address, ip_interface
from typing import TYPE_CHECKING

from haman.model.cluster import Cluster, Sync, Timeouts
from haman.model.elector import ElectorConfig, RouterConfig
from haman.model.routers import Director, Member, Router, StandbyAddress, VirtualAddress
from haman.model.services import Persistence, Protocol, Server, Service

if TYPE_CHECKING:
    from haman.model.addresses import Interface

SYNC = Sync(interfaces={"lb1": "eth1", "lb2": "eth1"}, sync_id=7, group=ip_address("224.0.0.81"))
VIPS = (
    VirtualAddress(interface=ip_interface("10.0.0.100/24"), device="eth0"),
    VirtualAddress(interface=ip_interface("2001:db8::100/64"), device="eth0"),
)


def elector_config(
    *addresses: tuple[Interface, str], standby: StandbyAddress = StandbyAddress.LOOPBACK
) -> ElectorConfig:
    """One router `public`, by default with an IPv4 and an IPv6 VIP on eth0."""
    vips = tuple(VirtualAddress(interface=interface, device=device) for interface, device in addresses) or VIPS
    router = RouterConfig(
        name="public",
        vrid=51,
        priority=100,
        interface="eth0",
        source=IPv4Address("10.0.0.1"),
        advert_interval=1.0,
        addresses=vips,
        standby_address=standby,
    )
    return ElectorConfig(generation=1, node="lb1", routers=(router,))


def service(name: str, **differences: object) -> Service:
    """A service with two servers, rs1 and rs2."""
    servers = {
        "rs1": Server(name="rs1", address=ip_address("10.0.0.11")),
        "rs2": Server(name="rs2", address=ip_address("10.0.0.12"), port=8080),
    }
    return Service(**{"name": name, "servers": servers, "scheduler": "wlc", **differences})  # type: ignore[arg-type]


def cluster(*services: Service, sync: Sync | None = SYNC, timeouts: tuple[int, int, int] = (900, 0, 0)) -> Cluster:
    """Directors lb1, lb2 and lb3; lb3 has no part in the router `public`. By default four services: `web` (two
    ports of the VIP), `web6`, `marked` (mark 7) and `elsewhere` (on an address of no router)."""
    default = (
        service("web", protocol=Protocol.TCP, address=ip_address("10.0.0.100"), ports=(80, 443)),
        service("web6", protocol=Protocol.TCP, address=ip_address("2001:db8::100"), ports=(80,), servers={}),
        service("marked", fwmark=7, persistence=Persistence(timeout=300, prefix=24)),
        service("elsewhere", protocol=Protocol.TCP, address=ip_address("10.0.9.9"), ports=(443,)),
    )
    members = {
        name: Member(director=name, priority=100, interface="eth0", address=IPv4Address(f"10.0.0.{last}"))
        for name, last in (("lb1", 1), ("lb2", 2))
    }
    return Cluster(
        name="test",
        directors={name: Director(name=name, address=IPv4Address("10.0.0.1")) for name in ("lb1", "lb2", "lb3")},
        routers={"public": Router(name="public", vrid=51, advert_interval=1.0, addresses=VIPS, members=members)},
        services={service.name: service for service in services or default},
        sync=sync,
        timeouts=Timeouts(tcp=timeouts[0], tcp_fin=timeouts[1], udp=timeouts[2]),
    )
