"""A program on a host for somebody outside: his input, its output, its exit status; with a terminal if he has one."""

from __future__ import annotations

import contextlib
import fcntl
import os
import select
import signal
import struct
import subprocess
import termios
import threading
from typing import TYPE_CHECKING, Any, Final

from haman.errors import LabError
from haman.lab.box.calls import Hangup
from haman.lab.box.frames import PIECE, Kind

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from haman.lab.box.calls import Channel
    from haman.lab.box.frames import Frame
    from haman.lab.hosts import Host

GRACE: Final = 2.0
"""Seconds between SIGHUP and SIGKILL when the caller has gone."""


def execute(host: Host, call: Mapping[str, Any], channel: Channel) -> dict[str, int]:
    """call: `argv`; `terminal` with `rows`, `columns` and `term`, or none. Returns `status`, as a shell counts it.

    Errors: LabError when it does not start. Hangup.
    """
    argv = [str(word) for word in call["argv"]]
    terminal = call.get("terminal")
    environment = {**os.environ, **({"TERM": str(terminal["term"])} if terminal else {})}
    with contextlib.ExitStack() as stack:
        if terminal:
            process, ends = _on_terminal(host, argv, environment, terminal, channel, stack)
        else:
            process, ends = _on_pipes(host, argv, environment, channel, stack)
        channel.hung_up = lambda: _hang_up(process)
        if channel.gone:
            _hang_up(process)
        threads = [
            threading.Thread(target=_pass_on, args=(end, kind, process.pid, channel), daemon=True)
            for end, kind in ends.items()
        ]
        for thread in threads:
            thread.start()
        code = process.wait()
        for thread in threads:
            thread.join()
    if channel.gone:
        raise Hangup
    return {"status": code if code >= 0 else 128 - code}


def _start(host: Host, words: list[str], **options: Any) -> subprocess.Popen[bytes]:
    try:
        return host.call(lambda: subprocess.Popen(words, **options))
    except OSError as error:
        raise LabError(f"{host.name}: {words[0]}: {error.strerror}") from None


def _on_pipes(
    host: Host, argv: list[str], environment: Mapping[str, str], channel: Channel, stack: contextlib.ExitStack
) -> tuple[subprocess.Popen[bytes], dict[int, Kind]]:
    pipe = subprocess.PIPE
    process = _start(host, argv, stdin=pipe, stdout=pipe, stderr=pipe, env=environment, start_new_session=True)
    assert process.stdin
    assert process.stdout
    assert process.stderr
    stack.enter_context(process.stdout)
    stack.enter_context(process.stderr)
    threading.Thread(target=_feed, args=(process.stdin.fileno(), channel, process.stdin.close), daemon=True).start()
    channel.arrived = lambda frame: _signal(process, frame)
    return process, {process.stdout.fileno(): Kind.OUT, process.stderr.fileno(): Kind.ERR}


def _on_terminal(
    host: Host,
    argv: list[str],
    environment: Mapping[str, str],
    terminal: Mapping[str, Any],
    channel: Channel,
    stack: contextlib.ExitStack,
) -> tuple[subprocess.Popen[bytes], dict[int, Kind]]:
    master, slave = os.openpty()
    stack.callback(os.close, master)
    try:
        _resize(master, terminal)
        # setsid makes it the session's terminal, so that Ctrl-C and the jobs of a shell work.
        words = ["setsid", "--ctty", *argv]
        process = _start(host, words, stdin=slave, stdout=slave, stderr=slave, env=environment)
    finally:
        os.close(slave)

    def arrived(frame: Frame) -> None:
        if frame.kind is Kind.SIZE:
            _resize(master, frame.json())
        else:
            _signal(process, frame)

    channel.arrived = arrived
    own = os.dup(master)
    threading.Thread(target=_feed, args=(own, channel, lambda: os.close(own)), daemon=True).start()
    return process, {master: Kind.OUT}


def _resize(terminal: int, size: Mapping[str, Any]) -> None:
    """termios(3), TIOCSWINSZ: rows, columns, and pixels that nobody counts."""
    with contextlib.suppress(struct.error):
        fcntl.ioctl(terminal, termios.TIOCSWINSZ, struct.pack("HHHH", int(size["rows"]), int(size["columns"]), 0, 0))


def _feed(end: int, channel: Channel, close: Callable[[], None]) -> None:
    """The caller's input to the program, until either has no more of it. The end is the thread's own: nobody else
    closes it while this writes."""
    with contextlib.suppress(OSError):
        while data := channel.read():
            view = memoryview(data)
            while view:
                view = view[os.write(end, view) :]
            channel.taken(len(data))
    with contextlib.suppress(OSError):
        close()


def _pass_on(end: int, kind: Kind, pid: int, channel: Channel) -> None:
    """Output to the caller until it ends; or until the program has, and there is no more of it at the moment: what it
    leaves in the background may hold the other end for ever."""
    handle = _pidfd(pid)
    try:
        while True:
            ready, _, _ = select.select([end, *([] if handle < 0 else [handle])], [], [], 0 if handle < 0 else None)
            if end in ready:
                data = os.read(end, PIECE)
                if not data:
                    return
                channel.send(kind, data)
            elif handle in ready or handle < 0:
                return
    except (OSError, Hangup):  # EIO: the terminal's last user has gone
        return
    finally:
        if handle >= 0:
            os.close(handle)


def _pidfd(pid: int) -> int:
    """-1 when it has ended and was waited for already."""
    try:
        return os.pidfd_open(pid)
    except ProcessLookupError:
        return -1


def _signal(process: subprocess.Popen[bytes], frame: Frame) -> None:
    if frame.kind is Kind.SIGNAL and process.poll() is None:
        with contextlib.suppress(ProcessLookupError, ValueError, TypeError):
            os.killpg(process.pid, signal.Signals(int(frame.json())))


def _hang_up(process: subprocess.Popen[bytes]) -> None:
    """As when a terminal is closed; not asked twice."""

    def end() -> None:
        for number in (signal.SIGHUP, signal.SIGKILL):
            with contextlib.suppress(ProcessLookupError):
                os.killpg(process.pid, number)
            with contextlib.suppress(subprocess.TimeoutExpired):
                process.wait(GRACE)
                return

    threading.Thread(target=end, daemon=True).start()
