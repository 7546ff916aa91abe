"""The director process from start to end: link, configuration, duty, and the four ways it can end.

    TERMINATED  SIGTERM to this process alone: "start me anew". Nothing is undone; exit code 0.
    STOPPING    the elector has released every role and ends: hooks are finished, then exit code 0.
    LOST        the elector is dead or frozen: the VIPs leave the NICs, exit code 1.
    BROKEN      an error of our own: exit code 1; the elector starts us again, and we adopt what the kernel holds.

A half-dead director would be worse than a dead one, so an exception that nobody expected always ends it.
"""

from __future__ import annotations

import asyncio
import contextlib
import signal
import sys
import time
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from enum import Enum
from typing import TYPE_CHECKING, Any

from haman import paths
from haman.director import loading, privileges, withdraw
from haman.director.duty import Duty
from haman.director.link import PATIENCE, Link
from haman.errors import ConfigError, NodeUnknown
from haman.kernel.addresses import Addresses
from haman.kernel.ipvs import Ipvs
from haman.kernel.nftables import PacketFilter
from haman.model.elector import Goodbye, Heartbeat, Roles, Stopping
from haman.model.transition import Kind, Transition
from haman.observe import journal
from haman.observe.journal import log

if TYPE_CHECKING:
    import socket
    from pathlib import Path

    from haman.director.loading import Loaded
    from haman.model.elector import Message

SAID = 0.2
"""Seconds in which whoever asked for a reload gets its answer before this process ends for it."""

FAREWELL = 12.0
"""Seconds for the last hooks. The elector waits 15 for us."""

WITHDRAWAL = 5.0
"""Seconds for taking the VIPs off: a bound for what takes milliseconds."""


class End(Enum):
    TERMINATED = "terminated"
    STOPPING = "stopping"
    LOST = "lost"
    BROKEN = "broken"


