"""One life of one elector process: it is started, runs, may stand still, and ends or is killed.

The elector is `haman.elector.process.Elector` as it is. What is known of it here is what it says: role reports and
transitions to its director, packets to the network.
"""

from __future__ import annotations

import math
import signal
from typing import TYPE_CHECKING, Any, Protocol

from haman.elector.process import Elector
from haman.model.transition import Role
from haman.simulation.companion import Companion
from haman.simulation.loop import Loop, Spinning
from haman.simulation.paper import PaperMachine

if TYPE_CHECKING:
    from collections.abc import Callable

    from haman.elector.child import Listener
    from haman.model.confirmation import Neighbour
    from haman.model.elector import ElectorConfig, RoleReport, Roles
    from haman.model.transition import Transition
    from haman.simulation.host import Host
    from haman.simulation.orders import Move
    from haman.simulation.timeline import Timeline
    from haman.wire.neighbours import Answer
    from haman.wire.packet import Packet


class Audience(Protocol):
    """The world, as a process needs it."""

    def reaches_arbiter(self, host: Host) -> bool: ...

    def stands(self, life: Life, reached: bool | None) -> None: ...

    def covered(self, life: Life) -> dict[str, tuple[str, ...]]: ...

    def neighbours(self) -> tuple[Neighbour, ...]: ...

    def spoke(self, life: Life, device: str, packet: Packet) -> int: ...

    def announced(self, life: Life, device: str, frame: bytes) -> int: ...

    def reported(self, life: Life, roles: Roles) -> None: ...

    def happened(self, life: Life, transition: Transition) -> None: ...

    def told_director(self, life: Life, transition: Transition) -> None: ...

    def exited(self, life: Life, code: int) -> None: ...

    def broke(self, life: Life, words: str) -> None: ...


class Mailbox:
    """What the director sent and was not read yet."""

    def __init__(self) -> None:
        self.queue: list[Callable[[], None]] = []

    def read(self) -> None:
        while self.queue:
            self.queue.pop(0)()


class Life:
    """roles: the last report of each router. speaks: by VRID, the priority last advertised. stalled: it stood still for
    longer than its peers' patience, and has not given its role up yet. interval: seconds, that it advertises by: a file
    that its director did not live to tell of changes nothing."""

    def __init__(self, host: Host, timeline: Timeline, audience: Audience, slice: Callable[[], ElectorConfig]) -> None:
        self.host = host
        self.name = host.name
        self.slice = slice
        self._timeline = timeline
        self._audience = audience
        self.ready = True
        self.fault = False
        self.frozen = False
        self.interval = math.inf
        self.over = False
        self.stopping_since: float | None = None
        self.roles: dict[str, RoleReport] = {}
        self.speaks: dict[int, int] = {}
        self.spoke_clock: dict[int, float] = {}  # by its own clock
        self.stalled: set[int] = set()
        self.confessed: dict[int, float] = {}  # by VRID: when it said, leaving, that it was there
        self.room: list[Move] = []  # by which another one is to have routers before this one
        self._turning = False
        self._armed: float | None = None
        self._mailbox = Mailbox()
        self.director: Companion | None = None
        self.loop = Loop(host.clock, self._broken)  # type: ignore[abstract]  # it has what an elector uses
        self.machine = PaperMachine(self)
        self.loop.add_reader(self._mailbox, self._mailbox.read)
        self._task = self.loop.create_task(Elector(self.machine).run())

    @property
    def lively(self) -> bool:
        return not self.over and not self.frozen and self.host.running

    def role(self, router: str) -> Role:
        report = self.roles.get(router)
        return Role.STOPPED if report is None else report.role

    def prepared(self, router: str) -> bool:
        """Nothing keeps it from taking the role from a living peer, as far as its director knows."""
        makes_room = any(router in move.routers for move in self.room)
        return self.ready and not self.host.crippled and not makes_room and router not in self.host.given

    def turn(self) -> None:
        """Whatever it can do now; then it is called again when its next timer is due."""
        if self.over or self.frozen or self._turning or not self.host.running:
            return
        if self.machine.news.waiting:
            self.machine.news.arrive()
        self._turning = True  # what it causes may come back to it: that is read in this turn
        try:
            self.loop.turn()
        except Spinning:
            self._audience.broke(self, "it does not come to rest")
            return
        finally:
            self._turning = False
        if self._task.done() and not self.over:
            self.over = True
            self._audience.exited(self, self._task.result())
            self._bury()
            return
        due = self.loop.due
        if due is not None:
            at = self.host.clock.moment(due)
            # A hair later than the timer: two roundings must not make it a hair too early.
            if self._armed is None or at < self._armed or self._armed <= self._timeline.now:
                self._armed = at
                self._timeline.at(at + 1e-9, self.turn)

    def hear(self, device: str, packet: Packet) -> None:
        ear = self.machine.ears.get((device, packet.source.version))
        if ear is not None and not self.over:
            ear.queue.append(packet)
            self.loop.stirred = True
            self.turn()

    def hear_answer(self, device: str, answer: Answer) -> None:
        replies = self.machine.open_replies.get((device, answer.address.version))
        if replies is not None and not self.over:
            replies.queue.append(answer)
            self.loop.stirred = True
            self.turn()

    def neighbours(self) -> tuple[Neighbour, ...]:
        return self._audience.neighbours()

    def post(self, call: Callable[[], None]) -> None:
        """From its director; read when it gets a turn."""
        if not self.over:
            self._mailbox.queue.append(call)
            self.loop.stirred = True
            self.turn()

    def stop(self) -> None:
        if self.lively and self.stopping_since is None:
            self.stopping_since = self._timeline.now
            self.post(lambda: self._signal(signal.SIGTERM))

    def die(self) -> None:
        """SIGKILL, or the machine is gone."""
        self.over = True
        self._bury()

    def deafen(self) -> None:
        """The machine stood still as a whole: nobody kept what arrived."""
        for ear in self.machine.ears.values():
            ear.queue.clear()
        for replies in self.machine.open_replies.values():
            replies.queue.clear()

    # -- Outside and Elder ------------------------------------------------------------------------------------------

    def speak(self, device: str, packet: Packet) -> int:
        return self._audience.spoke(self, device, packet)

    def announce(self, device: str, frame: bytes) -> int:
        return self._audience.announced(self, device, frame)

    def reaches_arbiter(self) -> bool:
        return self._audience.reaches_arbiter(self.host)

    def stands(self, reached: bool | None) -> None:
        self._audience.stands(self, reached)

    def covered(self) -> dict[str, tuple[str, ...]]:
        return self._audience.covered(self)

    def companion(self, listener: Listener) -> Companion:
        self.director = Companion(self, listener, self._timeline)
        return self.director

    def record(self, transition: Transition) -> None:
        if not self.over:
            self._audience.happened(self, transition)

    def reported(self, roles: Roles) -> None:
        if not self.over:
            self.roles = {report.router: report for report in roles.roles}
            self._audience.reported(self, roles)

    def told(self, transition: Transition) -> None:
        if not self.over:
            self._audience.told_director(self, transition)

    # -- inside -----------------------------------------------------------------------------------------------------

    def _signal(self, number: int) -> None:
        self.loop.signals[number]()

    def _broken(self, context: dict[str, Any]) -> None:
        if not self.over:
            self._audience.broke(self, f"{context.get('message')}: {context.get('exception')!r}")

    def _bury(self) -> None:
        self.machine.gone = True
        self.roles = {}
        self.speaks = {}
        if self.host.news is self.machine.news.waiting:
            self.host.news = None
        self.loop.end()
