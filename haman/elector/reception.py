"""Which packets may be believed: from a packet to a Heard event, or to one more count of a refusal.

The ordered list of checks is RFC 9568, section 7.1 (for version 2 RFC 3768, section 7.1), with haman's own about who
may speak, and before anything is believed or compared, the signature where there are keys. What differs and is no
reason to refuse, the list of addresses and the interval, is counted and said; so is, in permissive mode, everything
about signatures.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from haman.election.events import Heard
from haman.elector.complaints import Complaints
from haman.errors import BadPacket
from haman.wire import authentication, vrrp
from haman.wire.advertisement import GROUPS, PRIORITY_LEAVING, Advertisement, Refusal
from haman.wire.freshness import Marks
from haman.wire.packet import TTL

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from haman.elector.listed import Listed
    from haman.elector.sources import Sources
    from haman.elector.tally import Tally
    from haman.model.addresses import Address
    from haman.model.authentication import Credentials
    from haman.model.elector import RouterConfig
    from haman.model.transition import Kind
    from haman.wire.packet import Packet

_CURES: Final[Mapping[Refusal, str]] = {
    Refusal.UNSIGNED: "a stranger, or a director without 'authentication'",
    Refusal.TRAILER: "only HMAC-SHA256 as of keepalived 2.4.2 is spoken here",
    Refusal.STALE: "see whether the clocks agree (NTP), or 'window'",
    Refusal.UNKNOWN_KEY: "give all directors the same keys",
    Refusal.SIGNATURE: "a forgery, or the key file is not the same on both",
    Refusal.REPLAY: "see who else sends on this segment",
}

SENDERS = 64
"""Of so many the last advertisement is kept as it was read; whoever forges more of them makes us read each anew."""

SILENT_FAMILY = 10
"""Intervals for which peers are heard over one family alone until that is said."""


class Reception:
    """wall: seconds since 1970, by which signatures are judged."""

    def __init__(
        self,
        tally: Tally,
        sources: Sources,
        listed: Listed,
        note: Callable[[Kind, str, str, str, str, str], None],
        wall: Callable[[], float],
    ) -> None:
        self._tally = tally
        self._sources = sources
        self._listed = listed
        self._heard: dict[tuple[str, int], float] = {}  # by router and family
        self._wall = wall
        self._decoded: dict[Address, tuple[Packet, Advertisement]] = {}  # the last of each sender, which says the same
        self._marks = Marks()
        self.complaints = Complaints(note)

    def read(
        self, interface: str, packet: Packet | None, routers: Mapping[int, RouterConfig], now: float
    ) -> Heard | None:
        """`routers`: those of this interface, by VRID."""
        where = interface
        try:
            if packet is None:
                raise BadPacket(Refusal.IP_HEADER)
            advertisement = self._decode(packet)
            router = routers.get(advertisement.vrid)
            if router is None:
                raise BadPacket(Refusal.VRID, f"virtual router {advertisement.vrid} of {packet.source} is not ours")
            where = router.name
            own = self._sources.of(router, packet.source.version)
            families = self._listed.of(router).families
            _check_sender(packet, router, families, own)
            _check_version(advertisement, packet, router)
            if router.credentials is not None:
                self._authenticate(packet, router, router.credentials, now)
            _check_agreement(advertisement, packet, router)
        except BadPacket as bad:
            self._refuse(interface, where, bad, now)
            return None
        self._tally.count(router.name, "adverts_received")
        if advertisement.priority == PRIORITY_LEAVING:
            self._tally.count(router.name, "priority_zero_received")
        self._compare(router, advertisement, packet.source, now)
        return Heard(advertisement, packet.source, own, leads=packet.source.version == families[0])

    def _decode(self, packet: Packet) -> Advertisement:
        if packet.destination in GROUPS.values() and packet.ttl != TTL:
            raise BadPacket(Refusal.TTL, f"TTL {packet.ttl} from {packet.source}: it crossed a router")
        held = self._decoded.get(packet.source)
        if held is not None and held[0] == packet:
            return held[1]
        advertisement = vrrp.decode(packet.payload, packet.source, packet.destination)
        if len(self._decoded) >= SENDERS:
            self._decoded.clear()
        self._decoded[packet.source] = packet, advertisement
        return advertisement

    def _authenticate(self, packet: Packet, router: RouterConfig, ring: Credentials, now: float) -> None:
        """Raises BadPacket; in permissive mode it tells, and believes."""
        source = packet.source
        message, tail = vrrp.split(packet.payload, source.version)
        sender = router.interface, router.vrid, source
        try:
            ahead = authentication.check(message, tail, source, ring, self._marks, sender, self._wall())
        except BadPacket as bad:
            if ring.enforced:
                raise BadPacket(bad.reason, f"{bad.detail}; {_CURES[Refusal(bad.reason)]}") from bad
            words = f"{bad.detail}; believed, since the mode is {ring.mode.value}. Before it is 'enforce':"
            self._differs(router.name, str(bad.reason.value), f"{words} {_CURES[Refusal(bad.reason)]}", now)
            return
        self._tally.count(router.name, "adverts_authenticated")
        if ring.window is not None and abs(ahead) > ring.window / 2:
            words = f"the clock of {source} is {-ahead:+} s from ours; beyond {ring.window:g} s neither believes the"
            self._differs(router.name, "clock", f"{words} other, and both are active: set the clocks right (NTP)", now)

    def _compare(self, router: RouterConfig, heard: Advertisement, source: Address, now: float) -> None:
        """RFC 9568, section 7.1: another address list or interval is reported, and the packet taken all the same."""
        families, advertised, known = self._listed.of(router)
        ours = advertised[source.version]
        if heard.addresses != ours and set(heard.addresses) != known[source.version]:
            differences = [f"has {ip}" for ip in heard.addresses if ip not in ours][:3]
            differences += [f"lacks {ip}" for ip in ours if ip not in heard.addresses][:3]
            words = f"the list of {source} {', '.join(differences)}; its advertisements count all the same, but give"
            self._differs(router.name, "addresses", f"{words} all directors the same addresses", now)
        if heard.interval != router.advert_interval:
            words = f"{source} advertises every {heard.interval:g} s, we every {router.advert_interval:g} s; a standby"
            cure = "is as patient as the active router's asks for, but give all the same advert_interval"
            self._differs(router.name, "interval", f"{words} {cure}", now)
        if len(families) > 1:
            self._listen_for_both(router, heard, source, now)

    def _listen_for_both(self, router: RouterConfig, heard: Advertisement, source: Address, now: float) -> None:
        """The network lets one family through, or the peer's routers of the two families go their own ways."""
        bound = SILENT_FAMILY * max(router.advert_interval, heard.interval)
        (other,) = (family for family in router.families if family != source.version)
        here, there = (router.name, source.version), (router.name, other)
        if now - self._heard.get(here, -bound) >= bound:
            self._heard[there] = now  # a new story: the other family has its time to begin as well
        elif now - self._heard[there] >= bound:
            words = f"{source} is heard, and nothing over IPv{other}: see whether the network drops it, and whether the"
            cure = "peer's IPv4 and IPv6 are one router (in keepalived: two instances in one vrrp_sync_group)"
            self._differs(router.name, "family", f"{words} {cure}", now)
        self._heard[here] = now

    def _differs(self, router: str, what: str, words: str, now: float) -> None:
        self._tally.count(router, f"mismatch_{what}")
        self.complaints.add(router, what, "mismatch", words, now)

    def _refuse(self, interface: str, where: str, bad: BadPacket, now: float) -> None:
        reason = str(bad.reason.value)
        self._tally.count(where if where != interface else f"interface {interface}", f"refused_{reason}")
        words = f"advertisement refused on {interface}: {bad.detail or reason}"
        self.complaints.add(where, reason, "refused", words, now)


