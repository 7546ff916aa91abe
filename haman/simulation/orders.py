"""The operator's orders as a cluster obeys them: `switchover` over the directors' channel, and `maintenance`.

Played after `haman.director.switchover`: the others make room, the gift is written down, then the role is offered; what
nobody took is struck out. What is written down outlives processes and reboots. The channel between two directors works
where both hear each other on the first segment.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

from haman.director.switchover import BEYOND
from haman.election.parameters import leave_bound
from haman.model.elector import GiveAway
from haman.model.transition import Role

if TYPE_CHECKING:
    from haman.simulation.life import Life
    from haman.simulation.world import World

CROSSING = 0.01
"""Seconds until the others have heard who is to have it, and have said that they make room."""


class Move(NamedTuple):
    """life: the giver's. routers: of one election, the leader first. others: who makes room for `heir`. until: when
    the giver has given it, or goes on serving."""

    life: Life
    heir: str
    routers: tuple[str, ...]
    others: tuple[Life, ...]
    until: float

    @property
    def giver(self) -> str:
        return self.life.name


def switch_over(world: World, giver: str, heir: str) -> str:
    """heir: a director, or `best` for the one of the highest priority that could serve. Routers that `giver` is active
    for are given to it, each election for itself. Returns why nothing is done, in words, or nothing."""
    refused = ""
    for routers in world.setup.elections:
        refused = _switch_over(world, giver, heir, routers) or refused
    return refused


def _switch_over(world: World, giver: str, heir: str, routers: tuple[str, ...]) -> str:
    leader, life = routers[0], world.lively(giver)
    if life is None or life.director is None or not life.director.in_charge or not world.speaking(giver, leader):
        return f"{giver} is not active for {leader}, or cannot be asked"
    if leader in world.moving and world.moving[leader].giver == giver:
        return f"{giver} does one thing after the other"
    able = [name for name in world.hosts if name != giver and could_take(world, giver, name, leader)]
    if heir == "best":
        able.sort(key=lambda name: -world.priority(name, leader))
        heir = able[0] if able else ""
    if heir not in able:
        return f"nobody could take {leader} from {giver}"
    others = tuple(world.lives[name] for name in able if name != heir)
    given = CROSSING + leave_bound(world.setups[giver].interval)
    move = world.moving[leader] = Move(life, heir, routers, others, world.now + given)
    for other in others:
        _make_room(other, move)

    def offer() -> None:
        if world.lively(giver) is not life or life.director is None or not life.director.in_charge:
            return
        life.host.given |= set(routers)
        life.director.report()
        life.director.tell(GiveAway(to=dict.fromkeys(routers, (heir,)), why="the operator gives it away"))

    world.timeline.after(CROSSING, offer)
    world.timeline.after(given + BEYOND, lambda: _over(world, move))
    return ""


def left(world: World, name: str, router: str) -> None:
    """This director is not active for this router any more, which ends its gift of it as soon as the others hear so."""
    move = world.moving.get(router)
    if move is not None and move.giver == name:
        world.timeline.after(CROSSING, lambda: _over(world, move))


def _over(world: World, move: Move) -> None:
    """Whoever asked has its answer. An order that nobody could strike out stays in the book."""
    for other in move.others:
        _need_no_room(other, move)
    leader = move.routers[0]
    if world.moving.get(leader) is not move:
        return
    del world.moving[leader]
    life = move.life
    if life.lively and life.role(leader) is Role.ACTIVE:
        life.host.given -= set(move.routers)
        if life.director is not None:
            life.director.report()


def could_take(world: World, giver: str, name: str, leader: str) -> bool:
    """Does it say so on the channel, and is it heard?"""
    life = world.lively(name)
    return (
        world.channel(giver, name)
        and life is not None
        and life.director is not None
        and life.director.in_charge
        and life.role(leader) is Role.STANDBY
        and life.prepared(leader)
        and life.stopping_since is None
    )


def _make_room(life: Life, move: Move) -> None:
    if not life.over and life.director is not None:
        life.room.append(move)
        life.director.report()


def _need_no_room(life: Life, move: Move) -> None:
    if move in life.room and not life.over and life.director is not None:
        life.room.remove(move)
        life.director.report()


def served_again(life: Life, router: str) -> None:
    """A router that is served here again is given away no more."""
    if router in life.host.given and life.director is not None and life.director.in_charge:
        life.host.given.discard(router)
        life.director.report_soon()
