"""A check over UDP: a question is sent, and what comes back from its address is looked at until the time is up.

The socket is not connected, so that an answer from another address is seen, and can be named, instead of vanishing in
the kernel; unreachable ports, hosts and networks are told all the same (IP_RECVERR, ip(7)). Every attempt has a port of
its own, chosen by the kernel: an answer to an earlier one, or a guess from outside, does not reach it.
"""

from __future__ import annotations

import errno
import socket
from collections import Counter
from ipaddress import IPv6Address
from typing import TYPE_CHECKING

from haman.probes.outcome import Outcome
from haman.probes.prober import Prober
from haman.probes.source import leave_by
from haman.probes.watcher import READABLE

if TYPE_CHECKING:
    from collections.abc import Callable

    from haman.probes.equipment import Equipment
    from haman.probes.outcome import Result
    from haman.probes.question import Question

BATCH = 16
"""Datagrams read in a row before the loop may do something else."""

NAMED = 3
"""So many kinds of strange answers are told; more are only counted."""

_IP_RECVERR, _IPV6_RECVERR = 11, 25


class DatagramProber(Prober):
    largest = 4096
    """Bytes of an answer that are read; the rest of a longer one is lost."""

    def __init__(self, equipment: Equipment, question: Question, done: Callable[[Result], None]) -> None:
        super().__init__(equipment, question, done)
        assert question.address is not None
        six = isinstance(question.address, IPv6Address)
        self._family = socket.AF_INET6 if six else socket.AF_INET
        self._to = (socket.inet_ntop(self._family, question.address.packed), question.port)
        self._errors = (socket.IPPROTO_IPV6, _IPV6_RECVERR) if six else (socket.IPPROTO_IP, _IP_RECVERR)
        self._socket: socket.SocketType | None = None
        self._waits = False
        self._strange: Counter[str] | None = None

    def ask(self) -> None:
        self._strange = None
        sock = socket.SocketType(self._family, socket.SOCK_DGRAM | socket.SOCK_NONBLOCK | socket.SOCK_CLOEXEC)
        self._socket = sock
        sock.setsockopt(*self._errors, 1)
        if self.question.source is not None:
            leave_by(sock, self.question.source)
        sock.sendto(self.payload(), self._to)
        self._wait(sock)

    def release(self) -> None:
        if self._socket is not None:
            self._watcher.forget(self._socket.fileno(), waiting=self._waits)
            self._socket.close()
            self._socket = None
            self._waits = False

    def fail(self, error: OSError) -> None:
        if error.errno == errno.ECONNREFUSED:
            self.finish(Outcome.PORT_UNREACHABLE)
        else:
            super().fail(error)

    def silence(self) -> tuple[Outcome, str]:
        return Outcome.TIMEOUT_ANSWER, self.strange()

    def payload(self) -> bytes:
        """For subclasses: what is sent, anew for each attempt."""
        raise NotImplementedError

    def answered(self, data: bytes) -> None:
        """For subclasses: this came from where it was to come from. Either `finish`, or the wait goes on."""
        raise NotImplementedError

    def note(self, what: str) -> None:
        """For subclasses: an answer that is passed over; told if no other comes."""
        if self._strange is None:
            self._strange = Counter()
        self._strange[what if what in self._strange or len(self._strange) < NAMED else "of other kinds"] += 1

    def strange(self) -> str:
        """What was passed over, in words."""
        if self._strange is None:
            return ""
        return "passed over: " + ", ".join(f"{count} {what}" for what, count in self._strange.items())

    def _wait(self, sock: socket.SocketType) -> None:
        self._waits = True
        self._watcher.wait(sock.fileno(), READABLE, self._happened)

    def _happened(self, events: int) -> None:
        sock = self._socket
        assert sock is not None
        self._waits = False
        try:
            for _ in range(BATCH):
                data, source = sock.recvfrom(self.largest)
                if source[:2] == self._to:
                    self.answered(data)
                    if self._socket is None:
                        return
                else:
                    self.note(f"from {source[0]} port {source[1]}")
        except BlockingIOError:
            pass
        except OSError as error:
            self.fail(error)
            return
        self._wait(sock)
