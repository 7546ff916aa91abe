"""Frames between elector and director: 4 bytes length, then JSON `{"v": 1, "type": ..., ...}`.

The codec follows the dataclasses' own type hints, so a message is declared once, in `model.elector`. Anything
that does not fit them is a BadFrame: both ends are ours, so it means that two versions met or memory is bad,
and the connection must be closed.

No frame may take its reader long, because that may be a loop with an election on it. So an Encoder sends what a long
tuple holds ahead of the message, in frames of their own: `{"v": 1, "rows": NUMBER, "of": CLASS, "items": [...]}` with
at most ROWS items each, and in their place the message has `{"rows": [NUMBER, ...]}`. Rows that went out with an
earlier message of the same type are named again, not sent again, so a changed configuration costs what changed;
`"forget": [NUMBER, ...]` in a message says which are not named any more.
"""

from __future__ import annotations

import json
import struct
from dataclasses import fields, is_dataclass
from enum import Enum
from functools import cache
from ipaddress import IPv4Address, IPv4Interface, IPv4Network, IPv6Address, IPv6Interface, IPv6Network
from types import NoneType, UnionType
from typing import TYPE_CHECKING, Any, Union, get_args, get_origin, get_type_hints

from haman.errors import BadFrame
from haman.model import elector

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    Rows = dict[int, tuple[Any, ...]]
    Reader = Callable[[Any, Rows], Any]

VERSION = 1
LIMIT = 64 << 20
"""No frame is longer (bytes). Most are below a few kilobytes; readiness names every router that waits."""

ROWS = 32
"""Items of a tuple that are read in one go: below a millisecond's work."""

_HEADER = struct.Struct("!I")
_MESSAGES = {
    kind.__name__: kind
    for kind in (
        elector.Configure,
        elector.Readiness,
        elector.Verdicts,
        elector.Ruled,
        elector.Covered,
        elector.Maintenance,
        elector.GiveAway,
        elector.Reloading,
        elector.Reloaded,
        elector.Goodbye,
        elector.Roles,
        elector.Happened,
        elector.AskArbiter,
        elector.TakeoverDone,
        elector.TakeoverConfirmed,
        elector.Counters,
        elector.Reload,
        elector.Stopping,
        elector.Heartbeat,
    )
}
_ADDRESSES = (IPv4Address, IPv6Address, IPv4Interface, IPv6Interface, IPv4Network, IPv6Network)
_SAME = {str, int, float, bool, NoneType}


class Encoder:
    """One direction of one connection. Not for two threads at once, unless only one of them sends rows."""

    def __init__(self) -> None:
        self._sent: dict[str, dict[bytes, int]] = {}
        self._number = 0

    def encode(self, message: elector.Message) -> bytes:
        """One message as one frame, after those with the rows it needs and the other end does not have."""
        kind = type(message).__name__
        before = self._sent.get(kind, {})
        named: dict[bytes, int] = {}
        ahead: list[bytes] = []

        def rows(items: tuple[Any, ...]) -> Any:
            of = type(items[0])
            numbers = []
            for start in range(0, len(items), ROWS):
                body = json.dumps([_plain(item, rows) for item in items[start : start + ROWS]], separators=(",", ":"))
                key = f'"of":"{of.__name__}","items":{body}'.encode()
                number = named.get(key) or before.get(key)
                if number is None:
                    self._number = number = self._number + 1
                    ahead.append(_frame(b'{"v":%d,"rows":%d,%s}' % (VERSION, number, key)))
                named[key] = number
                numbers.append(number)
            return {"rows": numbers}

        body = _plain(message, rows)
        if before or named:
            body["forget"] = sorted(set(before.values()) - set(named.values()))
            self._sent[kind] = named
        return b"".join([*ahead, _frame(_message(kind, body))])


def encode(message: elector.Message) -> bytes:
    """One message as one frame, however long."""
    return _frame(_message(type(message).__name__, _plain(message, None)))


def _message(kind: str, body: dict[str, Any]) -> bytes:
    return json.dumps({"v": VERSION, "type": kind, **body}, separators=(",", ":")).encode()


def _frame(data: bytes) -> bytes:
    return _HEADER.pack(len(data)) + data


class Decoder:
    """Collects bytes as they come and gives the messages that are complete. Its work is bounded by what it is fed: by
    an Encoder's frames, less than a millisecond for some kilobytes."""

    def __init__(self) -> None:
        self._buffer = bytearray()
        self._rows: Rows = {}

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
            message = self._decode(body)
            if message is not None:
                yield message

    def _decode(self, body: bytes) -> elector.Message | None:
        """The inside of one frame; None for rows of a message that is still to come."""
        try:
            value = json.loads(body)
            version = value.pop("v")
            if type(version) is not int or version != VERSION:
                raise BadFrame("the other process speaks another version of the link; restart haman")
            if "rows" in value:
                read = _reader(_row_classes()[value["of"]])
                self._rows[int(value["rows"])] = tuple([read(item, self._rows) for item in value["items"]])
                return None
            forget = value.pop("forget", ())
            message = _reader(_MESSAGES[value.pop("type")])(value, self._rows)
            for number in forget:
                del self._rows[number]
            return message  # type: ignore[no-any-return]
        except (ValueError, KeyError, TypeError, AttributeError, OverflowError, RecursionError) as error:
            raise BadFrame(f"unreadable message on the link: {error!r}") from error


