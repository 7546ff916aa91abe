"""What a DNS record says, as text, and the same form for what an operator expects of it.

Names are in small letters without their last dot, addresses as ipaddress writes them, a TXT record is its strings put
together. Types without a form of their own are written as RFC 3597 has it: `\\# 3 0a0b0c`.
"""

from __future__ import annotations

import re
import struct
from ipaddress import IPv4Address, IPv6Address

from haman.errors import BadPacket
from haman.wire.dns import Reason, Record, Type, decode_name, encode_name

NAMES = frozenset({Type.NS, Type.CNAME, Type.PTR})

_MX = re.compile(r"(\d{1,5})\s+(\S+)")
_SRV = re.compile(r"(\d{1,5})\s+(\d{1,5})\s+(\d{1,5})\s+(\S+)")
_GENERIC = re.compile(r"\\#\s+(\d{1,5})((?:\s+[0-9A-Fa-f]+)*)")


def shown(packet: bytes, record: Record) -> str:
    """The record's data in its one form. Raises BadPacket."""
    data = packet[record.start : record.end]
    match record.type:
        case Type.A if len(data) == 4:
            return str(IPv4Address(data))
        case Type.AAAA if len(data) == 16:
            return str(IPv6Address(data))
        case Type.A | Type.AAAA:
            raise BadPacket(Reason.RDATA)
        case Type.NS | Type.CNAME | Type.PTR:
            return _name(packet, record, record.start)
        case Type.MX if len(data) >= 3:
            return f"{int.from_bytes(data[:2], 'big')} {_name(packet, record, record.start + 2)}"
        case Type.SRV if len(data) >= 7:
            priority, weight, port = struct.unpack_from("!HHH", data)
            return f"{priority} {weight} {port} {_name(packet, record, record.start + 6)}"
        case Type.MX | Type.SRV:
            raise BadPacket(Reason.RDATA)
        case Type.TXT:
            return _strings(data)
        case _:
            return f"\\# {len(data)} {data.hex()}".rstrip()


def serial(packet: bytes, record: Record) -> int:
    """The serial number of an SOA record (RFC 1035, section 3.3.13). Raises BadPacket."""
    _, offset = decode_name(packet, record.start)
    _, offset = decode_name(packet, offset)
    if offset + 20 != record.end:
        raise BadPacket(Reason.RDATA)
    return int.from_bytes(packet[offset : offset + 4], "big")


def reached(found: int, minimum: int) -> bool:
    """Is the serial `found` the same as `minimum` or a later one? They go round (RFC 1982)."""
    return (found - minimum) % (1 << 32) < 1 << 31


def expected(type: int, text: str) -> str:
    """What an operator writes, in the form of `shown`. Raises ValueError, in words."""
    match type:
        case Type.A:
            return str(IPv4Address(text))
        case Type.AAAA:
            return str(IPv6Address(text))
        case Type.NS | Type.CNAME | Type.PTR:
            return _canonical(text)
        case Type.MX:
            found = _MX.fullmatch(text)
            if not found or int(found[1]) > 65535:
                raise ValueError("write preference and name: 10 mail.example.com")
            return f"{int(found[1])} {_canonical(found[2])}"
        case Type.SRV:
            found = _SRV.fullmatch(text)
            if not found or max(map(int, found.groups()[:3])) > 65535:
                raise ValueError("write priority, weight, port and name: 0 5 5060 sip.example.com")
            numbers = " ".join(str(int(number)) for number in found.groups()[:3])
            return f"{numbers} {_canonical(found[4])}"
        case Type.TXT:
            return text
        case _:
            return _generic(text)


def _name(packet: bytes, record: Record, offset: int) -> str:
    name, end = decode_name(packet, offset)
    if end != record.end:
        raise BadPacket(Reason.RDATA)
    return name


def _strings(data: bytes) -> str:
    offset, read = 0, b""
    while offset < len(data):
        end = offset + 1 + data[offset]
        if end > len(data):
            raise BadPacket(Reason.RDATA)
        read += data[offset + 1 : end]
        offset = end
    return read.decode("utf-8", "backslashreplace")


def _canonical(name: str) -> str:
    return decode_name(encode_name(name), 0)[0]


def _generic(text: str) -> str:
    found = _GENERIC.fullmatch(text)
    digits = "".join(found[2].split()).lower() if found else ""
    if not found or len(digits) != 2 * int(found[1]):
        raise ValueError("write the data in hexadecimal digits, after its length: \\# 3 0a0b0c")
    return f"\\# {found[1]} {digits}".rstrip()
