"""Run one operator's program: own session, bounded in time and output, no shell, no inherited descriptors.

It knows nothing of roles, checks and queues. Whatever happens is an Ended, never an exception. `Run` is for who lives
on callbacks, `run` for who awaits.
"""

from __future__ import annotations

import asyncio
import contextlib
import os
import pwd
import signal
import subprocess
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from haman.printable import printable

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence
    from typing import IO

GRACE = 2.0
"""Seconds between SIGTERM and SIGKILL to the whole process group after a timeout."""

HASTE = 0.3
"""The same when this process itself is told to end."""

REAPED = 1.0
"""Seconds that `Run.close` waits for a killed program; only one that hangs inside the kernel takes as long."""

LINES = 100
"""Output lines of one run that are logged; the rest is read, counted and dropped."""

LINE = 1000
"""Bytes of an output line that are logged."""

NOT_STARTED = -1000

_PATH = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"


@dataclass(frozen=True, slots=True)
class Ended:
    """result: exit, signal, timeout, not_started (a metric label). status: exit status, minus the signal's number,
    or NOT_STARTED. words: for people. code: the kernel's error number of a program that was not started, where there
    is one."""

    result: str
    status: int
    seconds: float
    words: str
    code: int = field(default=0, compare=False)


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
    over: asyncio.Future[Ended] = asyncio.get_running_loop().create_future()
    running = Run(argv, environment=environment, stdin=stdin, user=user, output=output, ended=over.set_result)
    running.start()
    grace = HASTE
    timed_out = False
    try:
        try:
            async with asyncio.timeout(timeout):
                await asyncio.shield(over)
        except TimeoutError:
            timed_out, grace = True, GRACE
    finally:
        if not over.done():
            running.terminate()
            try:
                with contextlib.suppress(TimeoutError):
                    async with asyncio.timeout(grace):
                        await asyncio.shield(over)
                running.kill()
                await asyncio.shield(over)
            except asyncio.CancelledError:  # in the grace of a timeout, or a second time: no more patience
                running.close()
                raise
    ended = over.result()
    if timed_out:
        words = f"did not end within {timeout:g} s: its process group was killed"
        return Ended("timeout", ended.status, ended.seconds, words)
    return ended


class Run:
    """One program, started once.

    ended: called once, from within `start` if it cannot be started; never after `close`. sweep: what the program
    leaves behind in its process group is killed when it ends. user None: the one we are.
    """

    def __init__(
        self,
        argv: Sequence[str],
        *,
        environment: Mapping[str, str],
        stdin: bytes,
        user: str | None,
        output: Callable[[str], None],
        ended: Callable[[Ended], None],
        sweep: bool = False,
    ) -> None:
        self._argv = argv
        self._environment = environment
        self._stdin = stdin
        self._user = user
        self._output = output
        self._ended = ended
        self._sweep = sweep
        self._loop = asyncio.get_running_loop()
        self._process: subprocess.Popen[bytes] | None = None
        self._pidfd = -1
        self._begun = 0.0

    def start(self) -> None:
        self._begun = self._loop.time()
        try:
            process, self._pidfd = _start(self._argv, self._environment, self._stdin, self._user)
        except (OSError, ValueError, KeyError, subprocess.SubprocessError) as error:
            words = f"could not be started: {getattr(error, 'strerror', None) or error}"
            code = error.errno if isinstance(error, OSError) else None
            self._ended(Ended("not_started", NOT_STARTED, 0.0, words, code or 0))
            return
        assert process.stdout is not None
        self._process = process
        self._reader = _Reader(self._loop, process.stdout, self._output)
        self._loop.add_reader(self._pidfd, self._over)

    def terminate(self) -> None:
        """SIGTERM to the process group; when its leader has ended, SIGKILL to what is left of it."""
        self._sweep = True
        self._signal(signal.SIGTERM)

    def kill(self) -> None:
        """SIGKILL to the process group, also if its leader has just ended."""
        self._sweep = True
        self._signal(signal.SIGKILL)

    def close(self) -> None:
        """Idempotent: kill it, wait for that, and tell nobody."""
        process = self._process
        if process is not None:
            self.kill()
            with contextlib.suppress(subprocess.TimeoutExpired):
                process.wait(REAPED)
            self._release()

    def _over(self) -> None:
        process = self._process
        assert process is not None
        if self._sweep:
            self._signal(signal.SIGKILL)  # BEFORE the leader is reaped: until then the group's number is its own
        status = process.wait()
        self._release()
        seconds = self._loop.time() - self._begun
        if status < 0:
            words = f"killed by {_signal_name(-status)} after {seconds:.2f} s"
            self._ended(Ended("signal", status, seconds, words))
        else:
            self._ended(Ended("exit", status, seconds, f"ran {seconds:.2f} s"))

    def _release(self) -> None:
        self._process = None
        self._loop.remove_reader(self._pidfd)
        os.close(self._pidfd)
        self._reader.close()

    def _signal(self, number: signal.Signals) -> None:
        if self._process is not None:
            with contextlib.suppress(ProcessLookupError):
                os.killpg(self._process.pid, number)


def _start(
    argv: Sequence[str], environment: Mapping[str, str], stdin: bytes, user: str | None
) -> tuple[subprocess.Popen[bytes], int]:
    """It, and a descriptor of it. Raises OSError, KeyError (no such user); nothing of it is left then."""
    identity, home = _identity(user)
    readable, writable = os.pipe()
    try:
        os.set_blocking(writable, False)
        os.write(writable, stdin)
    finally:
        os.close(writable)
    try:
        process = subprocess.Popen(
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
    try:
        return process, os.pidfd_open(process.pid)
    except OSError:
        os.killpg(process.pid, signal.SIGKILL)
        process.wait()
        assert process.stdout is not None
        process.stdout.close()
        raise


def _identity(user: str | None) -> tuple[dict[str, Any], dict[str, str]]:
    if user is None:
        return {}, {}
    try:
        entry = pwd.getpwnam(user)
    except KeyError:
        raise KeyError(f"there is no user {user!r}") from None
    if entry.pw_uid == os.geteuid() != 0:
        return {}, {}  # we are that user, and have no right to set groups, not even to the same ones
    identity = {
        "user": entry.pw_uid,
        "group": entry.pw_gid,
        "extra_groups": os.getgrouplist(entry.pw_name, entry.pw_gid),
    }
    return identity, {"HOME": entry.pw_dir, "USER": entry.pw_name, "LOGNAME": entry.pw_name}


def _signal_name(number: int) -> str:
    """A real-time signal has a number only."""
    try:
        return signal.Signals(number).name
    except ValueError:
        return f"signal {number}"


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
            self._output(printable(text))
