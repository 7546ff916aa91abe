"""The routers of this node and the world: events in, effects out, one deadline. No election rule is here.

The engine is synchronous: what a packet, a timer or a message causes is done when the call returns, except for
addresses, which the keeper brings to their level (it is woken, and asks `holding`).
"""

from __future__ import annotations

import time
from typing import TYPE_CHECKING, Protocol

from haman.election import tracking
from haman.election.effects import Advertise, Announce, Changed, Effect
from haman.election.events import Assessed, Event, Readiness, Reconfigured, Start, Stop, Tick
from haman.election.router import Active, Leaving, Router
from haman.elector.reception import Reception
from haman.model.elector import Happened, RoleReport, Roles
from haman.model.transition import Kind, Role, Transition
from haman.wire import ipv4, vrrp

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping
    from ipaddress import IPv4Address

    from haman.elector.tally import Tally
    from haman.model.elector import ElectorConfig, RouterConfig

REFUSED_HOLD = 10.0
"""Seconds a router stays in fault after the kernel refused it an address: long enough not to flap, short enough
to come back by itself when an interface was only being renamed."""


class World(Protocol):
    """What the engine needs done. All of it returns at once."""

    def send(self, interface: str, packet: bytes, destination: IPv4Address) -> int:
        """Returns 0 or an errno."""

    def wake_at(self, when: float | None) -> None:
        """Call `tick` then (monotonic seconds); replaces the earlier wish."""

    def wake_keeper(self) -> None:
        """What must be on the NICs has changed."""

    def tell(self, message: Roles | Happened) -> None:
        """For the director, and the log."""


