"""Many callers, one line: connects those who come to the socket with the machine, each by a channel of its own.

It looks at no payload. Nothing here may wait for one party: each has a buffer, which the window of frames keeps short.
"""

from __future__ import annotations

import contextlib
import itertools
import os
import selectors
from typing import TYPE_CHECKING, Final

from haman.errors import BadFrame
from haman.lab.box.frames import Kind, Reader, pack

if TYPE_CHECKING:
    import socket

CROWDED: Final = 1 << 20
"""Bytes that may wait for the machine before callers are no longer read."""


class _Caller:
    def __init__(self, sock: socket.socket, channel: int) -> None:
        self.socket = sock
        self.channel = channel
        self.reader = Reader()
        self.waiting = bytearray()


class Switchboard:
    """listener: where callers come. line: our end of the machine's."""

    def __init__(self, listener: socket.socket, line: socket.socket) -> None:
        self._listener = listener
        self._line = line
        self._selector = selectors.DefaultSelector()
        self._callers: dict[int, _Caller] = {}
        self._numbers = itertools.count(1)
        self._to_line = bytearray()
        self._room = 0
        self._reader = Reader()
        self._over, self._wake = os.pipe()
        for each in (listener, line):
            each.setblocking(False)
            self._selector.register(each, selectors.EVENT_READ)
        self._selector.register(self._over, selectors.EVENT_READ)

    def close(self) -> None:
        """`run` returns, and all callers are hung up on; from any thread."""
        os.write(self._wake, b".")

    def run(self) -> None:
        while self._turn():
            self._heed()
        self._on_line(selectors.EVENT_READ)  # a last answer may have come with the machine's end
        for caller in list(self._callers.values()):
            with contextlib.suppress(OSError):
                caller.socket.send(caller.waiting)
            caller.socket.close()
        self._callers.clear()

    def _turn(self) -> bool:
        """What is ready now; False when it is over."""
        for key, events in self._selector.select():
            if key.fileobj == self._over:
                return False
            if key.fileobj is self._listener:
                self._accept()
            elif key.fileobj is self._line:
                if not self._on_line(events):
                    return False
            elif caller := self._callers.get(key.fd):
                self._on_caller(caller, events)
        return True

    def _heed(self) -> None:
        """Who is read and who is written to next."""
        self._selector.modify(self._line, _events(read=True, write=self._room > 0 and bool(self._to_line)))
        for caller in self._callers.values():
            events = _events(read=len(self._to_line) < CROWDED, write=bool(caller.waiting))
            known = self._selector.get_map().get(caller.socket)
            if known is None:
                if events:
                    self._selector.register(caller.socket, events)
            elif events:
                self._selector.modify(caller.socket, events)
            else:
                self._selector.unregister(caller.socket)

    def _accept(self) -> None:
        with contextlib.suppress(OSError):
            sock, _ = self._listener.accept()
            sock.setblocking(False)
            self._callers[sock.fileno()] = _Caller(sock, next(self._numbers))

    def _on_line(self, events: int) -> bool:
        """False when the machine is no more, or is not understood."""
        try:
            if events & selectors.EVENT_WRITE:
                sent = self._line.send(self._to_line[: self._room])
                self._room -= sent
                del self._to_line[:sent]
            if events & selectors.EVENT_READ:
                data = self._line.recv(65536)
                by_channel = {caller.channel: caller for caller in self._callers.values()}
                for frame in self._reader.feed(data):
                    if frame.kind is Kind.HERE:
                        self._room += int(frame.json())
                    if caller := by_channel.get(frame.channel):
                        caller.waiting += pack(0, frame.kind, frame.payload)
                return bool(data)
        except BlockingIOError:
            pass
        except (OSError, BadFrame):
            return False
        return True

    def _on_caller(self, caller: _Caller, events: int) -> None:
        try:
            if events & selectors.EVENT_WRITE:
                del caller.waiting[: caller.socket.send(caller.waiting)]
            if events & selectors.EVENT_READ:
                data = caller.socket.recv(65536)
                for frame in caller.reader.feed(data):
                    self._to_line += pack(caller.channel, frame.kind, frame.payload)
                if not data:
                    self._hang_up(caller)
        except BlockingIOError:
            pass
        except (OSError, BadFrame):
            self._hang_up(caller)

    def _hang_up(self, caller: _Caller) -> None:
        with contextlib.suppress(KeyError):
            self._selector.unregister(caller.socket)
        del self._callers[caller.socket.fileno()]
        caller.socket.close()
        self._to_line += pack(caller.channel, Kind.GONE)


def _events(*, read: bool, write: bool) -> int:
    return selectors.EVENT_READ * read | selectors.EVENT_WRITE * write
