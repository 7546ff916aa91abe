"""Faults put into haman on purpose, one each: the simulation must find every one of them. Each gives a context in which
the fault is there, and the invariants that may be violated by it."""

from __future__ import annotations

from contextlib import AbstractContextManager, contextmanager
from dataclasses import replace
from typing import TYPE_CHECKING, Any
from unittest import mock

from haman.election import gate, parameters
from haman.election.confirmation import Asking
from haman.election.router import Router
from haman.elector.confirmer import Confirmer
from haman.elector.engine import Engine
from haman.elector.keeper import Keeper
from haman.model.arbiter import TRACKER
from haman.model.kernel import BACKUP_ONLY, AddressKey
from haman.model.trackers import Standing
from haman.plan import desired, ownership
from haman.plan.ops import Remove
from haman.simulation import orders
from haman.simulation.life import Life

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping

    from haman.model.trackers import Verdict


def _replaced(owner: object, name: str, new: object) -> AbstractContextManager[object]:
    return mock.patch.object(owner, name, new)


def skew_dropped() -> AbstractContextManager[object]:
    """Every standby waits equally long, whatever its priority."""
    return _replaced(parameters, "skew", lambda priority, interval, version=3: 0.0)


def tie_left_open() -> AbstractContextManager[object]:
    """Of two active directors with one priority none yields."""
    return mock.patch("haman.election.router._higher", return_value=False)


def rival_not_answered() -> AbstractContextManager[object]:
    """The winner does not tell the neighbours again."""
    return _replaced(Router, "_announce_against", lambda self, rival, now: iter(()))


def frozen_speaks_on() -> AbstractContextManager[object]:
    """After a stall it goes on as if nothing had been."""
    return _replaced(Router, "_frozen", lambda self, now: iter(()))


@contextmanager
def epoch_forgotten() -> Iterator[None]:
    """After a restart epochs begin anew, so what an earlier life said counts as newer."""
    plain = Engine.__init__

    def begin(self: Engine, *args: Any) -> None:
        plain(self, *args)
        self._epoch = 0

    with _replaced(Engine, "__init__", begin):
        yield


def silence_timer_not_rearmed() -> AbstractContextManager[object]:
    """A standby hears the active director, and counts on."""
    return _replaced(Router, "_defer", lambda self, standby, peer, now: replace(standby, peer=peer))


@contextmanager
def linger_never_ends() -> Iterator[None]:
    """Whoever was beaten keeps the addresses."""
    plain = Router.holds.fget
    assert plain is not None

    def holds(self: Router) -> bool | None:
        held = plain(self)
        return True if held is False and self.role.value == "standby" and self.why != "listening" else held

    with _replaced(Router, "holds", property(holds)):
        yield


def stolen_address_not_missed() -> AbstractContextManager[object]:
    """What somebody else deletes is not put back before the next look, which is seconds away."""

    async def watch(self: Keeper) -> None:
        async for _ in self._kernel.address_news():
            self._carrier = await self._addresses.links()
            self._reporter.links(self._carrier)

    return _replaced(Keeper, "watch", watch)


@contextmanager
def takeover_not_announced() -> Iterator[None]:
    """The addresses are there, and nobody is told."""
    with _replaced(Keeper, "_announce", lambda self, name, decided: None):
        yield


def takeover_not_asked() -> AbstractContextManager[object]:
    """Announcements that are lost stay lost."""
    return _replaced(Confirmer, "begin", lambda self, router, decided: None)


def asked_once() -> AbstractContextManager[object]:
    """A neighbour that does not answer is not told again, and the takeover is called confirmed."""
    return _replaced(Asking, "_missing", lambda self: {})


@contextmanager
def told_twice() -> Iterator[None]:
    """Each change of a role is reported twice."""
    plain = Engine._note

    def note(self: Engine, *words: Any) -> None:
        plain(self, *words)
        plain(self, *words)

    with _replaced(Engine, "_note", note):
        yield


@contextmanager
def follower_forgotten() -> Iterator[None]:
    """In a sync group only the leader's addresses move."""

    def holding(self: Engine) -> dict[str, bool | None]:
        return {name: self._routers[leader].holds and name == leader for name, leader in self._leaders.items()}

    with _replaced(Engine, "holding", holding):
        yield


