"""The routers of this node and the world: events in, effects out, one deadline. No election rule is here.

A sync group is one election: the state machine of its first router, the leader, and whatever it does is done for all
(election.group). Here everything that belongs to an election is kept by the name of its leader.

The engine is synchronous: what a packet, a timer or a message causes is done when the call returns, except for
addresses, which the keeper brings to their level (it is woken, and asks `holding`).
"""

from __future__ import annotations

import time
from copy import copy
from dataclasses import replace
from typing import TYPE_CHECKING, Any, Protocol

from haman.election import group, succession
from haman.election.effects import Advertise, Announce, Ask, Changed, Effect, Rivalled
from haman.election.events import Assessed, Event, Offer, Readiness, Reconfigured, Ruled, Start, Stop, Tick
from haman.election.group import Together, Watch
from haman.election.router import Router
from haman.election.states import Active, Leaving
from haman.election.tracking import Surroundings
from haman.elector import rolereport
from haman.elector.adverts import Adverts
from haman.elector.barred import Barred
from haman.elector.deadlines import Deadlines, earliest
from haman.elector.listed import Listed
from haman.elector.reception import Reception
from haman.elector.sources import Sources
from haman.model.confirmation import TakeoverVerdict
from haman.model.elector import AskArbiter, Happened, Roles
from haman.model.transition import Kind, Role, Transition
from haman.plan.desired import on_nic
from haman.wire.advertisement import PRIORITY_LEAVING

if TYPE_CHECKING:
    from collections.abc import Callable, Collection, Mapping
    from ipaddress import IPv6Address

    from haman.election.gate import Ruling
    from haman.election.group import Place
    from haman.elector.tally import Tally
    from haman.model.confirmation import Confirmation
    from haman.model.elector import ElectorConfig, RoleReport, RouterConfig
    from haman.model.kernel import AddressConfig, AddressKey
    from haman.model.routers import VirtualAddress
    from haman.model.trackers import Verdict
    from haman.wire.packet import Packet

UNCONFIGURED = 1.0
"""Seconds that stand for an interval until the first router is known."""


class World(Protocol):
    """What the engine needs done. All of it returns at once."""

    def send(self, interface: str, packet: Packet) -> int:
        """Returns 0 or an errno."""

    def wake_at(self, when: float | None) -> None:
        """Call `tick` then (monotonic seconds); replaces the earlier wish."""

    def wake_keeper(self) -> None:
        """What must be on the NICs has changed."""

    def tell(self, message: Roles | Happened | AskArbiter) -> None:
        """For the director, and the log."""


