"""Signals that ask us to end made to unwind, so that whoever started a machine or a build also ends it.

Python runs a signal's handler between any two steps of the main thread; `held` makes a pair of steps one.
"""

from __future__ import annotations

import contextlib
import signal
import threading
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from collections.abc import Iterator

_ENDING: Final = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)


class _Gate:
    """What the handler knows: whether it may raise now, and what it could not raise yet."""

    def __init__(self) -> None:
        self.depth = 0
        self.waiting: int | None = None

    def arrived(self, number: int, _frame: object = None) -> None:
        if self.depth:
            self.waiting = number
        elif number == signal.SIGINT:
            raise KeyboardInterrupt
        else:
            raise SystemExit(128 + number)


_gate = _Gate()


@contextlib.contextmanager
def unwinding() -> Iterator[None]:
    """While inside, SIGTERM and SIGHUP raise SystemExit(128 + number), SIGINT KeyboardInterrupt as ever.

    Does nothing outside the main thread, whose owner owns the signals.
    """
    try:
        before = {number: signal.signal(number, _gate.arrived) for number in _ENDING}
    except ValueError:
        yield
        return
    try:
        yield
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)


@contextlib.contextmanager
def held() -> Iterator[None]:
    """A signal that comes while inside raises at the end of the block: for a step and the note that it was done."""
    if threading.current_thread() is not threading.main_thread():
        yield
        return
    _gate.depth += 1
    try:
        yield
    finally:
        _gate.depth -= 1
        if not _gate.depth and (number := _gate.waiting) is not None:
            _gate.waiting = None
            _gate.arrived(number)
