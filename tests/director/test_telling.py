"""History and events over a real control socket, with readers of every manner."""

from __future__ import annotations

import asyncio
import json
import time
from typing import TYPE_CHECKING, Any

import pytest

from haman import paths
from haman.director import control, telling
from haman.director.ask import ask, follow
from haman.director.control import Control
from haman.observe import feed
from haman.observe.history import History
from tests.director.support import change, cluster
from tests.director.test_control import connect

if TYPE_CHECKING:
    import socket
    from collections.abc import Awaitable, Callable
    from pathlib import Path


@pytest.fixture(autouse=True)
def run_directory(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HAMAN_RUN_DIR", str(tmp_path / "run"))


def serving(scenario: Callable[[History], Awaitable[None]], history: History | None = None) -> None:
    told = history or History()
    of = cluster()

    async def inside() -> None:
        serves = Control(
            paths.control_socket(),
            {"history": lambda asked: telling.history(asked, told, of, "lb1")},
            {"events": lambda asked: telling.events(asked, told)},
        )
        async with asyncio.TaskGroup() as tasks:
            server = tasks.create_task(serves.run())
            while not paths.control_socket().exists():
                await asyncio.sleep(0.001)
            async with asyncio.timeout(60):
                await scenario(told)
            server.cancel()

    asyncio.run(inside())


def reader(client: socket.socket, **details: Any) -> Any:
    """Asks for events; gives the lines as JSON values."""
    client.sendall(json.dumps({"v": 1, "ask": "events", **details}).encode() + b"\n")
    return (json.loads(line) for line in client.makefile("rb"))


def test_history_by_object_time_and_count() -> None:
    async def scenario(told: History) -> None:
        told.record(change("standby", "active"))
        told.record(change("up", "down", "web/rs1:80"))
        middle = time.time()
        told.record(change("down", "up", "web/rs1:80"))

        async def who(**details: Any) -> list[int]:
            answer = await asyncio.to_thread(ask, "history", **details)
            assert "meant" not in answer
            return [each["number"] for each in answer["entries"]]

        assert await who() == [1, 2, 3]
        assert await who(last=1) == [3]
        assert await who(object="rs1") == [2, 3]
        assert await who(object="web", since=middle) == [3]
        assert await who(object="rs2") == [], "known, and nothing happened to it"
        assert (await asyncio.to_thread(ask, "history", object="publik"))["meant"] == "public"
        assert (await asyncio.to_thread(ask, "history", object="zzz"))["meant"] is None
        assert (await asyncio.to_thread(ask, "history", object="drfit"))["meant"] == "drift"
        for quiet in ("drift", "hook", "lb2", "rs1"):
            assert "meant" not in await asyncio.to_thread(ask, "history", object=quiet), quiet
        assert await who(last="many", since="long ago", object=7) == [1, 2, 3], "nonsense is passed over"

    serving(scenario)


def test_a_follower_gets_the_past_it_asked_for_and_all_that_comes() -> None:
    async def scenario(told: History) -> None:
        for number in range(5):
            told.record(change("standby", str(number)))
        with connect() as client:
            lines = reader(client, last=2)
            seen = [await asyncio.to_thread(next, lines) for _ in range(3)]
            told.record(change("standby", "5"))
            told.record(change("up", "down", "web/rs1:80"))
            seen += [await asyncio.to_thread(next, lines) for _ in range(2)]
        assert seen[0] == {"v": 1, "answer": {"number": 5}}
        assert [each["event"]["after"] for each in seen[1:]] == ["3", "4", "5", "down"]

    serving(scenario)


def test_who_comes_back_gets_what_it_missed_and_is_told_of_what_is_gone() -> None:
    async def scenario(told: History) -> None:
        for number in range(1, 10):
            told.record(change("standby", str(number)))
        with connect() as client:
            lines = reader(client, after=2)
            seen = [await asyncio.to_thread(next, lines) for _ in range(5)]
        assert seen[1] == {"gap": 4}, "3 to 6 are no longer there"
        assert [each["event"]["number"] for each in seen[2:]] == [7, 8, 9]

    serving(scenario, History(length=3))


def test_a_reader_that_stands_still_holds_nobody_up(monkeypatch: pytest.MonkeyPatch) -> None:
    """Tens of thousands of events for one that reads none of them: recorded at full speed, and a gap is said."""
    monkeypatch.setattr(feed, "BUFFER", 50)

    async def scenario(told: History) -> None:
        with connect() as client:
            lines = reader(client)
            assert (await asyncio.to_thread(next, lines))["answer"]["number"] == 0
            begun = time.monotonic()
            for _ in range(200):
                for _ in range(100):
                    told.record(change("standby", "active"))
                await asyncio.sleep(0)
            assert time.monotonic() - begun < 5
            assert (await asyncio.to_thread(ask, "history", last=1))["number"] == 20000
            seen = gaps = 0
            while seen + gaps < 20000:
                line = await asyncio.to_thread(next, lines)
                seen += "event" in line
                gaps += line.get("gap", 0)
            assert gaps > 1000
            assert line["event"]["number"] == 20000

    serving(scenario)


def test_one_that_never_reads_is_let_go(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(control, "STALLED", 0.3)

    async def scenario(told: History) -> None:
        with connect() as client:
            client.sendall(b'{"v": 1, "ask": "events"}\n')
            while not told.feed._followers:
                await asyncio.sleep(0.01)
            while told.feed._followers:
                for _ in range(100):
                    told.record(change("standby", "active"))
                await asyncio.sleep(0.01)

    serving(scenario)


def test_followers_are_few_and_leave_room_for_questions() -> None:
    async def scenario(told: History) -> None:
        clients = [connect() for _ in range(control.FOLLOWERS)]
        for client in clients:
            await asyncio.to_thread(next, reader(client))
        with connect() as one_more:
            answer = await asyncio.to_thread(next, reader(one_more))
            assert answer["error"] == "8 clients follow events already: end one of them"
        assert (await asyncio.to_thread(ask, "history"))["number"] == 0
        clients[0].close()
        while len(told.feed._followers) == control.FOLLOWERS:
            await asyncio.sleep(0.01)
        with connect() as one_more:
            assert "answer" in await asyncio.to_thread(next, reader(one_more))
        for client in clients:
            client.close()

    serving(scenario)


def test_the_client_of_the_command_line() -> None:
    async def scenario(told: History) -> None:
        told.record(change("standby", "active"))
        stream = follow("events", last=1)
        assert await asyncio.to_thread(next, stream) == {"number": 1}
        assert (await asyncio.to_thread(next, stream))["event"]["after"] == "active"
        stream.close()  # type: ignore[attr-defined]
        while told.feed._followers:
            await asyncio.sleep(0.01)

    serving(scenario)
