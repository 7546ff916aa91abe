"""Each parser of what comes from outside, with valid inputs to begin from and its second reading.

`read` gives what haman takes from an input, in the plain values of `second`, or None for what it refuses in its own
way; whatever else it raises is a finding. So is an input that haman takes and the second reading refuses, or reads
otherwise.
"""

from __future__ import annotations

import socket
import struct
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, fields
from ipaddress import IPv4Address, IPv4Interface
from typing import TYPE_CHECKING, Any

from haman.director import control
from haman.elector.listed import Listed
from haman.elector.reception import Reception
from haman.elector.sources import Sources
from haman.elector.tally import Tally
from haman.errors import BadFrame, BadPacket
from haman.model.authentication import Credentials, Key
from haman.model.ballot import Poll, Vote, Wanted
from haman.model.elector import RouterConfig
from haman.model.routers import VirtualAddress
from haman.model.standing import Connections, Shares, Standing
from haman.wire import arp, authentication, dns, freshness, http, icmp, ipv4, link, ndp, neighbours, standing, vrrp
from haman.wire.freshness import Marks
from haman.wire.packet import Packet
from tests.fuzz import second
from tests.wire.test_dns import SECTION, answer, record
from tests.wire.test_link import MESSAGES
from tests.wire.vectors import GROUP, GROUP6, LINK_LOCAL, MALFORMED, PEER, SOURCE, VECTORS, VERSION_2

if TYPE_CHECKING:
    import random

KEY = b"sixteen bytes or more"
WALL = 1_700_000_000.25
PEER6 = bytes.fromhex("fe800000000000000000000000000002")
MAC = bytes.fromhex("020000000001")
OVER4, OVER6 = (SOURCE, GROUP), (LINK_LOCAL, GROUP6)
Repair = Callable[["random.Random", bytes], bytes]


@dataclass(frozen=True)
class Target:
    """repair: makes checksums, lengths and signatures of a mutated input right again, so that what lies behind them is
    reached; done to every second input."""

    name: str
    vectors: Sequence[bytes]
    read: Callable[[bytes], Any]
    again: Callable[[bytes], Any]
    repair: Repair = lambda _, data: data


# -- VRRP -------------------------------------------------------------------------------------------------------------


def _vrrp(source: Any, group: Any) -> Callable[[bytes], Any]:
    def read(data: bytes) -> Any:
        try:
            said = vrrp.decode(data, source, group)
        except BadPacket:
            return None
        return _plain(said)

    return read


def _plain(said: Any) -> tuple[Any, ...]:
    password = None if said.password is None else said.password.encode("latin-1")
    hundredths = round(said.interval * 100)
    return said.version, said.vrid, said.priority, hundredths, tuple(each.packed for each in said.addresses), password


def _sum_vrrp(source: Any, group: Any) -> Repair:
    def repair(random: random.Random, data: bytes) -> bytes:
        if len(data) < 8:
            return data
        bare = data[:6] + b"\0\0" + data[8:]
        size, version = (16 if source.version == 6 else 4), data[0] >> 4
        length = 8 + size * data[3] + (8 if version == 2 else 0)
        covered = bare[:length]
        if source.version == 6 or (version == 3 and random.random() < 0.5):
            ends = source.packed + group.packed
            form = struct.pack("!II", length, 112) if size == 16 else struct.pack("!BBH", 0, 112, length)
            covered = ends + form + covered
        return data[:6] + struct.pack("!H", 0xFFFF - second.ones(covered) % 0xFFFF) + data[8:]

    return repair


RING = Credentials(keys=(Key(number=1, secret=KEY.hex()), Key(number=7, secret=b"another".hex())), send=1)
SECRETS = {1: KEY, 7: b"another"}


def _signed(source: Any, group: Any) -> Callable[[bytes], Any]:
    """By somebody who was never heard before, so that nothing is a repetition."""

    def read(data: bytes) -> Any:
        try:
            said = vrrp.decode(data, source, group)
            if said.version != vrrp.VERSION:
                return None
            message, tail = vrrp.split(data, source.version)
            authentication.check(message, tail, source, RING, Marks(), "anybody", WALL)
        except BadPacket:
            return None
        return *_plain(said), int.from_bytes(tail[4:12], "big")

    return read


def _sign_vrrp(source: Any, group: Any) -> Repair:
    """The signature is made right, or the checksum, or first the one and then the other."""
    size = 16 if source.version == 6 else 4

    def repair(random: random.Random, data: bytes) -> bytes:
        length = 8 + size * data[3] if len(data) > 3 else 0
        if len(data) == length + second.TRAILER and random.random() < 0.7:
            message, begun = data[:length], data[length:-16]
            data = data[:-16] + second.trailer_signature(message, begun, str(source), SECRETS.get(begun[1], b""))
        return _sum_vrrp(source, group)(random, data)

    return repair


