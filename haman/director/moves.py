"""Who is to have a router that this director gives away: the one that can serve it, or every reason why not. Pure."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from haman.config.suggest import near
from haman.errors import Refused
from haman.model.transition import Role

if TYPE_CHECKING:
    from collections.abc import Sequence

    from haman.director.company import Own
    from haman.director.peers import Peers
    from haman.model.routers import Router


@dataclass(frozen=True, slots=True)
class Move:
    """routers: elected together, or one alone."""

    routers: tuple[Router, ...]
    to: str

    @property
    def names(self) -> tuple[str, ...]:
        return tuple(router.name for router in self.routers)


def moves(
    own: Own, peers: Peers, names: Sequence[str], to: str | None, *, force: bool, soon: bool = False
) -> list[Move]:
    """names: routers; all that are active here if there are none. to: a director, or None for the best that is able.
    force: whatever it lacks. soon: if it lacks connections alone it counts as able. Raises Refused."""
    found = [_move(own, peers, routers, to, force=force, soon=soon) for routers in elections(own, names)]
    if not found:
        raise Refused("no router is active here, so there is nothing to give away")
    return found


def worth_waiting(own: Own, peers: Peers, names: Sequence[str], to: str | None) -> bool:
    """Is it refused now, and would it not be once somebody has heard the connections?"""
    refused = []
    for soon in (False, True):
        try:
            moves(own, peers, names, to, force=False, soon=soon)
            refused.append(False)
        except Refused:
            refused.append(True)
    return refused == [True, False]


def elections(own: Own, names: Sequence[str]) -> list[tuple[Router, ...]]:
    """The routers meant, which have to be active here; those of a sync group together. Raises Refused."""
    roles = {report.router: report.role for report in own.roles}
    active = [name for name, role in roles.items() if role is Role.ACTIVE]
    ours = {router.name for router in own.cluster.routers_of(own.node)}
    for name in names:
        if name not in ours:
            meant = near(name, ours)
            hint = f"; did you mean {meant}?" if meant else ""
            raise Refused(f"there is no router {name!r} on this director{hint}")
    for name in names:
        if name not in active:
            role = roles[name].value if name in roles else "not known yet"
            raise Refused(f"router {name} is {role} here: give the order on the director that serves it")
    groups = [group.routers for group in own.cluster.groups_of(own.node)]
    together = {name: group for group in groups for name in group}
    found = dict.fromkeys(together.get(name, (name,)) for name in names or active)
    return [tuple(own.cluster.routers[name] for name in group) for group in found]


def in_the_way(peers: Peers, wanted: Sequence[Move]) -> list[str]:
    """Directors that could take a router, and are not to."""
    able = {each for move in wanted for name in move.names for each in peers.could_take(name) if each != move.to}
    return sorted(able)


def expected(peers: Peers, wanted: Sequence[Move]) -> bool:
    """Has every heir prepared for connections that it will not know? One that is not heard, or is too old to say so,
    is not waited for."""
    for move in wanted:
        peer = peers.all.get(move.to)
        said = peer.standing.expecting if peer is not None and peer.standing is not None and not peer.silent else None
        if said is not None and not set(move.names) <= set(said):
            return False
    return True


def _move(own: Own, peers: Peers, routers: tuple[Router, ...], to: str | None, *, force: bool, soon: bool) -> Move:
    names = [router.name for router in routers]
    members = set.intersection(*(set(router.members) for router in routers)) - {own.node}
    others = sorted(members, key=lambda name: (-routers[0].members[name].priority, name))
    if to is not None and to not in others:
        raise Refused(f"router {names[0]}: {to!r} is no other director of it; there is {', '.join(others) or 'none'}")
    candidates = [to] if to is not None else others
    for each in candidates:
        if force or all(each in peers.could_take(name, soon=soon) for name in names):
            return Move(routers, each)
    lacks = "; ".join(_lacks(peers, each, names) for each in candidates) or "there is no other director"
    raise Refused(f"router {names[0]} stays here: {lacks} (--force moves it all the same)")


def _lacks(peers: Peers, name: str, routers: Sequence[str]) -> str:
    peer = peers.all.get(name)
    if peer is None or peer.standing is None or peer.silent:
        return f"{name} is not heard on the directors' channel"
    standing = peer.standing
    reasons = [
        standing.waiting.get(router) or f"it is {standing.roles.get(router, 'unknown')} there"
        for router in routers
        if not standing.could_take(router)
    ]
    return f"{name} could not serve it at once: {'; '.join(dict.fromkeys(reasons))}"
