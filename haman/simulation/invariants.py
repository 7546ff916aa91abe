"""What must hold whatever befalls the cluster, and for how long it may not: docs/explanation/simulation.md says where
each bound comes from.

An invariant finds keys: what is not as it should be right now. None may stay for longer than its bound, counted from
the last thing that befell those whom it is about. Others are looked at in the moment when something happens, and have
no bound; those are in `World`, beside what happens.
"""

from __future__ import annotations

from itertools import combinations
from typing import TYPE_CHECKING, NamedTuple

from haman.director.arbiter import SHORTEST
from haman.election.confirmation import RECHECK
from haman.election.gate import OFTEN
from haman.elector.child import BACK_OFF
from haman.elector.engine import UNCONFIGURED
from haman.elector.process import GIVE_UP, patience
from haman.model.kernel import BACKUP_ONLY
from haman.model.transition import Role
from haman.simulation.arbitration import ECHO, noticed
from haman.simulation.cluster import ATTEMPTS, ROUNDS
from haman.simulation.companion import BOOT, RESTART
from haman.simulation.orders import could_take
from haman.simulation.world import Violation

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from haman.model.transition import Transition
    from haman.simulation.world import World

DRIFT = 1.004
"""By how much a clock may be slow, against another that is fast: twice what stories let them drift."""

SLACK = 0.02
"""Seconds for what processes do at once: on paper no time passes while they do it, but for a withdrawal's 2 ms."""

HAIR = 1e-6


class Found(NamedTuple):
    """key: what, told apart from others. bound: seconds. since: when the last thing befell it."""

    key: tuple[str, ...]
    bound: float
    since: float


def one_active(world: World) -> Iterator[Found]:
    """At most one active director of those that hear each other: the other's next advertisement decides."""
    bound = interval(world) + 2 * world.longest_delay + SLACK
    for routers in world.setup.elections:
        speakers = world.active(routers[0])
        for one, other in combinations(speakers, 2):
            if frozenset((one, other)) in world.wiring[routers[0]].linked:
                yield Found(("one active", routers[0], one, other), bound, peace(world, one, other))


def one_holder(world: World) -> Iterator[Found]:
    """Beside the active director nobody who hears it has the VIP on a NIC for longer than until the advertisement that
    ends it, and a linger. Whose elector stands still is disarmed by its director, after its patience; that with one
    that has not heard of its configuration yet is longer."""
    crossing = interval(world) + 2 * world.longest_delay + SLACK
    for routers in world.setup.elections:
        wiring, speakers = world.wiring[routers[0]], world.active(routers[0])
        for router in routers:
            for active, other in ((one, two) for one in speakers for two in world.on_nic[router] if one != two):
                if frozenset((active, other)) not in wiring.linked or other in world.abandoned:
                    continue
                life = world.life(other)
                if world.hosts[other].refusing:
                    continue
                bound = crossing + world.setup.linger + 2 * BOOT
                if life is None or life.frozen:
                    known = life is None or life.roles
                    bound += patience(interval(world) if known else max(interval(world), UNCONFIGURED))
                yield Found(("one holder", router, active, other), bound, peace(world, active, other))


def never_nowhere(world: World) -> Iterator[Found]:
    """Where somebody could serve, somebody has the VIP on a NIC: any standby's silence ends within four intervals, one
    more if it is not ready. One whose kernel refuses the address may try first: the next one waits for its skew and
    readiness after that one's goodbye."""
    usual = 5 * interval(world) + asking(world) + 2 * world.longest_delay + SLACK
    for routers in world.setup.elections:
        for part, whole in world.wiring[routers[0]].parts:
            if whole and any(could_serve(world, name, routers) for name in part):
                bound = usual + 2 * interval(world) * any(world.hosts[name].refusing for name in part)
                for router in routers:
                    if not world.on_nic[router] & part:
                        yield Found(("never nowhere", router, *sorted(part)), bound, peace(world, *world.hosts))


