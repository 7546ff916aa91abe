"""One program and all it starts, followed on two streams until it ends, and ended with certainty.

Knows nothing of kernels: machine says what to start.
"""

from __future__ import annotations

import codecs
import contextlib
import os
import selectors
import signal
import subprocess
import time
from collections import deque
from typing import TYPE_CHECKING, Any, Final

from haman.errors import LabError
from haman.lab.signals import held

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping, Sequence
    from pathlib import Path

_KEPT: Final = 100
"""How many of the last lines of the second stream are kept: a kernel's panic is up to sixty."""

_TURN: Final = 3600.0
"""Seconds that are waited for at once: a timeout may be infinite, a system call's may not."""


def follow(
    command: Callable[[int], Sequence[str]],
    *,
    environment: Mapping[str, str],
    timeout: float,
    output: Callable[[str], None],
    descriptors: Sequence[int] = (),
) -> list[str]:
    """Run the command to its end; returns the last lines it wrote to its standard output and error.

    command: given the number of a descriptor, the words to run; what is written to that descriptor goes to
    `output` as it comes. descriptors: what else it inherits.
    Errors: LabError when it has not ended after `timeout` seconds.
    """
    deadline = time.monotonic() + timeout
    reader, writer = os.pipe()
    last: deque[str] = deque(maxlen=_KEPT)
    with contextlib.ExitStack() as stack, selectors.DefaultSelector() as selector:
        stack.callback(os.close, reader)
        with os.fdopen(writer, "wb"):
            process = stack.enter_context(
                group(command(writer), stdout=subprocess.PIPE, pass_fds=[writer, *descriptors], env=dict(environment))
            )
        assert process.stdout is not None
        stack.enter_context(process.stdout)
        selector.register(reader, selectors.EVENT_READ, as_text(output))
        selector.register(process.stdout, selectors.EVENT_READ, as_lines(last.append))
        while selector.get_map():
            left = deadline - time.monotonic()
            if left <= 0:
                raise LabError(f"still running after {timeout:g} s, ended\n" + "\n".join(last))
            for key, _ in selector.select(min(left, _TURN)):
                data = os.read(key.fd, 65536)
                key.data(data)
                if not data:
                    selector.unregister(key.fd)
    return list(last)


@contextlib.contextmanager
def group(command: Sequence[str | Path], **options: Any) -> Iterator[subprocess.Popen[bytes]]:
    """A program in a session of its own, so that a terminal's Ctrl-C reaches only us, without standard input.

    It is killed with all its group when the block is left, however that is, and by the kernel when we are killed.
    options: as for subprocess.Popen.
    """
    process = None
    try:
        with held():
            process = subprocess.Popen(
                ["setpriv", "--pdeathsig", "KILL", *command],
                stdin=subprocess.DEVNULL,
                stderr=subprocess.STDOUT,
                start_new_session=True,
                **options,
            )
        yield process
    finally:
        if process:
            with contextlib.suppress(ProcessLookupError):
                os.killpg(process.pid, signal.SIGKILL)
            process.wait()


def as_text(output: Callable[[str], None]) -> Callable[[bytes], None]:
    """A taker of bytes that gives text, never half a character. b"" is the end."""
    decoder = codecs.getincrementaldecoder("utf-8")("replace")

    def take(data: bytes) -> None:
        if text := decoder.decode(data, final=not data):
            output(text)

    return take


def as_lines(output: Callable[[str], None]) -> Callable[[bytes], None]:
    """A taker of bytes that gives whole lines without their end, and at the end what is left. b"" is the end."""
    rest = b""

    def take(data: bytes) -> None:
        nonlocal rest
        *lines, rest = (rest + data).split(b"\n")
        if not data and rest:
            lines, rest = [rest], b""
        for line in lines:
            output(line.decode("utf-8", "replace").rstrip("\r"))

    return take
