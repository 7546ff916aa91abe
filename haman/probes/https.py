"""The same over TLS: the server's certificate is verified unless told otherwise, and its end noted.

The encryption works in memory (SSLObject between two MemoryBIOs) and the socket stays the watcher's: nothing blocks,
and a handshake that never ends, or is none, ends at the deadline or by name like any other answer.
"""

from __future__ import annotations

import ssl
from typing import TYPE_CHECKING

from haman.model.checks import HttpProbe
from haman.probes.http import HttpProber
from haman.probes.outcome import Outcome

if TYPE_CHECKING:
    import socket
    from collections.abc import Callable

    from haman.probes.equipment import Equipment
    from haman.probes.outcome import Result
    from haman.probes.question import Question

RECORD = 16384
"""Bytes that one TLS record can hold."""


class HttpsProber(HttpProber):
    def __init__(self, equipment: Equipment, question: Question, done: Callable[[Result], None]) -> None:
        super().__init__(equipment, question, done)
        assert isinstance(question.probe, HttpProbe)
        assert question.probe.tls is not None
        self._client = equipment.client(question.probe.tls)
        self._name = question.probe.tls.server_name or str(question.address)
        self._from_server = ssl.MemoryBIO()
        self._to_server = ssl.MemoryBIO()
        self._tls: ssl.SSLObject | None = None
        self._is_shaken = False
        self._ends: float | None = None

    def ask(self) -> None:
        context = self._client.context()
        self._is_shaken, self._ends = False, None
        self._from_server, self._to_server = ssl.MemoryBIO(), ssl.MemoryBIO()
        self._tls = context.wrap_bio(self._from_server, self._to_server, server_hostname=self._name)
        super().ask()

    def release(self) -> None:
        super().release()
        self._tls = None

    def finish(
        self, outcome: Outcome, detail: str = "", weight: int | None = None, certificate_ends: float | None = None
    ) -> None:
        super().finish(outcome, detail, weight, self._ends)

    def silence(self) -> tuple[Outcome, str]:
        if self._is_connected and not self._is_shaken:
            return Outcome.TIMEOUT_TLS, ""
        return super().silence()

    def connected(self, sock: socket.SocketType) -> None:
        self._unsent = b""
        self._advance(sock)

    def writable(self, sock: socket.SocketType) -> None:
        self._advance(sock)

    def readable(self, sock: socket.SocketType) -> None:
        data = sock.recv(RECORD)
        if data:
            self._from_server.write(data)
        else:
            self._from_server.write_eof()
        self._advance(sock)

    def _advance(self, sock: socket.SocketType) -> None:
        """As far as it goes with what has come, and then wait for more."""
        try:
            over = self._talk()
        except ssl.SSLWantReadError:
            over = False
        except ssl.SSLCertVerificationError as error:
            self.finish(Outcome.BAD_CERTIFICATE, error.verify_message)
            return
        except ssl.SSLError as error:
            self._broken(error)
            return
        if not over:
            self._send(sock)

    def _talk(self) -> bool:
        """Whether that was the end of the check. Raises SSLWantReadError when there is nothing more to read."""
        tls = self._tls
        assert tls is not None
        if not self._is_shaken:
            tls.do_handshake()
            self._is_shaken = True
            self._ends = self._client.ends(tls)
            self.begin()
            tls.write(self._request)
        while data := tls.read(RECORD):
            if self.received(data):
                return True
        self.ended()
        return True

    def _send(self, sock: socket.SocketType) -> None:
        self._unsent += self._to_server.read()
        if self._unsent:
            self._unsent = self._unsent[sock.send(self._unsent) :]
        if self._unsent:
            self.await_room(sock)
        else:
            self.await_answer(sock)

    def _broken(self, error: ssl.SSLError) -> None:
        if isinstance(error, ssl.SSLEOFError | ssl.SSLZeroReturnError):
            if self._is_shaken:  # closed without a farewell, as many servers do
                self.ended()
            else:
                self.finish(Outcome.BAD_TLS, "the connection was closed in the handshake")
        else:
            self.finish(Outcome.BAD_TLS, (error.reason or str(error)).lower().replace("_", " "))
