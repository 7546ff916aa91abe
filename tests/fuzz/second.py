"""The second reading: each format read once more, strictly, by small code that shares none with haman.

A reader gives what the input says, in plain values, or None for what it refuses. It may refuse what haman refuses for
other reasons too; what it may not do is refuse what haman takes, or read it otherwise.
"""

from __future__ import annotations

import hashlib
import hmac
import json
import re
import socket
import struct
from collections.abc import Mapping
from dataclasses import is_dataclass
from functools import cache
from itertools import takewhile
from types import UnionType
from typing import Any, Union, get_args, get_origin, get_type_hints

# -- VRRP, RFC 9568 and RFC 3768 --------------------------------------------------------------------------------------


TRAILER = 28
"""Bytes of a signature behind a message."""


def ones(data: bytes) -> int:
    """The one's complement sum; 65535 where a checksum within is right."""
    data += b"\0" * (len(data) % 2)
    return sum(int.from_bytes(data[at : at + 2], "big") for at in range(0, len(data), 2)) % 0xFFFF or 0xFFFF


def vrrp(message: bytes, source: str, destination: str) -> tuple[Any, ...] | None:
    """version, VRID, priority, hundredths of a second, addresses (bytes), password."""
    family = socket.AF_INET6 if ":" in source else socket.AF_INET
    size = 16 if ":" in source else 4
    if len(message) < 8 or message[0] not in (0x21, 0x31) or (message[0] == 0x21 and size == 16):
        return None
    version, vrid, priority, count = message[0] >> 4, message[1], message[2], message[3]
    length = 8 + size * count + (8 if version == 2 else 0)
    if vrid == 0 or count == 0 or len(message) < length:
        return None
    ends = b"".join(socket.inet_pton(family, end) for end in (source, destination))
    message, signed = message[:length], message
    if size == 16:  # with a trailer the checksum may cover that as well
        forms = [message, signed] if len(signed) == length + TRAILER else [message]
        forms = [ends + len(each).to_bytes(4, "big") + b"\0\0\0p" + each for each in forms]
    else:
        forms = [message] if version == 2 else [message, ends + b"\0p" + length.to_bytes(2, "big") + message]
    if not any(ones(form) == 0xFFFF for form in forms):
        return None
    hundredths = message[5] * 100 if version == 2 else (message[4] & 0x0F) * 256 + message[5]
    if hundredths == 0 or (version == 2 and message[4] > 1):
        return None
    listed = [message[8 + size * n : 8 + size * (n + 1)] for n in range(count)]
    password = message[-8:].rstrip(b"\0") if version == 2 and message[4] == 1 else None
    return version, vrid, priority, hundredths, tuple(listed), password


def trailer_signature(message: bytes, begun: bytes, source: str, secret: bytes) -> bytes:
    """begun: the trailer up to its signature."""
    six = ":" in source
    packed = socket.inet_pton(socket.AF_INET6 if six else socket.AF_INET, source)
    before = bytes((6 if six else 4, message[0] >> 4, message[1], 0)) + packed.ljust(16, b"\0")
    covered = before + message[:6] + b"\0\0" + message[8:] + begun + bytes(16)
    return hmac.new(secret, covered, hashlib.sha256).digest()[:16]


def signed_vrrp(
    message: bytes, source: str, destination: str, *, keys: dict[int, bytes], wall: float, window: float
) -> tuple[Any, ...] | None:
    """An advertisement of version 3 with the trailer of draft-cassen-vrrp-auth-hmac, and its sequence number."""
    read = vrrp(message, source, destination)
    if read is None or read[0] != 3:
        return None
    size = 16 if ":" in source else 4
    length = 8 + size * message[3]
    message, trailer = message[:length], message[length:]
    if len(trailer) != TRAILER or trailer[0] != 1 or trailer[2:4] != b"\0\0" or trailer[1] not in keys:
        return None
    apart = (int(wall) - int.from_bytes(trailer[4:8], "big") + 2**31) % 2**32 - 2**31
    if abs(apart) > window or trailer_signature(message, trailer[:12], source, keys[trailer[1]]) != trailer[12:]:
        return None
    return *read, int.from_bytes(trailer[4:12], "big")


def vrrp_in_ipv4(packet: bytes, *, ours: str, vrid: int) -> tuple[Any, ...] | None:
    """An advertisement of version 3 without a password for one router on a segment where multicast is spoken."""
    if len(packet) < 20 or packet[0] >> 4 != 4:
        return None
    header, total = (packet[0] & 15) * 4, int.from_bytes(packet[2:4], "big")
    if header < 20 or total < header or total > len(packet) or packet[8] != 255:
        return None
    source, destination = socket.inet_ntoa(packet[12:16]), socket.inet_ntoa(packet[16:20])
    read = vrrp(packet[header:total], source, destination)
    if read is None or destination != "224.0.0.18" or source == ours or read[:2] != (3, vrid):
        return None
    return source, *read


