"""Two or three routers on one wire, under a clock that is turned by hand.

The wire delays each advertisement, may be cut into parts, and may lose what is in the air. A router may stand still
(it gets no calls; when it goes on it gets what queued up first, then its timer), die, be restarted, and be told
anything. `installing` is what it takes to put an address on the NIC; taking it off is instant: the unfavourable way
round. Announcements go out at once and again as configured; beside each router sits a neighbour that believes whoever
announced last.

A router with addresses of both families advertises over both, and the wire may lose one of them, one way or both.

Named invariants are looked at with every step; a violation says its name, the time and the last words.
"""

from __future__ import annotations

import heapq
import re
from dataclasses import dataclass, field, replace
from ipaddress import IPv4Address
from typing import TYPE_CHECKING

from haman.election.effects import Advertise, Announce, Changed
from haman.election.events import Event, Heard, Readiness, Start, Stop, Tick
from haman.election.router import Router
from haman.election.states import Active
from haman.model.transition import Role
from haman.wire.advertisement import Advertisement
from tests.election.support import VIP, said

if TYPE_CHECKING:
    from collections.abc import Callable, Hashable, Iterable

    from haman.model.addresses import Address
    from haman.model.elector import RouterConfig

HAIR = 1e-9
STEPS = 200_000
"""No story needs more: beyond it somebody spins, or two answer one another without end."""


@dataclass
class Node:
    """A director: its router, its NIC, and the neighbour beside it."""

    name: str
    router: Router
    running: bool = True
    frozen: bool = False
    part: int = 0
    inbox: list[Heard] = field(default_factory=list)
    on_nic: bool = False
    on_nic_at: float | None = None
    rounds: list[float] = field(default_factory=list)
    neighbour_believes: str | None = None

    @property
    def lively(self) -> bool:
        return self.running and not self.frozen

    @property
    def speaks(self) -> bool:
        """It takes itself for the active router, and is not about to leave."""
        return self.lively and isinstance(self.router.state, Active)

    @property
    def could_serve(self) -> bool:
        return self.lively and self.router.role in (Role.STANDBY, Role.ACTIVE)


@dataclass(frozen=True)
class Invariant:
    """No key that `found` gives may stay for longer than `bound` seconds."""

    name: str
    bound: float
    found: Callable[[Segment], Iterable[Hashable]]