class Daemon:
    def __init__(self, file: Path, node: str | None, sock: socket.socket) -> None:
        self._file = file
        self._node = node
        self._socket = sock
        self._early: list[Message] = []
        self._duty: Duty | None = None
        self._addresses: Addresses | None = None

    async def run(self) -> int:
        """Returns the exit code."""
        loop = asyncio.get_running_loop()
        self._end: asyncio.Future[End] = loop.create_future()
        loop.set_exception_handler(self._callback_failed)
        loop.add_signal_handler(signal.SIGTERM, self._decide, End.TERMINATED)
        for ignored in (signal.SIGINT, signal.SIGHUP):  # the elector's to handle, in its order
            loop.add_signal_handler(ignored, lambda: None)
        self._link = Link(loop, self._socket, self._received)
        self._link.lost.add_done_callback(lambda _: self._decide(End.LOST))
        self._beat()
        mistakes: tuple[str, ...] = ()
        try:
            loaded = await self._load(self._file)
        except (ConfigError, NodeUnknown) as error:
            print(error, file=sys.stderr, flush=True)
            kept = await self._load_kept()
            if kept is None:
                self._link.send(Goodbye(code=2))
                if self._link.lost.done():
                    await self._withdraw(self._link.lost.result())
                return 2
            loaded, mistakes = kept, error.mistakes if isinstance(error, ConfigError) else (str(error),)
        journal.setup("director", loaded.cluster.log_format, loaded.cluster.log_level)
        self._duty = Duty(
            loaded,
            self._file,
            self._link,
            Ipvs,
            PacketFilter(),
            override=self._node,
            begin_anew=self._begin_anew,
            mistakes=mistakes,
        )
        for message in self._early:
            self._duty.received(message)
        try:
            async with asyncio.TaskGroup() as tasks:
                work = [tasks.create_task(each) for each in (self._beats(), self._duty.run(), self._foresee())]
                code = await self._finish(await self._end)
                for task in work:
                    task.cancel()
        except BaseExceptionGroup as errors:
            log.error("the director broke; it will be started again", exc_info=errors)
            return 1
        finally:
            self._link.close()
        return code

    def _begin_anew(self) -> None:
        asyncio.get_running_loop().call_later(SAID, self._decide, End.TERMINATED)

    async def _load_kept(self) -> Loaded | None:
        """What ran last, if this node plays its part by it already: a mistake in the file must not keep a director that
        crashed from coming back."""
        if not any(isinstance(message, Roles) for message in self._early):
            return None
        try:
            kept = await self._load(paths.running_configuration())
        except (ConfigError, NodeUnknown):
            return None
        return replace(kept, modified=0.0)

    async def _load(self, file: Path) -> Loaded:
        """In a thread that is gone afterwards, so that what is given up then is given up by all there are."""
        with ThreadPoolExecutor(1) as reader:
            loaded = await asyncio.get_running_loop().run_in_executor(reader, _read, file, self._node)
        try:
            privileges.keep(privileges.wanted(loaded.cluster))
        except OSError as error:
            log.warning("privileges that are not needed could not be given up: %s", error.strerror)
        return loaded

    def _received(self, message: Message) -> None:
        if isinstance(message, Stopping):
            self._decide(End.STOPPING)
        elif self._duty is not None:
            self._duty.received(message)
        else:
            self._early.append(message)

    def _decide(self, end: End) -> None:
        """The first one counts: a link that ends after Stopping is as it should be."""
        if not self._end.done():
            self._end.set_result(end)

    async def _finish(self, end: End) -> int:
        assert self._duty is not None
        match end:
            case End.TERMINATED:
                log.info("asked to end alone: the elector starts the director again")
                return 0
            case End.STOPPING:
                self._duty.relays.stop()
                try:
                    async with asyncio.timeout(FAREWELL):
                        await self._duty.hooks.finish()
                except TimeoutError:
                    log.warning("hooks were not finished within %g s and are given up", FAREWELL)
                return 0
            case End.LOST:
                await self._withdraw(self._link.lost.result())
                self._duty.relays.stop()
                return 1
            case End.BROKEN:
                return 1

    async def _foresee(self) -> None:
        """What a withdrawal needs is loaded and opened long before it."""
        addresses = Addresses()
        await addresses.open()
        self._addresses = addresses

    async def _withdraw(self, why: str) -> None:
        addresses = self._addresses
        wanted = self._duty.slice if self._duty is not None else withdraw.NOTHING
        try:
            async with asyncio.timeout(WITHDRAWAL):
                if addresses is None:
                    addresses = Addresses()
                    await addresses.open()
                removed, refused = await withdraw.withdraw(addresses, wanted)
        except (OSError, TimeoutError) as error:
            log.error("%s, and the VIPs could not be taken off: %s", why, error)
            return
        for refusal in refused:
            log.error("%s", refusal.error)
        taken = ", ".join(str(op.key) for op in removed) or "no VIP, there was none on a NIC"
        journal.record(
            Transition(
                kind=Kind.PROCESS,
                who="director",
                before="running",
                after="withdrawn",
                why=f"{why}; removed {taken}",
                cause="elector_lost",
                at=time.time(),
            )
        )

    def _beat(self) -> None:
        self._link.send(Heartbeat(sent=time.monotonic(), patience=PATIENCE))

    async def _beats(self) -> None:
        while True:
            await asyncio.sleep(PATIENCE / 5)
            self._beat()

    def _callback_failed(self, loop: asyncio.AbstractEventLoop, context: dict[str, Any]) -> None:
        error = context.get("exception")
        log.error("%s", context.get("message"), exc_info=error)
        if error is not None and "handle" in context:
            self._decide(End.BROKEN)


def _read(file: Path, node: str | None) -> Loaded:
    return loading.remember(loading.load(file, node))


def run(file: Path, node: str | None, sock: socket.socket) -> int:
    """Be the director until the end. Returns the exit code."""
    journal.setup("director")
    with contextlib.suppress(KeyboardInterrupt):
        return asyncio.run(Daemon(file, node, sock).run())
    return 1
