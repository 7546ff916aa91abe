"""Healthy when a TCP connection is established; nothing is said over it."""

from __future__ import annotations

from typing import TYPE_CHECKING

from haman.probes.attempt import Attempt
from haman.probes.outcome import Outcome

if TYPE_CHECKING:
    import socket


class TcpAttempt(Attempt):
    def connected(self, sock: socket.socket) -> None:
        self.finish(Outcome.CONNECTED)
