"""Links and addresses: is there what the routers stand on, and do packets fit through it?"""

from __future__ import annotations

from typing import TYPE_CHECKING

from haman.doctor.finding import Finding
from haman.model.services import Forward

if TYPE_CHECKING:
    from collections.abc import Iterator

    from haman.doctor.scene import Scene
    from haman.model.elector import RouterConfig

ETHERNET = 1500
TUNNEL = 20
"""Bytes that an outer IPv4 header takes; GRE and GUE take a few more."""


def examine(scene: Scene) -> Iterator[Finding]:
    part = scene.slice
    if part is None or scene.cluster is None or scene.node is None:
        return
    for router in part.routers:
        yield from _router(scene, router)
    forwards = {
        server.forward for service in scene.cluster.checked_of(scene.node) for server in service.servers.values()
    }
    small = {name: size for name, size in scene.mtu.items() if size < ETHERNET and scene.links.get(name)}
    if Forward.TUN in forwards:
        narrow = [name for name in {router.interface for router in part.routers} if scene.mtu.get(name, 0) <= ETHERNET]
        if narrow:
            yield Finding(
                what="tunnelled packets of full size do not fit",
                evidence=f"the MTU of {', '.join(sorted(narrow))} is {ETHERNET} or less, a tunnel adds {TUNNEL} bytes",
                consequence="large packets are refused with `fragmentation needed`; behind a firewall that drops this, "
                "clients hang in the middle of an upload",
                fix=f"an MTU of {ETHERNET + TUNNEL} or more between director and servers, or a smaller MSS there",
                problem=False,
            )
    sync = scene.cluster.sync
    if sync is not None and (device := sync.interfaces.get(scene.node)) in small:
        size = small[device]
        if sync.max_length > size - 28:
            yield Finding(
                what="synchronisation messages are longer than their interface's packets",
                evidence=f"sync.max_length is {sync.max_length}, the MTU of {device} {size}",
                consequence="they are fragmented, and a lost fragment loses all of the message's connections",
                fix="leave sync.max_length out: the kernel then takes the interface's MTU",
            )


def _router(scene: Scene, router: RouterConfig) -> Iterator[Finding]:
    if router.interface not in scene.links:
        known = ", ".join(sorted(name for name in scene.links if name != "lo"))
        yield Finding(
            what=f"router {router.name} is on {router.interface}, and there is no such interface",
            evidence=f"this machine has {known or 'none'}",
            consequence="the router is in fault until it comes",
            fix=f"correct `interface` (for this director alone: in routers.{router.name}), or create it",
        )
        return
    if not scene.links[router.interface]:
        yield Finding(
            what=f"{router.interface}, the interface of router {router.name}, is down or has no carrier",
            evidence=f"ip link show {router.interface}",
            consequence="the router is in fault: it neither hears nor speaks",
            fix="bring it up; look at the cable and the switch port",
        )
    here = {key.ip for key in scene.addresses if key.device == router.interface}
    if scene.addresses and router.source not in here:
        elsewhere = [key.device for key in scene.addresses if key.ip == router.source]
        where = f"it is on {elsewhere[0]}" if elsewhere else "it is on no interface"
        yield Finding(
            what=f"{router.interface} does not have {router.source}, the source of router {router.name}'s packets",
            evidence=f"ip address show {router.interface}: {where}",
            consequence="peers that check the sender, and reverse path filters, drop this director's advertisements",
            fix="add the address, or correct this director's `address`",
        )
    for vip in router.addresses:
        if vip.device not in scene.links:
            yield Finding(
                what=f"VIP {vip.ip} of router {router.name} is to be on {vip.device}, and there is no such interface",
                evidence=f"ip link show {vip.device}",
                consequence="the router cannot become active",
                fix="correct the VIP's `dev`, or create the interface",
            )
