"""Who has been idle for too long: found without a timer for each, and without looking at all of them. Pure.

A member stands in the slot of the time at which it would be idle for too long if nothing moved any more. When that slot
comes, whoever has moved in the meantime is put into a later one. So what a byte costs is one assignment of a number.

Who has ended by itself is to be removed: with ten minutes of patience a thousand short sessions a second would be
600,000 that are kept for nothing.
"""

from __future__ import annotations

from typing import Generic, Protocol, TypeVar


class Member(Protocol):
    seen: float
    """When something moved last."""


M = TypeVar("M", bound=Member)


class Wheel(Generic[M]):
    """idle: seconds. slot: seconds that one may stay beyond them."""

    def __init__(self, idle: float, slot: float = 0.5) -> None:
        self.idle = idle
        self._slot = slot
        self._slots: dict[int, set[M]] = {}
        self._places: dict[M, int] = {}
        self._next = 0

    def add(self, member: M) -> None:
        number = self._number(member)
        if not self._slots or number < self._next:
            self._next = number
        self._put(member, number)

    def remove(self, member: M) -> None:
        """If it is one."""
        number = self._places.pop(member, None)
        if number is not None:
            slot = self._slots[number]
            slot.remove(member)
            if not slot:
                del self._slots[number]

    def due(self, now: float) -> list[M]:
        """Those that are idle for too long, each once. They are members no more."""
        found: list[M] = []
        last = int(now / self._slot)
        while self._slots and self._next < last:
            for member in self._slots.pop(self._next, ()):
                if now - member.seen >= self.idle:
                    del self._places[member]
                    found.append(member)
                else:
                    self._put(member, max(self._number(member), last))
            self._next += 1
        return found

    def retime(self, idle: float) -> None:
        """Another time for all of them from now on."""
        self.idle = idle
        members = [member for each in self._slots.values() for member in each]
        self._slots = {}
        for member in members:
            self.add(member)

    def __len__(self) -> int:
        return len(self._places)

    def _put(self, member: M, number: int) -> None:
        self._slots.setdefault(number, set()).add(member)
        self._places[member] = number

    def _number(self, member: M) -> int:
        return int((member.seen + self.idle) / self._slot)
