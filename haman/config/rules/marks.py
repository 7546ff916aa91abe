"""What haman marks for a service: some packets, not all; each for one service."""

from __future__ import annotations

from typing import TYPE_CHECKING

from haman.config import marking, matching
from haman.config import view as viewed
from haman.config.mistakes import Finding
from haman.config.suggest import meant_or_known

if TYPE_CHECKING:
    from collections.abc import Iterator

    from haman.config.mistakes import Path
    from haman.config.shape.services import Match as Entry
    from haman.config.shape.services import Service
    from haman.config.view import View
    from haman.model.services import Match


def of_service(view: View, path: Path, service: Service) -> Iterator[Finding]:
    if service.match is not None and service.fwmark is None:
        what = "only a service with a 'fwmark' has a 'match'"
        yield Finding((*path, "match"), what, "add a 'fwmark', or remove it: the address says it", at_key=True)
    if service.masquerade:
        if service.match is None:
            what = "haman masquerades what it has marked itself, and there is no 'match'"
            yield Finding((*path, "masquerade"), what, "add a 'match'", at_key=True)
        if any(viewed.translates(service, server) for server in service.servers.values()):
            what = "a server that packets are readdressed to is no router to the outside"
            yield Finding((*path, "masquerade"), what, "remove it, or write 'forward: dr'", at_key=True)
    for index, match in enumerate(service.match or ()):
        yield from _entry(view, (*path, "match", index), service, match)


def between(view: View) -> Iterator[Finding]:
    """A packet bears one mark, so it must be clear which."""
    seen: list[tuple[str, bool, int, Match]] = []
    for name, service in view.file.services.items():
        if service.fwmark is None or "routers" in view.broken:
            continue
        ipv6 = viewed.is_ipv6(service)
        told: set[int] = set()
        for index, match in matching.matches(view, service):
            for other, family, place, known in seen:
                what = matching.common(known, match, ipv6=ipv6) if family == ipv6 and other != name else None
                if what is not None and index not in told:
                    told.add(index)
                    words = f"{what} also fits services.{other}.match[{place}], and a packet bears one mark"
                    cure = "narrow one of them ('exclude', 'sources', 'ports'), or put the servers into one service"
                    yield Finding(("services", name, "match", index), words, cure, at_key=True)
            seen.append((name, ipv6, index, match))


def _entry(view: View, path: Path, service: Service, match: Entry) -> Iterator[Finding]:
    if match.router is not None and view.lacks("routers", match.router):
        cure = meant_or_known(match.router, view.names["routers"], "routers")
        yield Finding((*path, "router"), f"there is no router '{match.router}'", cure, certain=True)
        return
    if not any((match.router, match.addresses, match.sources, match.dev)):
        what = "this would mark whatever passes this machine"
        yield Finding(path, what, "say which: 'router', 'addresses', 'sources' or 'dev'", at_key=True)
        return
    ipv6 = viewed.is_ipv6(service)
    addresses = view.marked_addresses(match, ipv6=ipv6)
    none_there = (match.addresses or match.router) and not addresses
    none_from = match.sources and not any((network.version == 6) == ipv6 for network in match.sources)
    if (none_there or none_from) and "routers" not in view.broken:
        family = "IPv6" if ipv6 else "IPv4"
        cure = f"write {family} addresses, or 'family: {'ipv4' if ipv6 else 'ipv6'}' in the service"
        yield Finding(path, f"this fits no packet, since the service is one of {family}", cure, at_key=True)
    _, passing = marking.apart(view, addresses)
    for network in passing:
        if network.prefixlen == network.max_prefixlen and network.network_address in view.director_by_address:
            what = f"{network.network_address} is a director's own address"
            yield Finding((*path, "addresses"), what, "write a VIP: this one is on a single machine", at_key=True)