def one_settled(world: World) -> Iterator[Found]:
    """Left in peace, exactly one of a part is active: a silence, or a goodbye nobody takes up and then a silence."""
    bound = 7 * interval(world) + 0.5 + asking(world) + 2 * world.longest_delay + SLACK
    for routers in world.setup.elections:
        for part, whole in world.wiring[routers[0]].parts:
            if whole and any(could_serve(world, name, routers) for name in part):
                speakers = [name for name in world.active(routers[0]) if name in part]
                if len(speakers) != 1:
                    key = ("one settled", routers[0], *sorted(part), "|", *sorted(speakers))
                    yield Found(key, bound, peace(world, *world.hosts))


def neighbours_follow(world: World) -> Iterator[Found]:
    """Neighbours believe the active director of their part, or nobody: the last round of announcements, the answer to a
    rival once the limit on those allows, or where all of them were lost the last time a neighbour is told alone; a
    second later if somebody else had answered for the VIP. A director that gave neighbours up, or names a second owner,
    has said so, and is held to no more."""
    bound = (max(*ROUNDS, 2 ** (ATTEMPTS - 1)) + 5) * interval(world) + 2 * world.longest_delay + SLACK
    actives = {routers[0]: world.active(routers[0]) for routers in world.setup.elections}
    for (place, address), believed in world.network.believed.items():
        router = world.vip_router[address]
        leader = world.leader_of(router)
        if actives[leader] == [believed] or (place, address) in world.tainted:
            continue
        segment = world.setup.segment_of(router)
        part = world.wiring[leader].part_of(place)
        speakers = [name for name in actives[leader] if name in part]
        if len(speakers) == 1 and believed != speakers[0] and speakers[0] in world.on_nic[router]:
            if not (world.hosts[place].up(segment) and world.hosts[speakers[0]].up(segment)):
                continue
            key = ("neighbours follow", router, place, believed, speakers[0])
            contested = world.contested.get((speakers[0], router), -1.0) >= world.role_since[speakers[0], router]
            yield Found(key, bound + (RECHECK if contested else 0.0), peace(world, *world.hosts))


def stops_end(world: World) -> Iterator[Found]:
    """An orderly stop is over when the successor has spoken or nobody has, and the director is gone."""
    bound = 2 * interval(world) + 0.5 + world.setup.linger + SLACK
    for name in world.hosts:
        life = world.lively(name)
        if life is not None and life.stopping_since is not None:
            yield Found(("stops end", name), bound, max(life.stopping_since, peace(world, name)))


def scheduled_once(world: World) -> Iterator[Found]:
    """Whoever is not active and has the VIP on no NIC leaves packets to its servers alone: what the active director
    sends it is not scheduled once more."""
    if len(world.setup.elections) > 1:
        return
    bound = world.setup.linger + 2 * BOOT + SLACK
    for name, host in world.hosts.items():
        life = world.lively(name)
        if life is None or not life.roles or any(name in world.on_nic[router] for router in world.setup.routers):
            continue
        gate = host.sysctls.get(BACKUP_ONLY)
        if life.role(world.setup.routers[0]) is not Role.ACTIVE and (gate is None or gate.value != "1"):
            yield Found(("scheduled once", name), bound, peace(world, name))


def maintenance_holds(world: World) -> Iterator[Found]:
    """Whoever the operator has sent away is active nowhere, once a successor has spoken or nobody has."""
    bound = 2 * interval(world) + 0.5 + world.setup.linger + SLACK
    for name, host in world.hosts.items():
        if host.maintenance and any(world.speaking(name, routers[0]) for routers in world.setup.elections):
            yield Found(("maintenance holds", name), bound, peace(world, name))


def strict_leaves(world: World) -> Iterator[Found]:
    """Where the arbiter is strict, whoever has lost it is active nowhere, once that is noticed and it has left. A
    director process that is dead for good looks at nothing."""
    if not world.setup.strict:
        return
    bound = noticed(interval(world)) + 2 * interval(world) + 0.5 + world.setup.linger + SLACK
    for name, since in world.parted.items():
        if not world.hosts[name].crippled and any(
            world.speaking(name, routers[0]) for routers in world.setup.elections
        ):
            yield Found(("strict leaves", name), bound, max(since, peace(world, name)))


