"""HTTP/1 answers as they come (RFC 9112): the head, and the body in its framing. Pure: bytes in, verdicts out.

Only what a checker needs: header fields that frame the body are read, the others are passed over, and trailers are not
waited for.
"""

from __future__ import annotations

import re
from enum import Enum
from typing import NamedTuple

LIMIT = 16384
"""Bytes of an answer's head, interim answers (100, 103) included."""

CHUNK_LINE = 256
"""Bytes of the line before a chunk, extensions included."""

_START = b"HTTP/1."
_BEGUN = 16  # bytes by which it is known whether this is HTTP at all
_HEAD = re.compile(rb"HTTP/1\.[01] ([1-9]\d\d)(?: ([^\r\n]{0,80})[^\r\n]*)?\r?\n")
_END = re.compile(rb"\r?\n\r?\n")
_BARE = re.compile(rb"\r(?!\n)")
_LENGTH = re.compile(rb"\ncontent-length[ \t]*:[ \t]*([^\r\n]*)", re.IGNORECASE)
_CODING = re.compile(rb"\ntransfer-encoding[ \t]*:[ \t]*([^\r\n]*)", re.IGNORECASE)
_SIZE = re.compile(rb"([0-9A-Fa-f]{1,8})[ \t]*(?:;[^\n]*)?\r?\n")


class Fault(Enum):
    """Why this is no HTTP/1 answer."""

    TOO_LARGE = "too large"
    NOT_HTTP = "not HTTP"
    BAD_LENGTH = "bad length"
    BAD_CODING = "bad coding"
    BAD_CHUNK = "bad chunk"


class Framing(Enum):
    """How the end of the body is told (RFC 9112, section 6.3)."""

    NONE = "none"
    LENGTH = "length"
    CHUNKED = "chunked"
    CLOSE = "close"


class Head(NamedTuple):
    """end: where the body begins in what was given. length: of the body, for Framing.LENGTH."""

    status: int
    phrase: str
    end: int
    framing: Framing
    length: int


def may_tell(data: bytes, known: int) -> bool:
    """Whether `head` is to be asked of this, having said None of its first `known` bytes. A server that sends a byte at
    a time would have it read the same ten thousand times else. What comes after an interim answer and is no HTTP is
    found out when it ends."""
    return known < _BEGUN or len(data) > LIMIT or _END.search(data, known - 3) is not None


def head(data: bytes, *, framed: bool) -> Head | Fault | None:
    """The head of the final answer in what has come so far; None while it is not all there. framed: look for the
    fields that frame the body; without, there is none."""
    start = 0
    while True:
        end = _END.search(data, start)
        if end is None:
            begun = data[start : start + len(_START)]
            if not _START.startswith(begun):
                return Fault.NOT_HTTP
            return Fault.TOO_LARGE if len(data) > LIMIT else None
        line = _HEAD.match(data, start)
        if line is None:
            return Fault.NOT_HTTP
        if end.end() > LIMIT:
            return Fault.TOO_LARGE
        if _BARE.search(data, start, end.end()):  # RFC 9112, section 2.2: not to be read as the end of anything
            return Fault.NOT_HTTP
        status = int(line[1])
        if status >= 200 or status == 101:
            break
        start = end.end()
    phrase = (line[2] or b"").decode("ascii", "replace")
    framing, length = Framing.NONE, 0
    if framed and status not in (101, 204, 304):
        told = _framing(data[line.end() - 1 : end.start()])
        if isinstance(told, Fault):
            return told
        framing, length = told
    return Head(status, phrase, end.end(), framing, length)


def _framing(fields: bytes) -> tuple[Framing, int] | Fault:
    """fields: from the line break before the first field on."""
    codings = _CODING.findall(fields)
    if codings:
        # RFC 9112, section 6.3: beside it Content-Length does not count. We ask for no other coding.
        return (Framing.CHUNKED, 0) if b",".join(codings).strip().lower() == b"chunked" else Fault.BAD_CODING
    lengths = {part.strip() for value in _LENGTH.findall(fields) for part in value.split(b",")}
    if not lengths:
        return Framing.CLOSE, 0
    (length, *others) = lengths
    if others or not re.fullmatch(rb"\d{1,15}", length):
        return Fault.BAD_LENGTH
    return Framing.LENGTH, int(length)


class Body:
    """A body as it comes, of which the first `limit` bytes are kept in `data`. done: no more is needed."""

    def __init__(self, framing: Framing, length: int, limit: int) -> None:
        self.data = bytearray()
        self._framing = framing
        self._left = length  # of the body, or of the present chunk
        self._limit = limit
        self._raw = bytearray()
        self._in_chunk = False
        self.done = framing is Framing.NONE or (framing is Framing.LENGTH and length == 0)

    def feed(self, data: bytes | bytearray) -> Fault | None:
        """More of it. A Fault ends it."""
        if self.done:
            return None
        match self._framing:
            case Framing.LENGTH:
                self._left -= len(data)
                self._take(data if self._left >= 0 else data[: self._left])
                self.done = self.done or self._left <= 0
            case Framing.CLOSE:
                self._take(data)
            case _:
                return self._chunks(data)
        return None

    def close(self) -> bool:
        """The server has closed the connection: is this a whole body?"""
        return self.done or self._framing is Framing.CLOSE

    def _take(self, data: bytes | bytearray) -> None:
        self.data += data[: self._limit - len(self.data)]
        if len(self.data) >= self._limit:
            self.done = True

    def _chunks(self, data: bytes | bytearray) -> Fault | None:
        self._raw += data
        raw, at = self._raw, 0
        while not self.done:
            if self._left:
                part = raw[at : at + self._left]
                if not part:
                    break
                self._take(part)
                at += len(part)
                self._left -= len(part)
                continue
            if self._in_chunk:  # the line break after a chunk's data
                rest = bytes(raw[at : at + 2])
                if rest[:1] == b"\n" or rest == b"\r\n":
                    at += 1 if rest[:1] == b"\n" else 2
                    self._in_chunk = False
                    continue
                if rest in (b"", b"\r"):
                    break
                return Fault.BAD_CHUNK
            size = _SIZE.match(raw, at)
            if size is None:
                if b"\n" in raw[at : at + CHUNK_LINE] or len(raw) - at > CHUNK_LINE:
                    return Fault.BAD_CHUNK
                break
            at = size.end()
            self._left = int(size[1], 16)
            self._in_chunk = True
            if self._left == 0:
                self.done = True  # trailers may follow, and nobody waits for them
        del raw[:at]
        return None