def _with_trailer(vector: Any) -> bytes:
    six = vector.source.version == 6
    source, group = OVER6 if six else OVER4
    message = vrrp.encode(vector.advertisement, source, group)
    trailer = authentication.trailer(message, source, RING.keys[0], freshness.of_clock(WALL))
    return vrrp.signed(message, source, group, trailer)


def _target_of_signatures(name: str, ends: tuple[Any, Any]) -> Target:
    of_family = [vector for vector in VECTORS if vector.source.version == ends[0].version]
    source, group = map(str, ends)
    return Target(
        name,
        [_with_trailer(vector) for vector in of_family],
        _signed(*ends),
        lambda data: second.signed_vrrp(data, source, group, keys=SECRETS, wall=WALL, window=5.0),
        _sign_vrrp(*ends),
    )


ROUTER = RouterConfig(
    name="public",
    vrid=51,
    priority=150,
    interface="eth0",
    source=PEER,
    advert_interval=1.0,
    addresses=(VirtualAddress(interface=IPv4Interface("10.0.0.100/24"), device="eth0"),),
)


def _received() -> Callable[[bytes], Any]:
    """From the IP packet to the election: what makes it a Heard."""
    reception = Reception(Tally(), Sources(), Listed(), lambda *_: None, lambda: WALL)

    def read(data: bytes) -> Any:
        packet = ipv4.split(data)
        heard = reception.read("eth0", packet, {51: ROUTER}, 0.0)
        return None if heard is None else (str(heard.source), *_plain(heard.advertisement))

    return read


def _in_ipv4(message: bytes) -> bytes:
    return ipv4.wrap(Packet(SOURCE, GROUP, 255, message))


def _sum_in_ipv4(random: random.Random, data: bytes) -> bytes:
    at = (data[0] & 15) * 4 if data else 0
    if not 20 <= at <= len(data):
        return data
    source, group = IPv4Address(data[12:16]), IPv4Address(data[16:20])
    return data[:2] + struct.pack("!H", len(data)) + data[4:at] + _sum_vrrp(source, group)(random, data[at:])


# -- ARP, ICMP --------------------------------------------------------------------------------------------------------


def _arp(data: bytes) -> str | None:
    found = arp.replied(data)
    return None if found is None else str(found)


def _answer(data: bytes) -> Any:
    """Of either IP version, as plain values: IPv6 addresses as inet_ntop writes them."""
    found = neighbours.answer(data)
    if found is None:
        return None
    families = {4: socket.AF_INET, 6: socket.AF_INET6}
    names = (socket.inet_ntop(families[each.version], each.packed) for each in (found.address, found.to))
    return found.hardware, *names


def _answer_again(data: bytes) -> Any:
    return second.arp_reply_whole(data) or second.neighbour_advertisement(data)


def _sum_icmpv6(random: random.Random, data: bytes) -> bytes:
    if len(data) < 58:
        return data
    length = len(data) - 54
    message = data[54:56] + b"\0\0" + data[58:]
    total = second.ones(data[22:54] + struct.pack("!II", length, 58) + message) % 0xFFFF
    return data[:18] + struct.pack("!H", length) + data[20:56] + struct.pack("!H", 0xFFFF - total) + data[58:]


_ADVERTISED = ndp.unsolicited(MAC, LINK_LOCAL, router=True)
_ARP_REPLY = MAC + MAC + bytes.fromhex("0806 0001 0800 06 04 0002") + MAC + SOURCE.packed + MAC + PEER.packed


def _echo(six: bool) -> Callable[[bytes], Any]:
    def read(data: bytes) -> Any:
        found = icmp.replied(data, six=six)
        return None if found is None else tuple(found)

    return read


_PINGS = [icmp.request(icmp.Echo(7, 1, b"haman"), six=six) for six in (False, True)]
_PONGS = [bytes((kind,)) + ping[1:] for kind, ping in zip((0, 129), _PINGS, strict=True)]

# -- DNS, HTTP --------------------------------------------------------------------------------------------------------


def _dns(data: bytes) -> Any:
    head = dns.head(data, 0x1234, SECTION)
    if isinstance(head, dns.Refusal):
        return None
    try:
        found = dns.records(data, head)
    except BadPacket:
        return None
    return [(each.type, each.class_, data[each.start : each.end]) for each in found]


