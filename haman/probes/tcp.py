"""Healthy when a TCP connection is established; nothing is said over it."""

from __future__ import annotations

from typing import TYPE_CHECKING

from haman.probes.outcome import Outcome
from haman.probes.stream import StreamProber

if TYPE_CHECKING:
    import socket


class TcpProber(StreamProber):
    def connected(self, sock: socket.SocketType) -> None:
        self.finish(Outcome.CONNECTED)
