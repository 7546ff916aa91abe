"""SIGTERM and SIGHUP made to unwind like Ctrl-C, so that whoever started a machine or a build also ends it."""

from __future__ import annotations

import contextlib
import signal
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterator


@contextlib.contextmanager
def unwinding() -> Iterator[None]:
    """While inside, SIGTERM and SIGHUP raise SystemExit(128 + number). Does nothing outside the main thread, whose
    owner owns the signals."""

    def leave(number: int, _frame: object) -> None:
        raise SystemExit(128 + number)

    try:
        before = {number: signal.signal(number, leave) for number in (signal.SIGTERM, signal.SIGHUP)}
    except ValueError:
        yield
        return
    try:
        yield
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)
