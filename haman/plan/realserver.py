"""What a real server's kernel must hold for a cluster's services, as a function of the configuration.

A director's own state is in `desired`. Here is what the machine behind it needs: it must take packets for a VIP that
it answers no neighbour for, and unwrap them first where they come through a tunnel. With NAT it needs nothing of this,
but its answers must go back through the director.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from haman.model.kernel import (
    AddressConfig,
    AddressKey,
    DeviceConfig,
    DeviceKey,
    GuePortConfig,
    GuePortKey,
    Kernel,
    SysctlConfig,
    SysctlKey,
    TableConfig,
    TableKey,
    Unwrapper,
)
from haman.model.services import Forward, Tunnel, TunnelChecksum, TunnelType
from haman.plan.ownership import Ownership
from haman.wire.redirect import redirecting

if TYPE_CHECKING:
    from collections.abc import Collection, Iterator

    from haman.model.addresses import Address
    from haman.model.cluster import Cluster
    from haman.model.kernel import Key
    from haman.model.services import Server, Service

SILENCE = {
    # Answer ARP only on the device that has the address: the VIPs here are on `lo` and on tunnels.
    SysctlKey("net/ipv4/conf/all/arp_ignore"): SysctlConfig("1"),
    # Ask "who has" with an address of the sending device only, or the question itself gives the VIP away.
    SysctlKey("net/ipv4/conf/all/arp_announce"): SysctlConfig("2"),
}
"""Where VIPs lie that this machine must not answer for; IPv6 needs no such words."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Part:
    """One server entry that is this machine, and the VIPs whose packets it gets."""

    service: Service
    server: Server
    vips: tuple[Address, ...]


def served(cluster: Cluster) -> Iterator[Service]:
    """All that has real servers: the services, and each of their backups as one."""
    for service in cluster.services.values():
        yield from service.checked()


def parts(cluster: Cluster, names: Collection[str], addresses: Collection[Address]) -> list[Part]:
    """What this machine serves: the entries of these names, and those with one of these addresses, be they local or of
    a backup.

    The VIPs of a router that the machine is a director of are left out: `haman run` has them on `lo`.
    """
    found = []
    for service in served(cluster):
        for server in service.servers.values():
            if server.name in names or server.address in addresses:
                here = server.director
                kept = {vip for router in cluster.routers.values() if here in router.members for vip in router.vips}
                vips = tuple(vip for vip in _vips(cluster, service) if vip not in kept)
                found.append(Part(service=service, server=server, vips=vips))
    return found


def _vips(cluster: Cluster, service: Service) -> Iterator[Address]:
    """Of a mark that the operator's packet filter sets only that knows which VIPs it stands for; it can be any of the
    cluster's. Of one that haman sets, those of the cluster's that fit, and single addresses that are written."""
    if service.address is not None:
        yield service.address
        return
    version = 6 if service.fwmark_ipv6 else 4
    own = {vip for router in cluster.routers.values() for vip in router.vips if vip.version == version}
    if service.match:
        networks = {network for match in service.match for network in match.addresses}
        single = {network.network_address for network in networks if network.prefixlen == network.max_prefixlen}
        own = {vip for vip in own if any(vip in network for network in networks)} | single
    yield from sorted(own, key=int)


def conflict(found: Collection[Part]) -> str | None:
    """Why these parts cannot all be served by one machine; None if they can."""
    wanted: dict[tuple[Unwrapper, Address], tuple[bool, str]] = {}
    for part in found:
        for device in _devices(part):
            checksum, name = wanted.setdefault(
                (device.kind, device.local), (device.checksum, f"{part.service.name}/{part.server.name}")
            )
            if checksum != device.checksum:
                return (
                    f"{part.service.name}/{part.server.name} and {name} reach {device.local} by GRE with and without"
                    " checksum, and the kernel has one device for both: write the same checksum"
                )
    return None


