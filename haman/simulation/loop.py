"""The event loop of one simulated process: asyncio's, with time handed in and sockets of paper.

The order within a turn is that of asyncio's own loop (base_events._run_once): what is readable, then timers whose time
has come, then one pass over what is ready. Time stands still during a turn; a process that is not given turns is
frozen, and finds everything waiting when it goes on.
"""

from __future__ import annotations

import asyncio
import heapq
from asyncio import events
from collections import deque
from typing import TYPE_CHECKING, Any, Protocol

if TYPE_CHECKING:
    from collections.abc import Callable, Collection, Coroutine

ROUNDS = 2000
"""Passes in one turn; no honest process needs more without time going on."""


class Readable(Protocol):
    """queue: what has arrived and was not read. Whoever puts something in says so to the loop (`Loop.stirred`)."""

    @property
    def queue(self) -> Collection[object]: ...


class Call:
    """Plays `asyncio.Handle` and `asyncio.TimerHandle`, without contexts: no elector uses context variables, and there
    are as many handles as anything happens."""

    __slots__ = ("args", "callback", "done", "moment")

    def __init__(self, callback: Callable[..., object], args: tuple[Any, ...], moment: float = 0.0) -> None:
        self.callback = callback
        self.args = args
        self.moment = moment
        self.done = False

    def cancel(self) -> None:
        self.done = True

    def cancelled(self) -> bool:
        return self.done

    def when(self) -> float:
        return self.moment


class Spinning(Exception):
    """The process does not come to rest."""


class Loop(asyncio.AbstractEventLoop):
    """clock: this process' monotonic seconds. broken: told of what asyncio would log as an unhandled error. stirred:
    something may be readable: a loop that polled all of its readers in each turn would do little else."""

    def __init__(self, clock: Callable[[], float], broken: Callable[[dict[str, Any]], None]) -> None:
        self._clock = clock
        self._broken = broken
        self._ready: deque[Call] = deque()
        self._timers: list[tuple[float, int, Call]] = []
        self._made = 0
        self._readers: dict[Readable, Call] = {}
        self.stirred = False
        self._tasks: list[asyncio.Task[Any]] = []
        self._handler: Callable[[asyncio.AbstractEventLoop, dict[str, Any]], object] | None = None
        self.signals: dict[int, Callable[[], object]] = {}

    # -- for the simulation -----------------------------------------------------------------------------------------

    @property
    def due(self) -> float | None:
        """When it wants its next turn, by its own clock; None: only something readable can wake it."""
        timers = self._timers
        while timers and timers[0][2].done:
            heapq.heappop(timers)
        return timers[0][0] if timers else None

    def turn(self) -> None:
        """Everything that can be done now. Raises Spinning."""
        now, ready, timers = self._clock(), self._ready, self._timers
        events._set_running_loop(self)
        try:
            for _ in range(ROUNDS):
                if self.stirred:
                    readable = [call for reader, call in self._readers.items() if reader.queue]
                    ready.extend(readable)
                    self.stirred = bool(readable)
                while timers and timers[0][0] <= now:
                    ready.append(heapq.heappop(timers)[2])
                if not ready:
                    return
                for _ in range(len(ready)):
                    call = ready.popleft()
                    if not call.done:
                        try:  # as asyncio does it (events.Handle._run)
                            call.callback(*call.args)
                        except Exception as error:
                            self._raised(call, error)
        finally:
            events._set_running_loop(None)
        raise Spinning

    def end(self) -> None:
        """The process is gone: what it still had in hand is dropped. Its machine must be deaf and dumb BEFORE."""
        for task in self._tasks:
            task.cancel()
        self._readers.clear()
        self._timers.clear()
        self.turn()

    def _raised(self, call: Call, error: Exception) -> None:
        words = f"Exception in callback {call.callback!r}"
        self.call_exception_handler({"message": words, "exception": error, "handle": call})

    def time(self) -> float:
        return self._clock()

    # -- for asyncio, and the process -------------------------------------------------------------------------------

    def call_soon(self, callback: Callable[..., object], *args: Any, context: Any = None) -> Call:  # type: ignore[override]
        call = Call(callback, args)
        self._ready.append(call)
        return call

    def call_later(self, delay: float, callback: Callable[..., object], *args: Any, context: Any = None) -> Call:  # type: ignore[override]
        return self.call_at(self._clock() + delay, callback, *args)

    def call_at(self, when: float, callback: Callable[..., object], *args: Any, context: Any = None) -> Call:  # type: ignore[override]
        call = Call(callback, args, when)
        self._made += 1
        heapq.heappush(self._timers, (when, self._made, call))
        return call

    def create_future(self) -> asyncio.Future[Any]:
        return asyncio.Future(loop=self)

    def create_task(self, coro: Coroutine[Any, Any, Any], **named: Any) -> asyncio.Task[Any]:  # type: ignore[override]
        task = asyncio.Task(coro, loop=self, **named)
        self._tasks = [each for each in self._tasks if not each.done()]
        self._tasks.append(task)
        return task

    def add_reader(self, fd: Any, callback: Callable[..., object], *args: Any) -> None:  # type: ignore[override]
        self._readers[fd] = Call(callback, args)
        self.stirred = True

    def remove_reader(self, fd: Any) -> bool:
        return self._readers.pop(fd, None) is not None

    def add_signal_handler(self, sig: int, callback: Callable[..., object], *args: Any) -> None:  # type: ignore[override]
        self.signals[sig] = lambda: callback(*args)

    def set_exception_handler(self, handler: Any) -> None:
        self._handler = handler

    def call_exception_handler(self, context: dict[str, Any]) -> None:
        self._broken(context)
        if self._handler is not None:
            self._handler(self, context)

    def get_debug(self) -> bool:
        return False

    def is_running(self) -> bool:
        return True

    def is_closed(self) -> bool:
        return False
