"""The directors' channel: each says once a second, and when something changes, how it stands, to each of the others,
and, if it is active, what its table holds.

Plain UDP from director to director, one connected socket for each peer, so the kernel drops what comes from elsewhere.
It makes things better and is never needed: without it, or beside keepalived, plain VRRP goes on. Nothing here ever
raises for what the network or a peer does.
"""

from __future__ import annotations

import asyncio
import contextlib
import socket
import time
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

import asyncio_dgram
from asyncio_dgram.aio import DatagramClient

from haman import keyfile
from haman.errors import BadPacket
from haman.keyfile import KeyUnusable
from haman.model.ballot import Poll, Vote
from haman.model.standing import Shares
from haman.observe.journal import log
from haman.wire import freshness
from haman.wire import standing as wire
from haman.wire.freshness import Marks, Sequence

if TYPE_CHECKING:
    from collections.abc import Callable, Collection, Iterable, Mapping

    from haman.director.peers import Peers
    from haman.model.addresses import Address
    from haman.model.authentication import Credentials
    from haman.model.cluster import Channel as Settings
    from haman.model.standing import Standing
    from haman.model.transition import Transition

EVERY = 1.0
"""Seconds between two messages without news."""

AT_LEAST = 0.05
"""Seconds between two standings with news: a hundred verdicts in a moment are one. What the table holds is said at
once: as long as others do not know it, they and this director send packets to different servers."""

LETTERS = 256
"""Questions and answers that wait for the socket at most; more are lost, as the network might lose them."""

RETRY = 5.0
"""Seconds until a socket that could not be had is tried again: the address may come up later."""


SHORTEST_KEY = 16
"""Bytes of a key that signs nothing but this channel."""


@dataclass(eq=False)
class _Mouth:
    """What is to be said to one peer as soon as it may be."""

    news: asyncio.Event = field(default_factory=asyncio.Event)
    standing: bool = False
    services: set[str] = field(default_factory=set)
    letters: list[Poll | Vote] = field(default_factory=list)


