"""One TCP session: two sockets, and what one says is sent to the other.

What is read is sent on at once, from one buffer that all sessions share. Only what the receiver does not take stays,
and until it has taken that nothing more is read for it: so the sender is slowed by TCP itself, and a session that
waits holds one chunk for each direction at most. The end of one direction is handed on as that, and a reset as a reset.
"""

from __future__ import annotations

import socket
import struct
from select import EPOLLERR, EPOLLHUP, EPOLLIN, EPOLLOUT, EPOLLPRI, EPOLLRDHUP
from typing import TYPE_CHECKING, Protocol

from haman.relay.account import CHUNK
from haman.relay.outward import NotConnected, connected, graver
from haman.relay.poll import EDGE

if TYPE_CHECKING:
    from haman.relay.account import Account
    from haman.relay.poll import Poll
    from haman.relay.pool import Server

TURNS = 8
"""Chunks that one direction moves before others have their turn."""

LAST = 128
"""Chunks that may still be read of one that has been reset: what a socket's buffer holds."""

_RESET = struct.pack("ii", 1, 0)
_BUFFER = bytearray(CHUNK)
_VIEW = memoryview(_BUFFER)
_KEEPALIVE = (
    (socket.SOL_SOCKET, socket.SO_KEEPALIVE, 1),
    (socket.IPPROTO_TCP, socket.TCP_KEEPIDLE, 60),
    (socket.IPPROTO_TCP, socket.TCP_KEEPINTVL, 10),
    (socket.IPPROTO_TCP, socket.TCP_KEEPCNT, 6),
    (socket.IPPROTO_TCP, socket.TCP_NODELAY, 1),
    (socket.SOL_SOCKET, socket.SO_OOBINLINE, 1),  # an urgent byte is a byte, and lost else
)


class Owner(Protocol):
    """The relay to one backup, seen from a session of it."""

    poll: Poll
    account: Account

    def another(self, session: Session) -> Server | None:
        """A server this session has not tried yet."""

    def header(self, session: Session) -> bytes:
        """What a server is told first."""

    def left(self, session: Session, reason: str | None) -> None:
        """It is over. reason: why it ended early."""


def prepare(listener: socket.socket) -> None:
    """What accepted sockets inherit."""
    for level, option, value in _KEEPALIVE:
        listener.setsockopt(level, option, value)


def reset(sock: socket.socket) -> None:
    """So that its close is a reset."""
    sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, _RESET)


class End:
    """One of the two sockets. readable, writable: not known to be otherwise. ending: the last byte may be on its way,
    or an urgent one, at which a read stops: a short one says nothing then. ended: the last one has come. shut: that was
    handed on to this one. pending: what this one is to be sent."""

    __slots__ = ("ended", "ending", "pending", "readable", "session", "shut", "sock", "writable")

    def __init__(self, session: Session, sock: socket.socket, *, writable: bool) -> None:
        self.session = session
        self.sock = sock
        self.readable = self.ending = self.ended = self.shut = False
        self.writable = writable
        self.pending: memoryview | None = None

    def event(self, mask: int) -> None:
        session = self.session
        if session.over:
            return
        if mask & EPOLLERR:
            session.failed(self)
            return
        if mask & (EPOLLRDHUP | EPOLLHUP | EPOLLPRI):
            self.readable = self.ending = True
        elif mask & EPOLLIN:
            self.readable = True
        if mask & EPOLLOUT:
            self.writable = True
            if not session.connected and self is session.server:
                session.begin()
                return
        session.run()


