"""Where clients of a UDP service come in: a flow for each client's address and port, with a socket of its own.

A datagram is sent on as it comes or not at all: nothing waits here, and what a full buffer does not take is lost, as
anywhere on its way. (Not `asyncio-dgram`: its queue of what was received has no bound.)

With the PROXY protocol every datagram to the server has a header, since none of them is the first: servers keep no
flows. dnsdist sends, and expects, it like that.
"""

from __future__ import annotations

import errno
import socket
from typing import TYPE_CHECKING

from haman.relay.outward import NotConnected, connected, graver
from haman.relay.poll import LEVEL
from haman.relay.way import chosen

if TYPE_CHECKING:
    from haman.relay.origins import Origins
    from haman.relay.poll import Poll
    from haman.relay.pool import Server
    from haman.relay.way import Way

RECEIVED = 64
"""Datagrams of one socket that are moved before others have their turn."""

QUEUED = 1024
"""Times `RECEIVED`: more than a socket's buffer holds, which is left empty when it is closed."""

_NOBODY = {socket.AF_INET: "127.0.0.1", socket.AF_INET6: "::1"}
"""Who sends nothing from the port `discard`."""

_BUFFER = bytearray(65536)
_VIEW = memoryview(_BUFFER)


class Flow:
    """tried: the server it has; another one is chosen by the next flow."""

    __slots__ = ("_front", "_terms", "header", "over", "peer", "port", "seen", "sock", "to", "way")

    def __init__(
        self, way: Way[Flow], front: Gate, sock: socket.socket, to: Server, peer: tuple[str, int], now: float
    ) -> None:
        self.way = way
        self.sock = sock
        self.to: Server | None = to
        self.peer = peer
        self.port = front.port
        self.over = False
        self.seen = now
        self._front = front
        self._terms = way.account.terms
        self.header = way.header(self)

    @property
    def tried(self) -> tuple[str, ...]:
        return ()

    def event(self, mask: int) -> None:
        """The server has answered, or an ICMP error has come: its port is closed."""
        for _ in range(RECEIVED):
            try:
                count = self.sock.recv_into(_BUFFER)
            except BlockingIOError:
                return
            except OSError:
                self.end("unreachable")
                return
            self.seen = self.way.poll.now
            self.way.account.down += count
            self._front.answer(self, _VIEW[:count])

    def send(self, data: memoryview) -> None:
        way = self.way
        self.seen = way.poll.now
        if self._terms is not way.account.terms:  # a reload: `proxy` may be another one
            self._terms = way.account.terms
            self.header = way.header(self)
        try:
            if self.header:
                self.sock.sendmsg((self.header, data))
            else:
                self.sock.send(data)
        except BlockingIOError:
            way.refuse("full")
        except OSError as error:
            if error.errno == errno.EMSGSIZE:
                way.refuse("too_large")
            else:
                self.end("unreachable")
        else:
            way.account.up += len(data)

    def end(self, reason: str | None) -> None:
        if self.over:
            return
        self.over = True
        if self.to is not None:
            self.to.sessions -= 1
            self.to = None
        self.way.poll.discard(self.sock)
        self._front.forget(self)
        self.way.left(self, reason if reason != "idle" else None)  # how a flow ends when all is well


class Gate:
    """sock: bound, does not block. ways: of this port, in the order of the backups; never empty. origins: who is
    refused."""

    def __init__(self, sock: socket.socket, poll: Poll, ways: list[Way[Flow]], origins: Origins) -> None:
        self._sock = sock
        self._poll = poll
        self.ways = ways
        self.origins = origins
        self.port: int = sock.getsockname()[1]
        self._flows: dict[tuple[object, ...], Flow] = {}
        self._keys: dict[Flow, tuple[object, ...]] = {}
        self._watching = self._closed = False

    def watch(self) -> None:
        """Begin: its ways have been weighed. What comes before that waits in the socket."""
        if not self._watching:
            self._watching = True
            self._poll.watch(self._sock.fileno(), self, LEVEL)

    def event(self, mask: int) -> None:
        self._receive()

    def _receive(self) -> bool:
        """Whether there may be more."""
        flows, receive = self._flows, self._sock.recvfrom_into
        for _ in range(RECEIVED):
            try:
                count, address = receive(_BUFFER)
            except OSError:
                return False
            flow = flows.get(address) or self._begin(address)
            if flow is not None:
                flow.send(_VIEW[:count])
        return True

    def answer(self, flow: Flow, data: memoryview) -> None:
        try:
            self._sock.sendto(data, self._keys[flow])
        except OSError:
            flow.way.refuse("full")

    def forget(self, flow: Flow) -> None:
        del self._flows[self._keys.pop(flow)]
        if self._closed and not self._flows:
            self._poll.discard(self._sock)

    waits = False

    def tick(self) -> None:
        """Nothing is waited for here."""

    def close(self) -> None:
        """What has come is sent on, and answers go back for as long as there are flows. Nothing new comes: a socket
        that is connected takes what its peer sends, which is nobody, so the kernel gives all else to whoever listens
        beside it."""
        self._poll.unwatch(self._sock.fileno())
        try:
            self._sock.connect((_NOBODY[self._sock.family], 9))
        except OSError:  # nothing may be left open that takes what nobody reads
            for flow in list(self._keys):
                flow.end(None)
        else:
            for _ in range(QUEUED):
                if not self._receive():
                    break
        self._closed = True
        if not self._flows:
            self._poll.discard(self._sock)

    def _begin(self, address: tuple[object, ...]) -> Flow | None:
        way = chosen(self.ways)
        if address[0] in self.origins:
            way.refuse("circle")
            return None
        if way.pool.choose(str(address[0])) is None:
            way.refuse("no_server")
            return None
        if (reason := way.account.admit()) is not None:
            way.refuse(reason)
            return None
        try:
            sock, to = _taken(way, str(address[0]))
        except NotConnected as error:
            way.account.leave()
            way.refuse(error.reason)
            return None
        peer = str(address[0]), int(str(address[1]))
        flow = Flow(way, self, sock, to, peer, self._poll.now)
        to.sessions += 1
        self._flows[address] = flow
        self._keys[flow] = address
        way.take(flow)
        self._poll.watch(sock.fileno(), flow, LEVEL)
        return flow


def _taken(way: Way[Flow], client: str) -> tuple[socket.socket, Server]:
    """By the first of its servers that can be sent to. Raises NotConnected."""
    tried: tuple[str, ...] = ()
    lacks = "no_server"
    while (to := way.pool.choose(client, tried)) is not None:
        try:
            return connected(to, socket.SOCK_DGRAM), to
        except NotConnected as error:
            lacks = graver(lacks, error.reason)
            if error.everywhere:
                break
        tried += (to.name,)
    raise NotConnected(lacks)
