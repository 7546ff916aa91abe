"""The control socket: one JSON line asks, one JSON line answers, the connection ends. Streams go on answering.

    {"v": 1, "ask": "status"}                  ->  {"v": 1, "answer": {...}}
    {"v": 1, "ask": "history", "last": 10}     ->  the same; what else a question holds is for who answers it
    {"v": 1, "ask": "events", "after": 512}    ->  {"v": 1, "answer": {...}}, then a line for each thing to tell
    anything else                              ->  {"v": 1, "error": "what is wrong with it"}

Who may connect is the file's mode (0660). Clients are bounded in number, size and time, so the worst a mad one can
do is to keep another waiting for PATIENCE. Who follows a stream has a bounded buffer elsewhere, and is let go when
it takes nothing for STALLED: it can come back and ask for what it missed.
"""

from __future__ import annotations

import asyncio
import contextlib
import grp
import inspect
import json
import math
import os
import pwd
import socket
import struct
from typing import TYPE_CHECKING, Any

from haman.errors import HamanError
from haman.observe.journal import log

if TYPE_CHECKING:
    from collections.abc import AsyncGenerator, Callable, Container, Mapping
    from pathlib import Path

VERSION = 1
CLIENTS = 32
"""Served at a time; further ones wait in the listening queue."""

FOLLOWERS = 8
"""Of these may follow streams; they stay as long as they like, and the rest is for questions."""

LONGEST = 65536
"""Bytes of a question."""

DIGITS = 18
"""Of a whole number in a question."""

PATIENCE = 5.0
"""Seconds a client may take to ask, and again to take the answer."""

STALLED = 60.0
"""Seconds after which a follower that takes nothing is let go."""

TALK = 0.1
"""Seconds between two looks at a follower that says something, which nobody reads."""

RETRY = 5.0
"""Seconds between attempts to make the socket where that is impossible (a full or read-only file system)."""


Question = dict[str, Any]
"""What was asked, as it came: nothing in it but `v` and `ask` has been looked at."""


class Control:
    """answers: by question, who makes the answer: called on the loop, gives plain JSON values or something to await for
    them; a HamanError is told to who asked. streams: by question, who makes the lines, some at a time. changing:
    the questions that change something; who asks one of them is written to the log. group: its members may
    connect, besides root.

    Anything else that an answer raises is a defect. Where nothing was to be changed, whoever asked is told that, and
    the log has it; after a half-made change nobody knows what holds, so the director ends with it and begins anew."""

    def __init__(
        self,
        path: Path,
        answers: Mapping[str, Callable[[Question], Any]],
        streams: Mapping[str, Callable[[Question], AsyncGenerator[list[Any]]]] | None = None,
        changing: Container[str] = frozenset(),
        group: str | None = None,
    ) -> None:
        self._path = path
        self._group = group
        self._listening = False
        self._changing = changing
        self._answers = answers
        self._streams = streams or {}
        self._following = 0
        self._seats = asyncio.Semaphore(CLIENTS)

    def admit(self, group: str | None) -> None:
        """From now on this group, and no other."""
        if group != self._group:
            self._group = group
            if self._listening:
                give(self._path, group)

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
                listener = listen(self._path, self._group)
                self._listening = True
                return listener
            except OSError as error:
                if not told:
                    log.error("control socket %s: %s; trying again, `haman status` does not work", self._path, error)
                    told = True
            await asyncio.sleep(RETRY)

    async def _serve(self, client: socket.socket) -> None:
        loop = asyncio.get_running_loop()
        try:
            with client:
                client.setblocking(False)
                try:
                    question = await _asked(loop, client)
                except OSError:
                    return  # whoever asked is gone
                stream = self._stream(question)
                if stream is not None:
                    await self._follow(loop, client, stream)
                    return
                if not isinstance(question, str) and str(question["ask"]) in self._changing:
                    log.info("control socket: %s asked for by %s", question["ask"], peer(client))
                answer = await self._answer(question)
                # A status of ten thousand servers takes 0.1 s to write as JSON: not on the loop.
                data = await asyncio.to_thread(json.dumps, {"v": VERSION, **answer})
                with contextlib.suppress(OSError, TimeoutError):
                    async with asyncio.timeout(PATIENCE):
                        await loop.sock_sendall(client, data.encode() + b"\n")
        finally:
            self._seats.release()

    async def _answer(self, question: Question | str) -> dict[str, Any]:
        if isinstance(question, str):
            return {"error": question}
        name = question["ask"]
        answer = self._answers.get(name) if isinstance(name, str) else None
        if not isinstance(name, str) or answer is None:
            if isinstance(name, str) and name in self._streams:
                return {"error": f"{FOLLOWERS} clients follow events already: end one of them"}
            return {"error": f"nobody here answers {name!r}; known: {', '.join((*self._answers, *self._streams))}"}
        try:
            said = answer(question)
            return {"answer": await said if inspect.isawaitable(said) else said}
        except HamanError as error:
            return {"error": str(error)}
        except Exception:
            if name in self._changing:
                raise
            log.exception("control socket: %s could not be answered; nothing else is touched by that", name)
            return {"error": f"haman made a mistake over {name!r}: what went wrong is in its log. Please report it"}

    def _stream(self, question: Question | str) -> AsyncGenerator[list[Any]] | None:
        if isinstance(question, str) or not isinstance(question["ask"], str):
            return None
        begin = self._streams.get(question["ask"])
        return begin(question) if begin is not None and self._following < FOLLOWERS else None

    async def _follow(
        self, loop: asyncio.AbstractEventLoop, client: socket.socket, stream: AsyncGenerator[list[Any]]
    ) -> None:
        """Until the client hangs up, or takes nothing for too long."""
        self._following += 1
        try:
            async with asyncio.TaskGroup() as tasks:
                speaking = tasks.create_task(_speak(loop, client, stream))
                while await loop.sock_recv(client, LONGEST):
                    await asyncio.sleep(TALK)  # what is there already is received without a turn for others
                speaking.cancel()
        except* (OSError, TimeoutError):
            pass
        finally:
            self._following -= 1