class Engine:
    def __init__(self, world: World, tally: Tally, clock: Callable[[], float] = time.monotonic) -> None:
        self._world = world
        self._tally = tally
        self._clock = clock
        self._routers: dict[str, Router] = {}
        self._known: dict[str, dict[int, RouterConfig]] = {}  # by interface and VRID
        self._carrier: Mapping[str, bool] = {}
        self._refused: dict[str, tuple[str, float]] = {}
        self._announcing: dict[str, float | None] = {}
        self._reception = Reception(tally, self._note)
        self._touched: set[str] = set()
        self._reported: dict[str, RoleReport] = {}
        self._epoch = time.monotonic_ns() // 1_000_000  # grows across restarts without a file
        self._stopping = False
        self.config: ElectorConfig | None = None

    # -- asked by others -------------------------------------------------------------------------------------

    def holding(self) -> dict[str, bool | None]:
        """By router: must its addresses be on the NIC; None leaves them as they are found."""
        return {name: router.holds for name, router in self._routers.items()}

    def holds(self, name: str) -> bool:
        router = self._routers.get(name)
        return router is not None and router.holds is True

    @property
    def stopped(self) -> bool:
        """Asked to stop, and no router serves any more."""
        return self._stopping and all(router.role is Role.STOPPED for router in self._routers.values())

    def shortest_interval(self) -> float:
        return min((router.config.advert_interval for router in self._routers.values()), default=1.0)

    def roles(self) -> Roles:
        return Roles(epoch=self._epoch, roles=tuple(self._reported.values()))

    def due_announcements(self) -> dict[str, float | None]:
        """Routers whose neighbours are to be told; each is given out once. For a takeover the value is when it was
        decided; None is an announcement made again."""
        due, self._announcing = self._announcing, {}
        return due

    def router_config(self, name: str) -> RouterConfig | None:
        router = self._routers.get(name)
        return router.config if router is not None else None

    # -- told by others ---------------------------------------------------------------------------------------

    def configure(self, config: ElectorConfig, *, adopting: bool) -> None:
        """A new slice. Routers keep their state when VRID and interface stay; others leave, or start.

        adopting: this is the first one, so a VIP found on a NIC may be an earlier life's.
        """
        now = self._clock()
        self.config = config
        wanted = {router.name: router for router in config.routers}
        self._known = {router.interface: {} for router in config.routers}
        for new in config.routers:
            self._known[new.interface][new.vrid] = new
        for name, router in list(self._routers.items()):
            successor = wanted.get(name)
            identity = (router.config.vrid, router.config.interface)
            if successor is None or (successor.vrid, successor.interface) != identity:
                # The next owner of this VRID must not wait for a silence: say goodbye, then forget.
                if isinstance(router.state, (Active, Leaving)):
                    self._advertise(router, vrrp.PRIORITY_LEAVING)
                del self._routers[name], self._reported[name]
                self._world.wake_keeper()
        for name, new in wanted.items():
            if name in self._routers:
                self._drive(self._routers[name], Reconfigured(new), now)
                self._assess(name, now)
            else:
                self._routers[name] = Router(new, adopting=adopting)
                self._assess(name, now)
                self._drive(self._routers[name], Start(), now)
        self._settle()

    def readiness(self, waiting: Mapping[str, str]) -> None:
        now = self._clock()
        for name, router in self._routers.items():
            if router.waiting != waiting.get(name):
                self._drive(router, Readiness(waiting.get(name)), now)
        self._settle()

    def unready(self, why: str) -> None:
        """Nobody programs the table at the moment: no router may preempt."""
        self.readiness(dict.fromkeys(self._routers, why))

    def links(self, carrier: Mapping[str, bool]) -> None:
        self._carrier = dict(carrier)
        now = self._clock()
        for name in self._routers:
            self._assess(name, now)
        self._settle()

    def refused(self, name: str, why: str) -> None:
        """The kernel refused this router's address: it cannot be active."""
        now = self._clock()
        self._refused[name] = (f"the kernel refused: {why}", now + REFUSED_HOLD)
        if name in self._routers:
            self._assess(name, now)
        self._settle()

    def packet(self, interface: str, data: bytes) -> None:
        """One raw IPv4 packet of protocol 112. Never raises: a bad one is counted."""
        now = self._clock()
        known = self._known.get(interface, {})
        heard = self._reception.read(interface, data, known, now)
        if heard is not None:
            self._drive(self._routers[known[heard.advertisement.vrid].name], heard, now)

    def tick(self) -> None:
        """A deadline passed. Hand in everything received BEFORE."""
        now = self._clock()
        for name, router in self._routers.items():
            if router.deadline is not None and now >= router.deadline:
                self._tally.late(now - router.deadline)
                self._drive(router, Tick(), now)
            if name in self._refused and now >= self._refused[name][1]:
                self._assess(name, now)
        self._settle()

    def stop(self) -> None:
        now = self._clock()
        self._stopping = True
        for router in self._routers.values():
            self._drive(router, Stop(), now)
        self._settle()

    def settle(self) -> None:
        """After a series of `packet` calls: report, and arm the deadline."""
        self._settle()

    # -- inside -------------------------------------------------------------------------------------------------

    def _assess(self, name: str, now: float) -> None:
        router = self._routers[name]
        assessed = tracking.assess(router.config, self._carrier)
        refused, until = self._refused.get(name, ("", 0.0))
        if now >= until:
            self._refused.pop(name, None)
        elif assessed.fault is None:
            assessed = Assessed(refused, assessed.penalty)
        self._drive(router, assessed, now)

    def _drive(self, router: Router, event: Event, now: float) -> None:
        self._touched.add(router.config.name)
        for effect in router.handle(event, now):
            self._perform(router, effect, now)

    def _perform(self, router: Router, effect: Effect, now: float) -> None:
        match effect:
            case Advertise(priority):
                self._advertise(router, priority)
            case Announce():
                self._announcing.setdefault(router.config.name, None)
                self._world.wake_keeper()
            case Changed():
                if effect.after is Role.ACTIVE:
                    self._announcing[router.config.name] = now
                self._note(
                    Kind.ROUTER, router.config.name, effect.before.value, effect.after.value, effect.cause, effect.why
                )

    def _advertise(self, router: Router, priority: int) -> None:
        config = router.config
        addresses = tuple(address.ip for address in config.addresses if address.ip.version == 4)
        advertisement = vrrp.Advertisement(config.vrid, priority, config.advert_interval, addresses)
        for destination in config.peers or (vrrp.GROUP,):
            message = vrrp.encode(advertisement, config.source, destination, config.checksum)
            error = self._world.send(config.interface, ipv4.wrap(message, config.source, destination), destination)
            self._tally.count(config.name, "adverts_send_failed" if error else "adverts_sent")
        if priority == vrrp.PRIORITY_LEAVING:
            self._tally.count(config.name, "priority_zero_sent")

    def _settle(self) -> None:
        news = {name: self._report(self._routers[name]) for name in self._touched if name in self._routers}
        self._touched.clear()
        if any(report != self._reported.get(name) for name, report in news.items()):
            if any(
                name not in self._reported or report.holds != self._reported[name].holds
                for name, report in news.items()
            ):
                self._world.wake_keeper()
            self._reported.update(news)
            self._epoch += 1
            self._world.tell(self.roles())
        deadlines = [router.deadline for router in self._routers.values() if router.deadline is not None]
        deadlines += [until for _, until in self._refused.values()]
        self._world.wake_at(min(deadlines, default=None))

    def _report(self, router: Router) -> RoleReport:
        peer = router.peer
        return RoleReport(
            router=router.config.name,
            role=router.role,
            priority=router.priority,
            holds=router.holds is True,
            since=router.since,
            why=router.why,
            peer=peer.address if peer is not None else None,
            peer_priority=peer.priority if peer is not None else 0,
        )

    def _note(self, kind: Kind, who: str, before: str, after: str, cause: str, why: str) -> None:
        transition = Transition(kind=kind, who=who, before=before, after=after, why=why, cause=cause, at=time.time())
        self._world.tell(Happened(transition=transition))
