"""The director process, seen from the elector: started, spoken to, watched, started again.

The elector must never wait for it: writing is buffered here, and a director that does not read for long, or whose
heart stops, is killed. Its death changes no role: the kernel goes on forwarding, and a new director adopts.
"""

from __future__ import annotations

import os
import signal
import socket
import subprocess
import sys
from typing import TYPE_CHECKING, Protocol

from haman.errors import BadFrame
from haman.model.elector import Heartbeat
from haman.wire import link

if TYPE_CHECKING:
    import asyncio
    from collections.abc import Sequence
    from pathlib import Path

    from haman.model.elector import Message

BACKLOG = 32 << 20
"""Bytes a director may leave unread before it counts as hung."""

BACK_OFF = (0.0, 0.2, 0.5, 1.0, 2.0, 5.0)
"""Seconds before each new start; the last one is for ever. Running for STEADY seconds begins the row anew."""

STEADY = 30.0

TURN = 4096
"""Bytes of the director's that are read in one turn of the loop: a large configuration comes in thousands of frames,
each below a millisecond's work, and adverts go out between them."""


class Listener(Protocol):
    """What a child tells its owner."""

    def child_said(self, message: Message) -> None: ...

    def child_started(self) -> None: ...

    def child_gone(self, why: str, code: int | None) -> None: ...


def command(config: Path, node: str | None) -> list[str]:
    """The director's argv, without the link's descriptor."""
    argv = [sys.executable, "-m", "haman.director", "--config", str(config)]
    return argv if node is None else [*argv, "--node", node]


class Child:
    def __init__(self, loop: asyncio.AbstractEventLoop, argv: Sequence[str], listener: Listener) -> None:
        self._loop = loop
        self._argv = list(argv)
        self._listener = listener
        self._process: subprocess.Popen[bytes] | None = None
        self._pidfd = -1
        self._socket: socket.socket | None = None
        self._encoder, self._decoder = link.Encoder(), link.Decoder()
        self._outbox = bytearray()
        self._failures = 0
        self._started = 0.0
        self._beat = 0.0
        self._patience = 60.0  # until the first heartbeat says otherwise: importing and reading YAML takes its time
        self._restart: asyncio.TimerHandle | None = None
        self._why = ""
        self._wanted = True

    @property
    def failures(self) -> int:
        """How often in a row it has ended, without having run for STEADY seconds in between."""
        return self._failures

    @property
    def pid(self) -> int | None:
        return self._process.pid if self._process is not None else None

    def start(self) -> None:
        """Start it now. Raises OSError only when no process can be made at all."""
        self._restart = None
        ours, theirs = socket.socketpair()
        ours.setblocking(False)
        with theirs:
            self._process = subprocess.Popen(
                [*self._argv, "--link-fd", str(theirs.fileno())],
                stdin=subprocess.DEVNULL,
                pass_fds=[theirs.fileno()],
                start_new_session=True,  # a Ctrl-C at the terminal is the elector's to handle, in its order
            )
        self._socket = ours
        self._pidfd = os.pidfd_open(self._process.pid)
        self._encoder, self._decoder = link.Encoder(), link.Decoder()
        self._outbox.clear()
        self._why = ""
        self._started = self._beat = self._loop.time()
        self._patience = 60.0
        self._loop.add_reader(ours, self._readable)
        self._loop.add_reader(self._pidfd, self._ended)
        self._listener.child_started()

    def send(self, message: Message) -> None:
        """Returns at once; what cannot be written now waits. Without a director it is dropped."""
        if self._socket is None:
            return
        empty = not self._outbox
        self._outbox += self._encoder.encode(message)
        if empty:
            self._flush()
        if len(self._outbox) > BACKLOG:
            self.kill("did not read its messages")

    def watch(self) -> None:
        """Call it now and then: kills a director whose heart stopped."""
        silent = self._loop.time() - self._beat
        if self._socket is not None and silent > self._patience:
            self._readable()  # before believing silence, drain the inbox
            if self._loop.time() - self._beat > self._patience:
                self.kill(f"was silent for {silent:.3g} s")

    @property
    def in_order(self) -> bool:
        """It speaks, or there is none and a new one is due. Not so when one that is silent cannot even be killed."""
        return self._socket is None or self._loop.time() - self._beat <= 2 * self._patience

    def kill(self, why: str) -> None:
        if self._process is not None and not self._why:
            self._why = why
            self._process.send_signal(signal.SIGKILL)

    def retire(self) -> None:
        """It is to end by itself (Stopping was sent) and not to be started again."""
        self._wanted = False
        if self._restart is not None:
            self._restart.cancel()

    def _flush(self) -> None:
        assert self._socket is not None
        try:
            sent = self._socket.send(self._outbox)
        except BlockingIOError:
            sent = 0
        except OSError:
            self._outbox.clear()  # it is gone; the descriptor of its process tells so next
            sent = 0
        del self._outbox[:sent]
        if self._outbox:
            self._loop.add_writer(self._socket, self._flush)
        else:
            self._loop.remove_writer(self._socket)

    def _readable(self) -> bool:
        """One turn's worth. Whether something was read."""
        if self._socket is None:
            return False
        try:
            data = self._socket.recv(TURN)
        except BlockingIOError:
            return False
        except OSError:
            data = b""
        if not data:
            self._loop.remove_reader(self._socket)
            return False
        self._beat = self._loop.time()
        self._take(data)
        return True

    def _take(self, data: bytes) -> None:
        try:
            for message in self._decoder.feed(data):
                if isinstance(message, Heartbeat):
                    self._patience = message.patience
                self._listener.child_said(message)
        except BadFrame as error:
            self.kill(f"spoke nonsense: {error}")

    def _ended(self) -> None:
        assert self._process is not None
        assert self._socket is not None
        while self._readable():  # its last words count: why it ends
            pass
        code = self._process.wait()
        self._loop.remove_reader(self._pidfd)
        os.close(self._pidfd)
        self._loop.remove_reader(self._socket)
        self._loop.remove_writer(self._socket)
        self._socket.close()
        self._socket = self._process = None
        if self._loop.time() - self._started >= STEADY:
            self._failures = 0
        self._failures += 1
        why = self._why or (
            f"was killed by {signal.Signals(-code).name}" if code < 0 else f"ended with exit code {code}"
        )
        self._listener.child_gone(why, code)
        if self._wanted:
            after = BACK_OFF[min(self._failures, len(BACK_OFF)) - 1]
            self._restart = self._loop.call_later(after, self.start)
