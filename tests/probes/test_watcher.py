from __future__ import annotations

import asyncio
import os
import select
import socket
import time
from typing import TYPE_CHECKING

import pytest

from haman.probes import watcher as module
from haman.probes.watcher import READABLE, WRITABLE, Watcher

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator


@pytest.fixture
def pair() -> Iterator[tuple[socket.socket, socket.socket]]:
    one, other = socket.socketpair()
    with one, other:
        one.setblocking(False)
        yield one, other


def in_loop(scenario: Callable[[Watcher], object]) -> None:
    """Run `scenario`, a coroutine function, with a watcher of its own."""

    async def run() -> None:
        watcher = Watcher(asyncio.get_running_loop())
        try:
            await scenario(watcher)  # type: ignore[misc]
        finally:
            watcher.close()
            watcher.close()

    asyncio.run(run())


async def turns(count: int = 5) -> None:
    """Let the loop notice what is there."""
    for _ in range(count):
        await asyncio.sleep(0)


def test_a_wait_is_called_once_and_may_be_renewed(pair: tuple[socket.socket, socket.socket]) -> None:
    one, other = pair
    seen: list[int] = []

    async def scenario(watcher: Watcher) -> None:
        watcher.wait(one.fileno(), WRITABLE, seen.append)
        await turns()
        assert seen == [WRITABLE]
        watcher.wait(one.fileno(), READABLE, seen.append)
        await turns()
        assert seen == [WRITABLE]
        other.send(b"x")
        await turns()
        assert seen == [WRITABLE, READABLE]
        other.send(b"y")
        await turns()
        assert seen == [WRITABLE, READABLE], "nobody waits any more"
        watcher.forget(one.fileno(), waiting=False)

    in_loop(scenario)


def test_who_is_forgotten_by_another_of_the_same_batch_is_not_called() -> None:
    pairs = [socket.socketpair() for _ in range(2)]
    ends = [one for one, _ in pairs]
    seen: list[int] = []

    async def scenario(watcher: Watcher) -> None:
        def call(which: int) -> None:
            seen.append(which)
            watcher.forget(ends[1 - which].fileno(), waiting=False)

        for which, end in enumerate(ends):
            watcher.wait(end.fileno(), WRITABLE, lambda _, which=which: call(which))  # type: ignore[misc]
        await turns()
        assert len(seen) == 1

    in_loop(scenario)
    for one, other in pairs:
        one.close()
        other.close()


def test_a_copy_of_a_closed_socket_in_a_child_wakes_nobody(pair: tuple[socket.socket, socket.socket]) -> None:
    """A program that is being started holds copies of all descriptors for a moment. The next socket gets the number,
    and what happens to the old one must not be taken for its own."""
    one, other = pair
    number = one.fileno()
    seen: list[int] = []

    async def scenario(watcher: Watcher) -> None:
        watcher.wait(number, WRITABLE, lambda _: None)
        await turns()
        copy = os.dup(number)
        watcher.forget(number, waiting=False)
        one.close()
        successor, peer = socket.socketpair()
        with successor, peer:
            assert successor.fileno() == number
            watcher.wait(number, READABLE, seen.append)
            other.send(b"for the old one")
            await turns()
            assert not seen
            watcher.forget(number, waiting=True)
        os.close(copy)

    in_loop(scenario)


def test_a_broken_socket_is_reported_whatever_was_waited_for() -> None:
    seen: list[int] = []

    async def scenario(watcher: Watcher) -> None:
        reader, writer = os.pipe()
        os.close(reader)
        watcher.wait(writer, READABLE, seen.append)
        await turns()
        os.close(writer)

    in_loop(scenario)
    assert seen == [select.EPOLLERR]


def test_many_ready_sockets_leave_the_loop_free() -> None:
    pairs = [socket.socketpair() for _ in range(150)]
    handled: list[int] = []
    bursts: list[int] = []

    async def scenario(watcher: Watcher) -> None:
        for one, _ in pairs:
            watcher.wait(one.fileno(), WRITABLE, handled.append)
        while len(handled) < 150:
            before = len(handled)
            await asyncio.sleep(0)
            bursts.append(len(handled) - before)

    in_loop(scenario)
    for one, other in pairs:
        one.close()
        other.close()
    assert max(bursts) == 64


def test_deadlines_come_in_their_order_and_cancelled_ones_not() -> None:
    seen: list[str] = []

    async def scenario(watcher: Watcher) -> None:
        now = watcher.look()
        ended = asyncio.get_running_loop().create_future()
        watcher.at(now + 0.03, lambda: (seen.append("second"), ended.set_result(None)))  # type: ignore[arg-type,return-value]
        cancelled = watcher.at(now + 0.01, lambda: seen.append("never"))
        watcher.at(now + 0.02, lambda: seen.append(f"first at {watcher.now >= now + 0.02}"))
        watcher.cancel(cancelled)
        watcher.cancel(cancelled)
        await asyncio.wait_for(ended, 5)

    in_loop(scenario)
    assert seen == ["first at True", "second"]


def test_a_deadline_set_by_a_deadline_is_met() -> None:
    seen: list[float] = []

    async def scenario(watcher: Watcher) -> None:
        ended = asyncio.get_running_loop().create_future()

        def again() -> None:
            seen.append(watcher.now)
            if len(seen) == 3:
                ended.set_result(None)
            else:
                watcher.at(watcher.now + 0.01, again)

        watcher.at(watcher.look() + 0.01, again)
        await asyncio.wait_for(ended, 5)

    in_loop(scenario)
    assert seen == sorted(seen)


def test_cancelled_deadlines_far_ahead_do_not_pile_up(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "CLEAR", 10)

    async def scenario(watcher: Watcher) -> None:
        kept = watcher.at(watcher.look() + 600, lambda: None)
        for _ in range(1000):
            watcher.cancel(watcher.at(watcher.now + 500, lambda: None))
        assert len(watcher._deadlines) < 30
        assert any(entry[2] is kept for entry in watcher._deadlines)

    in_loop(scenario)


def test_all_that_is_ready_together_has_one_time(pair: tuple[socket.socket, socket.socket]) -> None:
    times: list[float] = []

    async def scenario(watcher: Watcher) -> None:
        for end in pair:
            watcher.wait(end.fileno(), WRITABLE, lambda _: (times.append(watcher.now), time.sleep(0.01)))  # type: ignore[arg-type,return-value]
        await turns()

    in_loop(scenario)
    assert len(times) == 2
    assert times[0] == times[1]