def hints(found: Collection[Part]) -> Iterator[str]:
    """What is not done here, and why, one sentence each."""
    for part in found:
        name = f"{part.service.name}/{part.server.name}"
        if part.server.forward not in (Forward.DR, Forward.TUN):
            yield f"{name}: by {part.server.forward.value} packets come to its own address, nothing is needed for them"
        elif not part.vips:
            yield f"{name}: this machine is a director for it, haman run keeps its VIPs"
        elif part.service.address is None and not part.service.match:
            yield f"{name}: a firewall mark can stand for any VIP, so all of the cluster's are taken"


def wanted(found: Collection[Part], *, unwrap: bool = True) -> Kernel:
    """VIPs on `lo` for direct routing, on the devices that unwrap them for tunnels. unwrap False: somebody else sees to
    the tunnels, and all VIPs are on `lo`."""
    addresses: dict[AddressKey, AddressConfig] = {}
    devices: dict[DeviceKey, DeviceConfig] = {}
    gue: dict[GuePortKey, GuePortConfig] = {}
    made = _named(found) if unwrap else {}
    for part in found:
        forward = part.server.forward
        if forward is Forward.DR or (forward is Forward.TUN and not unwrap):
            addresses |= {AddressKey("lo", vip, vip.max_prefixlen): AddressConfig() for vip in part.vips}
        elif forward is Forward.TUN:
            for device in _devices(part):
                name = made[device.kind, device.local]
                devices[DeviceKey(name)] = device
                # On the device: a loose reverse path filter lets packets in only where the device has an address
                # (__fib_validate_source in net/ipv4/fib_frontend.c).
                for vip in part.vips:
                    addresses[AddressKey(name, vip, vip.max_prefixlen)] = AddressConfig()
                tunnel = part.server.tunnel or Tunnel()
                if tunnel.type is TunnelType.GUE:
                    gue[GuePortKey(device.local.version, tunnel.port)] = GuePortConfig()
    silent = any(key.ip.version == 4 for key in addresses)
    return Kernel(addresses=addresses, devices=devices, gue_ports=gue, sysctls=SILENCE if silent else {})


def redirected(found: Collection[Part]) -> Kernel:
    """No VIP at all: the packet filter says of packets for one that they are for this machine. Only for what arrives as
    it was sent: what a tunnel's device unwraps has no address of that device to be redirected to."""
    vips = {vip for part in found if part.server.forward is Forward.DR for vip in part.vips}
    return Kernel(tables={TableKey(): TableConfig(redirecting(vips))} if vips else {})


def _named(found: Collection[Part]) -> dict[tuple[Unwrapper, Address], str]:
    """A name for each device: `haman-ipip`, and `haman-ipip2` where the server has a second address."""
    every = {(device.kind, device.local) for part in found for device in _devices(part)}
    names = {}
    for kind in Unwrapper:
        locals_ = sorted((local for other, local in every if other is kind), key=int)
        for number, local in enumerate(locals_, 1):
            names[kind, local] = f"haman-{kind.value}{number if number > 1 else ''}"
    return names


def _devices(part: Part) -> Iterator[DeviceConfig]:
    """What takes apart what IPVS puts together (ip_vs_tunnel_xmit in net/netfilter/ipvs/ip_vs_xmit.c): with GUE the
    header goes, and what is left looks like IP in IP."""
    if part.server.forward is not Forward.TUN or not part.vips:
        return
    tunnel, local = part.server.tunnel or Tunnel(), part.server.address
    if tunnel.type is TunnelType.GRE:
        kind = Unwrapper.GRE if local.version == 4 else Unwrapper.IP6GRE
        yield DeviceConfig(kind, local, checksum=tunnel.checksum is TunnelChecksum.FULL)
    elif local.version == 6:
        yield DeviceConfig(Unwrapper.IP6TNL, local)
    else:
        yield DeviceConfig(Unwrapper.IPIP if part.vips[0].version == 4 else Unwrapper.SIT, local)


def ownership(kernel: Kernel, remembered: Collection[Key]) -> Ownership:
    """What is wanted and what was made before, to the letter: a VIP that somebody else put on `lo`, be it with another
    prefix length, is his."""
    return Ownership(
        sysctls=frozenset(kernel.sysctls),
        remembered=frozenset({*remembered, *kernel.addresses, *kernel.gue_ports, *kernel.tables}),
    )
