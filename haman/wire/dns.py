"""DNS messages (RFC 1035, section 4) as far as a health check needs them: one question out, its answer in.

Nothing in an answer is trusted: compression pointers only lead backwards, and are few, a name is at most 255 bytes,
and no count in the header is believed further than the packet reaches. What a record's data means is in `rdata`.

     0  1  2  3  4  5  6  7  8  9  0  1  2  3  4  5
    |                      ID                       |
    |QR|   Opcode  |AA|TC|RD|RA|   Z    |   RCODE   |
    |        QDCOUNT        |        ANCOUNT        |
    |        NSCOUNT        |        ARCOUNT        |
"""

from __future__ import annotations

import re
import struct
from enum import Enum, IntEnum
from typing import NamedTuple

from haman.errors import BadPacket

PORT = 53
LONGEST = 255
"""Bytes of a name on the wire (RFC 1035, section 2.3.4)."""

POINTERS = 127
"""Compression pointers of one name: one for each of the most labels that it can have. A packet of 64 KiB has room for
thousands in a row, and for thousands of names that end in them."""

_HEADER = struct.Struct("!HHHHHH")
_TAIL = struct.Struct("!HH")
_RECORD = struct.Struct("!HHIH")
_RESPONSE, _OPCODE, _AUTHORITATIVE, _TRUNCATED, _RECURSION = 0x8000, 0x7800, 0x0400, 0x0200, 0x0100
_POINTER = 0xC0
_PLAIN = re.compile(rb"[a-z0-9_*/-]+")
_WRITTEN = tuple(
    chr(byte) if 33 <= byte <= 126 and byte not in b".\\" else f"\\{byte:03d}" for byte in range(256)
)  # by byte of a label


class Type(IntEnum):
    """Record types with a name of their own (IANA DNS parameters)."""

    A = 1
    NS = 2
    CNAME = 5
    SOA = 6
    PTR = 12
    MX = 15
    TXT = 16
    AAAA = 28
    SRV = 33
    NAPTR = 35
    DS = 43
    DNSKEY = 48
    SVCB = 64
    HTTPS = 65
    ANY = 255
    CAA = 257


class Class(IntEnum):
    IN = 1
    CH = 3
    HS = 4


class Rcode(IntEnum):
    """Response codes that fit the header."""

    NOERROR = 0
    FORMERR = 1
    SERVFAIL = 2
    NXDOMAIN = 3
    NOTIMP = 4
    REFUSED = 5
    YXDOMAIN = 6
    YXRRSET = 7
    NXRRSET = 8
    NOTAUTH = 9
    NOTZONE = 10


class Refusal(Enum):
    """Why a packet is no answer to the question. The value completes "an answer ..."."""

    SHORT = "that is too short"
    WRONG_ID = "with a wrong id"
    NOT_AN_ANSWER = "that is a question"
    WRONG_QUESTION = "to another question"


class Reason(Enum):
    """Why an answer cannot be read."""

    CUT = "a record ends after the packet"
    POINTER = "a compression pointer does not lead back"
    POINTERS = "a name leads through more than 127 compression pointers"
    NAME = "a name is longer than 255 bytes"
    LABEL = "a label of a reserved kind"
    RDATA = "a record's data is not what its type says"
    NAMES = "its names are longer together than any message"


class Head(NamedTuple):
    """rcode: 0..15. answers: records in the answer section, as claimed. end: where the question section ends."""

    rcode: int
    truncated: bool
    answers: int
    end: int


class Record(NamedTuple):
    """start, end: where its data is in the packet."""

    type: int
    class_: int
    start: int
    end: int


def question(name: str, type: int, class_: int) -> bytes:
    """A question section. Raises ValueError, in words, for what is no name."""
    return encode_name(name) + _TAIL.pack(type, class_)


def query(section: bytes, *, recursion: bool) -> bytes:
    """All of a query but its id, which comes first: two bytes."""
    return _HEADER.pack(0, _RECURSION if recursion else 0, 1, 0, 0, 0)[2:] + section


