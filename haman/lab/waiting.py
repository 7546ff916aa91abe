"""Waiting for what should come true: a condition asked again and again until a deadline, never a mere pause."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING, TypeVar

from haman.errors import LabError

if TYPE_CHECKING:
    from collections.abc import Callable

T = TypeVar("T")
EVERY = 0.02


def happens(condition: Callable[[], T], within: float, every: float = EVERY) -> T:
    """The first true answer of `condition`, or its last false one after `within` seconds."""
    deadline = time.monotonic() + within
    while True:
        answer = condition()
        if answer or time.monotonic() >= deadline:
            return answer
        time.sleep(every)


def until(what: str, condition: Callable[[], T], within: float, every: float = EVERY) -> T:
    """As `happens`, for what a drill cannot go on without. Errors: LabError naming `what`."""
    answer = happens(condition, within, every)
    if not answer:
        raise LabError(f"waited {within:g} s in vain: {what}")
    return answer