def _where(data: bytes) -> int:
    """The first two bytes say where the name begins that is read."""
    return int.from_bytes(data[:2], "big")


_LABEL = b"\x3f" + b"a" * 63
_LONGEST = _LABEL * 3 + b"\x3d" + b"b" * 61 + b"\0"
_NAMES = [
    b"\0\x02" + _LONGEST,
    b"\0\x02" + _LABEL * 3 + b"\x3e" + b"b" * 62 + b"\0",  # one byte more than there may be
    struct.pack("!H", 2 + 195) + _LABEL * 3 + b"\x01c\0" + b"\x03www" + b"\xc0\x02" + b"\x04mail" + b"\xc0\xc5",
]


def _name(data: bytes) -> Any:
    """The name as labels. Labels are compared in small letters, other signs as haman escapes them."""
    try:
        name, _ = dns.decode_name(data, _where(data))
    except BadPacket:
        return None
    return name


def _name_again(data: bytes) -> str | None:
    labels = second.dns_labels(data, _where(data))
    if labels is None:
        return None
    words = []
    for label in labels:
        signs = (chr(byte) if 33 <= byte <= 126 and byte not in b".\\" else f"\\{byte:03d}" for byte in label.lower())
        words.append("".join(signs))
    return ".".join(words) or "."


def _http(data: bytes) -> Any:
    head = http.head(data, framed=True)
    if head is None or isinstance(head, http.Fault):
        return None
    body = http.Body(head.framing, head.length, 1 << 20)
    fault = body.feed(data[head.end :])
    if fault is not None:
        return head.status, head.framing.value, None
    return head.status, head.framing.value, bytes(body.data) if body.close() else None


_HTTP = [
    b"HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nhello",
    b"HTTP/1.0 503 Busy\nServer: x\n\nwait",
    b"HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 204 No Content\r\n\r\n",
    b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nhello\r\n3;a=b\r\n!!!\r\n0\r\n\r\n",
    b"HTTP/1.1 304 Not Modified\r\nContent-Length: 5\r\n\r\n",
    b"HTTP/1.1 200 OK\r\ncontent-length: 3, 3\r\nContent-Length: 3\r\n\r\nabc",
]

# -- the directors' channel -------------------------------------------------------------------------------------------

_STANDING = Standing(
    cluster="web",
    node="lb2",
    life=1_700_000_000,
    number=7,
    config="9f8e7d6c5b4a",
    roles={"public": "standby"},
    waiting={"inside": "rs2 was not checked yet"},
    macs=("02:00:00:00:00:02",),
    sites={"web": (1, True, "auto"), "mail": (0, False, "backup")},
    hearing=("inside",),
    giving={"public": "lb1"},
    expecting=("public",),
    connections={"public": Connections(812, 4242)},
    arbiter=True,
)
_POLL = Poll(
    cluster="web",
    node="lb2",
    number=1 << 61,
    wanted=Wanted.VOTE,
    router="public",
    priority=150,
    ready=True,
    interval=0.1,
    life=1 << 60,
    heard=7,
)
_VOTE = Vote(cluster="web", node="lb3", number=1 << 61, yes=True, why="nobody it reaches is active")
_SHARES = Shares(cluster="web", node="lb2", life=1, number=8, config="0", of={"web": {1: ((1, 100), (2, 50))}})
_SAID = (_STANDING, _SHARES, _POLL, _VOTE)


def _standing(key: bytes | None) -> Callable[[bytes], Any]:
    def read(data: bytes) -> Any:
        try:
            heard = standing.decode(data, () if key is None else (key,))
        except BadPacket:
            return None
        return {each.name: _as_json(getattr(heard.said, each.name)) for each in fields(heard.said)} | {
            "sent": heard.sent
        }

    return read


def _standing_again(key: bytes | None) -> Callable[[bytes], Any]:
    return lambda data: second.standing(data, key)


def _as_json(value: Any) -> Any:
    """As JSON has it."""
    if isinstance(value, Connections):
        return [value.established, value.others]
    if isinstance(value, Wanted):
        return value.value
    if isinstance(value, Mapping):
        return {str(name): _as_json(each) for name, each in value.items()}
    return [_as_json(each) for each in value] if isinstance(value, list | tuple) else value


def _sign(key: bytes | None) -> Repair:
    def repair(random: random.Random, data: bytes) -> bytes:
        body = data[36:]
        signature = bytes(32) if key is None else standing._sign(body, key)
        return standing.MAGIC + signature + body

    return repair