def head(packet: bytes, identifier: int, section: bytes) -> Head | Refusal:
    """Whether `packet` answers the question `section` that was asked with `identifier`, and what its header says."""
    if len(packet) < _HEADER.size:
        return Refusal.SHORT
    found, flags, questions, answers, _, _ = _HEADER.unpack_from(packet)
    if found != identifier:
        return Refusal.WRONG_ID
    if not flags & _RESPONSE or flags & _OPCODE:
        return Refusal.NOT_AN_ANSWER
    rcode = flags & 0x000F
    end = _HEADER.size + len(section)
    if questions != 1 or packet[_HEADER.size : end] != section:
        # A server that could not, or would not, read the question may leave it out (RFC 1035, section 4.1.1).
        if questions == 0 and rcode not in (Rcode.NOERROR, Rcode.NXDOMAIN):
            return Head(rcode, bool(flags & _TRUNCATED), answers, _HEADER.size)
        if questions != 1 or not _same(packet[_HEADER.size : end], section):
            return Refusal.WRONG_QUESTION
    return Head(rcode, bool(flags & _TRUNCATED), answers, end)


def records(packet: bytes, found: Head) -> list[Record]:
    """The answer section; of a truncated packet, as far as it goes. Raises BadPacket."""
    offset = found.end
    read = []
    for _ in range(found.answers):
        if found.truncated and offset >= len(packet):
            break
        offset = _skip_name(packet, offset)
        if offset + _RECORD.size > len(packet):
            raise BadPacket(Reason.CUT)
        type_, class_, _, length = _RECORD.unpack_from(packet, offset)
        start = offset + _RECORD.size
        offset = start + length
        if offset > len(packet):
            raise BadPacket(Reason.CUT)
        read.append(Record(type_, class_, start, offset))
    return read


def encode_name(name: str) -> bytes:
    """A name with or without its last dot, `.` for the root. Raises ValueError, in words."""
    labels = name.removesuffix(".").split(".") if name != "." else []
    wire = b""
    for label in labels:
        if not label:
            raise ValueError("two dots with nothing between them" if name.strip(".") else "a name of dots")
        if not label.isascii() or not re.fullmatch(r"[!-~]+", label) or "\\" in label:
            raise ValueError(f"the label {label!r} holds a sign that no name may hold; write it as xn--...")
        if len(label) > 63:
            raise ValueError(f"a label of {len(label)} letters, 63 are the most")
        wire += bytes([len(label)]) + label.encode()
    wire += b"\0"
    if len(wire) > LONGEST:
        raise ValueError(f"{len(wire)} bytes long, {LONGEST} are the most")
    return wire


def decode_name(packet: bytes, offset: int) -> tuple[str, int]:
    """The name at `offset` in small letters without its last dot, and where what follows it begins. Raises
    BadPacket."""
    labels: list[bytes] = []
    length = 1
    pointers = 0
    end: int | None = None
    limit = offset  # a pointer must lead before the place where the part of the name that holds it began
    while True:
        if offset >= len(packet):
            raise BadPacket(Reason.CUT)
        size = packet[offset]
        if size & _POINTER == _POINTER:
            if offset + 1 >= len(packet):
                raise BadPacket(Reason.CUT)
            to = (size & 0x3F) << 8 | packet[offset + 1]
            if to >= limit:
                raise BadPacket(Reason.POINTER)
            pointers += 1
            if pointers > POINTERS:
                raise BadPacket(Reason.POINTERS)
            end = offset + 2 if end is None else end
            limit = offset = to
            continue
        if size & _POINTER:
            raise BadPacket(Reason.LABEL)
        if offset + 1 + size > len(packet):
            raise BadPacket(Reason.CUT)
        if size == 0:
            break
        length += 1 + size
        if length > LONGEST:
            raise BadPacket(Reason.NAME)
        labels.append(packet[offset + 1 : offset + 1 + size])
        offset += 1 + size
    return ".".join(map(_label, labels)) or ".", offset + 1 if end is None else end


def _label(label: bytes) -> str:
    label = label.lower()
    if _PLAIN.fullmatch(label):
        return label.decode()
    return "".join(map(_WRITTEN.__getitem__, label))


def _same(found: bytes, section: bytes) -> bool:
    """The same question, its name in other letters: servers may answer in the case of their zone file."""
    return found[-_TAIL.size :] == section[-_TAIL.size :] and found.lower() == section.lower()


def _skip_name(packet: bytes, offset: int) -> int:
    """Where what follows the name begins. Pointers are not followed: who the record belongs to is not asked."""
    while True:
        if offset >= len(packet):
            raise BadPacket(Reason.CUT)
        size = packet[offset]
        if size & _POINTER == _POINTER:
            if offset + 2 > len(packet):
                raise BadPacket(Reason.CUT)
            return offset + 2
        if size & _POINTER:
            raise BadPacket(Reason.LABEL)
        offset += 1 + size
        if size == 0:
            return offset
