"""Stay, and put back what somebody removes: addresses and links at once, since the kernel tells of them, all else
within GUARD.

Until the machine has an address that the file knows, as early at boot, it waits. SIGHUP reads the file again; one
with mistakes changes nothing. SIGTERM and SIGINT undo everything and end. A process
that dies otherwise leaves all in place, and the next one takes it up.
"""

from __future__ import annotations

import asyncio
import signal
from typing import TYPE_CHECKING

from haman.elector.notify import Notify
from haman.errors import HamanError, NodeUnknown
from haman.kernel.addresses import Watch
from haman.observe.journal import log
from haman.realserver.level import Level, Outcome

if TYPE_CHECKING:
    from collections.abc import Callable

    from haman.model.kernel import Kernel

GUARD = 5.0
"""Seconds between looks at what notifies nobody: settings, GUE ports, and what the kernel refused."""


async def stay(read: Callable[[], Kernel]) -> int:
    """read: what is wanted, by the file as it is now; raises HamanError, of which the first call passes on all but
    NodeUnknown. Returns 0 after everything was undone, 1 if
    some of it could not be."""
    async with Level() as level:
        keeper = _Keeper(level, read)
        loop = asyncio.get_running_loop()
        for number in (signal.SIGTERM, signal.SIGINT):
            loop.add_signal_handler(number, keeper.end)
        loop.add_signal_handler(signal.SIGHUP, keeper.reload)
        return await keeper.run()


class _Keeper:
    def __init__(self, level: Level, read: Callable[[], Kernel]) -> None:
        self._level = level
        self._read = read
        self._wanted: Kernel | None = None
        self._notify = Notify()
        self._woken = asyncio.Event()
        self._ended = self._hung_up = False
        self._said: tuple[str, ...] = ()

    def end(self) -> None:
        self._ended = True
        self._woken.set()

    def reload(self) -> None:
        self._hung_up = True
        self._woken.set()

    async def run(self) -> int:
        await self._begin(NodeUnknown)
        async with asyncio.TaskGroup() as tasks:
            watching = tasks.create_task(self._watch())
            while True:
                try:
                    async with asyncio.timeout(GUARD):
                        await self._woken.wait()
                except TimeoutError:
                    pass
                self._woken.clear()
                if self._ended:
                    break
                hung_up, self._hung_up = self._hung_up, False
                if self._wanted is None:
                    await self._begin(HamanError)
                elif hung_up:
                    await self._reread()
                else:
                    await self._turn("missing or changed: ")
            watching.cancel()
        self._notify.stopping()
        outcome = await self._level.undo()
        self._tell(outcome, "")
        return 1 if outcome.refused else 0

    async def _begin(self, passable: type[HamanError]) -> None:
        """passable: what is waited out; at the start a file with mistakes is not."""
        try:
            self._wanted = self._read()
        except passable as error:
            self._complain((f"waiting: {error}",))
            return
        await self._turn("")
        log.info("wanted: %d addresses, %d tunnel devices", len(self._wanted.addresses), len(self._wanted.devices))
        self._notify.ready()

    async def _watch(self) -> None:
        async for _ in Watch():
            self._woken.set()

    async def _reread(self) -> None:
        self._notify.reloading()
        try:
            self._wanted = self._read()
            log.info("the configuration was read again")
        except HamanError as error:
            log.error("the configuration was not taken up, what was read before holds: %s", error)
        await self._turn("")
        self._notify.ready()

    async def _turn(self, why: str) -> None:
        assert self._wanted is not None
        try:
            self._tell(await self._level.reach(self._wanted), why)
        except (HamanError, OSError) as error:
            self._complain((str(error),))

    def _tell(self, outcome: Outcome, why: str) -> None:
        for op in outcome.done:
            log.info("%s%s", why, op)
        self._complain(tuple(str(refusal.error) for refusal in outcome.refused))

    def _complain(self, words: tuple[str, ...]) -> None:
        """Once for each state of things: what is refused is tried again every few seconds."""
        if words != self._said:
            for line in words:
                log.error("%s", line)
            self._said = words
        self._notify.status("; ".join(words) or "all is in place")
