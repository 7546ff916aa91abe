"""The control socket: one JSON line asks, one JSON line answers, the connection ends. Read-only so far.

    {"v": 1, "ask": "status"}        ->  {"v": 1, "answer": {...}}
    anything else                    ->  {"v": 1, "error": "what is wrong with it"}

Who may connect is the file's mode (0660). Clients are bounded in number, size and time, so the worst a mad one can
do is to keep another waiting for PATIENCE.
"""

from __future__ import annotations

import asyncio
import contextlib
import json
import os
import socket
from typing import TYPE_CHECKING, Any

from haman.observe.journal import log

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping
    from pathlib import Path

VERSION = 1
CLIENTS = 32
"""Served at a time; further ones wait in the listening queue."""

LONGEST = 65536
"""Bytes of a question."""

PATIENCE = 5.0
"""Seconds a client may take to ask, and again to take the answer."""

RETRY = 5.0
"""Seconds between attempts to make the socket where that is impossible (a full or read-only file system)."""


class Control:
    """answers: by question, who makes the answer. It is called on the loop and gives plain JSON values."""

    def __init__(self, path: Path, answers: Mapping[str, Callable[[], Any]]) -> None:
        self._path = path
        self._answers = answers
        self._seats = asyncio.Semaphore(CLIENTS)

    async def run(self) -> None:
        """Serve until cancelled."""
        loop = asyncio.get_running_loop()
        with await self._listen() as listener:
            async with asyncio.TaskGroup() as tasks:
                while True:
                    await self._seats.acquire()
                    try:
                        client, _ = await loop.sock_accept(listener)
                    except OSError as error:  # no descriptors, or the client is gone already
                        self._seats.release()
                        log.debug("control socket: %s", error)
                        await asyncio.sleep(0.1)
                        continue
                    tasks.create_task(self._serve(client))

    async def _listen(self) -> socket.socket:
        told = False
        while True:
            try:
                return listen(self._path)
            except OSError as error:
                if not told:
                    log.error("control socket %s: %s; trying again, `haman status` does not work", self._path, error)
                    told = True
            await asyncio.sleep(RETRY)

    async def _serve(self, client: socket.socket) -> None:
        loop = asyncio.get_running_loop()
        try:
            with client, contextlib.suppress(OSError, TimeoutError):
                client.setblocking(False)
                async with asyncio.timeout(PATIENCE):
                    question = await _line(loop, client)
                answer = self._answer(question)
                # A status of ten thousand servers takes 0.1 s to write as JSON: not on the loop.
                data = await asyncio.to_thread(json.dumps, {"v": VERSION, **answer})
                async with asyncio.timeout(PATIENCE):
                    await loop.sock_sendall(client, data.encode() + b"\n")
        finally:
            self._seats.release()

    def _answer(self, line: bytes) -> dict[str, Any]:
        try:
            question = json.loads(line)
            version, name = question["v"], question["ask"]
        except (ValueError, KeyError, TypeError, RecursionError):
            return {"error": 'a question is one line of JSON like {"v": 1, "ask": "status"}'}
        if version != VERSION:
            return {"error": f"this haman speaks version {VERSION} of the control protocol, not {version!r}"}
        answer = self._answers.get(name) if isinstance(name, str) else None
        if answer is None:
            return {"error": f"nobody here answers {name!r}; known: {', '.join(self._answers)}"}
        return {"answer": answer()}


def listen(path: Path) -> socket.socket:
    """A listening socket at `path`, put in place of an older one in one step: clients always find one.

    Raises OSError.
    """
    path.parent.mkdir(mode=0o755, parents=True, exist_ok=True)
    temporary = path.with_name(f".{path.name}.{os.getpid()}")
    temporary.unlink(missing_ok=True)
    listener = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM | socket.SOCK_NONBLOCK)
    try:
        listener.bind(str(temporary))
        temporary.chmod(0o660)
        listener.listen(128)
        temporary.replace(path)
    except OSError:
        listener.close()
        temporary.unlink(missing_ok=True)
        raise
    return listener


async def _line(loop: asyncio.AbstractEventLoop, client: socket.socket) -> bytes:
    """Up to the first newline, the end of what is sent, or LONGEST bytes."""
    data = b""
    while b"\n" not in data and len(data) < LONGEST:
        more = await loop.sock_recv(client, LONGEST)
        if not more:
            break
        data += more
    return data.partition(b"\n")[0]
