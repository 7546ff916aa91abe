"""IPv4 and IPv6, VRRP 2 and 3: what a router says must have an encoding, and each director a source to say it from."""

from __future__ import annotations

from typing import TYPE_CHECKING

from haman.config.forms.numbers import spoken
from haman.config.mistakes import Finding
from haman.model.routers import Transport

if TYPE_CHECKING:
    from collections.abc import Iterator

    from haman.config.mistakes import Path
    from haman.config.shape.routers import Router
    from haman.config.view import View

MOST = {4: 255, 6: 90}
"""Addresses that an advertisement has room for: IPv4 by its field of 8 bits; IPv6 in one Ethernet frame of 1,500 bytes,
40 of IPv6, 8 of VRRP, 16 for each address."""

SIGNED = 89
"""The same over IPv6 with a signature's 28 bytes."""


LONGEST_LABEL = 15


def findings(view: View) -> Iterator[Finding]:
    for name, router in view.file.routers.items():
        path: Path = ("routers", name)
        yield from _version(view, path, router)
        yield from _sources(view, name, router)
        yield from _room(view, name)
        yield from _labels(view, name)


def _room(view: View, name: str) -> Iterator[Finding]:
    """What advertisements list fits into one, and is not nothing."""
    advertised = [vip for vip in view.vips_of(name) if not vip.excluded]
    for version, most in MOST.items():
        most = SIGNED if version == 6 and view.authenticated(name) else most
        family = [vip for vip in advertised if vip.interface.version == version]
        if len(family) > most:
            what = f"an advertisement has room for {most} IPv{version} addresses, and this is one more"
            path = family[most].path
            entry = path[:-1] if path[-1] == "address" else path
            cure = f"write it as {{address: {family[most].interface}, excluded: true}}, and those after it"
            yield Finding(entry, what, cure)
    if not advertised and view.vips_of(name):
        what = "all addresses are excluded from advertisements, and one without any is refused by everybody"
        yield Finding(("routers", name, "addresses"), what, "leave one of them in", at_key=True)


def _labels(view: View, name: str) -> Iterator[Finding]:
    for vip in view.vips_of(name):
        if vip.label is None:
            continue
        path: Path = (*vip.path[:-1], "label")
        if vip.interface.version == 6:
            yield Finding(path, "IPv6 addresses have no labels", "remove it", at_key=True)
        for seat in view.seats(name).values():
            device = vip.dev or seat.interface or ""
            if len(f"{device}:{vip.label}") > LONGEST_LABEL:
                what = f"'{device}:{vip.label}' on director '{seat.director}' has more than {LONGEST_LABEL} characters"
                yield Finding(path, what, "shorten it")
                break


def _version(view: View, path: Path, router: Router) -> Iterator[Finding]:
    if router.version == 3:
        if router.auth is not None:
            cure = "remove it, or write 'version: 2' if the peers speak that"
            yield Finding((*path, "auth"), "VRRPv3 has no passwords", cure, at_key=True)
        return
    if router.advert_interval % 1:
        what = f"VRRPv2 counts whole seconds, and this is {spoken(router.advert_interval)}"
        cure = f"write {max(1, round(router.advert_interval))}s, or 'version: 3' if all peers speak it"
        yield Finding((*path, "advert_interval"), what, cure)
    for vip in view.vips_of(path[1] if isinstance(path[1], str) else ""):
        if vip.interface.version == 6:
            what = f"VRRPv2 knows no IPv6, and {vip.interface.ip} is such an address"
            yield Finding(vip.path, what, "write 'version: 3', or put it into a router of its own")


def _sources(view: View, name: str, router: Router) -> Iterator[Finding]:
    """Each director needs an address to speak from, and with unicast to be spoken to."""
    families = {vip.interface.version for vip in view.vips_of(name) if not vip.excluded}
    for seat in view.seats(name).values():
        if 4 in families and seat.address is None:
            what = f"router '{name}' has IPv4 addresses, and director '{seat.director}' has none to advertise them from"
            cure = f"write its IPv4 address here, and the IPv6 one as 'address6', or add directors.{seat.director}"
            yield Finding(seat.address_path, what, f"{cure}.routers.{name}.address")
        if 6 in families and seat.address6 is None and router.transport is Transport.UNICAST:
            what = f"router '{name}' speaks unicast over IPv6 too, and director '{seat.director}' has no IPv6 address"
            yield Finding(seat.address6_path, what, f"add 'address6' to directors.{seat.director}", at_key=True)
