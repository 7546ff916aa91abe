from __future__ import annotations

import asyncio
import socket
import time
from typing import TYPE_CHECKING

import aiohttp

from haman.model.cluster import Listen, Target
from haman.observe import web
from tests.observe.support import figures

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable

    import pytest


def free_port() -> int:
    with socket.create_server(("127.0.0.1", 0)) as listener:
        return int(listener.getsockname()[1])


def source(live: str | None = None, waiting: dict[str, str] | None = None) -> web.Source:
    return web.Source(figures=figures, live=lambda: live, ready=lambda: waiting or {})


async def with_server(
    of: web.Source, port: int, scenario: Callable[[aiohttp.ClientSession, str], Awaitable[None]]
) -> None:
    async with asyncio.TaskGroup() as tasks:
        serving = tasks.create_task(web.serve(Listen(host="127.0.0.1", port=port), of))
        base = f"http://127.0.0.1:{port}"
        async with aiohttp.ClientSession() as session:
            async with asyncio.timeout(10):
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
    many = figures(servers=tuple((Target(f"s{n}", "rs", 80), True, 1) for n in range(5000)))

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

    of = web.Source(figures=lambda: many, live=lambda: None, ready=dict)
    asyncio.run(with_server(of, free_port(), scenario))