class Engine:
    """clock: seconds that only grow. wall: seconds since 1970, by which packets are signed and judged."""

    def __init__(
        self,
        world: World,
        tally: Tally,
        clock: Callable[[], float] = time.monotonic,
        wall: Callable[[], float] = time.time,
    ) -> None:
        self._world = world
        self._tally = tally
        self._clock = clock
        self._routers: dict[str, Router] = {}
        self._together: dict[str, Together] = {}
        self._watches: dict[str, Watch] = {}
        self._leaders: dict[str, str] = {}  # by router
        self._known: dict[str, dict[int, RouterConfig]] = {}  # by interface and VRID
        self._old_places: dict[str, Place] = {}  # by router: where it is listened to as well
        self._leaving: set[str] = set()  # in the configuration no more, and not stopped yet
        self._playing: ElectorConfig | None = None
        self._seen = Surroundings()
        self._maintenance: str | None = None
        self._barred = Barred()
        self._announcing: dict[str, float | None] = {}
        self._confirmations: dict[str, Confirmation] = {}  # of active ones
        self._sources = Sources()
        listed = Listed()
        self._adverts = Adverts(self._sources, listed, wall)
        self._reception = Reception(tally, self._sources, listed, self._note, wall)
        self._touched: set[str] = set()
        self._deadlines = Deadlines()  # by leader
        self._reported: dict[str, RoleReport] = {}
        self._levels: dict[str, bool | None] = {}  # what the keeper was woken for; "as found" is one as well
        self._epoch = int(clock() * 1000)  # grows across restarts without a file
        self._stopping = False
        self.config: ElectorConfig | None = None

    # -- asked by others -------------------------------------------------------------------------------------

    def holding(self) -> dict[str, bool | None]:
        """By router: must its addresses be on the NIC; None leaves them as they are found."""
        return {name: self._routers[leader].holds for name, leader in self._leaders.items()}

    def announces(self, name: str) -> bool:
        """See `Router.announces`."""
        leader = self._leaders.get(name)
        return leader is not None and self._routers[leader].announces

    def overdue(self) -> bool:
        """A deadline has passed, and `tick` was not called yet."""
        earliest = self._deadlines.earliest
        return earliest is not None and earliest <= self._clock()

    @property
    def stopped(self) -> bool:
        """Asked to stop, and no router serves any more."""
        return self._stopping and all(router.role is Role.STOPPED for router in self._routers.values())

    def shortest_interval(self) -> float:
        return min((router.config.advert_interval for router in self._routers.values()), default=UNCONFIGURED)

    def playing(self) -> ElectorConfig | None:
        """The configuration, and what an earlier one left that still serves until its successor speaks. The same
        object for as long as it is the same."""
        return self._playing

    @property
    def ears(self) -> frozenset[tuple[str, int]]:
        """Where there is something to hear: interfaces and IP versions."""
        routers = [(place, router) for place, known in self._known.items() for router in known.values()]
        return frozenset((interface, family) for interface, router in routers for family in router.families)

    def roles(self) -> Roles:
        return Roles(
            epoch=self._epoch, roles=tuple(self._reported[name] for name in self._leaders if name in self._reported)
        )

    def due_announcements(self) -> dict[str, float | None]:
        """Routers whose neighbours are to be told; each is given out once. For a takeover the value is when it was
        decided; None is an announcement made again."""
        due, self._announcing = self._announcing, {}
        return due

    def router_config(self, name: str) -> RouterConfig | None:
        leader = self._leaders.get(name)
        return None if leader is None else next(each for each in self._members(leader) if each.name == name)

    def link_local(self, device: str) -> IPv6Address | None:
        """This machine's own there, None while there is none."""
        return self._sources.link_local(device)

    # -- told by others ---------------------------------------------------------------------------------------

    def configure(self, config: ElectorConfig, *, adopting: bool) -> None:
        """A new slice: which election goes on as which router is `succession`'s to say. A router that is in it no more
        leaves as in an orderly stop: it serves until its successor speaks.

        adopting: this is the first one, so a VIP found on a NIC may be an earlier life's.
        """
        if self._stopping:
            return
        now = self._clock()
        elections = group.elections(config)
        wanted = {name: together.leader for name, together in elections.items()}
        plan = succession.match(
            {name: self._together[name].places for name in self._routers},
            {name: together.places for name, together in elections.items()},
        )
        was, self.config = self.config, config
        followed = {each.name: each.addresses for together in self._together.values() for each in together.routers[1:]}
        members = {name: [each.name for each in self._members(name)] for name in self._routers}
        for name in plan.leaves:
            self._dismiss(name, config, now)
        self._rename(plan.goes_on, elections, config)
        self._old_places = {name: old for name, old in self._old_places.items() if plan.goes_on.get(name) == name}
        self._old_places |= plan.moved
        self._learn()
        for name, new in wanted.items():
            if name in plan.goes_on:
                self._tell_change(self._routers[name].config, new, members[plan.goes_on[name]])
                self._drive(self._routers[name], Reconfigured(new), now)
                self._assess(name, now)
                self._announce_followers(name, followed)
            else:
                if was is not None:
                    self._note(Kind.CONFIG, name, "none", "configured", "router_added", f"new: {_described(new)}")
                believed = adopting and any(map(self._found, elections[name].routers))
                self._routers[name] = Router(new, adopting=adopting, believed=believed)
                self._assess(name, now)
            # One that was about to leave stays after all; else this is the start, or it has no effect.
            self._drive(self._routers[name], Start(), now)
        self._settle()

    def _found(self, router: RouterConfig) -> bool:
        """Is any of its VIPs on a NIC?"""
        return any(self._sources.has(on_nic(router, vip)) for vip in router.addresses)

    def _dismiss(self, name: str, config: ElectorConfig, now: float) -> None:
        router = self._routers[name]
        wanted = {each.name for each in config.routers}
        if name not in self._leaving:
            why = f"{_described(router.config)} is in the configuration no more"
            self._note(Kind.CONFIG, name, "configured", "none", "router_removed", why)
        if name not in wanted:
            self._leaving.add(name)
            self._drive(router, Stop(), now)
        else:
            # Its name goes to another election at once, so it cannot serve on under it. The next owner of this VRID
            # must not wait for a silence.
            if isinstance(router.state, (Active, Leaving)):
                self._advertise(router, PRIORITY_LEAVING)
            self._forget(name)

    def _rename(self, goes_on: Mapping[str, str], elections: Mapping[str, Together], config: ElectorConfig) -> None:
        """Everything that is kept by name follows; in the order of the configuration, those that leave last. Who leaves
        takes those along that follow it and are in no other election."""
        routers, reported, due = self._routers, self._reported, self._announcing
        confirmed = self._confirmations
        self._leaving -= set(goes_on.values())
        names = {**goes_on, **{name: name for name in self._leaving}}
        heirs: dict[str, str] = {}  # by old name: of several that go on as one election's parts, the first
        for new, old in names.items():
            heirs.setdefault(old, new)
        self._routers = {new: routers[old] if heirs[old] == new else copy(routers[old]) for new, old in names.items()}
        places = {group.place(each): each.name for name in routers for each in self._members(name)}
        elsewhere = {router.name for router in config.routers}
        still = {
            name: replace(together, routers=tuple(each for each in together.routers if each.name not in elsewhere))
            for name in self._leaving
            if (together := self._together[name])
        }
        before, self._watches = self._watches, {}
        self._together = {**elections, **still}
        for name, together in self._together.items():
            was = names.get(name)
            mine = was is not None and heirs[was] == name
            self._watches[name] = watch = before[was] if was is not None and mine else Watch(together)
            watch.take(together)
        self._leaders = {each.name: name for name, together in self._together.items() for each in together.routers}
        playing = [each for together in self._together.values() for each in together.routers]
        names = {each.name: places.get(group.place(each), each.name) for each in playing}
        self._reported = {new: reported[old] for new, old in names.items() if new == old and old in reported}
        self._barred.rename(names)
        self._announcing = {new: due[old] for new, old in names.items() if old in due}
        self._confirmations = {new: confirmed[old] for new, old in names.items() if old in confirmed}
        self._deadlines.clear()
        self._touched |= self._leaders.keys()

    def _tell_change(self, old: RouterConfig, new: RouterConfig, members: Collection[str]) -> None:
        """old: what the election's leading router was. members: who was elected with it."""
        if old == new:
            return
        before = f"{old.name}, {_described(old)}" if old.name != new.name else _described(old)
        cause, why = "router_moved", f"was {before}; the election goes on"
        if old.name != new.name and new.name in members:
            cause, why = "group_changed", f"was elected with {before}; the election goes on"
        elif old.name != new.name:
            cause = "router_renamed"
        elif group.place(old) == group.place(new):
            cause, why = "router_changed", "settings changed; the role stays"
        self._note(Kind.CONFIG, new.name, "configured", "reconfigured", cause, why)

    def _learn(self) -> None:
        """Where packets belong, and what the keeper is to keep."""
        assert self.config is not None
        leaving = tuple(each for name in self._leaving for each in self._members(name))
        known: dict[str, dict[int, RouterConfig]] = {}
        by_name = {router.name: router for router in self.config.routers}
        old = [(place, by_name[name]) for name, place in self._old_places.items()]
        places = [*old, *((group.place(router), router) for router in (*leaving, *self.config.routers))]
        for (interface, vrid), router in places:
            known.setdefault(interface, {})[vrid] = router
        self._known = known
        self._sources.set_vips([*self.config.routers, *leaving])
        self._playing = replace(self.config, routers=(*self.config.routers, *leaving)) if leaving else self.config
        self._world.wake_keeper()

    def _forget(self, name: str) -> None:
        self._leaving.discard(name)
        kept: tuple[dict[str, Any], ...] = (
            self._reported,
            self._levels,
            self._announcing,
            self._confirmations,
            self._old_places,
        )
        for each in self._members(name):
            for by_name in (*kept, self._leaders):
                by_name.pop(each.name, None)
            self._barred.forget(each.name)
        del self._routers[name], self._together[name], self._watches[name]
        self._deadlines.set(name, None)
        self._world.wake_keeper()

    def readiness(self, waiting: Mapping[str, str], eager: Collection[str] = ()) -> None:
        """By router, as in model.elector.Readiness."""
        now = self._clock()
        for name, router in self._routers.items():
            together = self._together[name]
            missing = group.waiting(together, waiting)
            event = Readiness(missing, missing is not None and group.eager(together, waiting, eager))
            if (router.waiting, router.eager) != (event.waiting, event.eager):
                self._drive(router, event, now)
        self._settle()

    def unready(self, why: str) -> None:
        """Nobody programs the table at the moment: no router may preempt."""
        self.readiness(dict.fromkeys(self._leaders, why))

    def links(self, carrier: Mapping[str, bool]) -> None:
        self._look(replace(self._seen, carrier=dict(carrier)))

    def addresses(self, found: Mapping[AddressKey, AddressConfig]) -> None:
        """All addresses of this machine."""
        self._sources.replace(found)
        self._look(self._seen)

    def address(self, key: AddressKey, config: AddressConfig | None) -> None:
        """One is new, has a new state, or (None) is gone."""
        if self._sources.change(key, config):
            self._look(self._seen)

    def verdicts(self, verdicts: Mapping[str, Verdict]) -> None:
        """What the director has judged. One that it does not name keeps its last verdict: a new director has yet to
        find out what the one before knew."""
        self._look(replace(self._seen, verdicts={**self._seen.verdicts, **verdicts}))

    def ruled(self, name: str, ruling: Ruling) -> None:
        """The arbiter's answer about a router."""
        if name in self._leaders:
            self._drive(self._routers[self._leaders[name]], Ruled(ruling), self._clock())
            self._settle()

    def maintenance(self, why: str | None) -> None:
        """The operator wants this node active nowhere, or (None) no more."""
        if why != self._maintenance:
            self._maintenance = why
            self._look(self._seen)

    def refused(self, name: str, why: str) -> None:
        """The kernel refused this router's address: it cannot be active."""
        now = self._clock()
        self._barred.refused(name, why, now)
        if name in self._leaders:
            self._assess(self._leaders[name], now)
        self._settle()

    def contested(self, name: str, why: str) -> None:
        """Somebody on this machine keeps taking its addresses away. The role is offered: this node leaves as in good
        order, serving on. If somebody takes over, it stays away for a while, since it would only be contested again;
        if nobody does, it goes on, and what was taken is put back as before."""
        leader = self._leaders.get(name)
        if leader is None or name in self._barred:
            return
        now = self._clock()
        self._barred.contested(name, why, now, self._routers[leader].config.advert_interval)
        self._assess(leader, now)
        self._settle()

    def confirmed(self, name: str, outcome: Confirmation) -> bool:
        """What came of asking about its takeover, or about addresses that were announced again. Told, and true, if it
        is new."""
        known = self._confirmations.get(name)
        if known is not None and (known.verdict, known.owners) == (outcome.verdict, outcome.owners):
            return False
        self._confirmations[name] = outcome
        before = "announced" if known is None else known.verdict.value
        after = outcome.verdict.value
        cause = after if outcome.verdict is TakeoverVerdict.SECOND_OWNER else f"takeover_{after}"
        self._note(Kind.TAKEOVER, name, before, after, cause, outcome.why)
        self._touched.add(name)
        self._settle()
        return True

    def packet(self, interface: str, packet: Packet | None) -> None:
        """One packet of protocol 112, None for one without a whole header. Never raises: a bad one is counted."""
        now = self._clock()
        known = self._known.get(interface, {})
        heard = self._reception.read(interface, packet, known, now)
        if heard is None:
            self._touched |= {router.name for router in known.values()}  # a refusal may be in one's status
        else:
            addressed = known[heard.advertisement.vrid].name
            name = self._leaders[addressed]
            if self._old_places and self._old_places.get(name) != (interface, heard.advertisement.vrid):
                self._moved_along(name)
            self._drive(self._routers[name], group.as_leader(heard, self._together[name].group, addressed), now)

    def _moved_along(self, name: str) -> None:
        """A peer speaks in the router's new place: nobody is waited for in the old one."""
        if self._old_places.pop(name, None) is not None:
            self._learn()

    def tick(self) -> None:
        """A deadline passed. Hand in everything received BEFORE."""
        now = self._clock()
        for name in self._deadlines.take_due(now):
            router = self._routers[name]
            self._touched.update(each.name for each in self._members(name))
            if router.deadline is not None and now >= router.deadline:
                self._tally.late(now - router.deadline)
                self._drive(router, Tick(), now)
            members = [each.name for each in self._members(name)]
            for member in members:
                self._barred.answered(member, now, away=router.role is Role.FAULT)
            times = [*self._barred.until(members), *(at for at in (self._watches[name].deadline,) if at is not None)]
            if times and now >= min(times):
                self._assess(name, now)
        self._touched |= self._reception.complaints.expire(now)
        self._settle()

    def offer(self, covered: Mapping[str, Collection[str]], why: str) -> None:
        """A peer should rather have the roles. covered: by router, the directors that could serve it when they were
        heard of last. A router that none could serve is not offered; should they be gone too, nobody takes the offer.
        """
        now = self._clock()
        for name, router in self._routers.items():
            able = set.intersection(*(set(covered.get(member.name, ())) for member in self._members(name)))
            if able:
                self._drive(router, Offer(f"{why}, and {' and '.join(sorted(able))} could serve"), now)
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

    def _members(self, leader: str) -> tuple[RouterConfig, ...]:
        return self._together[leader].routers

    def _look(self, seen: Surroundings) -> None:
        self._seen = seen
        now = self._clock()
        for name in self._routers:
            self._assess(name, now)
        self._settle()

    def _assess(self, name: str, now: float) -> None:
        members = self._members(name)
        unsourced = {each.name: words for each in members if (words := self._sources.missing(each)) is not None}
        assessed = self._watches[name].assess(replace(self._seen, unsourced=unsourced), now)
        if self._maintenance is not None and (assessed.fault is None or assessed.pending):
            assessed = Assessed(self._maintenance, assessed.penalty)
        for each in members:
            barred = self._barred.why(each.name, now)
            if barred is not None and (assessed.fault is None or assessed.pending):
                assessed = Assessed(barred, assessed.penalty)
        self._drive(self._routers[name], assessed, now)

    def _drive(self, router: Router, event: Event, now: float) -> None:
        effects = router.handle(event, now)
        self._touched.update(each.name for each in self._members(router.config.name))
        for effect in effects:
            self._perform(router, effect, now)

    def _perform(self, router: Router, effect: Effect, now: float) -> None:
        members = self._members(router.config.name)
        match effect:
            case Advertise(priority):
                self._advertise(router, priority)
            case Announce():
                for each in members:
                    self._announcing.setdefault(each.name, None)
                self._world.wake_keeper()
            case Changed(before, after, cause, why):
                for each in members:
                    self._confirmations.pop(each.name, None)
                    if after is Role.ACTIVE:
                        self._announcing[each.name] = now
                    self._note(Kind.ROUTER, each.name, before.value, after.value, cause, why)
                sync_group = self._together[router.config.name].group
                if sync_group is not None:
                    self._note(Kind.GROUP, sync_group.name, before.value, after.value, cause, why)
            case Ask(at, interval, living):
                name, priority = router.config.name, router.priority
                ask = AskArbiter(router=name, asked=at, interval=interval, priority=priority, living=living)
                self._world.tell(ask)
            case Rivalled(rival, priority):
                self._tally.count(router.config.name, "rivals_heard")
                why = f"{rival} advertises priority {priority} as active too; we stay, and told the neighbours again"
                self._note(Kind.RIVAL, router.config.name, "active", "rival", "rival", why)

    def _announce_followers(self, leader: str, before: Mapping[str, tuple[VirtualAddress, ...]]) -> None:
        """After a reload. What is new about the leader its state machine sees; of the others it knows nothing."""
        for each in self._members(leader)[1:]:
            if each.addresses != before.get(each.name) and self._routers[leader].holds is True:
                self._announcing.setdefault(each.name, None)

    def _advertise(self, router: Router, priority: int) -> None:
        for config in self._members(router.config.name):
            self._advertise_for(config, priority)

    def _advertise_for(self, config: RouterConfig, priority: int) -> None:
        for packet in self._adverts.packets(config, priority):
            error = packet is None or self._world.send(config.interface, packet)
            self._tally.count(config.name, "adverts_send_failed" if error else "adverts_sent")
        if priority == PRIORITY_LEAVING:
            self._tally.count(config.name, "priority_zero_sent")

    def _settle(self) -> None:
        gone = [name for name in self._leaving if self._routers[name].role is Role.STOPPED]
        for name in gone:
            self._forget(name)
        if gone:
            self._learn()
        leaders, routers = self._leaders, self._routers
        told, wakes = bool(gone), False
        for name in sorted(self._touched):  # what is told is in the same order each time
            leader = leaders.get(name)
            if leader is None:
                continue
            router = routers[leader]
            self._deadlines.set(leader, self._deadline(leader))
            level = router.holds
            if name not in self._levels or level != self._levels[name]:
                self._levels[name] = level
                wakes = True
            report = self._report(name, router)
            if report != self._reported.get(name):
                if change := rolereport.held(self._reported.get(name), report):
                    self._note(Kind.ARBITER, name, *change)
                self._reported[name] = report
                told = True
        self._touched.clear()
        if wakes:
            self._world.wake_keeper()
        if told:
            self._epoch += 1
            self._world.tell(self.roles())
        self._world.wake_at(earliest(self._deadlines.earliest, self._reception.complaints.deadline))

    def _deadline(self, leader: str) -> float | None:
        """When this election has to be looked at again."""
        own = earliest(self._routers[leader].deadline, self._watches[leader].deadline)
        if not self._barred:  # asked with each packet
            return own
        return earliest(own, *self._barred.until(each.name for each in self._members(leader)))

    def _report(self, name: str, router: Router) -> RoleReport:
        complaints = self._reception.complaints.about(router.config.name)
        return rolereport.report(name, router, complaints, self._confirmations.get(name))

    def _note(self, kind: Kind, who: str, before: str, after: str, cause: str, why: str) -> None:
        transition = Transition(kind=kind, who=who, before=before, after=after, why=why, cause=cause, at=time.time())
        self._world.tell(Happened(transition=transition))


def _described(router: RouterConfig) -> str:
    return f"VRID {router.vrid} on {router.interface}"
