"""What goes over the line into a machine, and over the socket to its keeper: frames, each of one channel.

A channel is one caller. A frame: channel (4 bytes), kind (1), length (4), then the payload. Both ends may send at most
WINDOW bytes of data (IN one way, OUT and ERR the other) of which the other end has not said that they were TAKEN, so
that one caller who reads slowly holds up nobody else and nothing grows without end.
"""

from __future__ import annotations

import json
import struct
from enum import IntEnum
from typing import TYPE_CHECKING, Any, Final, NamedTuple

from haman.errors import BadFrame

if TYPE_CHECKING:
    from collections.abc import Iterator

WINDOW: Final = 32768
ROOM: Final = 3000
"""Bytes that may be on the way into the machine, of all callers together: a terminal's input buffer has 4096. A
user-mode kernel's console given more at once, or anything before somebody has opened it, can stay silent for ever."""
PIECE: Final = 8192
"""Bytes of data in one frame at most."""
LONGEST: Final = 1 << 20
"""Of any payload: a status of many hosts and the text of a cluster's file are far below it."""

_HEAD: Final = struct.Struct(">IBI")


class Kind(IntEnum):
    """From the caller: CALL (JSON: what is asked), IN (data, empty: the end), SIZE (JSON: rows, columns), SIGNAL (JSON:
    number), GONE (the caller has hung up). To him: OUT, ERR (data), SAID (JSON: on the way), END (JSON: the answer, or
    why there is none). Both ways: TAKEN (JSON: bytes). HERE (JSON: bytes), of channel 0: the machine has
    room for so much more."""

    CALL = 1
    IN = 2
    SIZE = 3
    SIGNAL = 4
    GONE = 5
    OUT = 6
    ERR = 7
    SAID = 8
    END = 9
    TAKEN = 10
    HERE = 11


class Frame(NamedTuple):
    channel: int
    kind: Kind
    payload: bytes = b""

    def json(self) -> Any:
        """Errors: BadFrame."""
        try:
            return json.loads(self.payload)
        except ValueError:
            raise BadFrame(f"{self.kind.name}: not JSON") from None


def pack(channel: int, kind: Kind, payload: bytes = b"") -> bytes:
    return _HEAD.pack(channel, kind, len(payload)) + payload


def pack_json(channel: int, kind: Kind, value: object) -> bytes:
    return pack(channel, kind, json.dumps(value).encode())


class Reader:
    """Frames out of a stream of bytes that comes in any pieces."""

    def __init__(self) -> None:
        self._rest = b""

    def feed(self, data: bytes) -> Iterator[Frame]:
        """Errors: BadFrame; the stream is of no use after it."""
        self._rest += data
        while len(self._rest) >= _HEAD.size:
            channel, kind, length = _HEAD.unpack_from(self._rest)
            if length > LONGEST or kind not in Kind._value2member_map_:
                raise BadFrame(f"a frame of kind {kind} with {length} bytes")
            end = _HEAD.size + length
            if len(self._rest) < end:
                return
            payload, self._rest = self._rest[_HEAD.size : end], self._rest[end:]
            yield Frame(channel, Kind(kind), payload)