# -- ARP, RFC 826; ICMP echo, RFC 792 and RFC 4443 --------------------------------------------------------------------


def arp_reply(frame: bytes) -> str | None:
    if len(frame) < 42 or frame[12:22] != bytes.fromhex("0806 0001 0800 06 04 0002"):
        return None
    return socket.inet_ntoa(frame[28:32])


def arp_reply_whole(frame: bytes) -> tuple[bytes, str, str] | None:
    who = arp_reply(frame)
    return None if who is None else (frame[22:28], who, socket.inet_ntoa(frame[38:42]))


# -- neighbour advertisements, RFC 4861, sections 4.4 and 7.1.2 -------------------------------------------------------


def neighbour_advertisement(frame: bytes) -> tuple[bytes, str, str] | None:
    if len(frame) < 78 or frame[12:14] != b"\x86\xdd" or frame[14] >> 4 != 6 or frame[20:22] != b"\x3a\xff":
        return None
    length = frame[18] << 8 | frame[19]
    message = frame[54 : 54 + length]
    if length < 24 or len(message) < length or message[:2] != b"\x88\x00":
        return None
    if frame[38] == 0xFF and message[4] & 0x40:
        return None
    if ones(frame[22:54] + struct.pack("!II", length, 58) + message) % 0xFFFF:
        return None
    target, hardware, at = message[8:24], frame[6:12], 24
    if target[0] == 0xFF:
        return None
    while at < length:
        if at + 1 == length or message[at + 1] == 0 or at + message[at + 1] * 8 > length:
            return None
        if message[at] == 2:
            hardware = message[at + 2 : at + 8]
        at += message[at + 1] * 8
    return hardware, socket.inet_ntop(socket.AF_INET6, target), socket.inet_ntop(socket.AF_INET6, frame[38:54])


def echo(packet: bytes, kind: int) -> tuple[int, int, bytes] | None:
    if len(packet) < 8 or packet[:2] != bytes((kind, 0)):
        return None
    return packet[4] << 8 | packet[5], packet[6] << 8 | packet[7], packet[8:]


# -- DNS, RFC 1035 ----------------------------------------------------------------------------------------------------


class _Bad(Exception):
    pass


def dns(packet: bytes, identifier: int, section: bytes) -> list[tuple[int, int, bytes]] | None:
    """Type, class and data of each record of the answer to `section`; of a truncated packet, those that are there."""
    if len(packet) < 12 or packet[:2] != identifier.to_bytes(2, "big") or packet[2] & 0xF8 != 0x80:
        return None
    questions, answers = packet[4] << 8 | packet[5], packet[6] << 8 | packet[7]
    code, truncated, at = packet[3] & 15, packet[2] & 2, 12
    if questions == 1:
        at += len(section)
        asked = packet[12:at]
        if asked[:-4].lower() != section[:-4].lower() or asked[-4:] != section[-4:]:
            return None
    elif questions or code in (0, 3):
        return None
    found = []
    try:
        for _ in range(answers):
            if truncated and at >= len(packet):
                break
            at = _after_name(packet, at)
            if at + 10 > len(packet):
                return None
            kind, class_, length = (
                int.from_bytes(packet[at + a : at + b], "big") for a, b in ((0, 2), (2, 4), (8, 10))
            )
            if at + 10 + length > len(packet):
                return None
            found.append((kind, class_, packet[at + 10 : at + 10 + length]))
            at += 10 + length
    except _Bad:
        return None
    return found


def _after_name(packet: bytes, at: int) -> int:
    while True:
        if at >= len(packet):
            raise _Bad
        size = packet[at]
        if size >= 192:
            if at + 2 > len(packet):
                raise _Bad
            return at + 2
        if size >= 64:
            raise _Bad
        at += size + 1
        if size == 0:
            return at


def dns_labels(packet: bytes, at: int) -> list[bytes] | None:
    """The labels of a name; pointers may lead only backwards, and the name is 255 bytes at most."""
    labels: list[bytes] = []
    seen: set[int] = set()
    while True:
        if at >= len(packet) or at in seen:
            return None
        seen.add(at)
        size = packet[at]
        if size >= 192:
            if at + 1 >= len(packet):
                return None
            to = (size & 63) << 8 | packet[at + 1]
            if to >= at:
                return None
            at = to
        elif size >= 64 or at + 1 + size > len(packet):
            return None
        elif size == 0:
            return labels if sum(map(len, labels)) + len(labels) + 1 <= 255 else None
        else:
            labels.append(packet[at + 1 : at + 1 + size])
            at += 1 + size