class Segment:
    def __init__(self, *configs: RouterConfig, delay: float = 0.0002, installing: float = 0.001) -> None:
        self.now = 0.0
        self.delay = delay
        self.installing = installing
        self.nodes = {config.name: Node(config.name, Router(config)) for config in configs}
        self.invariants: list[Invariant] = []
        self.disturbed = 0
        self.log: list[str] = []
        self._blocked: set[tuple[str, str, int]] = set()
        self._air: list[tuple[float, int, str, str, Heard]] = []
        self._sent = 0
        self._steps = 0
        self._since: dict[tuple[Invariant, Hashable], float] = {}

    # -- what a story may do ---------------------------------------------------------------------------------------

    def start(self, *names: str, ready: bool = True) -> None:
        for name in names or tuple(self.nodes):
            if ready:
                self.tell(name, Readiness(None))
            self.tell(name, Start())

    def stop(self, name: str) -> None:
        self.tell(name, Stop())

    def tell(self, name: str, event: Event) -> None:
        if self.nodes[name].lively:
            self._handle(self.nodes[name], event)
            self._look()

    def cut(self, name: str) -> None:
        """`name` is alone with its neighbour; what is in the air to or from it is lost. Neighbours forget whom they
        cannot reach any more."""
        self.nodes[name].part = 1 + list(self.nodes).index(name)
        for node in self.nodes.values():
            believed = node.neighbour_believes
            if believed is not None and self.nodes[believed].part != node.part:
                node.neighbour_believes = None
        self._log(f"{name} is cut off")
        self._look()

    def heal(self, *names: str) -> None:
        """Those named, or all, are on the common wire again."""
        for name in names or tuple(self.nodes):
            self.nodes[name].part = 0
        self._log(f"the wire is whole for {' '.join(names) or 'all'}")
        self._look()

    def block(self, sender: str, receiver: str, family: int) -> None:
        """From now on nothing of this family that `sender` says gets to `receiver`."""
        self._blocked.add((sender, receiver, family))
        self._log(f"IPv{family} from {sender} to {receiver} is lost")

    def unblock(self) -> None:
        self._blocked.clear()
        self._log("both families get through")

    def lose(self) -> None:
        """Everything in the air is lost. The bounds count from here."""
        self._air.clear()
        self.disturbed += 1
        self._log("the air is empty")
        self._look()

    def freeze(self, name: str) -> None:
        self.nodes[name].frozen = True
        self._log(f"{name} stands still")
        self._look()

    def thaw(self, name: str, *, heard: bool = True) -> None:
        """heard: what arrived meanwhile has queued up; not so where the whole machine stood still."""
        node = self.nodes[name]
        if not node.frozen:
            return
        node.frozen, queue, node.inbox = False, node.inbox if heard else [], []
        self._log(f"{name} goes on")
        for packet in queue:
            self._handle(node, packet)
        if node.router.deadline is not None and node.router.deadline <= self.now:
            self._handle(node, Tick())
        self._look()

    def crash(self, name: str) -> None:
        """The machine is gone, with its addresses."""
        node = self.nodes[name]
        node.running, node.on_nic, node.on_nic_at, node.inbox = False, False, None, []
        self._forget(node)
        self._log(f"{name} is dead")
        self._look()

    def restart(self, name: str, *, ready: bool = True) -> None:
        """A new process; the address is where the old one left it."""
        node = self.nodes[name]
        adopting = node.on_nic
        node.router, node.running, node.frozen = Router(node.router.config, adopting=adopting), True, False
        self._log(f"{name} is restarted")
        self.start(name, ready=ready)

    def run(self, seconds: float) -> None:
        """Lets the time pass, with all that falls due in it."""
        end = self.now + seconds
        while (step := self._next()) is not None and step <= end:
            self._steps += 1
            assert self._steps < STEPS, self._words("somebody spins")
            self._pass(max(self.now, step))
            self._turn()
            self._look()
        self._pass(end)

    # -- what a test may ask -----------------------------------------------------------------------------------------

    def router(self, name: str) -> Router:
        return self.nodes[name].router

    def parts(self) -> list[list[Node]]:
        found: dict[int, list[Node]] = {}
        for node in self.nodes.values():
            found.setdefault(node.part, []).append(node)
        return list(found.values())

    def active(self) -> str:
        """Names of those that take themselves for active, joined."""
        return " ".join(node.name for node in self.nodes.values() if node.speaks)

    def holders(self) -> str:
        return " ".join(node.name for node in self.nodes.values() if node.on_nic)

    def changes(self, words: str) -> int:
        return sum(words in line for line in self.log)

    # -- inside ----------------------------------------------------------------------------------------------------

    def _next(self) -> float | None:
        due = [self._air[0][0]] if self._air else []
        for node in self.nodes.values():
            if node.on_nic_at is not None:
                due.append(node.on_nic_at)
            due += node.rounds[:1]
            if node.lively and node.router.deadline is not None:
                due.append(node.router.deadline)
        return min(due, default=None)

    def _turn(self) -> None:
        """Packets BEFORE timers, as the loop outside promises; the kernel's work goes on even in a frozen process."""
        while self._air and self._air[0][0] <= self.now:
            _, _, sender, receiver, packet = heapq.heappop(self._air)
            node = self.nodes[receiver]
            if node.running and node.part == self.nodes[sender].part:
                if node.frozen:
                    node.inbox.append(packet)
                else:
                    self._handle(node, packet)
        for node in self.nodes.values():
            if node.on_nic_at is not None and node.on_nic_at <= self.now:
                node.on_nic, node.on_nic_at = True, None
            if node.rounds and node.rounds[0] <= self.now:
                self._announce(node, node.rounds[1:])
            if node.lively and node.router.deadline is not None and node.router.deadline <= self.now:
                self._handle(node, Tick())

    def _handle(self, node: Node, event: Event) -> None:
        effects = node.router.handle(event, self.now)
        if effects:
            self._log(f"{node.name}: {said(effects)}")
        for effect in effects:
            match effect:
                case Advertise(priority):
                    self._send(node, priority)
                case Announce():
                    self._announce(node, [self.now + after for after in node.router.config.announce.repeat])
                case Changed(before=Role.ACTIVE, after=Role.STOPPED):
                    # Its successor has announced, or there is none in reach and the neighbours find out by themselves.
                    self._forget(node)
                case Changed():
                    pass
        match node.router.holds:
            case True if not node.on_nic and node.on_nic_at is None:
                node.on_nic_at = self.now + self.installing
            case False:
                node.on_nic, node.on_nic_at = False, None

    def _announce(self, node: Node, later: list[float]) -> None:
        """One round, if it is still active."""
        node.rounds = later if node.speaks else []
        for other in self.nodes.values():
            if node.speaks and other.part == node.part:
                other.neighbour_believes = node.name

    def _forget(self, node: Node) -> None:
        for other in self.nodes.values():
            if other.neighbour_believes == node.name:
                other.neighbour_believes = None

    def _send(self, node: Node, priority: int) -> None:
        config = node.router.config
        advertisement = Advertisement(config.vrid, priority, config.advert_interval, (VIP,))
        others = [other for other in self.nodes.values() if other is not node and other.part == node.part]
        for family, other in ((family, other) for family in config.families for other in others):
            if (node.name, other.name, family) not in self._blocked:
                leads = family == config.families[0]
                packet = Heard(advertisement, _source(config, family), _source(other.router.config, family), leads)
                self._sent += 1
                heapq.heappush(self._air, (self.now + self.delay, self._sent, node.name, other.name, packet))

    def _pass(self, until: float) -> None:
        """Time passes, and with it what was found lasts."""
        self.now = until
        for (invariant, key), since in self._since.items():
            assert until - since <= invariant.bound + HAIR, self._words(
                f"{invariant.name}: {key} for {until - since:.6g} s, bound {invariant.bound:.6g} s"
            )

    def _look(self) -> None:
        found = ((invariant, key) for invariant in self.invariants for key in invariant.found(self))
        self._since = {mark: self._since.get(mark, self.now) for mark in found}

    def _log(self, words: str) -> None:
        self.log.append(f"{self.now:.6f} {words}")

    def _words(self, what: str) -> str:
        """What is wrong, on which segment, and what came before; the steady advertisements are left out."""
        told = [line for line in self.log if not re.search(r" \w+: advertise [1-9]\d*$", line)]
        routers = ", ".join(f"{node.name} {node.router.config.priority}" for node in self.nodes.values())
        about = f"({routers}; interval {longest_interval(self)} s, delay {self.delay} s, now {self.now:.6f})"
        return "\n".join([f"{what} {about}", *told[-40:]])


