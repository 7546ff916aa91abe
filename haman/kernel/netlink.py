"""Requests over AF_NETLINK: framing, batches, dumps, errors by sequence number. Knows no family's messages.

Synchronous: the kernel has queued its answer by the time `send` returns, so there is nothing to wait for, and one
request costs two system calls. Who must not block a loop splits the work (Netlink.batch) and yields in between.

Sources: include/uapi/linux/netlink.h, genetlink.h, Documentation/userspace-api/netlink/intro.rst of Linux 6.12.
"""

from __future__ import annotations

import contextlib
import errno
import os
import socket
import struct
from typing import TYPE_CHECKING, NamedTuple

from haman.errors import KernelRefused, KernelUnavailable
from haman.kernel.buffers import enlarge

if TYPE_CHECKING:
    from collections.abc import Generator, Sequence

NETLINK_ROUTE, NETLINK_GENERIC = 0, 16
REQUEST, ACK, DUMP, EXCLUSIVE, CREATE = 0x1, 0x4, 0x300, 0x200, 0x400

_NOOP, _ERROR, _DONE = 1, 2, 3
_LAST = (_ERROR, _DONE)
_INTERRUPTED = 0x10
_SOL_NETLINK, _CAP_ACK, _GET_STRICT_CHECK = 270, 10, 12
_GENERIC_CONTROL, _GET_FAMILY, _FAMILY_ID, _FAMILY_NAME = 16, 3, 1, 2

_HEADER = struct.Struct("=IHHII")  # length, kind, flags, sequence number, port
_ATTRIBUTE = struct.Struct("=HH")  # length with this header, kind
_ERRNO = struct.Struct("=i")
_UNSIGNED16 = struct.Struct("=H")
_GENERIC = struct.Struct("=BBH")  # command, version, reserved
_NESTED = 0x8000
_KIND = 0x3FFF

_BUFFER = 4 << 20
_LARGEST_ANSWER = 64 << 10
"""The kernel fills up to 32 KiB per answer of a dump when it sees that the reader has the room."""
_PATIENCE = 5
"""Seconds. The answer is there when `send` returns; this only bounds what must not happen."""


ATTEMPTS = 5
"""How often a dump is begun."""


class Request(NamedTuple):
    """One message: its type, the flags beside REQUEST, and what follows the header (a multiple of 4 bytes)."""

    kind: int
    flags: int
    body: bytes


class DumpInterrupted(Exception):
    """The table changed while it was dumped, and may be reported twice or not at all: dump again."""


