"""A check over one non-blocking TCP connection.

What is said after the connection stands is the subclass's. The connection ends by reset: whoever closes first keeps a
TIME_WAIT entry for a minute, at 1,000 checks a second that is 60,000 entries and local ports here, or, had the server
to close first, as many there. The socket is used again (see sockets).

The sockets are of the C type below socket.socket (SocketType): what that adds in Python is of no use here, and costs
several microseconds a check.
"""

from __future__ import annotations

import errno
import socket
from ipaddress import IPv6Address
from typing import TYPE_CHECKING

from haman.probes import sockets
from haman.probes.outcome import Outcome
from haman.probes.prober import Prober
from haman.probes.source import leave_by
from haman.probes.watcher import BROKEN, READABLE, WRITABLE

if TYPE_CHECKING:
    from collections.abc import Callable

    from haman.probes.equipment import Equipment
    from haman.probes.outcome import Result
    from haman.probes.question import Question


class StreamProber(Prober):
    def __init__(self, equipment: Equipment, question: Question, done: Callable[[Result], None]) -> None:
        super().__init__(equipment, question, done)
        self._family = socket.AF_INET6 if isinstance(question.address, IPv6Address) else socket.AF_INET
        self._to = (str(question.address), question.port)
        self._sockets = equipment.sockets
        self._waits = False
        self._is_connected = False
        self._socket: socket.SocketType | None = None

    def ask(self) -> None:
        self._is_connected = False
        source = self.question.source
        self._socket = sock = sockets.new(self._family) if source is not None else self._sockets.take(self._family)
        if source is not None:
            leave_by(sock, source)
        code = sock.connect_ex(self._to)
        if code and code != errno.EINPROGRESS:
            raise OSError(code, "")
        self._wait(sock, WRITABLE)

    def release(self) -> None:
        sock = self._socket
        if sock is not None:
            self._socket = None
            if self._waits or self.question.source is not None:
                self._watcher.forget(sock.fileno(), waiting=self._waits)
                sock.close()
                self._waits = False
            else:
                self._sockets.give(sock, self._family)

    def silence(self) -> tuple[Outcome, str]:
        return Outcome.TIMEOUT_RESPONSE if self._is_connected else Outcome.TIMEOUT_CONNECT, ""

    def connected(self, sock: socket.SocketType) -> None:
        """For subclasses: the connection stands. May raise OSError."""
        raise NotImplementedError

    def writable(self, sock: socket.SocketType) -> None:
        """For subclasses: more can be sent. May raise OSError."""
        raise NotImplementedError

    def readable(self, sock: socket.SocketType) -> None:
        """For subclasses: something has come. May raise OSError."""
        raise NotImplementedError

    def await_room(self, sock: socket.SocketType) -> None:
        """For subclasses: `writable` is called once, when more can be sent."""
        self._wait(sock, WRITABLE)

    def await_answer(self, sock: socket.SocketType) -> None:
        """For subclasses: `readable` is called once, when something has come."""
        self._wait(sock, READABLE)

    def _wait(self, sock: socket.SocketType, events: int) -> None:
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
            self.fail(error)
