"""The relay's process: started, spoken to, watched, and started again. One that hangs is killed.

Nobody waits for it: orders that it has no room for wait here, and if it is silent for too long, that is its end.
"""

from __future__ import annotations

import contextlib
import os
import signal
import socket
import subprocess
import sys
from collections import deque
from typing import TYPE_CHECKING, Any

from haman.relay import orders

if TYPE_CHECKING:
    import asyncio
    from collections.abc import Callable, Sequence

PATIENCE = 10.0
"""Seconds without its figures, which come every second, after which it counts as hung."""

FIRST = 60.0
"""The same until its first ones: a busy machine starts a program when it can."""

HEARD = 64
"""Messages that are taken from it at once."""

BACK_OFF = (0.0, 0.2, 0.5, 1.0, 2.0, 5.0)
"""Seconds before each new start; the last one is for ever. Running for STEADY seconds begins the row anew."""

STEADY = 30.0


class Process:
    """started: called when it is ready to be told everything. said: with each of its messages, see `orders.heard`.
    gone: with why."""

    def __init__(
        self,
        loop: asyncio.AbstractEventLoop,
        started: Callable[[], None],
        said: Callable[[dict[str, dict[str, Any]] | str], None],
        gone: Callable[[str], None],
    ) -> None:
        self._loop = loop
        self._started = started
        self._said = said
        self._gone = gone
        self._process: subprocess.Popen[bytes] | None = None
        self._link: socket.socket | None = None
        self._waiting: deque[tuple[bytes, list[int]]] = deque()
        self._pidfd = -1
        self._begun = self._heard = 0.0
        self._failures = 0
        self._why = ""
        self._restart: asyncio.TimerHandle | None = None

    @property
    def pid(self) -> int | None:
        return None if self._process is None else self._process.pid

    @property
    def wanted(self) -> bool:
        return self._process is not None or self._restart is not None

    def start(self) -> None:
        """Now."""
        self._restart = None
        try:
            self._process, self._link, self._pidfd = _started()
        except OSError as error:
            self._again(f"could not be started: {error.strerror}")
            return
        ours = self._link
        self._begun = self._heard = self._loop.time()
        self._why = ""
        self._loop.add_reader(ours, self._readable)
        self._loop.add_reader(self._pidfd, self._ended)
        self._started()

    def send(self, message: bytes, sockets: Sequence[socket.socket] = ()) -> None:
        """Without a process it is dropped: the next one is told everything."""
        if self._link is None:
            return
        try:
            descriptors = [os.dup(each.fileno()) for each in sockets]  # it may be closed here before its turn comes
        except OSError as error:
            self.kill(f"could not be told its orders: {error.strerror}")
            return
        *rest, last = orders.parts(message)
        self._waiting.extend((part, []) for part in rest)
        self._waiting.append((last, descriptors))
        self._flush()

    def _flush(self) -> None:
        assert self._link is not None
        while self._waiting:
            part, descriptors = self._waiting[0]
            try:
                socket.send_fds(self._link, [part], descriptors)
            except BlockingIOError:
                self._loop.add_writer(self._link, self._flush)
                return
            except OSError as error:
                self.kill(f"could not be told its orders: {error.strerror}")
                break
            self._drop()
        self._loop.remove_writer(self._link)

    def _drop(self) -> None:
        """The first part that waits."""
        _, descriptors = self._waiting.popleft()
        for each in descriptors:
            os.close(each)

    def watch(self) -> None:
        """Call it now and then."""
        patience = PATIENCE if self._heard > self._begun else FIRST
        if self._process is not None and self._loop.time() - self._heard > patience:
            self._readable()
            if self._loop.time() - self._heard > patience:
                self.kill(f"was silent for {self._loop.time() - self._heard:.3g} s")

    def kill(self, why: str) -> None:
        if self._process is not None and not self._why:
            self._why = why
            self._process.send_signal(signal.SIGKILL)

    def stop(self) -> None:
        """It is not needed any more: it resets what it has, and ends."""
        if self._restart is not None:
            self._restart.cancel()
            self._restart = None
        if self._process is not None:
            self.send(orders.stop())
            if self._waiting:
                self._process.send_signal(signal.SIGKILL)
            self._let_go()

    def leave(self) -> None:
        """This process ends, and the relay goes on with the orders it has until the next director's has taken over."""
        if self._restart is not None:
            self._restart.cancel()
            self._restart = None
        if self._process is not None:
            self._let_go()

    def _readable(self) -> None:
        for _ in range(HEARD):  # whatever it says, others have their turn: it is called again while there is more
            if self._link is None:
                return
            try:
                message = self._link.recv(orders.PART)
            except BlockingIOError:
                return
            except OSError:
                message = b""
            if not message:
                self._loop.remove_reader(self._link)
                return
            try:
                said = orders.heard(message)
            except (ValueError, RecursionError) as error:
                self.kill(f"said what it never says ({error})")
                return
            self._heard = self._loop.time()
            self._said(said)

    def _ended(self) -> None:
        process = self._process
        assert process is not None
        self._readable()
        code = process.wait()
        self._forget()
        if self._loop.time() - self._begun >= STEADY:
            self._failures = 0
        died = f"was killed by {signal.Signals(-code).name}" if code < 0 else f"ended with exit code {code}"
        self._again(self._why or died)

    def _again(self, why: str) -> None:
        self._failures += 1
        self._restart = self._loop.call_later(BACK_OFF[min(self._failures, len(BACK_OFF)) - 1], self.start)
        self._gone(why)

    def _let_go(self) -> None:
        """It ends by itself, in its time; what is left of it then is taken away if this process is still there."""
        assert self._process is not None
        process = self._process
        pidfd = os.dup(self._pidfd)
        self._forget()
        process.returncode = 0  # not to be waited for: `subprocess` would complain of it
        self._loop.add_reader(pidfd, _reap, self._loop, pidfd)

    def _forget(self) -> None:
        """Nothing is left of it here."""
        assert self._link is not None
        self._loop.remove_reader(self._pidfd)
        os.close(self._pidfd)
        self._loop.remove_reader(self._link)
        self._loop.remove_writer(self._link)
        self._link.close()
        while self._waiting:
            self._drop()
        self._link = self._process = None


def _started() -> tuple[subprocess.Popen[bytes], socket.socket, int]:
    """It, the link to it, and a descriptor of it. Raises OSError, and nothing is left then."""
    with contextlib.ExitStack() as undo:
        ours, theirs = orders.pair()
        undo.enter_context(ours)
        with theirs:
            process = subprocess.Popen(
                [sys.executable, "-m", "haman.relay", "--link-fd", str(theirs.fileno())],
                stdin=subprocess.DEVNULL,
                pass_fds=[theirs.fileno()],
                start_new_session=True,
            )
        undo.callback(process.wait)
        undo.callback(process.kill)
        pidfd = os.pidfd_open(process.pid)
        undo.pop_all()
    return process, ours, pidfd


def _reap(loop: asyncio.AbstractEventLoop, pidfd: int) -> None:
    loop.remove_reader(pidfd)
    with contextlib.suppress(ChildProcessError):
        os.waitid(os.P_PIDFD, pidfd, os.WEXITED)
    os.close(pidfd)