# -- the invariants ----------------------------------------------------------------------------------------------


def one_active(segment: Segment) -> Invariant:
    """At most one router of a connected part speaks as active once adverts have crossed."""

    def found(segment: Segment) -> Iterable[Hashable]:
        for part in segment.parts():
            speakers = [node.name for node in part if node.speaks]
            for index, one in enumerate(speakers):
                for other in speakers[index + 1 :]:
                    yield one, other, segment.disturbed

    return Invariant("one active", longest_interval(segment) + segment.delay, found)


def one_holder(segment: Segment) -> Invariant:
    """Beside the active router nobody of its part has the address on the NIC for longer than until the advertisement
    that ends it, and a linger. One who is restarted while lingering adopts the address and waits for the next
    advertisement; an answer to one of its own that was in the air makes that as much later as it took to cross."""

    def found(segment: Segment) -> Iterable[Hashable]:
        for part in segment.parts():
            holders = [node for node in part if node.lively and node.on_nic]
            for active in (node for node in holders if node.speaks):
                for other in (node for node in holders if node is not active):
                    yield active.name, other.name, segment.disturbed

    linger = max(node.router.config.linger for node in segment.nodes.values())
    return Invariant("one holder", longest_interval(segment) + 3 * segment.delay + linger, found)


def never_nowhere(segment: Segment, bound: float | None = None) -> Invariant:
    """Where somebody who is ready could serve, the address is on some NIC again within the bound: an
    Active_Down_Interval of the least patient, which no priority makes longer than four intervals. Orderly moves have
    the bound 0."""
    if bound is None:
        bound = 4 * longest_interval(segment) + 2 * segment.delay + segment.installing
    return Invariant("never nowhere", bound, lambda segment: _nowhere(segment, ready=True))


def never_nowhere_for_long(segment: Segment) -> Invariant:
    """Where nobody is ready, one interval more."""
    bound = 5 * longest_interval(segment) + 2 * segment.delay + segment.installing
    return Invariant("never nowhere for long", bound, lambda segment: _nowhere(segment, ready=False))


def _nowhere(segment: Segment, *, ready: bool) -> Iterable[Hashable]:
    for part in segment.parts():
        able = [node.name for node in part if node.could_serve and not (ready and node.router.waiting)]
        if able and not any(node.on_nic for node in part):
            yield tuple(able), segment.disturbed


def longest_interval(segment: Segment) -> float:
    return max(node.router.config.advert_interval for node in segment.nodes.values())


def settled(segment: Segment) -> None:
    """What must be true when nothing has happened for long enough (the caller waits)."""
    for part in segment.parts():
        able = [node for node in part if node.could_serve]
        speakers = [node for node in able if node.speaks]
        if not able:
            continue
        assert len(speakers) == 1, segment._words(f"exactly one active: {[node.name for node in speakers]}")
        (active,) = speakers
        holders = [node.name for node in part if node.on_nic and node.lively]
        assert holders == [active.name], segment._words(f"only the active one holds: {holders}")
        for node in part:
            believed = node.neighbour_believes
            if believed == node.name and not node.could_serve:
                # It announced where nobody else heard it and then went away without a word: no router knows of it. Its
                # neighbour finds out by itself. (In fault it says so when it hears who is active; perhaps it is deaf.)
                continue
            assert believed in (None, active.name), segment._words(
                f"the neighbours follow: the one beside {node.name} believes {believed}, active is {active.name}"
            )
        for node in able:
            better = node.router.config.preempt.allowed and node.router.waiting is None
            assert not better or node.router.priority <= active.router.priority, segment._words(
                f"the best is active: {node.name} may preempt {active.name} and does not"
            )


def watched(segment: Segment, *invariants: Invariant) -> Segment:
    segment.invariants += invariants or (
        one_active(segment),
        one_holder(segment),
        never_nowhere(segment),
        never_nowhere_for_long(segment),
    )
    return segment


def _source(config: RouterConfig, family: int) -> Address:
    source = config.source if family == 4 else config.source6
    assert source is not None
    return source


def node(config: RouterConfig, name: str, address: str, **changes: object) -> RouterConfig:
    return replace(config, name=name, source=IPv4Address(address), **changes)  # type: ignore[arg-type]
