"""TCP sockets that are used again.

Making a socket, telling the kernel how to close it and closing it are half of a check's system calls. A socket that is
disconnected instead (connect to AF_UNSPEC, connect(2)) sends the same reset, forgets its peer and its port, and can be
connected anew. The few that are not in use wait here.
"""

from __future__ import annotations

import ctypes
import socket
import struct
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from haman.probes.watcher import Watcher

KEPT: Final = 64
"""Sockets of one family that wait for their next use; about three slots of checks at 1,000 a second."""

_RESET_ON_CLOSE = struct.pack("ii", 1, 0)
_NOBODY = struct.pack("=H14x", socket.AF_UNSPEC)
_connect = ctypes.CDLL(None).connect  # Python's own refuses an address of another family than the socket's
_connect.argtypes = (ctypes.c_int, ctypes.c_char_p, ctypes.c_uint)


class Sockets:
    def __init__(self, watcher: Watcher) -> None:
        self._watcher = watcher
        self._free: dict[int, list[socket.SocketType]] = {socket.AF_INET: [], socket.AF_INET6: []}

    def take(self, family: int) -> socket.SocketType:
        """A non-blocking TCP socket without a peer. Errors: OSError."""
        free = self._free[family]
        return free.pop() if free else new(family)

    def give(self, sock: socket.SocketType, family: int) -> None:
        """It is not used any more, and nothing is waited for on it; its connection ends by reset."""
        number = sock.fileno()
        free = self._free[family]
        if len(free) < KEPT and _connect(number, _NOBODY, len(_NOBODY)) == 0:
            self._watcher.rest(number)
            free.append(sock)
        else:
            self._watcher.forget(number, waiting=False)
            sock.close()

    def close(self) -> None:
        for free in self._free.values():
            for sock in free:
                self._watcher.forget(sock.fileno(), waiting=False)
                sock.close()
            free.clear()


def new(family: int) -> socket.SocketType:
    """A non-blocking TCP socket that is closed by reset. Errors: OSError."""
    sock = socket.SocketType(family, socket.SOCK_STREAM | socket.SOCK_NONBLOCK | socket.SOCK_CLOEXEC)
    sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, _RESET_ON_CLOSE)
    return sock
