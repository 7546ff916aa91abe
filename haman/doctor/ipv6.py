"""IPv6 VIPs that somebody else has put on a device: how they were added decides whether they can be used."""

from __future__ import annotations

from ipaddress import IPv6Address
from typing import TYPE_CHECKING

from haman.doctor.finding import Finding

if TYPE_CHECKING:
    from collections.abc import Iterator

    from haman.doctor.scene import Scene
    from haman.model.addresses import Address

DADFAILED, DEPRECATED = 0x08, 0x20
"""Of linux/if_addr.h, as /proc/net/if_inet6 has them."""


def examine(scene: Scene) -> Iterator[Finding]:
    """On `lo` neither can go wrong: nobody is asked there, and the kernel prefers the addresses of the way out."""
    vips = _vips(scene)
    for address, device, flags in _held(scene):
        if address not in vips or device == "lo":
            continue
        if flags & DADFAILED:
            yield Finding(
                what=f"the VIP {address} on {device} is not usable: another machine had it when it was added",
                evidence=f"ip address show dev {device}: dadfailed",
                consequence="nobody is answered for it, although it is shown",
                fix="leave the adding to haman, which adds it without that check; by hand:"
                f" ip address replace {address}/128 dev {device} nodad preferred_lft 0",
            )
        elif not flags & DEPRECATED:
            yield Finding(
                what=f"this machine may call others from the VIP {address}",
                evidence=f"ip address show dev {device}: its preferred lifetime is not 0",
                consequence="after a takeover the answers to its own connections go to another director",
                fix="leave the adding to haman, which adds it as no source; by hand:"
                f" ip address change {address}/128 dev {device} preferred_lft 0",
                problem=False,
            )


def _vips(scene: Scene) -> set[Address]:
    routers = scene.cluster.routers.values() if scene.cluster is not None else ()
    return {vip for router in routers for vip in router.vips}


def _held(scene: Scene) -> Iterator[tuple[Address, str, int]]:
    """Lines such as `20010db8000000000000000000000100 02 40 00 a0     eth0`."""
    for line in (scene.read("net/if_inet6") or "").splitlines():
        address, _, _, _, flags, device = line.split()
        yield IPv6Address(int(address, 16)), device, int(flags, 16)
