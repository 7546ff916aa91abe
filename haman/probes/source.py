"""Where a check's packets leave, if the routing table is not to decide alone."""

from __future__ import annotations

import socket
from typing import TYPE_CHECKING

from haman.probes.prober import NotPrepared

if TYPE_CHECKING:
    from haman.model.checks import Source


def leave_by(sock: socket.SocketType, source: Source) -> None:
    """BEFORE the socket is connected or sends. Raises NotPrepared: what is wrong is wrong with this machine."""
    if source.interface is not None:
        try:
            sock.setsockopt(socket.SOL_SOCKET, socket.SO_BINDTODEVICE, source.interface.encode())
        except OSError as error:
            raise NotPrepared(f"interface {source.interface}: {(error.strerror or '').lower()}") from error
    if source.mark is not None:
        try:
            sock.setsockopt(socket.SOL_SOCKET, socket.SO_MARK, source.mark)
        except PermissionError as error:
            raise NotPrepared("setting a firewall mark needs CAP_NET_ADMIN") from error
