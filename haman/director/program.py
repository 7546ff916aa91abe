"""Run one operator's program: own session, bounded in time and output, no shell, no inherited descriptors.

It knows nothing of roles and queues. Whatever happens is an Ended, never an exception.
"""

from __future__ import annotations

import asyncio
import contextlib
import os
import pwd
import signal
import subprocess
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence
    from typing import IO

GRACE = 2.0
"""Seconds between SIGTERM and SIGKILL to the whole process group after a timeout."""

HASTE = 0.3
"""The same when this process itself is told to end."""

LINES = 100
"""Output lines of one run that are logged; the rest is read, counted and dropped."""

LINE = 1000
"""Bytes of an output line that are logged."""

NOT_STARTED = -1000

_PATH = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"


@dataclass(frozen=True, slots=True)
class Ended:
    """result: exit, signal, timeout, not_started (a metric label). status: exit status, minus the signal's number,
    or NOT_STARTED. words: for people."""

    result: str
    status: int
    seconds: float
    words: str


async def run(
    argv: Sequence[str],
    *,
    environment: Mapping[str, str],
    stdin: bytes,
    timeout: float,
    user: str | None,
    output: Callable[[str], None],
) -> Ended:
    """stdin: less than a pipe holds (64 KiB). output: called with each line. Cancelled, it takes the program along."""
    loop = asyncio.get_running_loop()
    begun = loop.time()
    try:
        process = _start(argv, environment, stdin, user)
    except (OSError, ValueError, KeyError, subprocess.SubprocessError) as error:
        words = f"could not be started: {getattr(error, 'strerror', None) or error}"
        return Ended("not_started", NOT_STARTED, 0.0, words)
    assert process.stdout is not None
    reader = _Reader(loop, process.stdout, output)
    ended: asyncio.Future[None] = loop.create_future()
    pidfd = os.pidfd_open(process.pid)
    loop.add_reader(pidfd, _settle, ended)
    timed_out = False
    grace = HASTE
    try:
        try:
            async with asyncio.timeout(timeout):
                await asyncio.shield(ended)
        except TimeoutError:
            timed_out, grace = True, GRACE
    finally:
        try:
            if not ended.done():
                await _end(process.pid, ended, grace)
        finally:
            loop.remove_reader(pidfd)
            os.close(pidfd)
            reader.close()
            status = process.wait() if ended.done() else NOT_STARTED
    seconds = loop.time() - begun
    if timed_out:
        return Ended("timeout", status, seconds, f"did not end within {timeout:g} s: its process group was killed")
    if status < 0:
        return Ended("signal", status, seconds, f"killed by {signal.Signals(-status).name} after {seconds:.2f} s")
    return Ended("exit", status, seconds, f"ran {seconds:.2f} s")


def _start(
    argv: Sequence[str], environment: Mapping[str, str], stdin: bytes, user: str | None
) -> subprocess.Popen[bytes]:
    """Raises OSError, KeyError (no such user)."""
    identity, home = _identity(user)
    readable, writable = os.pipe()
    try:
        os.set_blocking(writable, False)
        os.write(writable, stdin)
    finally:
        os.close(writable)
    try:
        return subprocess.Popen(
            argv,
            stdin=readable,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            env={"PATH": _PATH, "LANG": "C.UTF-8", **home, **environment},
            cwd="/",
            start_new_session=True,
            **identity,
        )
    finally:
        os.close(readable)


def _identity(user: str | None) -> tuple[dict[str, Any], dict[str, str]]:
    if user is None:
        return {}, {}
    try:
        entry = pwd.getpwnam(user)
    except KeyError:
        raise KeyError(f"there is no user {user!r}") from None
    identity = {
        "user": entry.pw_uid,
        "group": entry.pw_gid,
        "extra_groups": os.getgrouplist(entry.pw_name, entry.pw_gid),
    }
    return identity, {"HOME": entry.pw_dir, "USER": entry.pw_name, "LOGNAME": entry.pw_name}


async def _end(group: int, ended: asyncio.Future[None], grace: float) -> None:
    """SIGTERM to the group, SIGKILL to what is left. The leader is not reaped before, so the number stays its own."""
    _kill(group, signal.SIGTERM)
    with contextlib.suppress(TimeoutError):
        async with asyncio.timeout(grace):
            await asyncio.shield(ended)
    _kill(group, signal.SIGKILL)
    await asyncio.shield(ended)


def _settle(ended: asyncio.Future[None]) -> None:
    if not ended.done():
        ended.set_result(None)


def _kill(group: int, number: signal.Signals) -> None:
    with contextlib.suppress(ProcessLookupError):
        os.killpg(group, number)


class _Reader:
    """Lines as they come. What descendants still hold open when the program ends is not waited for."""

    def __init__(self, loop: asyncio.AbstractEventLoop, pipe: IO[bytes], output: Callable[[str], None]) -> None:
        self._loop = loop
        self._pipe = pipe
        self._output = output
        self._partial = b""
        self._lines = 0
        self._open = True
        os.set_blocking(pipe.fileno(), False)
        loop.add_reader(pipe.fileno(), self._readable)

    def close(self) -> None:
        for _ in range(16):  # more than a pipe holds; a descendant that writes on is not listened to
            if not self._open or not self._readable():
                break
        if self._partial:
            self._line(self._partial)
        if self._lines > LINES:
            self._output(f"({self._lines - LINES} more lines dropped)")
        self._stop()
        self._pipe.close()

    def _readable(self) -> bool:
        """Whether something was read."""
        try:
            data = os.read(self._pipe.fileno(), 1 << 16)
        except BlockingIOError:
            return False
        except OSError:
            data = b""
        if not data:
            self._stop()
            return False
        *lines, partial = (self._partial + data).split(b"\n")
        for line in lines:
            self._line(line)
        self._partial = partial[:LINE]
        return True

    def _stop(self) -> None:
        if self._open:
            self._open = False
            self._loop.remove_reader(self._pipe.fileno())

    def _line(self, line: bytes) -> None:
        self._lines += 1
        if self._lines <= LINES:
            text = line[:LINE].decode("utf-8", "replace").expandtabs()
            self._output("".join(sign if sign.isprintable() else "?" for sign in text))
