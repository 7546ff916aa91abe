"""An advertisement of one router as packets: in each of its families, to the group or to every peer.

The next one is nearly always the same as the last, so it is not encoded again. Where there are keys each is signed
anew, all copies of it alike.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from haman.wire import authentication, vrrp
from haman.wire.advertisement import GROUPS, Advertisement
from haman.wire.freshness import Sequence
from haman.wire.packet import TTL, Packet

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from haman.elector.listed import Listed
    from haman.elector.sources import Sources
    from haman.model.addresses import Address
    from haman.model.elector import RouterConfig


class Adverts:
    """wall: seconds since 1970, for signatures."""

    def __init__(self, sources: Sources, listed: Listed, wall: Callable[[], float]) -> None:
        self._sources = sources
        self._listed = listed
        self._wall = wall
        self._sequence = Sequence()
        self._encoded: dict[tuple[str, int], tuple[RouterConfig, int, Address, tuple[Packet, ...]]] = {}

    def packets(self, router: RouterConfig, priority: int) -> Iterator[Packet | None]:
        """None: there is no source to send from in a family. The leading family goes first."""
        for family in self._listed.of(router).families:
            source = self._sources.of(router, family)
            if source is None:
                yield None
                continue
            held = self._encoded.get((router.name, family))
            if held is None or held[0] is not router or (held[1], held[2]) != (priority, source):
                held = router, priority, source, tuple(self._encode(router, priority, family, source))
                self._encoded[router.name, family] = held
            yield from self._signed(router, held[3])

    def _signed(self, router: RouterConfig, packets: tuple[Packet, ...]) -> Iterator[Packet]:
        credentials = router.credentials
        key = credentials.signing if credentials is not None else None
        if credentials is None or key is None:
            yield from packets
            return
        number = self._sequence.next(self._wall(), credentials.window)
        trailer = b""
        for packet in packets:
            source, destination = packet.source, packet.destination
            trailer = trailer or authentication.trailer(packet.payload, source, key, number)
            yield Packet(source, destination, packet.ttl, vrrp.signed(packet.payload, source, destination, trailer))

    def _encode(self, router: RouterConfig, priority: int, family: int, source: Address) -> Iterator[Packet]:
        advertisement = Advertisement(
            router.vrid,
            priority,
            router.advert_interval,
            self._listed.of(router).advertised[family],
            router.version,
            router.password,
        )
        peers = [peer for peer in router.peers if peer.version == family]
        for destination in peers if router.peers else (GROUPS[family],):
            yield Packet(source, destination, TTL, vrrp.encode(advertisement, source, destination, router.checksum))