@contextmanager
def everything_claimed() -> Iterator[None]:
    """Addresses of others count as haman's own, so they go."""
    plain = ownership.Ownership.__contains__

    def contains(self: ownership.Ownership, key: Any) -> bool:
        return (isinstance(key, AddressKey) and key.device != "lo") or plain(self, key)

    with _replaced(ownership.Ownership, "__contains__", contains):
        yield


@contextmanager
def release_forgotten() -> Iterator[None]:
    """Addresses come to the NIC and never leave it."""
    from haman.simulation.host import Host

    plain = Host.apply

    def apply(self: Host, ops: Any, who: str) -> Any:
        return plain(self, [op for op in ops if not isinstance(op, Remove) or who != "haman"], who)

    with _replaced(Host, "apply", apply):
        yield


@contextmanager
def announced_in_a_linger() -> Iterator[None]:
    """Whoever was beaten goes on telling the neighbours for as long as it lingers (found by the simulation)."""

    def announces(self: Engine, name: str) -> bool:
        leader = self._leaders.get(name)
        return leader is not None and self._routers[leader].holds is True

    with _replaced(Engine, "announces", announces):
        yield


def stall_noticed_late() -> AbstractContextManager[object]:
    """After a stall an announcement that is due goes before the election's own timer (found by the simulation)."""
    return _replaced(Engine, "overdue", lambda self: False)


def gate_left_open() -> AbstractContextManager[Any]:
    """A director that is not active schedules what the active one sends it."""
    return _replaced(desired, "_gate", lambda config, holding: iter([(BACKUP_ONLY.path, "0")]))


def room_not_made() -> AbstractContextManager[Any]:
    """A director that another one is to have a router before takes it all the same."""
    return _replaced(orders, "_make_room", lambda life, move: None)


def gift_taken_back() -> AbstractContextManager[Any]:
    """What was given away by order is preempted like anything else."""
    return _replaced(Life, "prepared", lambda self, router: self.ready and not self.room)


def maintenance_ignored() -> AbstractContextManager[Any]:
    """The operator's order to be active nowhere is not obeyed."""
    return _replaced(Engine, "maintenance", lambda self, why: None)


def arbiter_ignored() -> AbstractContextManager[object]:
    """A standby takes over without asking."""
    return _replaced(gate, "needed", lambda standby: False)


@contextmanager
def strict_forgotten() -> Iterator[None]:
    """The loss of a strict arbiter is not heeded."""
    plain = Engine.verdicts

    def verdicts(self: Engine, judged: Mapping[str, Verdict]) -> None:
        heeded = {name: each for name, each in judged.items() if name != TRACKER or each.standing is Standing.UP}
        plain(self, heeded)

    with _replaced(Engine, "verdicts", verdicts):
        yield


@contextmanager
def keeps_on_without_a_director() -> Iterator[None]:
    """Whoever has lost its director process for good does not offer its roles."""
    plain = Engine.offer

    def offer(self: Engine, covered: Any, why: str) -> None:
        if "times in a row" not in why:
            plain(self, covered, why)

    with _replaced(Engine, "offer", offer):
        yield


PLANTS: dict[Callable[[], AbstractContextManager[Any]], tuple[str, ...]] = {
    skew_dropped: ("better first",),
    tie_left_open: ("one active", "one settled", "no flood"),
    rival_not_answered: ("neighbours follow",),
    frozen_speaks_on: ("the frozen listens first",),
    epoch_forgotten: ("epochs grow",),
    silence_timer_not_rearmed: ("none needless",),
    linger_never_ends: ("one holder",),
    stolen_address_not_missed: ("never nowhere", "announced when held"),
    takeover_not_announced: ("neighbours follow",),
    takeover_not_asked: ("neighbours follow",),
    asked_once: ("neighbours follow",),
    told_twice: ("each change told once",),
    follower_forgotten: ("never nowhere", "announced when held"),
    everything_claimed: ("foreign untouched",),
    release_forgotten: ("one holder", "a stop leaves nothing"),
    announced_in_a_linger: ("announced when active",),
    gate_left_open: ("scheduled once",),
    room_not_made: ("the chosen one",),
    gift_taken_back: ("gifts are kept",),
    maintenance_ignored: ("maintenance holds",),
    arbiter_ignored: ("asks first",),
    strict_forgotten: ("strict leaves",),
    keeps_on_without_a_director: ("gives way",),
    stall_noticed_late: ("the frozen listens first",),
}
