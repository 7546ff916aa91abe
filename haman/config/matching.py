"""What a service's `match` says, entry by entry as the model has it, and what fits two of them.

Used by the rules and by `build`, so that what is judged is what becomes of it.
"""

from __future__ import annotations

from ipaddress import collapse_addresses, ip_network
from itertools import product
from typing import TYPE_CHECKING

from haman.config import marking
from haman.config import view as viewed
from haman.model.services import Match, Protocol

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from haman.config.shape.services import Service
    from haman.config.view import View
    from haman.model.addresses import Network

EVERY_PORT = (1, 65535)


def matches(view: View, service: Service) -> Iterator[tuple[int, Match]]:
    """By the place in the list, those that can fit a packet of the service's family. What goes to VIPs and what passes
    are two."""
    ipv6 = viewed.is_ipv6(service)
    for index, match in enumerate(service.match or ()):
        addresses = view.marked_addresses(match, ipv6=ipv6)
        sources = _of_family(match.sources, ipv6=ipv6)
        if (not addresses and (match.addresses or match.router)) or (match.sources and not sources):
            continue
        own, others = marking.apart(view, addresses)
        for some, diverted in ((own, False), (others, True)):
            if some or (diverted and not addresses):
                yield (
                    index,
                    Match(
                        protocols=tuple(Protocol) if match.protocol is None else (match.protocol,),
                        addresses=some,
                        excluded=_of_family(match.exclude, ipv6=ipv6),
                        sources=sources,
                        incoming=match.dev or "",
                        ports=tuple(match.ports or ()),
                        diverted=diverted,
                    ),
                )


def common(one: Match, other: Match, *, ipv6: bool) -> str | None:
    """Of packets that fit both, both of one family, the first kind: `tcp to 10.0.0.100 port 80`; None if there are
    none."""
    if one.diverted != other.diverted or (one.incoming and other.incoming and one.incoming != other.incoming):
        return None
    everywhere = ip_network("::/0" if ipv6 else "0.0.0.0/0")
    protocol = next((each for each in one.protocols if each in other.protocols), None)
    left_out = [*collapse_addresses([*one.excluded, *other.excluded])]  # type: ignore[type-var]
    to = next(
        (net for net in _both(one.addresses, other.addresses, everywhere) if not any(map(net.subnet_of, left_out))),  # type: ignore[arg-type]
        None,
    )
    source = next(_both(one.sources, other.sources, everywhere), None)
    pairs = product(one.ports or (EVERY_PORT,), other.ports or (EVERY_PORT,))
    port = next((low for (a, b), (c, d) in pairs if (low := max(a, c)) <= min(b, d)), None)
    if protocol is None or to is None or source is None or port is None:
        return None
    where = str(to.network_address) if to.prefixlen == to.max_prefixlen else "anywhere" if to == everywhere else str(to)
    words = f"{protocol.value} to {where}"
    words += f" port {port}" if one.ports or other.ports else ""
    return words if source == everywhere else f"{words} from {source}"


def _both(some: Iterable[Network], others: Iterable[Network], everywhere: Network) -> Iterator[Network]:
    """What is in both; networks lie in one another or apart."""
    for a, b in product(tuple(some) or (everywhere,), tuple(others) or (everywhere,)):
        if a.overlaps(b):
            yield max(a, b, key=lambda network: network.prefixlen)


def _of_family(networks: Iterable[Network] | None, *, ipv6: bool) -> tuple[Network, ...]:
    return tuple(network for network in networks or () if (network.version == 6) == ipv6)
