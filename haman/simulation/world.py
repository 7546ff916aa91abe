"""All of it together: hosts, network, processes, neighbours; what the story does to them, and what invariants look at.

`version` grows with everything that an invariant could mind. `shaken` and `lost_between` say since when a director, or
the way between two, is left in peace: the bounds count from there.
"""

from __future__ import annotations

import errno
from collections import Counter
from dataclasses import dataclass
from random import Random
from typing import TYPE_CHECKING

from haman.model.confirmation import TakeoverVerdict
from haman.model.transition import Kind, Role
from haman.simulation.cluster import ARBITER, SEGMENTS, slice_of, vips
from haman.simulation.frames import Announcement, read
from haman.simulation.host import ELECTOR, Host
from haman.simulation.life import Life
from haman.simulation.network import Network
from haman.simulation.orders import could_take, left, served_again
from haman.simulation.timeline import Timeline
from haman.simulation.wiring import Wiring

if TYPE_CHECKING:
    from collections.abc import Iterable

    from haman.model.addresses import Address
    from haman.model.confirmation import Neighbour
    from haman.model.elector import ElectorConfig, Roles
    from haman.model.kernel import AddressKey
    from haman.model.transition import Transition
    from haman.simulation.cluster import Setup
    from haman.simulation.orders import Move
    from haman.wire.neighbours import Answer
    from haman.wire.packet import Packet

PRIORITY_AT = 2
"""Where a VRRP message of version 2 or 3 has its priority; its VRID is before that."""


NOTICED = 0.2
"""Seconds in which an elector that lost an address to somebody else may still announce it: it is told, and puts it
back at once, but a fight gives each repair a tenth of a second's rest."""


@dataclass(frozen=True, slots=True)
class Takeover:
    """A director became active. was: what everybody's role had been right before."""

    router: str
    director: str
    cause: str
    at: float


class Violation(Exception):
    """An invariant does not hold: its name, and what was found."""

    def __init__(self, invariant: str, words: str, at: float) -> None:
        super().__init__(f"{invariant}: {words} (at {at:.4f})")
        self.invariant = invariant


