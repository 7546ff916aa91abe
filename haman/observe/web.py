"""The read-only HTTP server of `metrics.listen`: /metrics, /live, /ready. It decides nothing and can change nothing."""

from __future__ import annotations

import asyncio
from dataclasses import dataclass
from typing import TYPE_CHECKING

from aiohttp import web

from haman.observe import metrics
from haman.observe.journal import log

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from haman.model.cluster import Listen
    from haman.observe.figures import Figures

RETRY = 5.0
"""Seconds between attempts to listen: the address may belong to an interface that is not up yet."""


@dataclass(frozen=True, slots=True)
class Source:
    """Where the answers come from. live: None, or why not. ready: by router, what it still waits for."""

    figures: Callable[[], Figures]
    live: Callable[[], str | None]
    ready: Callable[[], Mapping[str, str]]


async def serve(listen: Listen, source: Source) -> None:
    """Serve until cancelled. An address that cannot be had is logged once and tried again."""
    runner = web.AppRunner(application(source), access_log=None, handle_signals=False, shutdown_timeout=0.5)
    await runner.setup()
    told = False
    try:
        while True:
            try:
                await web.TCPSite(runner, listen.host, listen.port).start()
                break
            except OSError as error:
                if not told:
                    log.error("metrics.listen %s:%d: %s; trying again", listen.host, listen.port, error.strerror)
                    told = True
                await asyncio.sleep(RETRY)
        log.info("metrics on http://%s:%d/metrics", listen.host, listen.port)
        await asyncio.get_running_loop().create_future()
    finally:
        await runner.cleanup()


def application(source: Source) -> web.Application:
    rendering = asyncio.Lock()

    async def page(_: web.Request) -> web.Response:
        async with rendering:  # one thread at a time, however many scrapers there are
            body = await asyncio.to_thread(metrics.render, source.figures())
        return web.Response(body=body, headers={"Content-Type": "text/plain; version=0.0.4; charset=utf-8"})

    async def live(_: web.Request) -> web.Response:
        why = source.live()
        return web.Response(text="live\n") if why is None else web.Response(status=503, text=f"{why}\n")

    async def ready(_: web.Request) -> web.Response:
        waiting = source.ready()
        if not waiting:
            return web.Response(text="ready\n")
        text = "".join(f"{router}: {words}\n" for router, words in waiting.items())
        return web.Response(status=503, text=text)

    app = web.Application()
    app.add_routes([web.get("/metrics", page), web.get("/live", live), web.get("/ready", ready)])
    return app
