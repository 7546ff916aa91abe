"""Throw inputs at targets and count them; the first finding ends it, with all it takes to see it again."""

from __future__ import annotations

import os
import random
import signal
import time
from dataclasses import dataclass
from typing import TYPE_CHECKING, NoReturn

from tests.fuzz.mutate import mutated

if TYPE_CHECKING:
    from tests.fuzz.targets import Target

_BETWEEN = 256
"""Inputs between two looks at the clock."""


@dataclass(frozen=True)
class Count:
    """Inputs, and how many of them haman took."""

    inputs: int
    taken: int


class Finding(AssertionError):
    """An input that raises, or that two readings read differently."""


def fresh() -> int:
    """A seed that nobody had before."""
    return int.from_bytes(os.urandom(6), "big")


def _endless(*_: object) -> NoReturn:
    raise TimeoutError("does not come to an end")


def judge(target: Target, data: bytes) -> bool:
    """Whether haman took it. Raises Finding."""
    try:
        taken = target.read(data)
    except Exception as error:
        raise Finding(f"{target.name}: raises {error!r}: {data.hex()}") from error
    if taken is None:
        return False
    again = target.again(data)
    if taken != again:
        raise Finding(f"{target.name}: read as {taken!r}, the second time as {again!r}: {data.hex()}")
    return True


def fuzz(target: Target, number: int, *, inputs: int, seconds: float, patience: float = 10.0) -> Count:
    """So many inputs, or as many as `seconds` allow; the same seed (number) gives the same inputs. patience: seconds of
    the processor's time for one input. Main thread only: that time is told by a signal."""
    signal.signal(signal.SIGVTALRM, _endless)
    try:
        return _fuzz(target, number, inputs, seconds, patience)
    finally:
        signal.setitimer(signal.ITIMER_VIRTUAL, 0.0)
        signal.signal(signal.SIGVTALRM, signal.SIG_DFL)


def _fuzz(target: Target, number: int, inputs: int, seconds: float, patience: float) -> Count:
    chance = random.Random(f"{target.name} {number}")
    end = time.monotonic() + seconds
    count = taken = 0
    while count < inputs and (count % _BETWEEN or time.monotonic() < end):
        data = mutated(chance, target.vectors)
        if chance.random() < 0.5:
            data = target.repair(chance, data)
        signal.setitimer(signal.ITIMER_VIRTUAL, patience)
        try:
            taken += judge(target, data)
        except Finding as finding:
            raise Finding(f"HAMAN_FUZZ_SEED={number}, input {count}: {finding}") from finding.__cause__
        count += 1
    return Count(count, taken)