async def _asked(loop: asyncio.AbstractEventLoop, client: socket.socket) -> Question | str:
    """Or what is wrong with it."""
    try:
        async with asyncio.timeout(PATIENCE):
            return _question(await _line(loop, client))
    except TimeoutError:
        return f"no question came within {PATIENCE:g} s"


def _question(line: bytes) -> Question | str:
    """Or what is wrong with it."""
    try:
        question = json.loads(line, parse_constant=_no_number, parse_float=_number, parse_int=_whole)
        version, _ = question["v"], question["ask"]
    except (ValueError, KeyError, TypeError, RecursionError):
        return 'a question is one line of JSON like {"v": 1, "ask": "status"}'
    if not isinstance(question, dict) or type(version) is not int or version != VERSION:
        return f"this haman speaks version {VERSION} of the control protocol, not {version!r}"
    return question


def _no_number(word: str) -> float:
    """Python reads and writes NaN and Infinity, which are no JSON (RFC 8259, section 6) and no time of anything."""
    raise ValueError(word)


def _number(word: str) -> float:
    """What is too large is infinite for Python."""
    number = float(word)
    return number if math.isfinite(number) else _no_number(word)


def _whole(word: str) -> int:
    """What is too large for Python's floats is an OverflowError for whoever wants one of it."""
    if len(word) > DIGITS:
        raise ValueError(word)
    return int(word)


async def _speak(loop: asyncio.AbstractEventLoop, client: socket.socket, stream: AsyncGenerator[list[Any]]) -> None:
    async with contextlib.aclosing(stream):
        async for lines in stream:
            data = "".join(json.dumps(line) + "\n" for line in lines).encode()
            async with asyncio.timeout(STALLED):
                await loop.sock_sendall(client, data)
    client.shutdown(socket.SHUT_RDWR)


def peer(client: socket.socket) -> str:
    """Who is at the other end, as the kernel says (SO_PEERCRED, unix(7))."""
    pid, uid, gid = struct.unpack("=iii", client.getsockopt(socket.SOL_SOCKET, socket.SO_PEERCRED, 12))
    try:
        name = pwd.getpwuid(uid).pw_name
    except KeyError:
        name = "?"
    return f"user {name} (uid {uid}, gid {gid}), process {pid}"


def give(path: Path, group: str | None) -> None:
    """The file to `group`, else to root's. A group that is not there, or not ours to give, is complained about: then
    only root may connect."""
    try:
        number = 0 if group is None else grp.getgrnam(group).gr_gid
        if path.stat().st_gid != number:
            own = os.getegid()
            os.setegid(number)  # a file may be given to the group one is in, without further privilege (chown(2))
            try:
                os.chown(path, -1, number)
            finally:
                os.setegid(own)
        path.chmod(0o660)
    except (KeyError, OSError) as error:
        words = f"there is no group {group!r}" if isinstance(error, KeyError) else error.strerror
        log.error("control socket %s: not given to group %s: %s", path, group or "root", words)
        with contextlib.suppress(OSError):
            path.chmod(0o600)  # it may be another group's, from before


def listen(path: Path, group: str | None = None) -> socket.socket:
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
        if group is not None:
            give(temporary, group)
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
