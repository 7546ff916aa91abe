"""The file, read again at somebody's word: one reading at a time, what became of it, and who is told.

Whether anything is to be taken up is decided here; how that is done is `duty`'s business.
"""

from __future__ import annotations

import asyncio
import time
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from haman.director import loading, privileges
from haman.errors import ConfigError, NodeUnknown
from haman.model.elector import Reloaded, Reloading
from haman.model.transition import Kind, Transition

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable
    from pathlib import Path

    from haman.director.changes import Difference
    from haman.director.loading import Change, Loaded
    from haman.director.state import Configured
    from haman.model.elector import ElectorConfig
    from haman.model.kernel import Kernel, Key


@dataclass(frozen=True, slots=True, kw_only=True)
class Running:
    """What a new state of the file is compared with. held: by the kernel, as far as is known. remembered: what of that
    was made here."""

    loaded: Loaded
    slice: ElectorConfig
    held: Kernel
    remembered: frozenset[Key]


class Rereading:
    """configured: what runs at the start. override: what `--node` says. running: asked before each comparison.
    take_up: called with a change that is fine. begin_anew: called instead when it needs a privilege that this process
    has given up. send: to the elector. record: takes transitions."""

    def __init__(
        self,
        file: Path,
        configured: Configured,
        override: str | None,
        *,
        running: Callable[[], Running],
        take_up: Callable[[Change], Awaitable[None]],
        begin_anew: Callable[[], None],
        send: Callable[[Reloading | Reloaded], None],
        record: Callable[[Transition], None],
    ) -> None:
        self.configured = configured
        self._file = file
        self._override = override
        self._running = running
        self._take_up = take_up
        self._begin_anew = begin_anew
        self._send = send
        self._record = record
        self._privileges = privileges.CONDITIONAL & (privileges.wanted(running().loaded.cluster) | privileges.held())
        self._wanted = asyncio.Event()
        self._turn = asyncio.Lock()

    def want(self) -> None:
        """Read it as soon as may be."""
        self._wanted.set()

    async def run(self) -> None:
        """For ever: whenever it is wanted. Many wishes before one is heeded are one."""
        while True:
            await self._wanted.wait()
            self._wanted.clear()
            await self.now()

    async def now(self) -> tuple[str, Difference | None]:
        """Take the file's present state, if it is fine. Returns the outcome in one line, and what it changes, None if
        it is not fine. Nothing is raised; how things stand then is in `configured`."""
        async with self._turn:
            self._send(Reloading())
            with loading.gently():
                words, difference = await self._read()
            self._send(Reloaded(ok=self.configured.ok, words=words))
            return words, difference

    def begun(self, summary: str) -> None:
        """Note what this process started with."""
        self._note("none", "loaded", summary)
        if self.configured.mistakes:
            why = f"{self.configured.mistakes[0]}; what was taken up before goes on"
            self._note("generation 1", "reload_refused", why, refused=True)

    async def _read(self) -> tuple[str, Difference | None]:
        at = time.time()
        before = f"generation {self.configured.generation}"
        try:
            new = await asyncio.to_thread(loading.load, self._file, self._override)
            running = self._running()
            change = await asyncio.to_thread(
                loading.change, running.loaded, new, running.slice, held=running.held, remembered=running.remembered
            )
        except (ConfigError, NodeUnknown) as error:
            mistakes = error.mistakes if isinstance(error, ConfigError) else (str(error),)
            self.configured = replace(self.configured, attempted_at=at, mistakes=mistakes)
            more = f" (and {len(mistakes) - 1} more)" if len(mistakes) > 1 else ""
            why = f"{mistakes[0]}{more}; {before} goes on"
            self._note(before, "reload_refused", why, refused=True)
            return f"refused: {why}", None
        state = replace(self.configured, digest=new.digest, modified=new.modified, attempted_at=at, mistakes=())
        if not privileges.wanted(new.cluster) & privileges.CONDITIONAL <= self._privileges:
            why = "what is new needs a privilege that was given up: a new director is started, and reads the file"
            self._note(before, "reload_anew", why)
            self.configured = state
            self._begin_anew()
            return why, change.difference
        if change.nothing:
            self.configured = state
            why = "the file was read again: nothing has changed"
            self._note(before, "reload_unchanged", why)
            return why, change.difference
        await self._take_up(replace(change, loaded=await asyncio.to_thread(loading.remember, change.loaded)))
        self.configured = replace(state, generation=change.slice.generation, loaded_at=at)
        why = "; ".join(change.difference.lines())
        self._note(before, "reloaded", why)
        return why, change.difference

    def _note(self, before: str, cause: str, why: str, *, refused: bool = False) -> None:
        self._record(
            Transition(
                kind=Kind.CONFIG,
                who=str(self._file),
                before=before,
                after="refused" if refused else f"generation {self.configured.generation}",
                why=why,
                cause=cause,
                at=time.time(),
            )
        )
