"""How much a socket may hold that nobody has read yet (socket(7))."""

from __future__ import annotations

import socket

_FORCED = {socket.SO_SNDBUF: 32, socket.SO_RCVBUF: 33}
"""SO_SNDBUFFORCE and SO_RCVBUFFORCE, which Python has no names for."""


def enlarge(opened: socket.socket, which: int, size: int) -> None:
    """Set SO_SNDBUF or SO_RCVBUF beyond the system's limit where we may (CAP_NET_ADMIN), else up to it. size: bytes;
    the kernel doubles it for its own book-keeping."""
    try:
        opened.setsockopt(socket.SOL_SOCKET, _FORCED[which], size)
    except PermissionError:
        opened.setsockopt(socket.SOL_SOCKET, which, size)
