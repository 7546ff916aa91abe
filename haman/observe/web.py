"""The read-only HTTP server of `metrics.listen`: metrics, /live and /ready. It decides and changes nothing."""

from __future__ import annotations

import asyncio
import contextlib
import os
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from aiohttp import web

from haman.observe import keepalived, metrics
from haman.observe.journal import log

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Mapping

    from haman.model.cluster import Listen
    from haman.observe.figures import Figures
    from haman.observe.listening import Listening

CONNECTIONS = 32
"""At a time; with one more the oldest is let go. Who connects and says nothing, or takes no answer, would keep its
descriptor for ever, and when those are used up nothing is checked any more."""

RETRY = 5.0
"""Seconds between attempts to listen: the address may belong to an interface that is not up yet."""


@dataclass(frozen=True, slots=True)
class Source:
    """Where the answers come from. live: None, or why not. ready: by router, what it still waits for."""

    figures: Callable[[], Awaitable[Figures]]
    live: Callable[[], str | None]
    ready: Callable[[], Mapping[str, str]]


async def serve(listening: Listening, source: Source) -> None:
    """Serve where `listening` says, until cancelled. An address that cannot be had is logged once and tried again, and
    what is listened to already stays until then."""
    runner = _Runner(
        application(source), access_log=None, handle_signals=False, handler_cancellation=True, shutdown_timeout=0.5
    )
    await runner.setup()
    place = _Place(runner)
    try:
        while True:
            problem = await place.move(listening.wanted) if listening.wanted != place.listen else None
            if problem is not None and problem != listening.problem:
                log.error("%s; trying again", problem)
            listening.problem = problem
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout(RETRY if problem is not None else None):
                    await listening.changed.wait()
            listening.changed.clear()
    finally:
        await runner.cleanup()


class _Runner(web.AppRunner):
    @property
    def server(self) -> Any:
        """What makes each connection's protocol."""
        server = super().server
        assert server is not None

        def protocol() -> Any:
            transports = [each.transport for each in server.connections]
            there = [each for each in transports if each is not None and not each.is_closing()]
            for oldest in there[: len(there) - CONNECTIONS + 1]:
                oldest.abort()  # not closed, which would wait for what its client does not take
            return server()

        return protocol


class _Place:
    """Where it listens now."""

    def __init__(self, runner: web.AppRunner) -> None:
        self._runner = runner
        self._site: web.TCPSite | None = None
        self.listen: Listen | None = None

    async def move(self, listen: Listen | None) -> str | None:
        """Listen there, and only then here no more. Returns what is in the way; then nothing has changed, or what was
        left for a moment cannot be had any more either."""
        if listen is None:
            await self._leave()
            return None
        try:
            site = await self._start(listen)
        except OSError as error:
            # 0.0.0.0 after 127.0.0.1 on the same port: what is in the way may be ourselves.
            old = self.listen
            if old is None or old.port != listen.port:
                return _problem(listen, error)
            await self._leave()
            try:
                site = await self._start(listen)
            except OSError as again:
                with contextlib.suppress(OSError):
                    self._site, self.listen = await self._start(old), old
                return _problem(listen, again)
        await self._leave()
        self._site, self.listen = site, listen
        log.info("metrics on http://%s:%d/metrics", listen.host, listen.port)
        return None

    async def _start(self, listen: Listen) -> web.TCPSite:
        # The backlog is also how many asyncio accepts before it counts any of them.
        site = web.TCPSite(self._runner, listen.host, listen.port, backlog=CONNECTIONS)
        try:
            await site.start()
        except OSError:
            with contextlib.suppress(RuntimeError):
                self._runner._unreg_site(site)
            raise
        return site

    async def _leave(self) -> None:
        if self._site is not None:
            await self._site.stop()
        self._site = self.listen = None


def _problem(listen: Listen, error: OSError) -> str:
    return f"metrics.listen {listen.host}:{listen.port}: {os.strerror(error.errno or 0)}"


def application(source: Source) -> web.Application:
    rendering = asyncio.Lock()

    def page(render: Callable[[Figures], bytes]) -> Callable[[web.Request], Awaitable[web.Response]]:
        begun: asyncio.Task[bytes] | None = None

        async def rendered() -> bytes:
            async with rendering:  # one thread at a time, however many scrapers there are
                return await asyncio.to_thread(render, await source.figures())

        async def answer(_: web.Request) -> web.Response:
            nonlocal begun
            if begun is None or begun.done():
                begun = asyncio.create_task(rendered())
            body = await asyncio.shield(begun)  # who leaves before it is made leaves it to the others who wait for it
            return web.Response(body=body, headers={"Content-Type": "text/plain; version=0.0.4; charset=utf-8"})

        return answer

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
    app.add_routes(
        [
            web.get("/metrics", page(metrics.render)),
            web.get("/metrics/keepalived", page(keepalived.render)),
            web.get("/live", live),
            web.get("/ready", ready),
        ]
    )
    return app
