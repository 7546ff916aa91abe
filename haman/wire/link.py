"""Frames between elector and director: 4 bytes length, then JSON `{"v": 1, "type": ..., ...}`.

The codec follows the dataclasses' own type hints, so a message is declared once, in `model.elector`. Anything
that does not fit them is a BadFrame: both ends are ours, so it means that two versions met or memory is bad,
and the connection must be closed.
"""

from __future__ import annotations

import json
import struct
from dataclasses import fields, is_dataclass
from enum import Enum
from functools import cache
from ipaddress import IPv4Address, IPv4Interface, IPv6Address, IPv6Interface
from types import NoneType, UnionType
from typing import TYPE_CHECKING, Any, Union, get_args, get_origin, get_type_hints

from haman.errors import BadFrame
from haman.model import elector

if TYPE_CHECKING:
    from collections.abc import Iterator

VERSION = 1
LIMIT = 64 << 20
"""No frame is longer (bytes): 255 routers with 1,000 VIPs each make about 20 MB."""

_HEADER = struct.Struct("!I")
_MESSAGES = {
    kind.__name__: kind
    for kind in (
        elector.Configure,
        elector.Readiness,
        elector.Goodbye,
        elector.Roles,
        elector.Happened,
        elector.TakeoverDone,
        elector.Counters,
        elector.Stopping,
        elector.Heartbeat,
    )
}
_ADDRESSES = (IPv4Address, IPv6Address, IPv4Interface, IPv6Interface)


def encode(message: elector.Message) -> bytes:
    """One message as one frame."""
    body = {"v": VERSION, "type": type(message).__name__, **_plain(message)}
    data = json.dumps(body, separators=(",", ":")).encode()
    return _HEADER.pack(len(data)) + data


def decode(body: bytes) -> elector.Message:
    """The inside of one frame. Raises BadFrame."""
    try:
        value = json.loads(body)
        if value.pop("v") != VERSION:
            raise BadFrame("the other process speaks another version of the link; restart haman")
        return _typed(_MESSAGES[value.pop("type")], value)  # type: ignore[no-any-return]
    except (ValueError, KeyError, TypeError, AttributeError, OverflowError, RecursionError) as error:
        raise BadFrame(f"unreadable message on the link: {error!r}") from error


class Decoder:
    """Collects bytes as they come and gives the messages that are complete."""

    def __init__(self) -> None:
        self._buffer = bytearray()

    def feed(self, data: bytes) -> Iterator[elector.Message]:
        """Raises BadFrame; the decoder is of no use afterwards."""
        self._buffer += data
        while len(self._buffer) >= _HEADER.size:
            (length,) = _HEADER.unpack_from(self._buffer)
            if length > LIMIT:
                raise BadFrame(f"frame of {length} bytes on the link, limit {LIMIT}")
            end = _HEADER.size + length
            if len(self._buffer) < end:
                return
            body = bytes(self._buffer[_HEADER.size : end])
            del self._buffer[:end]
            yield decode(body)


def _plain(value: Any) -> Any:
    if is_dataclass(value):
        return {field.name: _plain(getattr(value, field.name)) for field in fields(value)}
    if isinstance(value, Enum):
        return value.value
    if isinstance(value, _ADDRESSES):
        return str(value)
    if isinstance(value, dict):
        return {key: _plain(item) for key, item in value.items()}
    if isinstance(value, (tuple, list)):
        return [_plain(item) for item in value]
    return value


@cache
def _hints(kind: type) -> dict[str, Any]:
    return get_type_hints(kind)


def _typed(kind: Any, value: Any) -> Any:
    origin = get_origin(kind)
    if origin in (Union, UnionType):
        return _one_of(get_args(kind), value)
    if origin is tuple:
        if not isinstance(value, list):
            raise ValueError(f"{value!r} is no list")
        return tuple(_typed(get_args(kind)[0], item) for item in value)
    if origin is dict:
        return {key: _typed(get_args(kind)[1], item) for key, item in value.items()}
    if is_dataclass(kind):
        hints = _hints(kind)  # type: ignore[arg-type]
        if set(value) != set(hints):
            raise ValueError(f"fields {sorted(set(value) ^ set(hints))}")
        return kind(**{name: _typed(hints[name], item) for name, item in value.items()})  # type: ignore[operator]
    if isinstance(kind, type) and issubclass(kind, Enum):
        return kind(value)
    if kind in _ADDRESSES:
        if not isinstance(value, str):  # ipaddress would take a number for an address
            raise ValueError(f"{value!r} is no address")
        return kind(value)
    if kind is float and isinstance(value, int) and not isinstance(value, bool):
        return float(value)
    if not isinstance(value, kind) or (kind is not bool and isinstance(value, bool)):
        raise ValueError(f"{value!r} is no {kind.__name__}")
    return value


def _one_of(kinds: tuple[Any, ...], value: Any) -> Any:
    if value is None and NoneType in kinds:
        return None
    for kind in kinds:
        if kind is NoneType:
            continue
        try:
            return _typed(kind, value)
        except ValueError:
            continue
    raise ValueError(f"{value!r} fits none of {kinds}")
