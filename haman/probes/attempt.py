"""One check in flight: a non-blocking TCP connection, one deadline, exactly one Result.

What all types share is here; what is said after the connection stands is the subclass's. No exception leaves
an attempt: an OSError becomes a Result. The connection is closed by reset (SO_LINGER 0): whoever closes first
keeps a TIME_WAIT entry for a minute, at 1,000 checks a second that is 60,000 entries and local ports here, or,
had the server to close first, as many there.
"""

from __future__ import annotations

import socket
import struct
from ipaddress import IPv6Address
from typing import TYPE_CHECKING

from haman.probes.outcome import Outcome, Result, of_error
from haman.probes.watcher import BROKEN, READABLE, WRITABLE

if TYPE_CHECKING:
    from collections.abc import Callable

    from haman.probes.question import Question
    from haman.probes.watcher import Deadline, Watcher

_RESET_ON_CLOSE = struct.pack("ii", 1, 0)

STALL = 0.05
"""A deadline noticed later than this (seconds) shows that we, not the server, were slow."""


class Attempt:
    """done: called once with the Result, possibly from within `start`; never after `abandon`."""

    def __init__(self, watcher: Watcher, question: Question, done: Callable[[Result], None]) -> None:
        self._watcher = watcher
        self._question = question
        self._done = done
        self._began = 0.0
        self._deadline: Deadline | None = None
        self._extended = False
        self._waits = False
        self._is_connected = False
        self._socket: socket.socket | None = None

    def start(self) -> None:
        self._began = self._watcher.look()
        address = self._question.address
        family = socket.AF_INET6 if isinstance(address, IPv6Address) else socket.AF_INET
        try:
            sock = socket.socket(family, socket.SOCK_STREAM | socket.SOCK_NONBLOCK | socket.SOCK_CLOEXEC)
            self._socket = sock
            sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, _RESET_ON_CLOSE)
            sock.connect((str(address), self._question.port))
        except BlockingIOError:
            pass
        except OSError as error:
            self._fail(error)
            return
        self._deadline = self._watcher.at(self._began + self._question.timeout, self._expired)
        self._wait(sock, WRITABLE)

    def abandon(self) -> None:
        """Give up without a result."""
        if self._deadline is not None:
            self._watcher.cancel(self._deadline)
            self._deadline = None
        if self._socket is not None:
            self._watcher.forget(self._socket.fileno(), waiting=self._waits)
            self._socket.close()
            self._socket = None

    def finish(self, outcome: Outcome, detail: str = "") -> None:
        """For subclasses: this is the end."""
        latency = self._watcher.now - self._began
        self.abandon()
        self._done(Result(outcome, latency, detail))

    def connected(self, sock: socket.socket) -> None:
        """For subclasses: the connection stands. May raise OSError."""
        raise NotImplementedError

    def writable(self, sock: socket.socket) -> None:
        """For subclasses: more can be sent. May raise OSError."""
        raise NotImplementedError

    def readable(self, sock: socket.socket) -> None:
        """For subclasses: something has come. May raise OSError."""
        raise NotImplementedError

    def await_room(self, sock: socket.socket) -> None:
        """For subclasses: `writable` is called once, when more can be sent."""
        self._wait(sock, WRITABLE)

    def await_answer(self, sock: socket.socket) -> None:
        """For subclasses: `readable` is called once, when something has come."""
        self._wait(sock, READABLE)

    def _wait(self, sock: socket.socket, events: int) -> None:
        self._waits = True
        self._watcher.wait(sock.fileno(), events, self._happened)

    def _happened(self, events: int) -> None:
        sock = self._socket
        assert sock is not None
        self._waits = False
        try:
            if not self._is_connected:
                if events & BROKEN and (code := sock.getsockopt(socket.SOL_SOCKET, socket.SO_ERROR)):
                    raise OSError(code, "")
                self._is_connected = True
                self.connected(sock)
            elif events & WRITABLE:
                self.writable(sock)
            else:
                self.readable(sock)  # tells a broken connection's error, after what came before it broke
        except BlockingIOError:  # a false alarm
            self._wait(sock, WRITABLE if events & WRITABLE else READABLE)
        except OSError as error:
            self._fail(error)

    def _fail(self, error: OSError) -> None:
        result = of_error(error.errno or 0, self._watcher.now - self._began)
        self.abandon()
        self._done(result)

    def _expired(self) -> None:
        """Before believing silence: when this loop itself was stalled, answers may lie unread in the socket, and a
        dialogue of several steps had no chance. The stall is given back, once."""
        assert self._deadline is not None
        now = self._watcher.now
        late = now - self._deadline.when
        if late > STALL and not self._extended:
            self._extended = True
            self._deadline = self._watcher.at(now + min(late, self._question.timeout), self._expired)
            return
        self._deadline = None
        limit = f"{self._question.timeout:g} s"
        self.finish(Outcome.TIMEOUT_RESPONSE if self._is_connected else Outcome.TIMEOUT_CONNECT, limit)