def gives_way(world: World) -> Iterator[Found]:
    """Whoever's director process is dead for good leaves its roles to who could take them when that was heard of last,
    and still can: that is offered after each so many deaths, which take longer after the first ones."""
    bound = GIVE_UP * (RESTART + BACK_OFF[-1] + 2 * BOOT) + 2 * interval(world) + 0.5 + world.setup.linger + SLACK
    for name, host in world.hosts.items():
        life = world.lively(name)
        if not host.crippled or life is None or life.director is None:
            continue
        for routers in world.setup.elections:
            heirs = life.director.covered.get(routers[0], ())
            if world.speaking(name, routers[0]) and any(could_take(world, name, heir, routers[0]) for heir in heirs):
                yield Found(("gives way", routers[0], name), bound, peace(world, *world.hosts))


LASTING: tuple[Callable[[World], Iterator[Found]], ...] = (
    one_active,
    one_holder,
    never_nowhere,
    one_settled,
    neighbours_follow,
    stops_end,
    scheduled_once,
    maintenance_holds,
    strict_leaves,
    gives_way,
)


def better_first(world: World, name: str, transition: Transition) -> str | None:
    """After a silence or a goodbye that all have heard alike, the standby with the highest priority takes over."""
    if transition.cause not in ("active_silent", "active_left") or transition.who not in world.wiring:
        return None
    router, mine = transition.who, world.priority(name, transition.who)
    skew = interval(world) if world.setup.version == 3 else 1.0
    for other in world.wiring[router].part_of(name) - {name}:
        theirs = world.priority(other, router)
        gap = (theirs - mine) * skew / 256
        if gap <= _blur(world) or not _waited(world, other, router):
            continue
        if _waited(world, name, router, itself=True) and _heard_alike(world):
            return f"{name} ({mine}) took over {router}, and {other} ({theirs}) waited as well"
    return None


def _blur(world: World) -> float:
    """Seconds by which two directors' ideas of one silence may differ."""
    return 2 * world.longest_delay + 5 * interval(world) * (DRIFT - 1) + HAIR


def none_needless(world: World, name: str, transition: Transition) -> str | None:
    """Nobody takes over by silence from a director that speaks and can be heard."""
    router = transition.who
    if transition.cause not in ("active_silent", "nobody_active") or router not in world.wiring:
        return None
    long = interval(world) + 2 * world.longest_delay + SLACK
    for other in world.wiring[router].part_of(name) - {name}:
        known = world.role_since.get((other, router), world.now)
        if world.speaking(other, router) and world.now - max(known, peace(world, name, other)) > 3 * long:
            return f"{name} took over {router} from {other}, which speaks"
    return None


def asks_first(world: World, name: str, transition: Transition) -> str | None:
    """Nobody takes a silent director's role who has not reached the arbiter for so long that its answer, two intervals
    late at most, and asked for an interval ago, cannot have been another. Whose director process died asks nobody, and
    an arbiter that no director reaches tells nothing."""
    life, since = world.lively(name), world.parted.get(name)
    if transition.cause not in ("active_silent", "nobody_active") or since is None:
        return None
    if life is None or life.director is None or life.director.failures:
        return None
    arbiter = life.director.arbiter
    dead = not world.setup.strict and arbiter is not None and arbiter.alone
    if not dead and world.now - since > 4 * interval(world) + 2 * SHORTEST + SLACK:
        return f"{name} took over {transition.who}, and has not reached the arbiter for {world.now - since:.3f} s"
    return None