# -- frames of the link, lines of the control socket ------------------------------------------------------------------


def _link(data: bytes) -> Any:
    """What was taken is of the types it should be, and said and taken again it is the same."""
    try:
        messages = list(link.Decoder().feed(data))
    except BadFrame:
        return None
    for message in messages:
        assert second.fits(message, type(message)), message
        assert list(link.Decoder().feed(link.encode(message))) == [message] or "nan" in repr(message)
    return [type(message).__name__ for message in messages]


def _link_again(data: bytes) -> Any:
    found = second.frames(data)
    return None if found is None else [each["type"] for each in found if "rows" not in each]


def _measure(random: random.Random, data: bytes) -> bytes:
    return struct.pack("!I", max(0, len(data) - 4)) + data[4:]


def _question(data: bytes) -> Any:
    """As the control socket reads what comes: up to a line's end."""
    said = control._question(data.partition(b"\n")[0])
    return None if isinstance(said, str) else said


_QUESTIONS = [
    b'{"v": 1, "ask": "status"}\n',
    b'{"v": 1, "ask": "history", "last": 10}\n',
    b'{"ask": "why", "v": 1, "of": ["10.0.0.100", 80], "deep": {"a": null, "b": [true, 1.5e3]}}\n',
]

_EVERY = [vector.message for vector in (*VECTORS, *VERSION_2)]
_BROKEN = [malformed.message for malformed in MALFORMED]
_OWN6 = [vrrp.encode(each.advertisement, *OVER6) for each in VECTORS if each.source.version == 6]
_ANSWERS = [
    answer(record(bytes((10, 0, 0, 1)))),
    answer(record(b"\x03ns1\xc0\x10", 2), record(b"\x00\x0a\x04mail\xc0\x10", 15), record(b"\x05hello", 16)),
    answer(flags=0x8183, count=0),
    answer(record(bytes(16), 28), flags=0x8380, count=3),
]

TARGETS = (
    Target(
        "vrrp over IPv4",
        [*_EVERY, *_BROKEN],
        _vrrp(*OVER4),
        lambda data: second.vrrp(data, *map(str, OVER4)),
        _sum_vrrp(*OVER4),
    ),
    Target(
        "vrrp over IPv6",
        [*_OWN6, *_BROKEN],
        _vrrp(*OVER6),
        lambda data: second.vrrp(data, *map(str, OVER6)),
        _sum_vrrp(*OVER6),
    ),
    Target(
        "reception",
        [_in_ipv4(message) for message in (*_EVERY, *_BROKEN)],
        _received(),
        lambda data: second.vrrp_in_ipv4(data, ours=str(PEER), vrid=51),
        _sum_in_ipv4,
    ),
    _target_of_signatures("signed vrrp over IPv4", OVER4),
    _target_of_signatures("signed vrrp over IPv6", OVER6),
    Target("arp", [_ARP_REPLY, arp.gratuitous(MAC, SOURCE), arp.request(MAC, SOURCE, PEER)], _arp, second.arp_reply),
    Target("answers of neighbours by ARP", [_ARP_REPLY, arp.gratuitous(MAC, SOURCE)], _answer, _answer_again),
    Target(
        "answers of neighbours by ND",
        [_ADVERTISED, _ADVERTISED[:38] + PEER6 + _ADVERTISED[54:], ndp.solicitation(MAC, LINK_LOCAL, LINK_LOCAL)],
        _answer,
        _answer_again,
        _sum_icmpv6,
    ),
    Target("icmp", [_PINGS[0], _PONGS[0]], _echo(False), lambda data: second.echo(data, 0)),
    Target("icmpv6", [_PINGS[1], _PONGS[1]], _echo(True), lambda data: second.echo(data, 129)),
    Target("dns", _ANSWERS, _dns, lambda data: second.dns(data, 0x1234, SECTION)),
    Target("dns names", [*_ANSWERS, *_NAMES], _name, _name_again),
    Target("http", _HTTP, _http, second.http),
    Target(
        "channel",
        [standing.encode(each, None, sent) for each in _SAID for sent in (0, 7 << 32)],
        _standing(None),
        _standing_again(None),
    ),
    Target(
        "channel with a key",
        [standing.encode(each, key, 7 << 32) for each in _SAID for key in (KEY, None)],
        _standing(KEY),
        _standing_again(KEY),
        _sign(KEY),
    ),
    Target("link", [link.encode(message) for message in MESSAGES], _link, _link_again, _measure),
    Target("control socket", _QUESTIONS, _question, lambda data: second.question(data.split(b"\n")[0])),
)
