"""Healthy when GET answers with a wanted status (RFC 9110, RFC 9112), over plain HTTP/1.1.

The verdict lies in the answer's head, so nothing is read after it: an endless body costs nothing. The head must be
complete, and no longer than LIMIT; an answer that comes a byte at a time ends at the one deadline of the check.
"""

from __future__ import annotations

import re
from ipaddress import IPv6Address
from typing import TYPE_CHECKING

from haman import __version__
from haman.model.cluster import HttpProbe
from haman.probes.attempt import Attempt
from haman.probes.outcome import Outcome

if TYPE_CHECKING:
    import socket
    from collections.abc import Callable

    from haman.probes.outcome import Result
    from haman.probes.question import Question
    from haman.probes.watcher import Watcher

LIMIT = 16384
"""Bytes of an answer's head, interim answers (100, 103) included."""

_START = b"HTTP/1."
_STATUS_LINE = re.compile(rb"HTTP/1\.[01] ([1-9]\d\d)(?: ([^\r\n]{0,80})[^\r\n]*)?\r?\n")
_HEAD_END = re.compile(rb"\r?\n\r?\n")


class HttpAttempt(Attempt):
    def __init__(self, watcher: Watcher, question: Question, done: Callable[[Result], None]) -> None:
        super().__init__(watcher, question, done)
        assert isinstance(question.probe, HttpProbe)
        self._probe = question.probe
        self._unsent = request(question, question.probe)
        self._head = bytearray()

    def connected(self, sock: socket.socket) -> None:
        self.writable(sock)

    def writable(self, sock: socket.socket) -> None:
        self._unsent = self._unsent[sock.send(self._unsent) :]
        if self._unsent:
            self.await_room(sock)
        else:
            self.await_answer(sock)

    def readable(self, sock: socket.socket) -> None:
        data = sock.recv(4096)
        if not data:
            self.finish(Outcome.CLOSED, f"after {len(self._head)} bytes")
            return
        self._head += data
        verdict = judge(self._head, self._probe.statuses)
        if verdict is None:
            self.await_answer(sock)
        else:
            self.finish(*verdict)


def request(question: Question, probe: HttpProbe) -> bytes:
    """The bytes to send. Without a configured host the server is addressed as itself."""
    host = probe.host
    if host is None:
        host = f"[{question.address}]" if isinstance(question.address, IPv6Address) else str(question.address)
        host += "" if question.port == 80 else f":{question.port}"
    lines = (
        f"GET {probe.path} HTTP/1.1",
        f"Host: {host}",
        f"User-Agent: haman/{__version__}",
        "Accept: */*",
        "Connection: close",
        "",
        "",
    )
    return "\r\n".join(lines).encode()


def judge(head: bytearray, statuses: tuple[tuple[int, int], ...]) -> tuple[Outcome, str] | None:
    """Outcome and detail as soon as `head`, what has come so far, decides; None while it does not.

    Interim answers are removed from `head`'s view: the final status counts.
    """
    if len(head) > LIMIT:
        return Outcome.TOO_LARGE, f"more than {LIMIT} bytes"
    start = 0
    while True:
        begun = bytes(head[start : start + len(_START)])
        if not _START.startswith(begun):
            return Outcome.BAD_RESPONSE, repr(bytes(head[start : start + 24]))[1:]
        end = _HEAD_END.search(head, start)
        if end is None:
            return None
        line = _STATUS_LINE.match(head, start)
        if line is None:
            return Outcome.BAD_RESPONSE, repr(bytes(head[start : start + 24]))[1:]
        status = int(line[1])
        if not 100 <= status < 200 or status == 101:
            phrase = (line[2] or b"").decode("ascii", "replace")
            text = f"{status} {''.join(sign if sign.isprintable() else '?' for sign in phrase)}".strip()
            good = any(low <= status <= high for low, high in statuses)
            return (Outcome.GOOD_STATUS if good else Outcome.BAD_STATUS), text
        start = end.end()
