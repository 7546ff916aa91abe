"""Healthy when an HTTP request is answered with a wanted status, and a wanted body if one is asked for (RFC 9110).

Where only the status counts nothing is read after the head: an endless body costs nothing. A body that is looked into
is read to its end or its limit, whichever comes first. The head must be complete, and no longer than wire.http.LIMIT;
an answer that comes a byte at a time ends at the one deadline of the check. A redirect is an answer like any other.
"""

from __future__ import annotations

from ipaddress import IPv6Address
from typing import TYPE_CHECKING

from haman import __version__
from haman.model.checks import HttpProbe
from haman.printable import printable
from haman.probes.outcome import Outcome
from haman.probes.stream import StreamProber
from haman.wire import http
from haman.wire.http import Body, Fault

if TYPE_CHECKING:
    import socket
    from collections.abc import Callable

    from haman.probes.equipment import Equipment
    from haman.probes.outcome import Result
    from haman.probes.question import Question

SHOWN = 24
"""Bytes of what is no HTTP that are told."""

_FAULTS = {
    Fault.BAD_LENGTH: "contradictory or senseless Content-Length",
    Fault.BAD_CODING: "a Transfer-Encoding that is not just chunked",
    Fault.BAD_CHUNK: "a chunk that is none",
}


class HttpProber(StreamProber):
    def __init__(self, equipment: Equipment, question: Question, done: Callable[[Result], None]) -> None:
        super().__init__(equipment, question, done)
        assert isinstance(question.probe, HttpProbe)
        probe = question.probe
        self._statuses = probe.statuses
        self._request = request(question, probe)
        self._expect = equipment.pattern(probe.expect) if probe.expect is not None else None
        self._reject = equipment.pattern(probe.reject) if probe.reject is not None else None
        self._wants_body = self._expect is not None or self._reject is not None
        self._limit = probe.read
        self._unsent = b""
        self._head = b""
        self._body: Body | None = None
        self._status = ""

    def connected(self, sock: socket.SocketType) -> None:
        self.begin()
        self._unsent = self._request
        self.writable(sock)

    def writable(self, sock: socket.SocketType) -> None:
        sent = sock.send(self._unsent)
        if sent < len(self._unsent):
            self._unsent = self._unsent[sent:]
            self.await_room(sock)
        else:
            self._unsent = b""
            self.await_answer(sock)

    def readable(self, sock: socket.SocketType) -> None:
        data = sock.recv(16384)
        if not data:
            self.ended()
        elif not self.received(data):
            self.await_answer(sock)

    def begin(self) -> None:
        """For subclasses: a new answer is to come."""
        self._head = b""
        self._body = None

    def received(self, data: bytes) -> bool:
        """For subclasses: more of the answer. Whether that was the end of the check."""
        if self._body is not None:
            return self._more(self._body, data)
        known = len(self._head)
        seen = self._head = self._head + data if self._head else data
        if not http.may_tell(seen, known):
            return False
        head = http.head(seen, framed=self._wants_body)
        if head is None:
            return False
        if isinstance(head, Fault):
            self._wrong(head, seen)
            return True
        status = head.status
        text = f"{status} {printable(head.phrase)}".rstrip()
        for low, high in self._statuses:
            if low <= status <= high:
                break
        else:
            self.finish(Outcome.BAD_STATUS, text)
            return True
        if not self._wants_body:
            self.finish(Outcome.GOOD_STATUS, text)
            return True
        self._status = text
        self._body = Body(head.framing, head.length, self._limit)
        return self._more(self._body, seen[head.end :])

    def ended(self) -> None:
        """For subclasses: the server has closed the connection."""
        if self._body is None:
            self.finish(Outcome.CLOSED, f"after {len(self._head)} bytes")
        elif self._body.close():
            self._judge(self._body)
        else:
            self.finish(Outcome.CLOSED, f"in the body, after {len(self._body.data)} bytes of it")

    def _more(self, body: Body, data: bytes | bytearray) -> bool:
        fault = body.feed(data)
        if fault is not None:
            self._wrong(fault, data)
            return True
        if body.done:
            self._judge(body)
        return body.done

    def _judge(self, body: Body) -> None:
        data = bytes(body.data)
        if self._expect is not None and not self._expect.found_in(data):
            self.finish(Outcome.BAD_BODY, f"{self._status}; what is expected is not in its {len(data)} bytes")
        elif self._reject is not None and self._reject.found_in(data):
            self.finish(Outcome.BAD_BODY, f"{self._status}; what must not be there is in its {len(data)} bytes")
        else:
            self.finish(Outcome.GOOD_BODY, self._status)

    def _wrong(self, fault: Fault, data: bytes | bytearray) -> None:
        if fault is Fault.TOO_LARGE:
            self.finish(Outcome.TOO_LARGE, f"more than {http.LIMIT} bytes")
        elif fault is Fault.NOT_HTTP:
            self.finish(Outcome.BAD_RESPONSE, repr(bytes(data[:SHOWN]))[1:])
        else:
            self.finish(Outcome.BAD_RESPONSE, _FAULTS[fault])


def request(question: Question, probe: HttpProbe) -> bytes:
    """The bytes to send. Without a configured host the server is addressed as itself."""
    usual = 80 if probe.tls is None else 443
    host = probe.host
    if host is None:
        host = f"[{question.address}]" if isinstance(question.address, IPv6Address) else str(question.address)
        host += "" if question.port == usual else f":{question.port}"
    fields = {
        "Host": host,
        "User-Agent": f"haman/{__version__}",
        "Accept": "*/*",
        "Connection": "close",
    }
    if probe.body is not None:
        fields["Content-Length"] = str(len(probe.body))
    given = {name.lower() for name, _ in probe.headers}
    lines = [f"{probe.method} {probe.path} HTTP/{probe.version}"]
    lines += [f"{name}: {value}" for name, value in fields.items() if name.lower() not in given]
    lines += [f"{name}: {value}" for name, value in probe.headers]
    return "\r\n".join((*lines, "", "")).encode("latin-1") + (probe.body or b"")
