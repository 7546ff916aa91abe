"""What this node still lacks before it may take a router from a living peer: found out, and told.

The elector is told, the peers are, and status shows it. It is looked at whenever something has changed that it may
depend on; at the start every check's first answer is such a change, so they are gathered for a moment. How each want is
judged is `readiness`'s and `hearing`'s.
"""

from __future__ import annotations

import asyncio
import time
from typing import TYPE_CHECKING

from haman.director import readiness
from haman.director.hearing import Hearing, situations
from haman.model.kernel import DaemonRole
from haman.model.transition import Role
from haman.observe.journal import log
from haman.plan import desired

if TYPE_CHECKING:
    from collections.abc import Callable, Container, Iterable, Mapping

    from haman.director.company import Own
    from haman.director.orders import Book
    from haman.director.peers import Peers
    from haman.director.reconcile import Reconciler
    from haman.health.board import Board
    from haman.model.cluster import Cluster
    from haman.model.transition import Transition

SETTLE = 0.05
"""Seconds in which what changes readiness is gathered."""


class Assessment:
    """own, reconciler, peers: asked for at every look. board: None until the checks have begun. prepares: called at
    every look with the routers that something is lacking for; of the others, what is to be prepared for connections
    that the active director alone knows. looked: called at every look after the checks have begun. tell: called when
    what is lacked has changed. record: takes who waits for connections, and no longer does.

    missing: by router, what is lacked; None until that is known. waiting: that, and what the operator has ordered.
    hears: the routers that lack nothing but what has to do with the active director's connections.
    checked: was every server checked by now?
    """

    def __init__(
        self,
        cluster: Cluster,
        *,
        own: Callable[[], Own],
        reconciler: Callable[[], Reconciler],
        peers: Callable[[], Peers],
        book: Book,
        prepares: Callable[[Container[str]], dict[str, str]],
        looked: Callable[[], None],
        tell: Callable[[], None],
        record: Callable[[Transition], None],
    ) -> None:
        self._own = own
        self._reconciler = reconciler
        self._peers = peers
        self._book = book
        self._prepares = prepares
        self._looked = looked
        self._tell = tell
        self._record = record
        self._board: Board | None = None
        self._soon: asyncio.TimerHandle | None = None
        self._room: Mapping[str, str] = {}
        self._serving: Mapping[str, str | None] = {}
        self._sync = cluster.sync
        self.hearing = Hearing(*_hearing(cluster))
        self.missing: dict[str, str] | None = None
        self.waiting: dict[str, str] = {}
        self.hears: tuple[str, ...] = ()
        self.checked = False

    def begin(self, board: Board) -> None:
        """The checks have begun."""
        self._board = board
        self.look()

    def configure(self, cluster: Cluster) -> None:
        """From now on `own` tells of this configuration."""
        if cluster.sync != self._sync:
            self.hearing.restart(time.monotonic())
        self._sync = cluster.sync
        self.hearing.configure(*_hearing(cluster))

    def doubt(self, routers: Iterable[str]) -> None:
        """These were in fault: the elector takes none of them for ready before it is told so again."""
        if self._board is not None:
            own = self._own()
            self._board.doubt(readiness.services_of(own.cluster, own.node, set(routers)))
        self.anew()

    def anew(self) -> None:
        """Whatever was told counts for nothing any more."""
        self.missing = None
        self.look()

    def disturbed(self) -> None:
        """Somebody has changed the table: what was told of connections meanwhile may be bound to no server."""
        self.hearing.restart(time.monotonic())
        self.soon()

    def met(self) -> None:
        """Another director may have said something new: that it makes room, that it is active, or how many connections
        there are."""
        own, peers = self._own(), self._peers()
        room = peers.making_room(own.node)
        serving = {report.router: peers.active(report.router) for report in own.roles}
        if room != self._room or serving != self._serving or self.hearing.waiting:
            self._room, self._serving = room, serving
            self.soon()

    def soon(self) -> None:
        """Something that readiness depends on changed."""
        if self._soon is None:
            self._soon = asyncio.get_running_loop().call_later(SETTLE, self.look)

    def look(self) -> None:
        if self._soon is not None:
            self._soon.cancel()
            self._soon = None
        own, peers, reconciler = self._own(), self._peers(), self._reconciler()
        before, self.checked = self.checked, self._board is not None and not self._board.unchecked
        if self.checked and not before:
            reconciler.reconsider()  # the table is as full as it gets: others may tell their connections now
        unready = self._unready(own, reconciler)
        unheard = self._unheard(own, reconciler, peers, unready)
        room = peers.making_room(own.node)
        missing = {**unheard, **room, **unready}
        ordered = self._book.orders.waiting()
        unprepared = self._prepares(ordered.keys() | missing.keys())
        missing |= unprepared
        waiting = {**ordered, **missing}
        if self._board is not None:
            self._looked()
        if missing == self.missing and waiting == self.waiting:
            return
        for router in self.waiting.keys() - waiting.keys():
            log.info("router %s is ready", router)
        self.missing, self.waiting = missing, waiting
        hears = (unheard.keys() | unprepared.keys()) - unready.keys() - ordered.keys()
        self.hears = tuple(sorted(hears - room.keys()))  # who makes room is to be later than the heir
        self._tell()

    def _unready(self, own: Own, reconciler: Reconciler) -> dict[str, str]:
        """By router. To go through ten thousand servers takes longer than the loop may be held, so it is not done when
        there is nothing to find."""
        fine = reconciler.loaded and not reconciler.refused and reconciler.unavailable is None
        if self.checked and fine:
            return {}
        return readiness.waiting(
            own.cluster,
            own.node,
            health=self._board.health if self._board is not None else {},
            unavailable=reconciler.unavailable,
            loaded=reconciler.loaded,
            refused=reconciler.refused,
        )

    def _unheard(self, own: Own, reconciler: Reconciler, peers: Peers, missing: Mapping[str, str]) -> dict[str, str]:
        """By router that lacks nothing else, what it lacks of the active director's connections."""
        if self._board is None:
            return {}
        routers = situations(
            own.roles,
            own.connections,
            missing,
            hears=reconciler.daemons.get(DaemonRole.BACKUP.value, False),
            serving=peers.serving,
        )
        active = [report.router for report in own.roles if report.role is Role.ACTIVE]
        for transition in self.hearing.look(routers, time.monotonic(), time.time(), active):
            self._record(transition)
        return self.hearing.waiting


def _hearing(cluster: Cluster) -> tuple[float, float]:
    """What Hearing has to know of the configuration."""
    return float(desired.sync_refresh(cluster.timeouts)), cluster.sync.wait if cluster.sync is not None else 0.0
