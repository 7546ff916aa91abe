"""The sockets on which the relay takes what comes: opened here, since the relay has no right to.

They stay the director's as well: a relay that is started anew finds in them whoever has come in the meantime.
"""

from __future__ import annotations

import contextlib
import socket
from typing import TYPE_CHECKING

from haman.model.services import Protocol
from haman.relay.tcp import prepare

if TYPE_CHECKING:
    from haman.relay.orders import Front

_IP_FREEBIND = 15
_IPV6_FREEBIND = 78
"""linux/in.h, linux/in6.h: bind also while the VIP is not here."""

_SO_RCVBUFFORCE = 33
"""asm-generic/socket.h: beyond net.core.rmem_max, for who has CAP_NET_ADMIN."""

BACKLOG = 4096
"""Connections that may wait to be accepted; the kernel's own limit (net.core.somaxconn) holds too."""

QUEUED = 4 << 20
"""Bytes of datagrams that may wait: a burst of twenty thousand small ones."""


def listening(front: Front) -> socket.socket:
    """Raises OSError. With SO_REUSEPORT: the relay of a director that ended may still have its own."""
    ipv6 = front.address.version == 6
    kind = socket.SOCK_STREAM if front.protocol is Protocol.TCP else socket.SOCK_DGRAM
    sock = socket.socket(socket.AF_INET6 if ipv6 else socket.AF_INET, kind | socket.SOCK_NONBLOCK)
    try:
        sock.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEPORT, 1)
        if kind == socket.SOCK_STREAM:
            sock.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            prepare(sock)  # also for those that come before the relay's process is there
        if ipv6:
            sock.setsockopt(socket.IPPROTO_IPV6, _IPV6_FREEBIND, 1)
        else:
            sock.setsockopt(socket.IPPROTO_IP, _IP_FREEBIND, 1)
        sock.bind((str(front.address), front.port))
        if kind == socket.SOCK_STREAM:
            sock.listen(BACKLOG)
        else:
            with contextlib.suppress(OSError):
                sock.setsockopt(socket.SOL_SOCKET, _SO_RCVBUFFORCE, QUEUED)
    except OSError:
        sock.close()
        raise
    return sock
