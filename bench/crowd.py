"""Thousands of clients at once, on one client's host: each is answered once, stays, and may be asked to speak again."""

from __future__ import annotations

import contextlib
import socket
import time
from typing import Final

from bench.load import BATCH, PATIENCE, REQUEST
from haman.errors import LabError


class Crowd:
    """Made on the host it asks from. opened: seconds until all of them were there and answered."""

    def __init__(self, address: str, port: int, kind: socket.SocketKind, count: int) -> None:
        self._opened: list[socket.socket] = []
        begun = time.perf_counter()
        try:
            for start in range(0, count, BATCH):
                some = [self._open(address, port, kind) for _ in range(min(BATCH, count - start))]
                _speak(some)
        except OSError as error:
            reached = len(self._opened)
            self.close()
            raise LabError(f"{address} port {port}, {kind.name}: client {reached} of {count}: {error}") from None
        self.opened = time.perf_counter() - begun

    def speak(self) -> float:
        """Everybody once more: seconds that it took. Errors: LabError for one that is not answered."""
        begun = time.perf_counter()
        try:
            for start in range(0, len(self._opened), BATCH):
                _speak(self._opened[start : start + BATCH])
        except OSError as error:
            raise LabError(f"of a crowd of {len(self._opened)}: {error}") from None
        return time.perf_counter() - begun

    def _open(self, address: str, port: int, kind: socket.SocketKind) -> socket.socket:
        made = socket.socket(socket.AF_INET, kind)
        self._opened.append(made)
        made.settimeout(PATIENCE)
        made.connect((address, port))
        return made

    def close(self) -> None:
        for each in self._opened:
            with contextlib.suppress(OSError):
                each.close()


def _speak(some: list[socket.socket]) -> None:
    for each in some:
        each.send(REQUEST)
    for each in some:
        if len(each.recv(len(REQUEST))) != len(REQUEST):
            raise OSError("half an answer")


class Pinger:
    """One client, one request after the other: seconds until each answer."""

    def __init__(self, address: str, port: int, kind: socket.SocketKind) -> None:
        self._socket = socket.socket(socket.AF_INET, kind)
        self._socket.settimeout(PATIENCE)
        self._socket.connect((address, port))
        if kind == socket.SOCK_STREAM:
            self._socket.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        self.seconds: list[float] = []

    def ask(self, seconds: float) -> None:
        """For about so long. Errors: LabError."""
        begun = now = time.perf_counter()
        some: Final = [self._socket]
        try:
            while now < begun + seconds:
                _speak(some)
                after = time.perf_counter()
                self.seconds.append(after - now)
                now = after
        except OSError as error:
            raise LabError(f"request {len(self.seconds)}: {error}") from None

    def close(self) -> None:
        self._socket.close()
