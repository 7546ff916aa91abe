"""Which packets may be believed: from a raw packet to a Heard event, or to one more count of a refusal.

The ordered list of checks is RFC 9568, section 7.1, with haman's own about who may speak. A refused packet is
noted in the log once, and again not before a minute has passed: a flood must not become a flood of lines.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from haman.election.events import Heard
from haman.errors import BadPacket
from haman.model.transition import Kind
from haman.wire import ipv4, vrrp
from haman.wire.vrrp import Refusal

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from haman.elector.tally import Tally
    from haman.model.elector import RouterConfig

QUIET = 60.0
"""Seconds between two log lines about the same refusal on the same interface."""


class Reception:
    def __init__(self, tally: Tally, note: Callable[[Kind, str, str, str, str, str], None]) -> None:
        self._tally = tally
        self._note = note
        self._noted: dict[tuple[str, str], float] = {}

    def read(self, interface: str, data: bytes, routers: Mapping[int, RouterConfig], now: float) -> Heard | None:
        """`routers`: those of this interface, by VRID."""
        where = interface
        try:
            packet = ipv4.split(data)
            if packet is None:
                raise BadPacket(Refusal.IP_HEADER)
            advertisement = self._decode(packet)
            router = routers.get(advertisement.vrid)
            if router is None:
                raise BadPacket(Refusal.VRID, f"virtual router {advertisement.vrid} of {packet.source} is not ours")
            where = router.name
            self._check_sender(packet, router)
        except BadPacket as bad:
            self._refuse(interface, where, bad, now)
            return None
        self._tally.count(router.name, "adverts_received")
        if advertisement.priority == vrrp.PRIORITY_LEAVING:
            self._tally.count(router.name, "priority_zero_received")
        self._compare(router, advertisement, packet, now)
        return Heard(advertisement, packet.source)

    def _decode(self, packet: ipv4.Packet) -> vrrp.Advertisement:
        if packet.destination == vrrp.GROUP and packet.ttl != ipv4.TTL:
            raise BadPacket(Refusal.TTL, f"TTL {packet.ttl} from {packet.source}: it crossed a router")
        return vrrp.decode(packet.payload, packet.source, packet.destination)

    def _check_sender(self, packet: ipv4.Packet, router: RouterConfig) -> None:
        if packet.source == router.source:
            raise BadPacket(Refusal.OWN_ADDRESS, f"from {packet.source}, our own address: a loop, or a duplicate of it")
        multicast = packet.destination == vrrp.GROUP
        if multicast is bool(router.peers):
            spoken = "unicast" if router.peers else "multicast"
            raise BadPacket(Refusal.TRANSPORT, f"{packet.source} does not speak {spoken}, this router does")
        if router.peers and packet.source not in router.peers:
            raise BadPacket(Refusal.NOT_A_PEER, f"{packet.source} is no director of this router")
        if router.peers and packet.ttl < router.minimum_ttl:
            raise BadPacket(Refusal.TTL, f"TTL {packet.ttl} from {packet.source}, at least {router.minimum_ttl} wanted")

    def _compare(self, router: RouterConfig, heard: vrrp.Advertisement, packet: ipv4.Packet, now: float) -> None:
        """RFC 9568, section 7.1: another address list or interval is reported, and the packet taken all the same."""
        ours = {address.ip for address in router.addresses}
        if set(heard.addresses) != ours:
            self._differs(router.name, "addresses", f"{packet.source} advertises other addresses", now)
        if heard.interval != router.advert_interval:
            why = f"{packet.source} advertises every {heard.interval:g} s, we every {router.advert_interval:g} s"
            self._differs(router.name, "interval", why, now)

    def _differs(self, router: str, what: str, why: str, now: float) -> None:
        self._tally.count(router, f"mismatch_{what}")
        if self._silence_over((router, what), now):
            self._note(Kind.PACKET, router, what, "mismatch", f"mismatch_{what}", why)

    def _refuse(self, interface: str, where: str, bad: BadPacket, now: float) -> None:
        reason = str(bad.reason.value)
        self._tally.count(where if where != interface else f"interface {interface}", f"refused_{reason}")
        if self._silence_over((where, reason), now):
            why = f"advertisement refused on {interface}: {bad.detail or reason}"
            self._note(Kind.PACKET, where, "packet", "refused", f"refused_{reason}", why)

    def _silence_over(self, key: tuple[str, str], now: float) -> bool:
        if now - self._noted.get(key, -QUIET) < QUIET:
            return False
        self._noted[key] = now
        return True
