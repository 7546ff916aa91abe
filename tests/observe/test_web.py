from __future__ import annotations

import asyncio
import errno
import socket
import threading
import time
from typing import TYPE_CHECKING

import aiohttp

from haman.model.cluster import Listen
from haman.model.services import Target
from haman.observe import web
from haman.observe.figures import ServerFigures
from haman.observe.listening import Listening
from tests.observe.support import figures

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable

    import pytest

    from haman.observe.figures import Figures


def free_port() -> int:
    with socket.create_server(("127.0.0.1", 0)) as listener:
        return int(listener.getsockname()[1])


async def taken() -> Figures:
    return figures()


def source(live: str | None = None, waiting: dict[str, str] | None = None) -> web.Source:
    return web.Source(figures=taken, live=lambda: live, ready=lambda: waiting or {})


async def with_server(
    of: web.Source, port: int, scenario: Callable[[aiohttp.ClientSession, str], Awaitable[None]]
) -> None:
    async with asyncio.TaskGroup() as tasks:
        serving = tasks.create_task(web.serve(Listening(Listen(host="127.0.0.1", port=port)), of))
        base = f"http://127.0.0.1:{port}"
        async with aiohttp.ClientSession() as session:
            async with asyncio.timeout(60):
                while True:
                    try:
                        async with session.get(base + "/live"):
                            break
                    except aiohttp.ClientConnectorError:
                        await asyncio.sleep(0.01)
            await scenario(session, base)
        serving.cancel()


async def fetch(session: aiohttp.ClientSession, url: str) -> tuple[int, str]:
    async with session.get(url) as answer:
        return answer.status, await answer.text()


def test_the_three_pages() -> None:
    async def scenario(session: aiohttp.ClientSession, base: str) -> None:
        async with session.get(base + "/metrics") as answer:
            assert answer.headers["Content-Type"] == "text/plain; version=0.0.4; charset=utf-8"
            assert 'haman_router_role{role="active",router="public"} 1.0' in await answer.text()
        assert "keepalived_up 1.0" in (await fetch(session, base + "/metrics/keepalived"))[1]
        assert await fetch(session, base + "/live") == (200, "live\n")
        assert await fetch(session, base + "/ready") == (200, "ready\n")
        assert (await fetch(session, base + "/"))[0] == 404
        async with session.post(base + "/metrics") as answer:
            assert answer.status == 405

    asyncio.run(with_server(source(), free_port(), scenario))


def test_why_it_is_not_live_and_not_ready() -> None:
    async def scenario(session: aiohttp.ClientSession, base: str) -> None:
        assert await fetch(session, base + "/live") == (503, "the elector is silent\n")
        assert await fetch(session, base + "/ready") == (503, "public: the table is not loaded yet\n")

    of = source(live="the elector is silent", waiting={"public": "the table is not loaded yet"})
    asyncio.run(with_server(of, free_port(), scenario))


def test_who_connects_and_says_nothing_takes_no_descriptors() -> None:
    async def scenario(session: aiohttp.ClientSession, base: str) -> None:
        address = base.removeprefix("http://").split(":")
        clients = []
        for _ in range(5 * web.CONNECTIONS):
            clients.append(await asyncio.open_connection(address[0], int(address[1])))
        try:
            assert (await fetch(session, base + "/live"))[0] == 200
            await asyncio.sleep(0.1)
            held = [reader for reader, _ in clients if reader.exception() is None and not reader.at_eof()]
            assert len(held) <= web.CONNECTIONS
        finally:
            for _, writer in clients:
                writer.close()

    asyncio.run(with_server(source(), free_port(), scenario))


def test_nothing_is_made_for_those_who_have_left(monkeypatch: pytest.MonkeyPatch) -> None:
    made = []
    may_end = threading.Event()

    def render(_: Figures) -> bytes:
        made.append(1)
        assert may_end.wait(60)
        return b"page"

    monkeypatch.setattr(web.metrics, "render", render)

    async def scenario(session: aiohttp.ClientSession, base: str) -> None:
        address = base.removeprefix("http://").split(":")
        for _ in range(50):
            _, writer = await asyncio.open_connection(address[0], int(address[1]))
            writer.write(b"GET /metrics HTTP/1.1\r\nHost: lb1\r\n\r\n")
            await asyncio.sleep(0.002)
            writer.transport.abort()
        may_end.set()
        assert await fetch(session, base + "/metrics") == (200, "page")
        assert len(made) <= 2

    asyncio.run(with_server(source(), free_port(), scenario))


