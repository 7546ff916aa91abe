"""A socket of the relay's towards a server of a backup: opened, bound to the source that is wanted, connected.

What keeps it from that is told as a reason (see account.REASONS), because each has another cure; and some of these keep
it from one server only.
"""

from __future__ import annotations

import errno
import socket
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterable

    from haman.relay.pool import Server

_IP_BIND_ADDRESS_NO_PORT = 24
"""linux/in.h: the port is chosen by `connect`, so that it need be free towards that server only."""

OUT_OF_DESCRIPTORS = {errno.EMFILE, errno.ENFILE, errno.ENOBUFS, errno.ENOMEM}

_OUT_OF_PORTS = {errno.EADDRNOTAVAIL, errno.EADDRINUSE, errno.EAGAIN}
"""By `connect`; the last one of UDP, whose port is the kernel's choice there where no `source` is wanted."""

_RANKS = ("no_server", "unreachable", "ports", "source", "descriptors")


class NotConnected(Exception):
    """reason: one of account.REASONS."""

    def __init__(self, reason: str) -> None:
        super().__init__(reason)
        self.reason = reason

    @property
    def everywhere(self) -> bool:
        """There is no use in trying another server."""
        return self.reason == "descriptors"


def graver(known: str, found: str) -> str:
    """Of two reasons why nobody took a session, the one that is told: what is wrong here before what is wrong there."""
    return max(known, found, key=_RANKS.index)


def connected(to: Server, kind: socket.SocketKind, options: Iterable[tuple[int, int, int]] = ()) -> socket.socket:
    """Of TCP: on its way. It does not block. Raises NotConnected."""
    family = socket.AF_INET if to.address.version == 4 else socket.AF_INET6
    try:
        sock = socket.socket(family, kind | socket.SOCK_NONBLOCK | socket.SOCK_CLOEXEC)
    except OSError as error:
        raise NotConnected(_reason(error)) from error
    try:
        for each in options:
            sock.setsockopt(*each)
        if to.source is not None:
            _bind(sock, str(to.source))
        code = sock.connect_ex(to.place)
        if code not in (0, errno.EINPROGRESS):
            raise OSError(code, "connect")
    except OSError as error:
        sock.close()
        raise NotConnected(_reason(error)) from error
    except NotConnected:
        sock.close()
        raise
    return sock


def _bind(sock: socket.socket, source: str) -> None:
    if sock.type == socket.SOCK_STREAM:  # a port of UDP has to be free towards everybody
        sock.setsockopt(socket.IPPROTO_IP, _IP_BIND_ADDRESS_NO_PORT, 1)
    try:
        sock.bind((source, 0))
    except OSError as error:
        raise NotConnected("source" if error.errno == errno.EADDRNOTAVAIL else _reason(error)) from error


def _reason(error: OSError) -> str:
    if error.errno in OUT_OF_DESCRIPTORS:
        return "descriptors"
    return "ports" if error.errno in _OUT_OF_PORTS else "unreachable"
