"""A program on a host of the kept cluster as if it ran here: input, output, signals, and the terminal if any."""

from __future__ import annotations

import contextlib
import json
import os
import signal
import sys
import termios
import threading
import tty
from typing import TYPE_CHECKING, Any

from haman.lab.box.client import Call, write
from haman.lab.box.frames import PIECE, WINDOW, Kind

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

PASSED = (signal.SIGINT, signal.SIGQUIT)
"""What ends us otherwise ends the program too: it is hung up on."""


class _Feeding(Call):
    """A call whose input is ours."""

    def __init__(self, question: dict[str, Any]) -> None:
        self._changed = threading.Condition()
        self._untaken = 0
        super().__init__(question, data=write)

    def taken(self, size: int) -> None:
        with self._changed:
            self._untaken -= size
            self._changed.notify_all()

    def feed(self) -> None:
        """Standard input to its end, at the pace of who reads it."""
        while True:
            try:
                data = os.read(0, PIECE)
            except OSError:
                data = b""
            with self._changed:
                self._changed.wait_for(lambda: self._untaken <= WINDOW - PIECE)
                self._untaken += len(data)
            self.send(Kind.IN, data)
            if not data:
                return


def run(host: str, argv: Sequence[str]) -> int:
    """The program's exit status. With a terminal on both ends it gets one. Errors: NoLab, LabError."""
    terminal = os.isatty(0) and os.isatty(1)
    question: dict[str, Any] = {"ask": "run", "host": host, "argv": list(argv)}
    if terminal:
        question["terminal"] = {**_size(), "term": os.environ.get("TERM", "dumb")}
    with _Feeding(question) as call, _raw() if terminal else _passing(call):
        if terminal:
            signal.signal(signal.SIGWINCH, lambda *_: call.send(Kind.SIZE, _json(_size())))
        threading.Thread(target=call.feed, daemon=True).start()
        return int(call.answer()["status"])


def _size() -> dict[str, int]:
    size = os.get_terminal_size(1)
    return {"rows": size.lines, "columns": size.columns}


def _json(value: object) -> bytes:
    return json.dumps(value).encode()


@contextlib.contextmanager
def _raw() -> Iterator[None]:
    """Every key goes to the program, Ctrl-C too."""
    before = termios.tcgetattr(0)
    tty.setraw(0)
    try:
        yield
    finally:
        termios.tcsetattr(0, termios.TCSADRAIN, before)
        sys.stdout.flush()


@contextlib.contextmanager
def _passing(call: Call) -> Iterator[None]:
    """Ctrl-C goes to the program; the second one is for us, in case that it does not heed it."""
    before: dict[int, Any] = {}

    def arrived(number: int, _frame: object) -> None:
        call.send(Kind.SIGNAL, _json(int(number)))
        signal.signal(number, before[number])

    for each in PASSED:
        before[each] = signal.signal(each, arrived)
    try:
        yield
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)