def test_an_address_in_use_is_tried_again(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(web, "RETRY", 0.05)

    async def scenario(session: aiohttp.ClientSession, base: str) -> None:
        assert (await fetch(session, base + "/live"))[0] == 200

    async def run() -> None:
        blocker = socket.create_server(("127.0.0.1", 0))
        asyncio.get_running_loop().call_later(0.3, blocker.close)
        await with_server(source(), blocker.getsockname()[1], scenario)

    asyncio.run(run())


def test_rendering_many_servers_leaves_the_loop_free() -> None:
    """5,000 servers take some 100 ms to render; another callback of the loop waits far less."""
    servers = tuple(ServerFigures(Target(f"s{n}", "rs", 80), True, 1, "connected") for n in range(5000))
    many = figures(servers=servers)

    async def given() -> Figures:
        return many

    async def scenario(session: aiohttp.ClientSession, base: str) -> None:
        worst = took = 0.0
        async with asyncio.TaskGroup() as tasks:
            begun = time.monotonic()
            request = tasks.create_task(fetch(session, base + "/metrics"))
            while not request.done():
                before = time.monotonic()
                await asyncio.sleep(0.001)
                worst = max(worst, time.monotonic() - before)
            took = time.monotonic() - begun
        assert len(request.result()[1]) > 500_000
        assert worst < max(0.05, took / 2), f"the loop was held {worst:.3f} s of {took:.3f} s"

    of = web.Source(figures=given, live=lambda: None, ready=dict)
    asyncio.run(with_server(of, free_port(), scenario))


async def answers(session: aiohttp.ClientSession, host: str, port: int) -> bool:
    try:
        return (await fetch(session, f"http://{host}:{port}/live"))[0] == 200
    except aiohttp.ClientConnectorError:
        return False


async def until(condition: Callable[[], Awaitable[bool]]) -> None:
    async with asyncio.timeout(60):
        while not await condition():
            await asyncio.sleep(0.005)


def test_the_listener_moves_and_stays_where_it_is_while_it_cannot(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(web, "RETRY", 0.05)
    first, second = free_port(), free_port()
    listening = Listening(None)

    async def run() -> None:
        connector = aiohttp.TCPConnector(force_close=True)  # a connection of before would live on
        async with asyncio.TaskGroup() as tasks, aiohttp.ClientSession(connector=connector) as session:
            serving = tasks.create_task(web.serve(listening, source()))
            listening.want(Listen(host="127.0.0.1", port=first))
            await until(lambda: answers(session, "127.0.0.1", first))
            with socket.create_server(("127.0.0.1", second)):
                listening.want(Listen(host="127.0.0.1", port=second))
                await until(lambda: asyncio.sleep(0, listening.problem is not None))
                assert listening.problem == f"metrics.listen 127.0.0.1:{second}: Address already in use"
                assert await answers(session, "127.0.0.1", first)
            await until(lambda: answers(session, "127.0.0.1", second))
            assert listening.problem is None
            assert not await answers(session, "127.0.0.1", first)
            listening.want(Listen(host="0.0.0.0", port=second))  # its own old socket is in the way
            await until(lambda: answers(session, "127.0.0.2", second))
            listening.want(None)
            await until(lambda: answers_no_more(session, second))
            serving.cancel()

    async def answers_no_more(session: aiohttp.ClientSession, port: int) -> bool:
        return not await answers(session, "127.0.0.1", port)

    asyncio.run(run())


def test_nowhere_to_listen_any_more_is_a_problem_and_no_end(monkeypatch: pytest.MonkeyPatch) -> None:
    """Its old address has left the machine, and the new one is not there yet."""
    monkeypatch.setattr(web, "RETRY", 0.05)
    port = free_port()
    gone: list[str] = []
    start = web.web.TCPSite.start

    async def started(site: web.web.TCPSite) -> None:
        if site._host in gone:
            raise OSError(errno.EADDRNOTAVAIL, "Cannot assign requested address")
        await start(site)

    monkeypatch.setattr(web.web.TCPSite, "start", started)
    listening = Listening(Listen(host="127.0.0.1", port=port))

    async def run() -> None:
        connector = aiohttp.TCPConnector(force_close=True)
        async with asyncio.TaskGroup() as tasks, aiohttp.ClientSession(connector=connector) as session:
            serving = tasks.create_task(web.serve(listening, source()))
            await until(lambda: answers(session, "127.0.0.1", port))
            gone[:] = ["127.0.0.1", "127.0.0.2"]
            listening.want(Listen(host="127.0.0.2", port=port))
            await until(lambda: asyncio.sleep(0, listening.problem is not None))
            gone.clear()
            await until(lambda: answers(session, "127.0.0.2", port))
            assert listening.problem is None
            serving.cancel()

    asyncio.run(run())