class World:
    """Plays the audience of host, network and life. failovers: how often a router's role came to another director."""

    def __init__(self, setup: Setup, seed: int) -> None:
        self.setup = setup
        self.setups = dict.fromkeys(setup.directors, setup)  # what each one's file says
        self.timeline = Timeline()
        self.hosts = {name: Host(setup, name, self.timeline, self) for name in setup.directors}
        self.network = Network(self.hosts, self.timeline, Random(seed), self)
        self.lives: dict[str, Life] = {}
        self.generation: Counter[str] = Counter()
        self.version = 0
        self._active_at = -1
        self._leaders = {router: routers[0] for routers in setup.elections for router in routers}
        self._active: dict[str, list[str]] = {}
        self.trace: list[str] = []
        self.shaken: dict[str, float] = dict.fromkeys(setup.directors, 0.0)
        self.lost_between: dict[frozenset[str], float] = {}
        self.on_nic: dict[str, set[str]] = {router: set() for router in setup.routers}  # directors, by router
        self.tainted: set[tuple[str, Address]] = set()  # neighbours that missed what nobody could say again
        self.missed: set[tuple[str, Address]] = set()  # neighbours that lost what they were told
        self.unconfirmed: set[tuple[str, str]] = set()  # directors that said so of a router
        self.contested: dict[tuple[str, str], float] = {}  # directors that were told so of a router, and when last
        self.stolen_at: dict[tuple[str, str], float] = {}
        self.last_role: dict[tuple[str, str], str] = {}
        self.told_role: dict[tuple[str, str], str] = {}  # the director
        self.epoch: dict[str, int] = {}
        self.served_by: dict[str, str] = {}
        self.failovers = 0
        self.takeovers: list[Takeover] = []
        self.violation: Violation | None = None
        self.transitions: list[tuple[str, Transition]] = []  # since they were looked at
        self.adverts: Counter[tuple[str, int, Address, int]] = Counter()
        self.vip_router = {vip.ip: router for router in setup.routers for vip in vips(setup, router)}
        self.vrid_router = {51 + index: router for index, router in enumerate(setup.routers)}
        self.role_since: dict[tuple[str, str], float] = {}
        self.role_before: dict[tuple[str, str], float] = {}  # since when the role before that was
        self.moving: dict[str, Move] = {}  # by leading router, what is given away by order at the moment
        self.abandoned: set[str] = set()  # killed, and nobody was there to take the VIP off
        self.longest_interval = setup.interval
        self.longest_delay = self.network.weather.delay[1]
        self.healed_at = 0.0
        self.parted: dict[str, float] = {}  # directors that do not reach the arbiter, since when
        self.wiring: dict[str, Wiring] = {}  # by leading router
        self.rewire()

    @property
    def now(self) -> float:
        return self.timeline.now

    def violate(self, invariant: str, words: str) -> None:
        """The first one counts. It is not raised here: this may be called from within a process, which is not to
        handle it."""
        self.version += 1
        if self.violation is None:
            self.violation = Violation(invariant, words, self.now)

    def close(self) -> None:
        for life in self.lives.values():
            if not life.over:
                life.die()

    # -- processes --------------------------------------------------------------------------------------------------

    def start(self, name: str) -> None:
        host = self.hosts[name]
        if not host.running or (name in self.lives and not self.lives[name].over):
            return
        self.shake(name)
        self.note(name, "starts")
        self.reclaim(name)
        for router in self.setup.routers:
            self.last_role[name, router] = self.told_role[name, router] = Role.STOPPED.value
        life = self.lives[name] = Life(host, self.timeline, self, lambda: self._slice(name))
        life.turn()

    def reclaim(self, name: str) -> None:
        """A process that knows what is haman's looks after the VIPs on this NIC again; of a director process that is
        dead for good no elector has learnt it."""
        if self.hosts[name].crippled:
            self.abandoned.add(name)
        else:
            self.abandoned.discard(name)

    def life(self, name: str) -> Life | None:
        """Raises KeyError if there is no such director."""
        life = self.lives.get(self.hosts[name].name)
        return None if life is None or life.over else life

    def lively(self, name: str) -> Life | None:
        life = self.lives.get(name)
        return life if life is not None and life.lively else None

    def _slice(self, name: str) -> ElectorConfig:
        self.generation[name] += 1
        self.reclaim(name)
        return slice_of(self.setups[name], name, self.generation[name])

    def shake(self, *names: str, during: float = 0.0) -> None:
        """What befalls these directors, and for so many seconds has not ended; the bounds begin anew for whatever has
        to do with them."""
        for name in (each for each in names if each != ARBITER):
            self.shaken[name] = max(self.shaken[name], self.now + during)
        self.version += 1

    def leader_of(self, router: str) -> str:
        return self._leaders[router]

    def rewire(self) -> None:
        """After whatever may have changed who hears whom."""
        for name, host in self.hosts.items():
            if self.reaches_arbiter(host):
                self.parted.pop(name, None)
            else:
                self.parted.setdefault(name, self.now)
        self.version += 1
        before = {leader: wiring.linked for leader, wiring in self.wiring.items()}
        self.wiring = {routers[0]: Wiring(self, routers) for routers in self.setup.elections}
        if any(wiring.linked - before.get(leader, set()) for leader, wiring in self.wiring.items()):
            self.healed_at = self.now

    def died(self, name: str) -> None:
        """Who dies less than an interval after a heal may not have been heard by those it had been parted from."""
        self.shake(name)
        self._unheard(name)
        if self.now - self.healed_at <= self.longest_interval + self.longest_delay:
            self._taint()

    def _unheard(self, name: str) -> None:
        """Who is gone behind a cut, in good order or not, was believed there, and nobody is left who knows."""
        if self.network.blocked:
            self._tolerate(key for key, believed in self.network.believed.items() if believed == name)

    # -- what is asked ----------------------------------------------------------------------------------------------

    def role(self, name: str, router: str) -> Role:
        life = self.lively(name)
        return Role.STOPPED if life is None else life.role(router)

    def speaking(self, name: str, router: str) -> bool:
        """It takes itself for active, and does not say that it is leaving."""
        life = self.lively(name)
        return (
            life is not None
            and life.role(router) is Role.ACTIVE
            and life.speaks.get(51 + self.setup.routers.index(router), 0) > 0
        )

    def priority(self, name: str, router: str) -> int:
        life = self.lively(name)
        report = None if life is None else life.roles.get(router)
        return 0 if report is None else report.priority

    def reaches_arbiter(self, host: Host) -> bool:
        """Also true where there is none: nothing stands in the way."""
        if not self.setup.arbiter:
            return True
        there, back = self.network.open(host.name, ARBITER, 4), self.network.open(ARBITER, host.name, 4)
        return host.up(SEGMENTS[0]) and there and back

    def channel(self, one: str, other: str) -> bool:
        """Can the two director processes talk to each other?"""
        a, b = self.hosts[one], self.hosts[other]
        return self.network.reaches(a, b, SEGMENTS[0]) and self.network.reaches(b, a, SEGMENTS[0])

    def active(self, router: str) -> list[str]:
        if self._active_at != self.version:
            self._active_at = self.version
            self._active = {
                routers[0]: [name for name in self.hosts if self.speaking(name, routers[0])]
                for routers in self.setup.elections
            }
        return self._active[router]

    # -- Audience of hosts ------------------------------------------------------------------------------------------

    def moved(self, host: Host, key: AddressKey, *, there: bool, why: str) -> None:
        if why in (ELECTOR, "the director") and (key == host.guest or key.ip in host.sources.values()):
            self.violate("foreign untouched", f"{host.name}: {key}")
        if key.device == "lo" or key.ip not in self.vip_router:
            return
        router = self.vip_router[key.ip]
        held = {each.ip for each in host.addresses if each.device != "lo"} & self.vip_router.keys()
        holds = any(self.vip_router[ip] == router for ip in held)
        (self.on_nic[router].add if holds else self.on_nic[router].discard)(host.name)
        self.version += 1
        self.note(host.name, f"{key.ip} {'on' if there else 'off'} {key.device} ({why})")
        if there:
            self.network.ask(host, key.ip)
        elif why != ELECTOR:
            self.stolen_at[host.name, router] = self.now

    # -- Audience of the network ------------------------------------------------------------------------------------

    def arrived(self, host: Host, device: str, packet: Packet) -> None:
        life = self.lives.get(host.name)
        if life is not None:
            life.hear(device, packet)

    def lost(self, sender: str, receiver: str, *, cut: bool) -> None:
        if not cut:
            self.lost_between[frozenset((sender, receiver))] = self.now
            self._taint()
        elif self.network.open(receiver, sender, 4):
            self._taint()  # one way only: the sender may yield to what it hears, and the other never know of it

    def _taint(self) -> None:
        """What a rival said may have been its last word, and with it what neighbours believe of it: they may believe
        what they do until somebody who is active alone tells them anew."""
        self._tolerate((place, ip) for place in self.hosts for ip in self.vip_router)

    def _tolerate(self, those: Iterable[tuple[str, Address]]) -> None:
        known = len(self.tainted)
        self.tainted.update(those)
        self.version += len(self.tainted) > known

    def told(self, place: str, address: Address, believed: str, *, anew: bool) -> None:
        self.missed.discard((place, address))
        if anew:
            self.version += 1
        if (place, address) in self.tainted and self.active(self.leader_of(self.vip_router[address])) == [believed]:
            self.tainted.discard((place, address))
            self.version += 1

    def untold(self, place: str, address: Address, sender: str, *, cut: bool) -> None:
        """Behind a cut the directors there know that they are alone, and after the heal they tell. Where there is no
        such director nobody knows. What is lost on its way is made good by asking, or said not to be."""
        router = self.vip_router[address]
        if cut and self.role(place, router) in (Role.STANDBY, Role.ACTIVE):
            return
        if cut or (sender, router) in self.unconfirmed:
            self._tolerate([(place, address)])
        else:
            self.missed.add((place, address))

    # -- Audience of processes --------------------------------------------------------------------------------------

    def spoke(self, life: Life, device: str, packet: Packet) -> int:
        vrid, priority = packet.payload[1], packet.payload[PRIORITY_AT]
        if not life.host.up(device):
            if priority == 0 and life.speaks.get(vrid):
                life.speaks[vrid] = 0  # it does not take itself for active any more, though nobody hears it say so
                self.version += 1
            return errno.ENETDOWN
        if vrid in life.stalled and priority > 1:
            self.violate("the frozen listens first", f"{life.name} advertises {priority}")
        if packet.source.version == 4:
            self._heed(life, vrid, priority)
        window = int(self.now / self.longest_interval)
        self.adverts[life.name, vrid, packet.destination, window] += 1
        if self.adverts[life.name, vrid, packet.destination, window] > 40 * len(self.hosts):
            self.violate("no flood", f"{life.name} advertises again and again")
        self.network.carry(life.host, device, packet)
        return 0

    def _heed(self, life: Life, vrid: int, priority: int) -> None:
        """What it says of itself; over both families it says the same."""
        before = life.speaks.get(vrid)
        if before == 0 and priority == 1 and life.confessed.get(vrid, self.now) == self.now:
            # Who leaves says once, at the lowest priority, that it was there: to the group, or to each peer.
            life.confessed[vrid] = self.now
            priority = 0
        elif priority != 1:
            life.confessed.pop(vrid, None)
        life.speaks[vrid] = priority
        life.spoke_clock[vrid] = life.host.clock()
        if (before == 0) is not (priority == 0):
            self.version += 1
            if priority == 0:
                self.note(life.name, f"says goodbye for {self.vrid_router[vrid]}")

    def announced(self, life: Life, device: str, frame: bytes) -> int:
        said = read(frame)
        address = said.vip
        router = self.vip_router[address]
        vrid = 51 + self.setup.routers.index(router)
        if vrid in life.stalled:
            self.violate("the frozen listens first", f"{life.name} announces {address}")
        if life.role(router) is not Role.ACTIVE:
            self.violate("announced when active", f"{life.name} announces {address}, and is not active")
        stolen = max(self.stolen_at.get((life.name, router), -1.0), self.shaken[life.name])
        if life.name not in self.on_nic[router] and self.now > stolen + NOTICED:
            self.violate("announced when held", f"{life.name} announces {address}, and has it not")
        if not self.network.tell(life.host, device, frame):
            return 0
        if isinstance(said, Announcement):
            self.note(life.name, f"announces {address}")
        return 1

    def reported(self, life: Life, roles: Roles) -> None:
        self.version += 1
        if roles.epoch < self.epoch.get(life.name, 0):
            self.violate("epochs grow", f"{life.name}: {roles.epoch} after {self.epoch[life.name]}")
        self.epoch[life.name] = roles.epoch
        for report in roles.roles:
            if report.role is not Role.ACTIVE and report.router in self.setup.routers:
                life.stalled.discard(51 + self.setup.routers.index(report.router))
            told = self.last_role.get((life.name, report.router))
            if told is not None and told != report.role.value:
                words = f"{life.name} reports {report.router} {report.role.value}, told was {told}"
                self.violate("each change told once", words)

    def happened(self, life: Life, transition: Transition) -> None:
        if transition.kind is Kind.RIVAL:
            self.note(life.name, f"{transition.who}: {transition.why}")
        if transition.kind is Kind.ARBITER:
            self.note(life.name, f"{transition.who}: {transition.after}: {transition.why}")
        if transition.kind in (Kind.DRIFT, Kind.KERNEL):
            self.note(life.name, f"{transition.who}: {transition.cause}")
        if transition.kind is Kind.TAKEOVER:
            self._asked(life.name, transition)
        if transition.kind is not Kind.ROUTER:
            return
        name, router = life.name, transition.who
        self.unconfirmed.discard((name, router))
        self.note(name, f"{router}: {transition.before} -> {transition.after} ({transition.cause}): {transition.why}")
        if transition.before != self.last_role.get((name, router)):
            words = f"{name}: {router} {transition.before} -> {transition.after} after {self.last_role[name, router]}"
            self.violate("each change told once", words)
        self.last_role[name, router] = transition.after
        self.role_before[name, router] = self.role_since.get((name, router), self.now)
        self.role_since[name, router] = self.now
        life.stalled.discard(51 + self.setup.routers.index(router))
        self.transitions.append((name, transition))
        self.version += 1
        if transition.after != Role.ACTIVE.value:
            left(self, name, router)
        else:
            if transition.cause == "preempting" and router in life.host.given:
                self.violate("gifts are kept", f"{name} takes back {router}, which was given away by order")
            served_again(life, router)
            self.takeovers.append(Takeover(router, name, transition.cause, self.now))
            if router in self.wiring:  # a sync group moves as one
                self.failovers += self.served_by.get(router, name) != name
                self.served_by[router] = name

    def _asked(self, name: str, transition: Transition) -> None:
        """What came of it. A director that has given neighbours up, or knows of a second owner, has said so, and is
        held to nothing more."""
        router = transition.who
        self.note(name, f"{router}: {transition.why}")
        if transition.after == TakeoverVerdict.CONFIRMED.value:
            self.unconfirmed.discard((name, router))
            return
        self.unconfirmed.add((name, router))
        self._tolerate((place, ip) for place, ip in self.missed if self.vip_router[ip] == router)

    def stands(self, life: Life, reached: bool | None) -> None:
        for other in life.host.others:
            hearer = self.life(other)
            if hearer is not None and hearer.director is not None and self.channel(life.name, other):
                hearer.director.hear(life.name, reached)

    def covered(self, life: Life) -> dict[str, tuple[str, ...]]:
        self.version += 1
        return {
            router: tuple(name for name in life.host.others if could_take(self, life.name, name, routers[0]))
            for routers in self.setup.elections
            for router in routers
        }

    def neighbours(self) -> tuple[Neighbour, ...]:
        return self.network.neighbours()

    def answers_too(self, asker: Host, vip: Address) -> None:
        self.contested[asker.name, self.vip_router[vip]] = self.now

    def answered(self, host: Host, device: str, answer: Answer) -> None:
        life = self.lives.get(host.name)
        if life is not None:
            life.hear_answer(device, answer)

    def told_director(self, life: Life, transition: Transition) -> None:
        """What hooks, metrics and history are made from."""
        if transition.kind is not Kind.ROUTER:
            return
        key = life.name, transition.who
        if transition.before != self.told_role[key]:
            words = f"{life.name}'s director hears of {transition.who}: {transition.before} -> {transition.after}"
            self.violate("each change told once", f"{words} after {self.told_role[key]}")
        self.told_role[key] = transition.after

    def exited(self, life: Life, code: int) -> None:
        self.shake(life.name)
        self._unheard(life.name)
        self.note(life.name, f"has ended with exit code {code}")
        left = [router for router, names in self.on_nic.items() if life.name in names]
        asked_in_vain = life.stopping_since is not None and life.host.refused_at >= life.stopping_since
        if left and (asked_in_vain or life.host.refusing or life.name in self.abandoned):
            self.abandoned.add(life.name)
        elif left:
            self.violate("a stop leaves nothing", f"{life.name} still has {', '.join(left)}")

    def broke(self, life: Life, words: str) -> None:
        self.violate("no internal error", f"{life.name}: {words}")

    def note(self, who: str, words: str) -> None:
        self.trace.append(f"{self.now:10.4f}  {who:4}  {words}")
