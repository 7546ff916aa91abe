"""Healthy when a TCP connection is established; nothing is said over it.

Not one with itself: of a server that is this machine, on a port among those that connections leave by, the kernel may
choose just that port, and then the connection stands though nobody listens (simultaneous open, RFC 9293, 3.5).
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from haman.probes.outcome import Outcome
from haman.probes.stream import StreamProber

if TYPE_CHECKING:
    import socket


class TcpProber(StreamProber):
    def connected(self, sock: socket.SocketType) -> None:
        itself = sock.getsockname()[:2] == self._to
        self.finish(Outcome.REFUSED if itself else Outcome.CONNECTED)
