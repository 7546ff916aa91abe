"""One speaks, many listen, nobody is waited for: each follower has a bounded buffer, and is told what it missed."""

from __future__ import annotations

import asyncio
from collections import deque
from typing import TYPE_CHECKING, Generic, Self, TypeVar

if TYPE_CHECKING:
    from types import TracebackType

T = TypeVar("T")

BUFFER = 1000
"""Entries that wait for one follower; older ones are dropped and counted."""


class Feed(Generic[T]):
    def __init__(self) -> None:
        self._followers: set[Follower[T]] = set()

    def publish(self, item: T) -> None:
        for follower in self._followers:
            follower._take(item)

    def follow(self) -> Follower[T]:
        """From now on, for as long as the block of this context manager lasts."""
        return Follower(self._followers)


class Follower(Generic[T]):
    def __init__(self, followers: set[Follower[T]]) -> None:
        self._followers = followers
        self._waiting: deque[T] = deque()
        self._lost = 0
        self._news = asyncio.Event()

    def __enter__(self) -> Self:
        self._followers.add(self)
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._followers.discard(self)

    async def next(self) -> tuple[int, list[T]]:
        """How many were lost BEFORE what follows, and everything that waits: at least one."""
        while not self._waiting:
            self._news.clear()
            await self._news.wait()
        lost, waiting = self._lost, list(self._waiting)
        self._lost = 0
        self._waiting.clear()
        return lost, waiting

    def _take(self, item: T) -> None:
        if len(self._waiting) >= BUFFER:
            self._waiting.popleft()
            self._lost += 1
        self._waiting.append(item)
        self._news.set()
