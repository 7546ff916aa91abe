"""Virtual routers: who takes part in each, with which number, priority and source, and whose a VIP is."""

from __future__ import annotations

from collections import defaultdict
from typing import TYPE_CHECKING

from haman.config.mistakes import Finding
from haman.config.suggest import meant_or_known

if TYPE_CHECKING:
    from collections.abc import Iterator

    from haman.config.mistakes import Path
    from haman.config.view import View, Vip
    from haman.model.addresses import Address


def findings(view: View) -> Iterator[Finding]:
    yield from _members(view)
    yield from _alone(view)
    yield from _numbers(view)
    yield from _vips(view)
    yield from _priorities(view)
    yield from _networks(view)
    yield from _standby(view)


def _members(view: View) -> Iterator[Finding]:
    for name, router in view.file.routers.items():
        listed = router.directors or []
        for index, director in enumerate(listed):
            path: Path = ("routers", name, "directors", index)
            if view.lacks("directors", director):
                cure = meant_or_known(director, view.names["directors"], "directors")
                yield Finding(path, f"there is no director '{director}'", cure, certain=True)
            elif director in listed[:index]:
                yield Finding(path, f"director '{director}' is named twice", "remove it once", certain=True)


def _alone(view: View) -> Iterator[Finding]:
    for name in view.file.routers:
        if len(view.file.directors) > 1 and len(seats := view.seats(name)) == 1:
            what = f"only director '{next(iter(seats))}' takes part: nothing takes over when it fails"
            yield Finding(("routers", name), what, "add another one to its directors", at_key=True, warning=True)


def _numbers(view: View) -> Iterator[Finding]:
    """VRIDs: on one interface of one director every router needs its own."""
    taken: dict[tuple[str, str, int], str] = {}
    for name, router in view.file.routers.items():
        for seat in view.seats(name).values():
            if seat.interface is None:
                continue
            other = taken.setdefault((seat.director, seat.interface, router.vrid), name)
            if other != name:
                what = f"vrid {router.vrid} is that of router '{other}' on {seat.interface} already"
                yield Finding(("routers", name, "vrid"), what, "give each router on an interface its own")
                break


def _vips(view: View) -> Iterator[Finding]:
    first: dict[Address, Vip] = {}
    own: dict[Address, str] = {}
    for name in view.file.routers:
        for seat in view.seats(name).values():
            own |= {address: seat.director for address in (seat.address, seat.address6) if address is not None}
    own |= view.director_by_address
    for vip in view.vips:
        address = vip.interface.ip
        other = first.setdefault(address, vip)
        if other is not vip:
            where = "this router" if other.router == vip.router else f"router '{other.router}'"
            yield Finding(vip.path, f"{address} is a VIP of {where} already", "remove it from one", certain=True)
        if address in own:
            what = f"{address} is the own address of director '{own[address]}'"
            yield Finding(vip.path, what, "a VIP moves between directors: choose an address that no machine has")


def _priorities(view: View) -> Iterator[Finding]:
    for name in view.file.routers:
        equal: defaultdict[int, list[str]] = defaultdict(list)
        for seat in view.seats(name).values():
            equal[seat.priority].append(seat.director)
        for priority, directors in equal.items():
            if len(directors) > 1:
                what = f"directors {' and '.join(directors)} have the same priority {priority}"
                what += f", so {_preferred(view, name, directors)} is preferred for its higher address"
                yield Finding(("routers", name), what, "give them different ones", at_key=True, warning=True)


def _preferred(view: View, name: str, directors: list[str]) -> str:
    """Whom a tie prefers: by IPv4 address where the router has one to advertise; else nobody knows by the file."""
    addresses = {director: view.seats(name)[director].address for director in directors}
    known = {address: director for director, address in addresses.items() if address is not None}
    if len(known) < len(directors) or not any(vip.interface.version == 4 for vip in view.vips_of(name)):
        return "one"
    return f"'{known[max(known)]}'"


def _networks(view: View) -> Iterator[Finding]:
    """Advertisements over IPv4 need a source address of the router's own network."""
    for name in view.file.routers:
        own = [vip.interface.network for vip in view.vips_of(name) if vip.dev is None]
        networks = [network for network in own if network.prefixlen < 32 and network.version == 4]
        sources: defaultdict[Address, set[str]] = defaultdict(set)
        for seat in view.seats(name).values():
            if seat.address is None:
                continue
            sources[seat.address].add(seat.director)
            if networks and not any(seat.address in network for network in networks):
                what = f"{seat.address} is in no network of router '{name}', which advertises from there"
                cure = f"give this director's address in it: directors.{seat.director}.routers.{name}.address"
                yield Finding(seat.address_path, what, cure, warning=True)
            others = sources[seat.address] - {seat.director}
            if others and len(seat.address_path) > len(("directors", "lb1", "address")):
                what = f"{seat.address} is the address of director '{others.pop()}' in this router already"
                yield Finding(seat.address_path, what, "give each director its own")


def _standby(view: View) -> Iterator[Finding]:
    """A firewall mark tells nothing of its VIPs, so the default of standby_address may be the wrong one."""
    if not any(service.fwmark is not None and service.match is None for service in view.file.services.values()):
        return
    served = view.served_routers()
    for name, router in view.file.routers.items():
        if router.standby_address is None and name not in served and not view.broken:
            what = "nothing here says whether a firewall mark's service uses these VIPs; a standby keeps them nowhere"
            cure = "if it does, add 'standby_address: loopback', else 'standby_address: nowhere'"
            yield Finding(("routers", name), what, cure, at_key=True, warning=True)