class Session:
    """client: accepted. peer: its address and port. seen: when a byte was moved last, or the session begun. waiting:
    for its next turn, see `Poll.again`. lacks: why no server has taken it until now."""

    __slots__ = (
        "client", "connected", "lacks", "over", "owner", "peer", "port", "seen", "server", "to", "tried", "waiting",
    )  # fmt: skip

    def __init__(self, owner: Owner, client: socket.socket, peer: tuple[str, int], port: int, now: float) -> None:
        self.owner = owner
        self.peer = peer
        self.port = port
        self.client = End(self, client, writable=True)
        self.server: End | None = None
        self.to: Server | None = None
        self.tried: tuple[str, ...] = ()
        self.lacks = "no_server"
        self.connected = self.over = self.waiting = False
        self.seen = now

    def start(self) -> None:
        """Look for a server; the session may be over when this returns."""
        owner = self.owner
        while (to := owner.another(self)) is not None:
            self.tried += (to.name,)
            try:
                sock = connected(to, socket.SOCK_STREAM, _KEEPALIVE)
            except NotConnected as error:
                self.lacks = graver(self.lacks, error.reason)
                if error.everywhere:
                    break
                continue
            to.sessions += 1
            self.to = to
            self.server = End(self, sock, writable=False)
            owner.poll.watch(sock.fileno(), self.server, EDGE)
            return
        self.end(self.lacks)

    def begin(self) -> None:
        """The server has accepted."""
        assert self.server is not None
        self.connected = True
        self.seen = self.owner.poll.now
        if header := self.owner.header(self):
            self.server.pending = memoryview(header)
            self.owner.account.held += len(header)
        self.owner.poll.watch(self.client.sock.fileno(), self.client, EDGE)
        self.client.readable = True
        self.run()

    def failed(self, end: End) -> None:
        """An error on one of the sockets."""
        if end is self.server and not self.connected:
            self.retry()
        else:
            self._last_of(end)
            self.end("reset" if end is self.server else None)

    def retry(self) -> None:
        """The server has not accepted: another one may, and has as long to do it."""
        assert self.server is not None
        self.seen = self.owner.poll.now
        self._part()
        self.owner.poll.discard(self.server.sock)
        self.server = None
        self.lacks = graver(self.lacks, "unreachable")
        self.start()

    def run(self) -> None:
        """Move what can be moved."""
        if not self.connected or self.over:
            return
        client, server = self.client, self.server
        assert server is not None
        try:
            more = self._move(client, server, up=True)
            more = self._move(server, client, up=False) or more
        except _Gone as gone:
            self.failed(gone.end)
            return
        if client.shut and server.shut:
            self.end(None, orderly=True)
        elif more and not self.waiting:
            self.waiting = True
            self.owner.poll.again(self._go_on)

    def end(self, reason: str | None, *, orderly: bool = False) -> None:
        """reason: why it ends early. Not orderly: both are reset."""
        if self.over:
            return
        self.over = True
        self._part()
        for end in (self.client, self.server):
            if end is None:
                continue
            if end.pending is not None:
                self.owner.account.held -= len(end.pending)
                end.pending = None
            if not orderly:
                reset(end.sock)
            self.owner.poll.discard(end.sock)
        self.owner.left(self, reason)

    def _go_on(self) -> None:
        """Its turn has come; events in between have not put it there a second time."""
        self.waiting = False
        self.run()

    def _part(self) -> None:
        if self.to is not None:
            self.to.sessions -= 1
            self.to = None

    def _last_of(self, source: End) -> None:
        """What it sent before its reset is handed on, as far as the other takes it at once: a server that answers a
        request which it does not read to the end closes so."""
        sink = self.server if source is self.client else self.client
        assert sink is not None
        account = self.owner.account
        if sink.pending is not None or source.ended:
            return
        for _ in range(LAST):
            try:
                count = source.sock.recv_into(_BUFFER)
                sent = _send(sink, _VIEW[:count]) if count else 0
            except (OSError, _Gone):
                return
            if source is self.client:
                account.up += sent
            else:
                account.down += sent
            if not count or sent < count:
                return

    def _move(self, source: End, sink: End, *, up: bool) -> bool:
        """Whether there is more to do at once. Raises _Gone: one of the two is."""
        account = self.owner.account
        moved = 0
        try:
            for _ in range(TURNS):
                if sink.pending is not None:
                    if not sink.writable:
                        return False
                    sent = _send(sink, sink.pending)
                    account.held -= sent
                    moved += sent
                    if sent < len(sink.pending):
                        sink.pending = memoryview(bytes(sink.pending[sent:]))
                        return False
                    sink.pending = None
                if source.ended:
                    if not sink.shut:
                        _shut(sink)
                    return False
                if not source.readable:
                    return False
                chunk = account.chunk
                try:
                    count = source.sock.recv_into(_BUFFER, chunk)
                except BlockingIOError:
                    source.readable = False
                    return False
                except OSError:
                    raise _Gone(source) from None
                if not count:
                    source.ended = True
                    continue
                if count < chunk and not source.ending:
                    source.readable = False  # it was all there is; more of it is a new event
                sent = _send(sink, _VIEW[:count])
                moved += sent
                if sent < count:
                    sink.pending = memoryview(bytes(_VIEW[sent:count]))
                    account.held += count - sent
                    return False
            return True
        finally:
            if moved:
                self.seen = self.owner.poll.now
                if up:
                    account.up += moved
                else:
                    account.down += moved


class _Gone(Exception):
    """This socket has an error, which an event may not have told yet."""

    def __init__(self, end: End) -> None:
        super().__init__()
        self.end = end


def _shut(sink: End) -> None:
    sink.shut = True
    try:
        sink.sock.shutdown(socket.SHUT_WR)
    except OSError:
        raise _Gone(sink) from None


def _send(sink: End, data: memoryview) -> int:
    """Bytes that were taken."""
    if not sink.writable:
        return 0
    try:
        sent = sink.sock.send(data)
    except BlockingIOError:
        sent = 0
    except OSError:
        raise _Gone(sink) from None
    if sent < len(data):
        sink.writable = False
    return sent