class Channel:
    """others: by director, our address and its. credentials: asked for whatever is said or heard, so that keys change
    without a pause; while there are none, the key of the settings' file counts, read whenever a socket is opened.
    standing: how this director stands now. shares: what it has to say of the table, of some services or (None) of all.
    heard: called with what a peer says of its table. asked: with a director's name, and what it asks or answers.
    changed: called when `peers` knows something new. record: takes transitions.
    """

    def __init__(
        self,
        others: Mapping[str, tuple[Address, Address]],
        settings: Settings,
        peers: Peers,
        *,
        standing: Callable[[], Standing],
        shares: Callable[[Collection[str] | None], Iterable[Shares]],
        heard: Callable[[Shares], None],
        changed: Callable[[], None],
        record: Callable[[Transition], None],
        credentials: Callable[[], Credentials | None] = lambda: None,
        asked: Callable[[str, Poll | Vote], None] = lambda name, said: None,
    ) -> None:
        self._asked = asked
        self._credentials = credentials
        self._sequence = Sequence()
        self._marks = Marks()
        self._others = others
        self._port = settings.port
        self._key_file = settings.key_file
        self._key: bytes | None = None
        self._peers = peers
        self._standing = standing
        self._shares = shares
        self._heard = heard
        self._changed = changed
        self._record = record
        self._mouths: dict[str, _Mouth] = {}

    def tell(self, services: Collection[str] = ()) -> None:
        """Something that peers should know has changed. services: those whose table did."""
        for mouth in self._mouths.values():
            mouth.services.update(services)
            mouth.standing |= not services
            mouth.news.set()

    def post(self, name: str, said: Poll | Vote) -> None:
        """To this director alone, at once. Nothing says whether it arrives."""
        mouth = self._mouths.get(name)
        if mouth is not None and len(mouth.letters) < LETTERS:
            mouth.letters.append(said)
            mouth.news.set()

    async def run(self) -> None:
        """Until cancelled."""
        async with asyncio.TaskGroup() as tasks:
            for name, (own, address) in self._others.items():
                tasks.create_task(self._talk(name, own, address))
            tasks.create_task(self._look())

    async def _look(self) -> None:
        while True:
            await asyncio.sleep(EVERY)
            self._note(self._peers.look(time.monotonic(), time.time()))
            self._changed()

    async def _talk(self, name: str, own: Address, address: Address) -> None:
        complained = ""
        while True:
            try:
                stream = await self._open(own, address)
            except OSError as error:
                why = str(error) if isinstance(error, KeyUnusable) else f"{error.filename or own}: {error.strerror}"
                words = f"no channel to director {name}: {why}"
                if words != complained:
                    log.warning("%s; tried again every %g s", words, RETRY)
                complained = words
                await asyncio.sleep(RETRY)
                continue
            complained = ""
            try:
                async with asyncio.TaskGroup() as tasks:
                    tasks.create_task(self._listen(name, stream))
                    tasks.create_task(self._speak(name, stream))
            except* (OSError, asyncio_dgram.TransportClosed):
                await asyncio.sleep(AT_LEAST)
            finally:
                stream.close()

    async def _open(self, own: Address, address: Address) -> DatagramClient:
        """Raises OSError."""
        self._key = None
        if self._key_file is not None:
            self._key = keyfile.read(self._key_file, SHORTEST_KEY, keyfile.LARGEST)
        sock = socket.socket(socket.AF_INET if address.version == 4 else socket.AF_INET6, socket.SOCK_DGRAM)
        try:
            sock.setblocking(False)
            sock.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEPORT, 1)  # one socket for each peer on one port
            sock.bind((str(own), self._port))
            sock.connect((str(address), self._port))
            stream = await asyncio_dgram.from_socket(sock)
            assert isinstance(stream, DatagramClient)
            return stream
        except OSError:
            sock.close()
            raise

    async def _listen(self, name: str, stream: DatagramClient) -> None:
        while True:
            try:
                datagram, _ = await stream.recv()
            except OSError:
                continue  # what the network said of something we sent: the peer's process is away
            try:
                said = self._judged(name, datagram)
            except BadPacket as error:
                self._peers.refusals[name, error.reason.name.lower()] += 1
                if error.reason is not wire.Reason.REPLAY:  # late or doubled by the network, most of the time
                    self._note(self._peers.refuse(name, str(error.reason.value), time.time()))
            else:
                if isinstance(said, Shares):
                    if self._peers.believes(name, said):
                        self._heard(said)
                    continue
                if isinstance(said, Poll | Vote):
                    if self._peers.belongs(name, said.cluster, said.node):
                        self._asked(name, said)
                    continue
                self._note(self._peers.take(name, said, time.monotonic(), time.time()))
            self._changed()

    def _judged(self, name: str, datagram: bytes) -> wire.Said:
        """Raises BadPacket."""
        credentials = self._credentials()
        if credentials is None:
            return wire.decode(datagram, [] if self._key is None else [self._key]).said
        keys = [key.octets for key in credentials.keys]
        heard = wire.decode(datagram, keys, enforced=credentials.enforced)
        doubt, wall = heard.doubt, time.time()
        if doubt is None:
            window = credentials.window
            if window is not None and abs(freshness.skew(heard.sent, wall)) > window:
                doubt = wire.Reason.STALE
            elif not self._marks.take(name, heard.sent, wall, window):
                raise BadPacket(wire.Reason.REPLAY)
        if doubt is not None and credentials.enforced:
            raise BadPacket(doubt)
        self._note(self._peers.doubt(name, "" if doubt is None else str(doubt.value), wall))
        return heard.said

    def _sealed(self, said: wire.Said) -> bytes:
        credentials = self._credentials()
        if credentials is None:
            return wire.encode(said, self._key)
        signing = credentials.signing
        number = self._sequence.next(time.time(), credentials.window)
        return wire.encode(said, None if signing is None else signing.octets, number)

    async def _speak(self, name: str, stream: DatagramClient) -> None:
        mouth = self._mouths[name] = _Mouth()
        loop = asyncio.get_running_loop()
        all_at = standing_at = loop.time()
        try:
            while True:
                mouth.news.clear()
                everything = loop.time() >= all_at
                if everything:
                    all_at = loop.time() + EVERY
                said: list[wire.Said] = [*mouth.letters]
                mouth.letters.clear()
                if everything or mouth.services:
                    said += self._shares(None if everything else mouth.services)
                mouth.services.clear()
                if everything or (mouth.standing and loop.time() >= standing_at):
                    standing_at = loop.time() + AT_LEAST
                    mouth.standing = False
                    said.append(self._standing())
                for each in said:
                    with contextlib.suppress(OSError):  # the same; or the network is down, which others find out
                        await stream.send(self._sealed(each))
                with contextlib.suppress(TimeoutError):
                    async with asyncio.timeout_at(standing_at if mouth.standing else all_at):
                        await mouth.news.wait()
        finally:
            self._mouths.pop(name, None)

    def _note(self, changes: list[Transition]) -> None:
        for change in changes:
            self._record(change)
