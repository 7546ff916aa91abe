"""What the laboratory's web servers answer, and a health that can be broken while everything else goes on: a check that
failed, not a server. SIGUSR1 breaks it, SIGUSR2 mends it.
"""

from __future__ import annotations

import signal

BACKLOG = 512


def reply(status: str, body: bytes, *, head_only: bool = False) -> bytes:
    """A whole answer, after which the connection ends."""
    head = f"HTTP/1.1 {status}\r\nContent-Type: text/plain\r\nContent-Length: {len(body)}\r\nConnection: close\r\n\r\n"
    return head.encode() + (b"" if head_only else body)


class Health:
    """good: whether `/healthz` is answered with 200, as every other request is."""

    def __init__(self) -> None:
        self.good = True

    def obey_signals(self) -> None:
        signal.signal(signal.SIGUSR1, self._break)
        signal.signal(signal.SIGUSR2, self._mend)

    def _break(self, *_: object) -> None:
        self.good = False

    def _mend(self, *_: object) -> None:
        self.good = True

    def answer(self, path: bytes, name: bytes, *, head_only: bool = False) -> bytes:
        """200 and the server's name, or 503 for `/healthz` while it is broken."""
        sick = path == b"/healthz" and not self.good
        status, body = ("503 Service Unavailable", b"broken\n") if sick else ("200 OK", name + b"\n")
        return reply(status, body, head_only=head_only)
