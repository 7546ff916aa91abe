"""Where clients of a TCP service come in: accept, choose the backup, begin a session or refuse it by a reset."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING

from haman.relay import tcp
from haman.relay.outward import OUT_OF_DESCRIPTORS
from haman.relay.poll import LEVEL
from haman.relay.tcp import Session
from haman.relay.way import chosen

if TYPE_CHECKING:
    import socket

    from haman.relay.origins import Origins
    from haman.relay.poll import Poll
    from haman.relay.way import Way

ACCEPTED = 64
"""Connections that are accepted before sessions have their turn."""

QUEUED = 1024
"""Times `ACCEPTED`: more than a socket's queue holds, which is left empty when it is closed."""

CONNECTING_SLOT = 0.25
"""Seconds between two looks for connections that take too long: see `tick`."""


class Listener:
    """sock: listens, does not block. ways: of this port, in the order of the backups; never empty. origins: who is
    refused."""

    def __init__(self, sock: socket.socket, poll: Poll, ways: list[Way[Session]], origins: Origins) -> None:
        self._sock = sock
        self._poll = poll
        self.ways = ways
        self.origins = origins
        self._port: int = sock.getsockname()[1]
        self._spare = _spare()
        self._connecting: list[Session] = []
        self._watching = False
        tcp.prepare(sock)

    def watch(self) -> None:
        """Begin: its ways have been weighed. Whoever comes before that waits in the socket."""
        if not self._watching:
            self._watching = True
            self._poll.watch(self._sock.fileno(), self, LEVEL)

    def event(self, mask: int) -> None:
        self._accept()

    def tick(self) -> None:
        """Connections that no server has accepted in time."""
        if not self._connecting:
            return
        waiting = [each for each in self._connecting if not each.connected and not each.over]
        self._connecting = waiting
        for session in waiting:
            patience = session.owner.account.terms.connect
            if self._poll.now - session.seen >= patience:
                session.retry()

    @property
    def waits(self) -> bool:
        """There is something to look for in `tick`, also once it is closed."""
        return any(not each.connected and not each.over for each in self._connecting)

    def close(self) -> None:
        """Whoever has connected until now is served, or refused."""
        for _ in range(QUEUED):
            if not self._accept():
                break
        self._poll.discard(self._sock)
        if self._spare >= 0:
            os.close(self._spare)

    def _accept(self) -> bool:
        """Whether there may be more."""
        for _ in range(ACCEPTED):
            try:
                sock, address = self._sock.accept()
            except BlockingIOError:
                return False
            except OSError as error:
                if error.errno in OUT_OF_DESCRIPTORS:
                    return self._refuse_without_descriptor()
                continue  # it is gone before it was accepted
            sock.setblocking(False)
            self._take(sock, (address[0], address[1]))
        return True

    def _take(self, sock: socket.socket, peer: tuple[str, int]) -> None:
        way = chosen(self.ways)
        reason = "circle" if peer[0] in self.origins else way.account.admit()
        if reason is not None:
            way.refuse(reason)
            tcp.reset(sock)
            sock.close()
            return
        session = Session(way, sock, peer, self._port, self._poll.now)
        way.take(session)
        self._connecting.append(session)
        session.start()

    def _refuse_without_descriptor(self) -> bool:
        """The one that is kept for this is given up for as long as it takes to refuse one connection: it would wait in
        the queue else, and this loop would turn for it for ever. Returns whether one was refused."""
        if self._spare >= 0:
            os.close(self._spare)
        try:
            sock, _ = self._sock.accept()
            tcp.reset(sock)
            sock.close()
        except OSError:
            return False
        finally:
            self._spare = _spare()
        chosen(self.ways).refuse("descriptors")
        return True


def _spare() -> int:
    """-1 while there is none at all: the whole machine may be out of them."""
    try:
        return os.open(os.devnull, os.O_RDONLY | os.O_CLOEXEC)
    except OSError:
        return -1
