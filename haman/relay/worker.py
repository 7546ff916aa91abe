"""The relay's process: fronts that are opened, weighed and closed at the director's word, and figures told to it.

When the director is gone without a word (it crashed, or is started anew) the relay goes on: its successor has sockets
of its own on the same ports after a moment. Until then this one takes what comes; then it takes nothing more, and what
it has is drained as at a switch.
"""

from __future__ import annotations

import resource
import socket
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

from haman.model.services import Protocol
from haman.relay import orders
from haman.relay.account import Account
from haman.relay.listener import Listener
from haman.relay.origins import Origins
from haman.relay.poll import LEVEL, Poll
from haman.relay.pool import Pool, Server
from haman.relay.udp import Flow, Gate
from haman.relay.way import Way

if TYPE_CHECKING:
    from collections.abc import Iterator

    from haman.relay.orders import Front
    from haman.relay.tcp import Session

TICK = 0.25
"""Seconds between two looks at what has been idle for too long."""

TELL = 1.0
"""Seconds between two figures."""

ORDERED = 16
"""One descriptor in so many is not for sessions: an order takes it, however many of these there are."""

ORPHANED = 10.0
"""Seconds after the director's end in which new sessions are taken. A director that crashed is started again at once
and has its own relay after two or three; one that crashes again and again comes every five."""


class Door:
    """A front that is open: its gate, and its ways by name."""

    def __init__(self, gate: Listener | Gate, ways: dict[str, Way[Any]]) -> None:
        self.gate = gate
        self.ways = ways


class Worker:
    """link: to the director, see `orders`."""

    def __init__(self, link: socket.socket) -> None:
        self._link = link
        self._orders = orders.Joined()
        self._poll = Poll()
        self._accounts: dict[str, Account] = {}
        self._doors: dict[str, Door] = {}
        self._leaving: list[Way[Any]] = []
        self._closed: list[Listener | Gate] = []
        self._told_at = self._ticked_at = 0.0
        self._orphaned_at: float | None = None
        self._running = True
        self._poll.watch(link.fileno(), self, LEVEL)

    def run(self) -> None:
        """Until the director says so, or has left it alone for long enough."""
        while self._running:
            self._poll.turn(TICK)
            if self._poll.now - self._ticked_at >= TICK:
                self._ticked_at = self._poll.now
                self._tick()
            self._poll.sweep()
        for way in self._all():
            way.end(None)
        self._poll.sweep()
        self._poll.close()

    def event(self, mask: int) -> None:
        """From the director."""
        while self._orphaned_at is None and self._running:
            try:
                with _spare():
                    part, descriptors, _, _ = socket.recv_fds(self._link, orders.PART + 1, 1)
            except BlockingIOError:
                return
            except ConnectionResetError:
                continue  # it ended with something of ours unread; its last words are still there
            if not part:
                self._orphaned_at = self._poll.now
                self._poll.discard(self._link)
                return
            if (message := self._orders.add(part)) is not None:
                with _spare():
                    self._take(orders.read(message), descriptors)

    def _take(self, order: dict[str, Any], descriptors: list[int]) -> None:
        match order["do"]:
            case "open":
                front = orders.front(order["front"])
                sock = socket.socket(fileno=descriptors[0]) if descriptors else None
                self._open(front, sock)
            case "weigh":
                door = self._doors[order["name"]]
                for name, way in door.ways.items():
                    weights = order["weights"].get(name, {})
                    way.weigh({server: (weight, up) for server, (weight, up) in weights.items()})
                door.gate.watch()
            case "close":
                self._close(order["name"])
            case "stop":
                self._running = False

    def _open(self, front: Front, sock: socket.socket | None) -> None:
        """Without a socket: the front that is open gets other ways; sessions of those that have changed are drained."""
        old = self._doors.get(front.name)
        ways: dict[str, Way[Any]] = {}
        for plan in front.ways:
            account = self._accounts.setdefault(plan.name, Account(plan.terms))
            account.terms = plan.terms
            servers = [Server(name=s.name, address=s.address, port=s.port, source=s.source) for s in plan.servers]
            way: Way[Any] | None = old.ways.pop(plan.name, None) if old is not None else None
            if way is None or not _alike(way, servers, plan.prefix):
                pool = Pool(servers, plan.prefix)
                if way is not None:
                    pool.weigh({name: (each.weight, each.up) for name, each in way.pool.servers.items()})
                    self._leave(way)
                way = Way(plan.name, front.protocol, front.address, self._poll, account, pool, self._say)
            ways[plan.name] = way
        if old is not None and sock is None:
            for way in old.ways.values():
                self._leave(way)
            old.ways = ways
            old.gate.ways = list(ways.values())
            old.gate.origins = Origins(front.origins)
            return
        assert sock is not None
        sock.setblocking(False)
        if front.protocol is Protocol.TCP:
            sessions: list[Way[Session]] = list(ways.values())
            self._doors[front.name] = Door(Listener(sock, self._poll, sessions, Origins(front.origins)), ways)
        else:
            flows: list[Way[Flow]] = list(ways.values())
            self._doors[front.name] = Door(Gate(sock, self._poll, flows, Origins(front.origins)), ways)

    def _close(self, name: str) -> None:
        door = self._doors.pop(name)
        door.gate.close()
        self._closed.append(door.gate)
        for way in door.ways.values():
            self._leave(way)

    def _leave(self, way: Way[Any]) -> None:
        way.drain()
        self._leaving.append(way)

    def _all(self) -> list[Way[Any]]:
        return [*self._leaving, *(way for door in self._doors.values() for way in door.ways.values())]

    def _tick(self) -> None:
        for gate in (*self._closed, *(door.gate for door in self._doors.values())):
            gate.tick()
        for way in self._all():
            way.tick()
        self._closed = [gate for gate in self._closed if gate.waits]
        self._leaving = [way for way in self._leaving if way.members]
        if self._orphaned_at is None:
            if self._poll.now - self._told_at >= TELL:
                self._told_at = self._poll.now
                for figures in orders.figures({name: each.figures() for name, each in self._accounts.items()}):
                    self._tell(figures)
        elif self._poll.now - self._orphaned_at >= ORPHANED:
            for name in list(self._doors):
                self._close(name)
            self._running = any(way.members for way in self._leaving)

    def _say(self, words: str) -> None:
        self._tell(orders.said(words))

    def _tell(self, message: bytes) -> None:
        """What a director does not take is lost: it gets the next one."""
        if self._orphaned_at is None:
            try:
                self._link.send(message)
            except OSError:
                return


def _alike(way: Way[Any], servers: list[Server], prefix: int | None) -> bool:
    old = [(each.name, each.address, each.port, each.source) for each in way.pool.servers.values()]
    return way.pool.prefix == prefix and old == [(s.name, s.address, s.port, s.source) for s in servers]


def raise_limit() -> int:
    """As many descriptors as this process may have, less those for the director's orders; returns how many that are."""
    _, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (for_sessions(hard), hard))
    return for_sessions(hard)


def for_sessions(descriptors: int) -> int:
    """Of so many."""
    return descriptors - descriptors // ORDERED


@contextmanager
def _spare() -> Iterator[None]:
    """An order that opens a front comes with a descriptor. With none left the kernel would drop that in silence."""
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (hard, hard))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_NOFILE, (soft, hard))
