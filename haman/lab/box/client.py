"""The callers' end: one question to the cluster that `haman lab up` keeps here, and its answer."""

from __future__ import annotations

import contextlib
import json
import os
import threading
from typing import TYPE_CHECKING, Any, Self

from haman.errors import BadFrame, LabError
from haman.lab.box.folder import Folder
from haman.lab.box.frames import Frame, Kind, Reader, pack, pack_json

if TYPE_CHECKING:
    import socket
    from collections.abc import Callable
    from types import TracebackType


class NoLab(LabError):
    """No cluster is kept here; the text says what to do."""


class Call:
    """One question, while it is answered. A context manager.

    data: gets OUT and ERR as they come. said: gets what is said on the way.
    """

    def __init__(
        self,
        question: dict[str, Any],
        *,
        folder: Folder | None = None,
        data: Callable[[Kind, bytes], None] | None = None,
        said: Callable[[Any], None] | None = None,
        patience: float | None = None,
    ) -> None:
        """patience: seconds of silence after which there is no answer. Errors: NoLab."""
        self._folder = folder or Folder()
        self._data = data
        self._said = said
        self._lock = threading.Lock()
        self._socket = self._connected()
        self._socket.settimeout(patience)
        self.send(Kind.CALL, json.dumps(question).encode())

    def _connected(self) -> socket.socket:
        if not self._folder.exists():
            raise NoLab("no cluster is kept here; haman lab up FILE starts one")
        try:
            return self._folder.connect()
        except OSError:
            if self._folder.lives():
                raise NoLab("the cluster is just being started, or ended") from None
            words = self._folder.ended() or "it was killed"
            raise NoLab(f"the cluster is no more: {words}\nhaman lab down removes what is left of it") from None

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._socket.close()

    def send(self, kind: Kind, payload: bytes) -> None:
        """From any thread; to a machine that is no more it goes nowhere."""
        with self._lock, contextlib.suppress(OSError):
            self._socket.sendall(pack(0, kind, payload))

    def answer(self) -> Any:
        """Wait for it. Errors: LabError with what is said in its place."""
        reader = Reader()
        while data := self._receive():
            try:
                for frame in reader.feed(data):
                    if frame.kind is Kind.END:
                        return _answer(frame)
                    self._take(frame)
            except BadFrame as error:
                raise LabError(f"the cluster is not understood: {error}") from None
        raise LabError(f"the cluster ended meanwhile{f': {words}' if (words := self._folder.ended()) else ''}")

    def _receive(self) -> bytes:
        try:
            return self._socket.recv(65536)
        except TimeoutError:
            raise LabError("the cluster does not answer") from None
        except ConnectionError:
            return b""

    def _take(self, frame: Frame) -> None:
        match frame.kind:
            case Kind.OUT | Kind.ERR:
                if self._data is not None:
                    self._data(frame.kind, frame.payload)
                with self._lock, contextlib.suppress(OSError):
                    self._socket.sendall(pack_json(0, Kind.TAKEN, len(frame.payload)))
            case Kind.SAID:
                if self._said is not None:
                    self._said(frame.json())
            case Kind.TAKEN:
                self.taken(int(frame.json()))
            case _:
                raise BadFrame(f"a frame of kind {frame.kind.name}")

    def taken(self, size: int) -> None:
        """So much of the data that was sent is used; who sends data counts."""


def _answer(frame: Frame) -> Any:
    plain = frame.json()
    if "error" in plain:
        raise LabError(str(plain["error"]))
    return plain["answer"]


def ask(question: str, **details: Any) -> Any:
    """The answer's value. Errors: NoLab, LabError."""
    with Call({"ask": question, **details}) as call:
        return call.answer()


def write(kind: Kind, data: bytes) -> None:
    """OUT to our standard output, ERR to our standard error, all of it."""
    view = memoryview(data)
    while view:
        view = view[os.write(2 if kind is Kind.ERR else 1, view) :]
