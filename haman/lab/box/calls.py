"""The inside end of the line: questions as they come, each answered by a thread of its own.

A handler gets the call and a Channel to its caller. What it returns is the answer; a HamanError it raises is one too.
"""

from __future__ import annotations

import contextlib
import os
import select
import termios
import threading
import tty
from collections import deque
from typing import TYPE_CHECKING, Any, Final

from haman.errors import BadFrame, HamanError
from haman.lab.box.frames import PIECE, ROOM, WINDOW, Frame, Kind, Reader, pack, pack_json

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

VARIABLE: Final = "HAMAN_LAB_LINE"
"""Where machine says which line this is."""


class Hangup(Exception):
    """The caller has gone."""


class Line:
    """Bytes to the outside; used by many threads."""

    def __init__(self, where: str) -> None:
        """where: the path of a terminal, or the number of an open descriptor."""
        if where.isdigit():
            self.fd = int(where)
        else:
            self.fd = os.open(where, os.O_RDWR | os.O_NOCTTY)
            tty.setraw(self.fd)
        self._lock = threading.Lock()

    def write(self, data: bytes) -> None:
        view = memoryview(data)
        with self._lock:
            while view:
                view = view[os.write(self.fd, view) :]

    def drain(self) -> None:
        """Wait until all that was written has left a terminal."""
        with contextlib.suppress(termios.error):
            termios.tcdrain(self.fd)


class Channel:
    """One caller. arrived: gets SIZE and SIGNAL as they come, from the line's thread; may be replaced."""

    def __init__(self, line: Line, number: int) -> None:
        self._line = line
        self._number = number
        self._changed = threading.Condition()
        self._untaken = 0
        self._data: deque[bytes] = deque()
        self._gone = False
        self.arrived: Callable[[Frame], None] = lambda frame: None
        self.hung_up: Callable[[], None] = lambda: None

    def send(self, kind: Kind, data: bytes) -> None:
        """OUT or ERR; waits until the caller has taken enough of what was sent before. Errors: Hangup."""
        for begin in range(0, len(data), PIECE):
            piece = data[begin : begin + PIECE]
            with self._changed:
                self._changed.wait_for(lambda: self._gone or self._untaken <= WINDOW - PIECE)
                if self._gone:
                    raise Hangup
                self._untaken += len(piece)
            self._line.write(pack(self._number, kind, piece))

    def say(self, value: object) -> None:
        """Something on the way. Errors: Hangup."""
        if self._gone:
            raise Hangup
        self._line.write(pack_json(self._number, Kind.SAID, value))

    def end(self, value: object) -> None:
        if not self._gone:
            self._line.write(pack_json(self._number, Kind.END, value))

    def read(self) -> bytes:
        """What the caller sent, waiting for it; empty is the end of it. Say `taken` when it is used."""
        with self._changed:
            self._changed.wait_for(lambda: self._gone or self._data)
            return self._data.popleft() if self._data else b""

    def taken(self, size: int) -> None:
        self._line.write(pack_json(self._number, Kind.TAKEN, size))

    @property
    def gone(self) -> bool:
        return self._gone

    def take(self, frame: Frame) -> None:
        """A frame of the caller's. Errors: BadFrame."""
        match frame.kind:
            case Kind.IN:
                with self._changed:
                    self._data.append(frame.payload)
                    self._changed.notify_all()
            case Kind.TAKEN:
                with self._changed:
                    self._untaken -= int(frame.json())
                    self._changed.notify_all()
            case Kind.GONE:
                with self._changed:
                    self._gone = True
                    self._changed.notify_all()
                self.hung_up()
            case _:
                self.arrived(frame)


class Exchange:
    """Reads the line until `close`, and has each call answered."""

    def __init__(self, line: Line, handlers: Mapping[str, Callable[[Mapping[str, Any], Channel], object]]) -> None:
        self._line = line
        self._handlers = handlers
        self._channels: dict[int, Channel] = {}
        self._over, self._wake = os.pipe()

    def close(self) -> None:
        """`run` returns; from any thread."""
        os.write(self._wake, b".")

    def run(self) -> None:
        """Errors: BadFrame when the line cannot be understood any more."""
        reader = Reader()
        self._line.write(pack_json(0, Kind.HERE, ROOM))
        while True:
            ready, _, _ = select.select([self._line.fd, self._over], [], [])
            if self._over in ready:
                return
            data = os.read(self._line.fd, 65536)
            if not data:
                return
            self._line.write(pack_json(0, Kind.HERE, len(data)))
            for frame in reader.feed(data):
                self._take(frame)

    def _take(self, frame: Frame) -> None:
        if frame.kind is Kind.CALL:
            channel = self._channels[frame.channel] = Channel(self._line, frame.channel)
            threading.Thread(target=self._answer, args=(frame, channel), daemon=True).start()
        elif channel := self._channels.get(frame.channel):  # type: ignore[assignment]
            with contextlib.suppress(BadFrame, ValueError, TypeError):
                channel.take(frame)
            if frame.kind is Kind.GONE:
                del self._channels[frame.channel]

    def _answer(self, frame: Frame, channel: Channel) -> None:
        try:
            call = frame.json()
            handler = self._handlers.get(str(call.get("ask")))
            if handler is None:
                raise BadFrame(f"nothing here answers {call.get('ask')}")
            channel.end({"answer": handler(call, channel)})
        except Hangup:
            pass
        except HamanError as error:
            channel.end({"error": str(error)})
        except Exception as error:  # a mistake of ours must not leave its caller waiting
            channel.end({"error": f"{type(error).__name__}: {error}"})
