"""The director's end of the socketpair to the elector: frames both ways, and when to call the elector dead.

The elector holds the VIPs on the NIC, so its death or freezing must be noticed here: by EOF, or by a silence longer
than the patience it announced. Silence is believed only after the socket was read once more, and never when
this process itself was stalled for about as long: both were then likely frozen together (a paused virtual machine),
and the elector gets one more period, one, to show that it is back.
"""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING

from haman.errors import BadFrame
from haman.model.elector import Heartbeat
from haman.wire import link

if TYPE_CHECKING:
    import socket
    from collections.abc import Callable

    from haman.model.elector import Configure, Message, ToElector

PATIENCE = 10.0
"""Seconds: what we grant the elector before its first heartbeat, and what we ask it to grant us."""

STALLED = 0.5
"""A timer that fires this share of the patience too late means that we were stalled ourselves."""


class Link:
    """received: called with every message but heartbeats, in order. lost: done, with the reason in words, as soon
    as the elector is gone; after that nothing is received. patience: how long it may be silent, seconds."""

    def __init__(
        self, loop: asyncio.AbstractEventLoop, sock: socket.socket, received: Callable[[Message], None]
    ) -> None:
        self._loop = loop
        self._socket = sock
        self._received = received
        self._encoder, self._decoder = link.Encoder(), link.Decoder()
        self._outbox = bytearray()
        self.patience = PATIENCE
        self._heard = loop.time()
        self._granted = 0.0
        self.lost: asyncio.Future[str] = loop.create_future()
        sock.setblocking(False)
        loop.add_reader(sock, self._readable)
        self._timer = loop.call_at(self._heard + self.patience, self._silent)

    @property
    def heartbeat_age(self) -> float:
        """Seconds since the elector sent its last heartbeat."""
        return self._loop.time() - self._heard

    def send(self, message: ToElector) -> None:
        """Returns at once; what the elector does not take now waits here."""
        if self.lost.done():
            return
        self._write(self._encoder.encode(message))

    async def configure(self, message: Configure) -> None:
        """The same for what may be large: put into bytes beside the loop. One at a time; what is sent meanwhile goes
        before it."""
        data = await asyncio.to_thread(self._encoder.encode, message)
        if not self.lost.done():
            self._write(data)

    def _write(self, data: bytes) -> None:
        empty = not self._outbox
        self._outbox += data
        if empty:
            self._flush()

    def close(self) -> None:
        if not self.lost.done():
            self._end("closed")

    def _flush(self) -> None:
        try:
            del self._outbox[: self._socket.send(self._outbox)]
        except BlockingIOError:
            pass
        except OSError:
            self._outbox.clear()  # it is gone: reading says so next, and what it said before still counts
        if self._outbox:
            self._loop.add_writer(self._socket, self._flush)
        else:
            self._loop.remove_writer(self._socket)

    def _readable(self) -> None:
        while not self.lost.done():
            try:
                data = self._socket.recv(1 << 16)
            except BlockingIOError:
                return
            except OSError as error:
                self._end(f"the link to the elector broke: {error.strerror}")
                return
            if not data:
                self._end("the elector ended without a word")
                return
            self._take(data)

    def _take(self, data: bytes) -> None:
        try:
            for message in self._decoder.feed(data):
                if isinstance(message, Heartbeat):
                    self._hear(message)
                else:
                    self._received(message)
        except BadFrame as error:
            self._end(str(error))

    def _hear(self, beat: Heartbeat) -> None:
        """It lived when it sent this, which may be long before we came to read it."""
        self._heard = max(self._heard, min(beat.sent, self._loop.time()))
        if beat.patience < self.patience:
            self._timer.cancel()
            self._timer = self._loop.call_at(self._heard + beat.patience, self._silent)
        self.patience = beat.patience

    def _silent(self) -> None:
        """The timer is not moved with every heartbeat: when it fires, it looks how long the silence really is."""
        late = self._loop.time() - self._timer.when()
        self._readable()
        if self.lost.done():
            return
        now = self._loop.time()
        deadline = self._heard + self.patience
        if now >= deadline:
            if late < STALLED * self.patience or self._granted == self._heard:
                silence = f"{now - self._heard:.3g} s, its patience is {self.patience:g} s"
                self._end(f"the elector was silent for {silence}")
                return
            self._granted = self._heard
            deadline = now + self.patience
        self._timer = self._loop.call_at(deadline, self._silent)

    def _end(self, why: str) -> None:
        self._timer.cancel()
        self._loop.remove_reader(self._socket)
        self._loop.remove_writer(self._socket)
        self._socket.close()
        self.lost.set_result(why)