def _check_sender(packet: Packet, router: RouterConfig, families: tuple[int, ...], own: Address | None) -> None:
    source = packet.source
    if source.version not in families:
        words = (
            f"{source} speaks IPv{source.version}, of which this router has no address; is it another router's VRID?"
        )
        raise BadPacket(Refusal.FAMILY, words)
    if source == own:
        raise BadPacket(Refusal.OWN_ADDRESS, f"from {source}, our own address: a loop, or a duplicate of it")
    if (packet.destination in GROUPS.values()) is bool(router.peers):
        spoken = "unicast" if router.peers else "multicast"
        words = f"{source} does not speak {spoken}, this router does; set the same 'transport' everywhere"
        raise BadPacket(Refusal.TRANSPORT, words)
    if router.peers and source not in router.peers:
        raise BadPacket(Refusal.NOT_A_PEER, f"{source} is no director of this router; add it, or give it another VRID")
    if router.peers and packet.ttl < router.minimum_ttl:
        words = f"TTL {packet.ttl} from {source}, at least {router.minimum_ttl} wanted"
        cure = "it crossed a router, or (keepalived over IPv6) was sent with less than 255: see 'minimum_ttl'"
        raise BadPacket(Refusal.TTL, f"{words}; {cure}")


def _check_version(heard: Advertisement, packet: Packet, router: RouterConfig) -> None:
    if heard.version != router.version:
        words = f"{packet.source} speaks VRRP version {heard.version}, this router version {router.version}; neither"
        raise BadPacket(Refusal.VERSION, f"{words} believes the other: set the same 'version' everywhere")


def _check_agreement(heard: Advertisement, packet: Packet, router: RouterConfig) -> None:
    """What makes two routers deaf to one another, so that both are active until somebody mends it."""
    source = packet.source
    if heard.password != router.password:
        theirs = "no password" if heard.password is None else "a password, we none"
        words = "another password" if None not in (heard.password, router.password) else theirs
        raise BadPacket(Refusal.AUTHENTICATION, f"{source} sends {words}; set the same 'auth' everywhere")
    if router.version == 2 and heard.interval != router.advert_interval:
        words = f"{source} advertises every {heard.interval:g} s, we every {router.advert_interval:g} s, which VRRPv2"
        raise BadPacket(Refusal.INTERVAL, f"{words} does not allow: set the same 'advert_interval' everywhere")