def _plain(value: Any, rows: Callable[[tuple[Any, ...]], Any] | None) -> Any:
    kind = type(value)
    if kind in _SAME:
        return value
    if kind in _ADDRESSES:
        return str(value)
    if isinstance(value, Enum):
        return value.value
    if kind is tuple:
        if rows is not None and len(value) > ROWS and is_dataclass(value[0]):
            return rows(value)
        return [_plain(item, rows) for item in value]
    if kind is dict:
        return {key: _plain(item, rows) for key, item in value.items()}
    return {name: _plain(getattr(value, name), rows) for name in _names(kind)}  # type: ignore[arg-type]


@cache
def _names(kind: type) -> tuple[str, ...]:
    return tuple(field.name for field in fields(kind))


# -- from JSON to what the type hints say -----------------------------------------------------------------------------


@cache
def _reader(kind: Any) -> Reader:
    """Made once per type: looking hints up for every value would cost five times as much as reading it."""
    origin = get_origin(kind)
    if origin in (Union, UnionType):
        return _of_several([each for each in get_args(kind) if each is not NoneType], NoneType in get_args(kind))
    if origin is tuple:
        return _of_tuple(_reader(get_args(kind)[0]))
    if origin is dict:
        return _of_dict(_reader(get_args(kind)[1]))
    if isinstance(kind, type) and is_dataclass(kind):
        return _of_fields(kind)
    if isinstance(kind, type) and issubclass(kind, Enum):
        return lambda value, rows: kind(value)
    if kind in _ADDRESSES:
        return _of_address(kind)
    if kind is float:
        return _float
    return _of_plain(kind)


@cache
def _row_classes() -> dict[str, Any]:
    """Every class that a message has a tuple of, by name."""
    found: dict[str, Any] = {}

    def visit(kind: Any) -> None:
        arguments = get_args(kind)
        if get_origin(kind) is tuple and isinstance(arguments[0], type) and is_dataclass(arguments[0]):
            found[arguments[0].__name__] = arguments[0]
        for each in arguments:
            visit(each)
        if is_dataclass(kind):
            for each in get_type_hints(kind).values():
                visit(each)

    for message in _MESSAGES.values():
        visit(message)
    return found


def _of_fields(kind: Any) -> Reader:
    readers = [(name, _reader(hint)) for name, hint in get_type_hints(kind).items()]
    names = {name for name, _ in readers}

    def read(value: Any, rows: Rows) -> Any:
        if value.keys() != names:
            raise ValueError(f"fields {sorted(names ^ value.keys())}")
        return kind(**{name: reader(value[name], rows) for name, reader in readers})

    return read


def _of_tuple(reader: Reader) -> Reader:
    def read(value: Any, rows: Rows) -> Any:
        if isinstance(value, dict):
            return tuple([item for number in value["rows"] for item in rows[number]])
        if not isinstance(value, list):
            raise ValueError(f"{value!r} is no list")
        return tuple([reader(item, rows) for item in value])

    return read


def _of_dict(reader: Reader) -> Reader:
    return lambda value, rows: {key: reader(item, rows) for key, item in value.items()}


def _of_address(kind: Any) -> Reader:
    def read(value: Any, rows: Rows) -> Any:
        if not isinstance(value, str):  # ipaddress would take a number for an address
            raise ValueError(f"{value!r} is no address")
        return kind(value)

    return read


def _of_plain(kind: Any) -> Reader:
    def read(value: Any, rows: Rows) -> Any:
        if type(value) is not kind:
            raise ValueError(f"{value!r} is no {kind.__name__}")
        return value

    return read


def _float(value: Any, rows: Rows) -> float:
    if type(value) not in (float, int):
        raise ValueError(f"{value!r} is no number")
    return float(value)


def _of_several(kinds: list[Any], optional: bool) -> Reader:
    readers = [_reader(kind) for kind in kinds]
    if set(kinds) in ({IPv4Address, IPv6Address}, {IPv4Interface, IPv6Interface}):
        readers = [_of_family(*sorted(kinds, key=lambda kind: kind.__name__))]  # most often there is no second try

    def read(value: Any, rows: Rows) -> Any:
        if value is None and optional:
            return None
        for reader in readers:
            try:
                return reader(value, rows)
            except ValueError:
                continue
        raise ValueError(f"{value!r} fits none of {kinds}")

    return read


def _of_family(four: Any, six: Any) -> Reader:
    four, six = _of_address(four), _of_address(six)
    return lambda value, rows: six(value, rows) if ":" in str(value) else four(value, rows)
