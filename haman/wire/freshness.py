"""Sequence numbers that are made of the clock, and how a receiver tells a message from its repetition.

64 bits: seconds since 1970 modulo 2^32, 16 bits of a fraction, 16 bits that count within it
(draft-cassen-vrrp-auth-hmac; order by RFC 1982). A sender needs no memory across restarts, and a receiver none of
what is older than its window. Wall-clock seconds come as arguments.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Hashable

_RANGE = 1 << 64
_HALF = 1 << 63
_SECONDS = 1 << 32

SENDERS = 256
"""Senders that are remembered. Only who has a key can become one, so nobody else drives another out."""


def of_clock(wall: float) -> int:
    """The smallest number of this moment."""
    seconds = int(wall)
    return (seconds % _SECONDS) << 32 | int((wall - seconds) * 65536) << 16


def skew(sequence: int, wall: float) -> int:
    """Whole seconds by which our clock is ahead of the number's."""
    ahead = (int(wall) - (sequence >> 32)) % _SECONDS
    return ahead if ahead < _SECONDS // 2 else ahead - _SECONDS


def _after(one: int, other: int) -> bool:
    return 0 < (one - other) % _RANGE < _HALF


class Sequence:
    """A sender's numbers."""

    def __init__(self) -> None:
        self._last: int | None = None

    def next(self, wall: float, window: float | None) -> int:
        """Always a later one; unless the clock was set back by more than `window`: what is ahead of everybody's clock
        would be refused by everybody, so it begins again where the clock is."""
        clock, last = of_clock(wall), self._last
        stranded = last is not None and window is not None and -skew(last, wall) > window
        self._last = clock if last is None or stranded or _after(clock, last) else (last + 1) % _RANGE
        return self._last


class Marks:
    """By sender, the latest number believed."""

    def __init__(self) -> None:
        self._latest: dict[Hashable, int] = {}

    def take(self, sender: Hashable, sequence: int, wall: float, window: float | None) -> bool:
        """False for a number that is not later than the sender's last. To be asked only about what its signature has
        shown to be the sender's, and what is within the window: a mark outside of it forbids nothing, so that a
        sender whose clock was set right is heard again."""
        latest = self._latest.get(sender)
        expired = latest is not None and window is not None and abs(skew(latest, wall)) > window
        if latest is not None and not expired and not _after(sequence, latest):
            return False
        self._latest.pop(sender, None)
        self._latest[sender] = sequence
        if len(self._latest) > SENDERS:
            del self._latest[next(iter(self._latest))]
        return True