class Netlink:
    """One socket to the kernel. Not for two users at a time: a request is answered before the next one is sent.

    batch: how many requests may go into one `execute`; more could lose answers (ENOBUFS) if all were refused.
    """

    def __init__(self, protocol: int, *, strict: bool = False) -> None:
        """strict: the kernel takes what stands in the header of a dump request as a filter (NETLINK_GET_STRICT_CHK).
        Raises KernelUnavailable where there are no netlink sockets of this protocol."""
        self._protocol = protocol
        self._strict = strict
        self._sequence = 0
        self._answer = bytearray(_LARGEST_ANSWER)
        self._socket = self._open()
        self.batch = min(500, self._socket.getsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF) // 2048)

    @property
    def port(self) -> int:
        """By which notifications of changes say who made them; another one after an answer was lost."""
        return int(self._socket.getsockname()[0])

    def close(self) -> None:
        self._socket.close()

    def execute(self, requests: Sequence[Request]) -> dict[int, int]:
        """Carry out requests in order; one that fails does not stop the others.

        Returns errno by index, for those the kernel refused. Raises KernelRefused when it gives no answer at all.
        Failures are reported without being asked for; acknowledgements of all the rest would only fill the receive
        buffer. So an empty message at the end asks for one, and when it comes everything is done. (The last request
        itself would not do: one that was interrupted, such as stopping a kernel thread that has not run yet, is carried
        out without a word.)
        """
        if not requests:
            return {}
        first, last = self._sequence + 1, self._sequence + 1 + len(requests)
        parts: list[bytes] = []
        for number, (kind, flags, body) in enumerate(requests, first):
            parts += (_HEADER.pack(16 + len(body), kind, flags | REQUEST, number, 0), body)
        parts.append(_HEADER.pack(16, _NOOP, REQUEST | ACK, last, 0))
        self._sequence = last
        self._send(b"".join(parts))
        refused: dict[int, int] = {}
        while True:
            for kind, _, number, start, _ in self._receive():
                if kind == _ERROR and first <= number <= last:
                    if number == last:
                        return refused
                    refused[number - first] = -_ERRNO.unpack_from(self._answer, start)[0]

    def ask(self, request: Request) -> bytes:
        """The body of the one answer to `request`. Raises KernelRefused, naming nothing but the errno: the caller
        knows what was asked."""
        self._sequence += 1
        kind, flags, body = request
        self._send(_HEADER.pack(16 + len(body), kind, flags | REQUEST, self._sequence, 0) + body)
        while True:
            for kind, _, number, start, end in self._receive():
                if number != self._sequence:
                    continue
                if kind == _ERROR:
                    raise KernelRefused("netlink request", -_ERRNO.unpack_from(self._answer, start)[0])
                return bytes(self._answer[start:end])

    def dump(self, request: Request) -> Generator[tuple[bytearray, list[tuple[int, int]]], None, None]:
        """A dump, datagram by datagram: a buffer, and where in it the bodies of messages start and end.

        The buffer is used again: take what you need before asking for the next. A caller that stops early
        must close the generator, which reads the rest. Raises DumpInterrupted at the end if the table
        changed meanwhile, KernelRefused if the kernel does not dump.
        """
        self._sequence += 1
        sequence, buffer = self._sequence, self._answer
        kind, flags, body = request
        self._send(_HEADER.pack(16 + len(body), kind, flags | REQUEST | DUMP, sequence, 0) + body)
        changed = finished = False
        try:
            while not finished:
                spans = []
                for kind, flags, number, start, end in self._receive():
                    if number == sequence:
                        changed = changed or flags & _INTERRUPTED != 0
                        if kind in _LAST:
                            finished = True
                            (code,) = _ERRNO.unpack_from(buffer, start)
                            if code:
                                raise KernelRefused("netlink dump", -code)
                        else:
                            spans.append((start, end))
                if spans:
                    yield buffer, spans
        except KernelRefused:
            finished = True  # by its last message, or by a new socket
            raise
        finally:
            while not finished:
                finished = any(kind in _LAST for kind, *_ in self._receive())
        if changed:
            raise DumpInterrupted

    def messages(self, request: Request, what: str) -> list[bytes]:
        """The bodies of a whole dump, begun anew while the table changes under it. Raises KernelRefused, with `what`
        in words if it never stands still."""
        for _ in range(ATTEMPTS):
            with contextlib.suppress(DumpInterrupted):
                return [bytes(buffer[start:end]) for buffer, spans in self.dump(request) for start, end in spans]
        raise KernelRefused(f"dump {what}: the table never stands still", errno.EAGAIN)

    def _open(self) -> socket.socket:
        try:
            opened = socket.socket(socket.AF_NETLINK, socket.SOCK_RAW | socket.SOCK_CLOEXEC, self._protocol)
        except OSError as error:
            raise KernelUnavailable(f"no netlink sockets of protocol {self._protocol}: {error.strerror}") from error
        opened.connect((0, 0))  # the kernel; nobody else's messages are let in
        opened.setsockopt(_SOL_NETLINK, _CAP_ACK, 1)  # errors do not repeat the request
        if self._strict:
            with contextlib.suppress(OSError):  # before Linux 4.20 everything is dumped, and the reader has to look
                opened.setsockopt(_SOL_NETLINK, _GET_STRICT_CHECK, 1)
        opened.setsockopt(socket.SOL_SOCKET, socket.SO_RCVTIMEO, struct.pack("ll", _PATIENCE, 0))
        enlarge(opened, socket.SO_SNDBUF, _BUFFER)
        enlarge(opened, socket.SO_RCVBUF, _BUFFER)
        return opened

    def _send(self, data: bytes) -> None:
        try:
            self._socket.send(data)
        except OSError as error:
            raise KernelRefused("netlink send", error.errno or errno.EIO) from error

    def _receive(self) -> list[tuple[int, int, int, int, int]]:
        """The messages of one datagram: kind, flags, sequence number, start and end of the body."""
        try:
            size = self._socket.recv_into(self._answer)
        except OSError as error:
            # An answer is lost for good. A new socket is the only one without a half-read conversation on it.
            self._socket.close()
            self._socket = self._open()
            code = errno.ETIMEDOUT if error.errno == errno.EAGAIN else error.errno or errno.EIO
            raise KernelRefused("netlink answer", code) from error
        return messages(self._answer, size)


def messages(buffer: bytes | bytearray, size: int) -> list[tuple[int, int, int, int, int]]:
    """The messages in the first `size` bytes: kind, flags, sequence number, start and end of the body."""
    found, offset = [], 0
    while offset + 16 <= size:
        length, kind, flags, number, _ = _HEADER.unpack_from(buffer, offset)
        if length < 16:
            break
        found.append((kind, flags, number, offset + 16, offset + length))
        offset += (length + 3) & ~3
    return found


def attribute(kind: int, payload: bytes) -> bytes:
    """One attribute with its header and padding."""
    length = 4 + len(payload)
    return _ATTRIBUTE.pack(length, kind) + payload + bytes(-length & 3)


def nested(kind: int, *attributes: bytes) -> bytes:
    """Attributes inside an attribute."""
    return attribute(kind | _NESTED, b"".join(attributes))


def attributes(buffer: bytes | bytearray, start: int, end: int) -> dict[int, tuple[int, int]]:
    """The attributes between start and end: where the payload of each kind starts and ends."""
    found = {}
    while start + 4 <= end:
        length, kind = _ATTRIBUTE.unpack_from(buffer, start)
        if length < 4:
            break
        found[kind & _KIND] = (start + 4, start + length)
        start += (length + 3) & ~3
    return found


def generic(family: int, command: int, version: int, *payload: bytes, flags: int = 0) -> Request:
    """A generic netlink request."""
    return Request(family, flags, _GENERIC.pack(command, version, 0) + b"".join(payload))


def family_number(netlink: Netlink, name: str) -> int:
    """The number of a generic netlink family; asking loads its module. Raises KernelUnavailable when there is none."""
    request = generic(_GENERIC_CONTROL, _GET_FAMILY, 1, attribute(_FAMILY_NAME, name.encode() + b"\0"))
    try:
        answer = netlink.ask(request)
    except KernelRefused as refusal:
        raise KernelUnavailable(f"this kernel has no netlink family {name}: {os.strerror(refusal.errno)}") from refusal
    start, _ = attributes(answer, _GENERIC.size, len(answer))[_FAMILY_ID]
    return int(_UNSIGNED16.unpack_from(answer, start)[0])