# -- HTTP/1, RFC 9112 -------------------------------------------------------------------------------------------------


def http(data: bytes) -> tuple[int, str, bytes | None] | None:
    """Status, how the body is framed (none, length, chunked, close), and the body; None in its place while it is not
    all there. None for what is no answer."""
    while True:
        lines, rest = [], data
        while True:
            line, newline, rest = rest.partition(b"\n")
            if not newline:
                return None
            line = line.removesuffix(b"\r")
            if not line:
                break
            lines.append(line)
        if not lines or b"\r" in b"".join(lines):
            return None
        if not re.fullmatch(rb"HTTP/1\.[01] [1-9][0-9][0-9]( .*)?", lines[0]):
            return None
        status = int(lines[0][9:12])
        if status >= 200 or status == 101:
            break
        data = rest
    if status in (101, 204, 304):
        return status, "none", b""
    halves = [line.split(b":", 1) for line in lines[1:] if b":" in line]
    fields = [(name.rstrip(b" \t").lower(), value.strip()) for name, value in halves]
    codings = [value.lower() for name, value in fields if name == b"transfer-encoding"]
    lengths = {part.strip() for name, value in fields if name == b"content-length" for part in value.split(b",")}
    if codings:
        return (status, "chunked", _unchunked(rest)) if codings == [b"chunked"] else None
    if not lengths:
        return status, "close", rest
    (length, *others) = lengths
    if others or not length.isdigit():
        return None
    return status, "length", rest[: int(length)] if len(rest) >= int(length) else None


def _unchunked(rest: bytes) -> bytes | None:
    body = b""
    while True:
        line, newline, rest = rest.partition(b"\n")
        digits = bytes(takewhile(lambda byte: byte in b"0123456789abcdefABCDEF", line))
        after = line[len(digits) :].removesuffix(b"\r").strip(b" \t")
        if not newline or not digits or (after and not after.startswith(b";")):
            return None
        size = int(digits, 16)
        if size == 0:
            return body
        if len(rest) < size:
            return None
        body, rest = body + rest[:size], rest[size:]
        if rest[:2] == b"\r\n":
            rest = rest[2:]
        elif rest[:1] == b"\n":
            rest = rest[1:]
        else:
            return None


# -- the directors' channel -------------------------------------------------------------------------------------------


ORDERS = ("auto", "local", "backup")
"""What an operator may want of a service's sites."""


def standing(datagram: bytes, key: bytes | None) -> dict[str, Any] | None:
    """All that a datagram says that is signed as it should be and has what it should have."""
    head, signature, body = datagram[:4], datagram[4:36], datagram[36:]
    if head != b"HMN\x01" or not body:
        return None
    wanted = bytes(32) if key is None else hmac.new(key, head + body, hashlib.sha256).digest()
    if signature != wanted:
        return None
    said = whole(body)
    if not isinstance(said, dict):
        return None
    sent = said.get("sent", 0)
    if type(sent) is not int or not 0 <= sent < 1 << 64:
        return None
    if said.get("about") is not None:
        return _ballot(said, sent)
    if not all(_text(said.get(each)) for each in ("cluster", "node", "config")):
        return None
    if not all(_count(said.get(each)) for each in ("life", "number")):
        return None
    head_of_all = {each: said[each] for each in ("cluster", "node", "life", "number", "config")} | {"sent": sent}
    if "of" in said:
        return head_of_all | {"of": said["of"]} if _shares(said["of"]) else None
    whole_of_it = {"macs": [], "sites": {}, "giving": {}, "hearing": [], "connections": {}, "arbiter": None} | said
    expecting, macs = said.get("expecting", []), whole_of_it["macs"]
    fine = (
        all(_texts(whole_of_it.get(each)) for each in ("roles", "waiting", "giving"))
        and all(isinstance(each, list) and all(map(_text, each)) for each in (whole_of_it["hearing"], expecting))
        and _sites(whole_of_it["sites"])
        and _held(whole_of_it["connections"])
        and isinstance(macs, list)
        and all(isinstance(each, str) and re.fullmatch("[0-9a-f]{2}(:[0-9a-f]{2}){5}", each) for each in macs[:64])
        and (whole_of_it["arbiter"] is None or isinstance(whole_of_it["arbiter"], bool))
    )
    if not fine:
        return None
    rest = ("roles", "waiting", "sites", "giving", "hearing", "connections", "arbiter")
    known = {each: whole_of_it[each] for each in rest} | {"macs": macs[:64], "expecting": said.get("expecting")}
    return head_of_all | known