def the_chosen_one(world: World, name: str, transition: Transition) -> str | None:
    """A role that is given away by order goes to the director that was named, if it has waited in peace, and the
    interval that others wait longer is not eaten up by their skew and by a goodbye that crosses sooner to them."""
    router = transition.who
    move = world.moving.get(router)
    if move is None or world.now > move.until or transition.cause != "active_left" or name in (move.giver, move.heir):
        return None
    if move.heir not in world.wiring[router].part_of(name) or not _heard_alike(world):
        return None
    skew = interval(world) if world.setup.version == 3 else 1.0
    gap = interval(world) - (world.priority(name, router) - world.priority(move.heir, router)) * skew / 256
    if gap <= _blur(world):
        return None
    if _waited(world, move.heir, router) and _waited(world, name, router, itself=True):
        return f"{name} took {router}, which {move.giver} gave to {move.heir}"
    return None


MOMENTARY = {
    "better first": better_first,
    "none needless": none_needless,
    "the chosen one": the_chosen_one,
    "asks first": asks_first,
}


class Watch:
    """Looks at the world after every step that changed anything it could mind, and whenever a bound may be over."""

    def __init__(self, world: World) -> None:
        self._world = world
        self.version = -1  # of the world, when it was looked at last
        self._since: dict[tuple[str, ...], float] = {}
        self.due = 0.0  # when something may have lasted too long, though nothing has happened

    def look(self) -> None:
        """Raises Violation."""
        world = self._world
        if world.transitions:
            told, world.transitions = world.transitions, []
            for name, transition in told:
                for invariant, judge in MOMENTARY.items():
                    if transition.after == Role.ACTIVE.value and (words := judge(world, name, transition)):
                        world.violate(invariant, words)
        if world.violation is not None:
            raise world.violation
        self.version = world.version
        now, since = world.now, {}
        self.due = now + 3600.0
        for finding in LASTING:
            for key, bound, peaceful in finding(world):
                begun = since[key] = self._since.get(key, now)
                due = max(begun, peaceful) + bound
                if now > due + HAIR:
                    name, *who = key
                    raise Violation(name, f"{' '.join(who)} for {now - begun:.3f} s, bound {bound:.3f} s", now)
                self.due = min(self.due, due + 2 * HAIR)
        self._since = since


# -- what the invariants have in common ----------------------------------------------------------------------------


def interval(world: World) -> float:
    """The longest there has been, by the slowest clock."""
    return world.longest_interval * DRIFT


def asking(world: World) -> float:
    """What an arbiter adds: a question that was refused just before is asked again an interval later (a tenth of a
    second at least), after which the standby listens for a whole silence, which is counted already; and where the
    director process is new, its answer has to wait for that."""
    if not world.setup.arbiter:
        return 0.0
    return max(interval(world), OFTEN * DRIFT) + ECHO + RESTART + 2 * BOOT


def peace(world: World, *names: str) -> float:
    """Since when nothing has befallen any of these, nor a packet between two of them been lost."""
    shaken = max(world.shaken[name] for name in names)
    among = set(names)
    lost = (at for pair, at in world.lost_between.items() if pair <= among)
    return max(shaken, max(lost, default=0.0))


def could_serve(world: World, name: str, routers: tuple[str, ...]) -> bool:
    life = world.lively(name)
    return (
        life is not None
        and life.stopping_since is None
        and life.role(routers[0]) in (Role.STANDBY, Role.ACTIVE)
        and not world.hosts[name].refusing
        and world.reaches_arbiter(world.hosts[name])
        and not (world.setup.arbiter and world.hosts[name].crippled)
    )


def _waited(world: World, name: str, router: str, *, itself: bool = False) -> bool:
    """A ready standby that has been one for long, in peace, with a director that has said so."""
    life, long = world.lively(name), 6 * interval(world) + asking(world)
    ready = None if life is None or life.director is None else life.director.ready_since
    since = world.role_since.get((name, router), world.now)
    before = since if not itself else world.role_before.get((name, router), since)
    return (
        life is not None
        and life.prepared(router)
        and ready is not None
        and world.now - ready > long
        and (itself or life.role(router) is Role.STANDBY)
        and world.now - before > long
        and world.now - world.shaken[name] > long
        and world.reaches_arbiter(world.hosts[name])
    )


def _heard_alike(world: World) -> bool:
    return world.now - max(world.lost_between.values(), default=-1e9) > 6 * interval(world)
