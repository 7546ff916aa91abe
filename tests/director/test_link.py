from __future__ import annotations

import asyncio
import time
from typing import TYPE_CHECKING

import pytest

from haman.director.link import Link
from haman.model.elector import Configure, ElectorConfig, Heartbeat, Readiness, RouterConfig, Stopping
from tests.director.support import Elector, cluster, stall

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable

    from haman.model.elector import Message


def run(scenario: Callable[[Elector, Link, list[Message]], Awaitable[None]]) -> None:
    async def inside() -> None:
        elector = Elector()
        got: list[Message] = []
        link = Link(asyncio.get_running_loop(), elector.theirs, got.append)
        try:
            async with asyncio.timeout(60):
                await scenario(elector, link, got)
        finally:
            link.close()
            elector.close()

    asyncio.run(inside())


def test_messages_go_both_ways() -> None:
    async def scenario(elector: Elector, link: Link, got: list[Message]) -> None:
        readiness = Readiness(generation=3, waiting={"public": "not yet"})
        link.send(readiness)
        assert elector.receive() == [readiness]
        elector.beat(1.0)
        elector.send(Stopping())
        while not got:
            await asyncio.sleep(0.001)
        assert got == [Stopping()], "heartbeats are the link's own business"
        assert not link.lost.done()

    run(scenario)


def test_a_message_larger_than_the_socket_takes_arrives_whole() -> None:
    async def scenario(elector: Elector, link: Link, got: list[Message]) -> None:
        vips = cluster().routers["public"].addresses * 2_500
        router = RouterConfig(
            name="public", vrid=1, priority=1, interface="eth0", source=cluster().directors["lb1"].address,
            advert_interval=1.0, addresses=vips,
        )  # fmt: skip
        sent = Configure(config=ElectorConfig(generation=1, node="lb1", routers=(router,)))
        link.send(sent)
        link.send(Heartbeat(sent=1.0, patience=2.0))
        received: list[Message] = []
        while len(received) < 2:
            received += await asyncio.to_thread(elector.receive)
        assert received == [sent, Heartbeat(sent=1.0, patience=2.0)]

    run(scenario)


def test_eof_ends_it_at_once_after_the_last_words() -> None:
    async def scenario(elector: Elector, link: Link, got: list[Message]) -> None:
        elector.send(Stopping())
        elector.close()
        assert await link.lost == "the elector ended without a word"
        assert got == [Stopping()]

    run(scenario)


def test_garbage_ends_it() -> None:
    async def scenario(elector: Elector, link: Link, got: list[Message]) -> None:
        elector.socket.sendall(b"\x00\x00\x00\x02{}")
        assert "unreadable message" in await link.lost

    run(scenario)


def test_silence_ends_it_after_the_announced_patience() -> None:
    async def scenario(elector: Elector, link: Link, got: list[Message]) -> None:
        begun = time.monotonic()
        elector.beat(0.3)
        why = await link.lost
        assert why.startswith("the elector was silent for 0.")
        assert why.endswith("its patience is 0.3 s")
        assert 0.3 <= time.monotonic() - begun < 1.0

    run(scenario)


def test_heartbeats_keep_it_alive_and_a_longer_patience_counts() -> None:
    async def scenario(elector: Elector, link: Link, got: list[Message]) -> None:
        for _ in range(8):
            elector.beat(0.2)
            await asyncio.sleep(0.05)
        elector.beat(5.0)
        await asyncio.sleep(0.4)
        assert not link.lost.done()
        assert 0.3 < link.heartbeat_age < 0.6

    run(scenario)


def test_a_heartbeat_that_lay_unread_counts_from_when_it_was_sent() -> None:
    async def scenario(elector: Elector, link: Link, got: list[Message]) -> None:
        elector.beat(0.4, ago=0.3)
        begun = time.monotonic()
        link._heard = 0.0  # nothing was heard before
        await link.lost
        assert time.monotonic() - begun < 0.35

    run(scenario)


def test_after_our_own_stall_the_inbox_is_read_first() -> None:
    """The elector went on sending while this loop was stalled for longer than its patience."""

    async def scenario(elector: Elector, link: Link, got: list[Message]) -> None:
        elector.beat(0.2)
        await asyncio.sleep(0.05)
        for _ in range(4):
            stall(0.1)
            elector.beat(0.2)
        await asyncio.sleep(0.1)
        assert not link.lost.done()

    run(scenario)


def test_silence_is_believed_only_after_reading_once_more() -> None:
    async def scenario(elector: Elector, link: Link, got: list[Message]) -> None:
        elector.beat(0.2)
        await asyncio.sleep(0.05)
        link._granted = link._heard  # no grace is left
        stall(0.3)
        elector.beat(0.2)
        link._silent()
        assert not link.lost.done()

    run(scenario)


def test_after_a_common_freeze_the_elector_gets_one_more_period_and_only_one() -> None:
    async def scenario(elector: Elector, link: Link, got: list[Message]) -> None:
        elector.beat(0.2)
        await asyncio.sleep(0.05)
        stall(0.5)
        await asyncio.sleep(0.1)
        assert not link.lost.done(), "0.5 s of silence, but we were frozen ourselves"
        stall(0.5)
        await asyncio.sleep(0)
        await asyncio.sleep(0)
        assert link.lost.done(), "the same silence is not excused twice"

    run(scenario)


def test_the_loops_timer_alone_is_no_stall() -> None:
    async def scenario(elector: Elector, link: Link, got: list[Message]) -> None:
        elector.beat(1.0)
        await asyncio.sleep(0.85)
        stall(0.3)  # fires 150 ms late: less than half the patience
        await asyncio.sleep(0)
        await asyncio.sleep(0)
        assert link.lost.done()

    run(scenario)


@pytest.mark.parametrize("closing", [True, False])
def test_sending_after_the_end_is_harmless(closing: bool) -> None:
    async def scenario(elector: Elector, link: Link, got: list[Message]) -> None:
        if closing:
            link.close()
        else:
            elector.close()
            await link.lost
        link.send(Heartbeat(sent=1.0, patience=2.0))
        link.close()

    run(scenario)