def _ballot(said: dict[str, Any], sent: int) -> dict[str, Any] | None:
    """A question to one director alone, or its answer."""
    both = {"cluster": _text, "node": _text, "number": _count}
    of = {
        "poll": both
        | {"wanted": _wanted, "router": _text, "priority": _octet, "ready": _truth, "interval": _interval}
        | {"life": _count, "heard": _count},
        "vote": both | {"yes": _truth, "why": _text},
    }
    about = said["about"]
    if not isinstance(about, str) or about not in of:
        return None
    said = {"interval": 0, "life": 0, "heard": 0} | said
    fine = all(each in said and good(said[each]) for each, good in of[about].items())
    return {each: said[each] for each in of[about]} | {"sent": sent} if fine else None


def _wanted(value: Any) -> bool:
    return isinstance(value, str) and value in ("there", "vote", "active")


def _octet(value: Any) -> bool:
    return _count(value) and value < 256


def _interval(value: Any) -> bool:
    return type(value) in (int, float) and 0 <= value <= 40.95


def _truth(value: Any) -> bool:
    return isinstance(value, bool)


def _held(connections: Any) -> bool:
    return isinstance(connections, dict) and all(
        _text(router) and isinstance(each, list) and len(each) == 2 and all(map(_count, each))
        for router, each in connections.items()
    )


def _sites(sites: Any) -> bool:
    return isinstance(sites, dict) and all(
        _text(service)
        and isinstance(each, list)
        and len(each) == 3
        and _count(each[0])
        and isinstance(each[1], bool)
        and each[2] in ORDERS
        for service, each in sites.items()
    )


def _shares(of: Any) -> bool:
    return isinstance(of, dict) and all(
        _text(service)
        and isinstance(fronts, dict)
        and all(
            re.fullmatch("0|[1-9][0-9]*", front)
            and int(front) < 1 << 63
            and isinstance(servers, list)
            and all(isinstance(each, list) and len(each) == 2 and all(map(_count, each)) for each in servers)
            for front, servers in fronts.items()
        )
        for service, fronts in of.items()
    )


def _text(value: Any) -> bool:
    return isinstance(value, str) and value.isprintable()


def _texts(value: Any) -> bool:
    return isinstance(value, dict) and all(map(_text, [*value, *value.values()]))


def _count(value: Any) -> bool:
    return type(value) is int and 0 <= value < 1 << 63


# -- JSON lines, and frames of JSON -----------------------------------------------------------------------------------


def whole(text: bytes) -> Any:
    """One JSON value; None for what is none."""
    try:
        return json.loads(text)
    except (ValueError, RecursionError):
        return None


def question(line: bytes) -> dict[str, Any] | None:
    """What may be asked on the control socket."""
    outside = re.sub(rb'"(?:[^"\\]|\\.)*"', b"", line)
    said = whole(line) if b"N" not in outside and b"I" not in outside else None  # NaN, Infinity: no JSON
    return said if isinstance(said, dict) and type(said.get("v")) is int and said["v"] == 1 and "ask" in said else None


def fits(value: Any, hint: Any) -> bool:
    """Is it exactly what the annotation says, down to the last leaf?"""
    origin, arguments = get_origin(hint), get_args(hint)
    if origin in (Union, UnionType):
        return any(fits(value, each) for each in arguments)
    if origin is tuple:
        return isinstance(value, tuple) and all(fits(each, arguments[0]) for each in value)
    if isinstance(origin, type) and issubclass(origin, Mapping):
        return isinstance(value, dict) and all(fits(each, arguments[1]) for each in value.values())
    if is_dataclass(hint):
        return type(value) is hint and all(fits(getattr(value, name), part) for name, part in _hints(hint))
    return type(value) is hint


@cache
def _hints(kind: Any) -> list[tuple[str, Any]]:
    return list(get_type_hints(kind).items())


def frames(data: bytes) -> list[dict[str, Any]] | None:
    """The JSON objects of the link's frames that are whole, all of version 1; None if one is not that."""
    found = []
    while len(data) >= 4:
        length = int.from_bytes(data[:4], "big")
        if len(data) < 4 + length:
            break
        said, data = whole(data[4 : 4 + length]), data[4 + length :]
        if not isinstance(said, dict) or type(said.get("v")) is not int or said["v"] != 1:
            return None
        found.append(said)
    return found
