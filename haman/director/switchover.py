"""Planned moves: `haman switchover` gives routers of this node to another director, one that says it can serve them.

The order of a move:

1. Who is to have it is found, or the move is refused with every reason (`moves`). One that lacks nothing but
   connections that it is being told of is waited for.
2. Every other candidate is told over the directors' channel who it will be, and makes room: it is not ready for that
   router as long as this lasts, so it lets the chosen one go first.
3. The heir prepares to send back what it will not know (`second_chance`), and says so.
4. BEFORE the role is offered it is written down that the router was given away, or a better priority would take it
   back at once.
5. The elector offers the role: it says goodbye and serves on until the successor speaks, a linger longer. Nobody is
   without the VIP in between. If nobody takes it, it stays, and what was written down is struck out.
"""

from __future__ import annotations

import asyncio
import time
from dataclasses import replace
from typing import TYPE_CHECKING, Any

from haman.director import moves
from haman.director.orders import Given, Planned, said
from haman.director.second_chance import PREPARED
from haman.election.parameters import leave_bound
from haman.errors import Refused
from haman.model.elector import GiveAway
from haman.model.transition import Kind, Role, Transition
from haman.observe.journal import log

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from haman.director.changing import Changing
    from haman.director.company import Company, Own
    from haman.director.moves import Move
    from haman.director.orders import Book, Orders
    from haman.model.elector import ToElector

ROOM = 3.0
"""Seconds in which the other candidates must have made room; they are told at once and answer within one."""

BEYOND = 1.0
"""Seconds that a role may take to be reported, beyond what the offer may last."""

OVERDUE = 300.0
"""Seconds after which a planned move is not made up for: nobody expects it any more."""

FURTHEST = 366 * 86400.0
"""Seconds ahead for which a move can be planned: what is further away was not meant."""

LONGEST_SLEEP = 30.0
"""Seconds after which the wall clock is looked at again: it may have been set."""


class Switchover:
    """own: how this node stands. changing: told of roles, and of what other directors say. send: to the elector.
    record: what came of it."""

    def __init__(
        self,
        *,
        own: Callable[[], Own],
        company: Company,
        book: Book,
        changing: Changing,
        send: Callable[[ToElector], None],
        record: Callable[[Transition], None],
    ) -> None:
        self._own = own
        self._company = company
        self._book = book
        self._changing = changing
        self._send = send
        self._record = record
        self._one_at_a_time = asyncio.Lock()
        self._plans_changed = asyncio.Event()
        self._moving: frozenset[str] = frozenset()

    async def answer(self, asked: dict[str, Any]) -> dict[str, Any]:
        """asked: `routers` (all that are active here if none is named), then `to`, `force` and perhaps `at` (wall
        clock), or `back`, or `cancel`; `by`, who asks.

        The answer: `ok`; `moves`, each with `routers`, `to`, `moved`, `seconds`; `lines` for a person.
        """
        try:
            return await self._obey(asked)
        except Refused as error:
            return {"ok": False, "moves": [], "lines": [str(error)]}

    async def run(self) -> None:
        """For ever: what is planned is done when its time has come."""
        while True:
            self._plans_changed.clear()
            due = min((each.at for each in self._book.orders.planned), default=None)
            wait = LONGEST_SLEEP if due is None else min(LONGEST_SLEEP, max(0.0, due - time.time()))
            try:
                async with asyncio.timeout(wait):
                    await self._plans_changed.wait()
            except TimeoutError:
                await self._do_due()

    def roles(self) -> None:
        """Roles were reported. A router that is served here again is given away no more."""
        active = {report.router for report in self._own().roles if report.role is Role.ACTIVE} - self._moving
        if active & self._book.orders.given.keys():
            self._strike_out(self._book.orders.take_back(active))

    # -- inside ----------------------------------------------------------------------------------------------------

    async def _obey(self, asked: dict[str, Any]) -> dict[str, Any]:
        routers, to, at = _names(asked.get("routers")), asked.get("to"), asked.get("at")
        if not isinstance(to, str | None) or not isinstance(at, int | float | None):
            raise Refused("to is a director's name, and at a number of seconds")
        force, by = asked.get("force") is True, said(asked.get("by"), "somebody")
        if asked.get("back") is True:
            return self._back(routers)
        if asked.get("cancel") is True:
            return self._cancel(routers)
        if at is not None:
            return self._plan(Planned(routers=routers, to=to, force=force, by=by, at=float(at)))
        return await self._now(routers, to, force=force, by=by)

    async def _now(self, names: Sequence[str], to: str | None, *, force: bool, by: str) -> dict[str, Any]:
        if not force:
            await self._until_heard(names, to)
        async with self._one_at_a_time:
            wanted = moves.moves(self._own(), self._company.peers, names, to, force=force)
            heirs = {name: move.to for move in wanted for name in move.names}
            self._moving = frozenset(heirs)
            self._company.giving(heirs)
            try:
                if not force:
                    await self._until_room(wanted)
                await self._changing.until(lambda: moves.expected(self._company.peers, wanted), PREPARED)
                orders = self._book.orders
                for move in wanted:
                    orders = orders.give(move.names, Given(to=move.to, by=by, at=time.time()))
                self._book.change(orders)
                begun = time.monotonic()
                self._send(GiveAway(to={name: (heir,) for name, heir in heirs.items()}, why=f"{by} gives it away"))
                outcomes = [await self._outcome(move, begun) for move in wanted]
            finally:
                self._moving = frozenset()
                self._company.giving({})
            stayed = [name for outcome in outcomes if not outcome["moved"] for name in outcome["routers"]]
            self._book.change(self._book.orders.take_back(stayed))
            return {"ok": not stayed, "moves": outcomes, "lines": [_words(outcome) for outcome in outcomes]}

    async def _until_heard(self, names: Sequence[str], to: str | None) -> None:
        """While connections are all that is lacking: whoever is told of them gives up waiting some time, too."""
        sync = self._own().cluster.sync
        within = sync.wait + BEYOND if sync is not None else 0.0
        await self._changing.until(
            lambda: not moves.worth_waiting(self._own(), self._company.peers, names, to), within + PREPARED
        )

    async def _until_room(self, wanted: Sequence[Move]) -> None:
        """Raises Refused if another candidate does not make room."""
        await self._changing.until(lambda: not moves.in_the_way(self._company.peers, wanted), ROOM)
        if others := moves.in_the_way(self._company.peers, wanted):
            raise Refused(
                f"{' and '.join(others)} has not made room on the directors' channel: is its haman older? --force moves"
                " it all the same, to whoever is quicker"
            )

    async def _outcome(self, move: Move, begun: float) -> dict[str, Any]:
        """Waits for it."""
        bound = max(leave_bound(router.advert_interval) for router in move.routers) + BEYOND
        moved = await self._changing.until(lambda: not self._active(move), bound)
        seconds = time.monotonic() - begun
        for name in move.names if moved else ():
            self._record(_transition(name, self._own().node, move.to, "switchover", f"given away in {seconds:.3g} s"))
        return {"routers": list(move.names), "to": move.to, "moved": moved, "seconds": seconds}

    def _active(self, move: Move) -> bool:
        return any(report.router in move.names and report.role is Role.ACTIVE for report in self._own().roles)

    def _back(self, names: Sequence[str]) -> dict[str, Any]:
        given = self._book.orders.given
        if unknown := [name for name in names if name not in given]:
            raise Refused(f"router {unknown[0]} was not given away; {' and '.join(given) or 'none'} was")
        self._book.change(self._book.orders.take_back(names or tuple(given)))
        lines = [f"{name}: may be taken again, as the configuration says" for name in names or given]
        return {"ok": True, "moves": [], "lines": lines or ["nothing was given away"]}

    def _plan(self, planned: Planned) -> dict[str, Any]:
        """It has to be possible now, or nobody would be there to read that it was not."""
        moves.moves(self._own(), self._company.peers, planned.routers, planned.to, force=planned.force, soon=True)
        ahead = planned.at - time.time()
        if ahead < 0:
            raise Refused("that time is over")
        if not ahead <= FURTHEST:
            raise Refused("that is more than a year away")
        self._book.change(replace(self._book.orders, planned=(*self._book.orders.planned, planned)))
        self._plans_changed.set()
        return {"ok": True, "moves": [], "lines": ["planned; haman status shows it, haman switchover --cancel ends it"]}

    def _cancel(self, names: Sequence[str]) -> dict[str, Any]:
        """Plans for any of these routers; all plans if none is named."""
        plans = self._book.orders.planned
        kept = tuple(each for each in plans if names and not set(names) & set(each.routers))
        if kept == plans:
            whole = any(not each.routers for each in plans)
            rest = "; one of all that are active then is: haman switchover --cancel, without a name, ends it"
            raise Refused(f"no such move is planned{rest if whole else ''}")
        self._book.change(replace(self._book.orders, planned=kept))
        self._plans_changed.set()
        return {"ok": True, "moves": [], "lines": [f"cancelled: {len(plans) - len(kept)}"]}

    def _strike_out(self, orders: Orders) -> None:
        try:
            self._book.change(orders)
        except Refused as error:
            log.error("what is over stays in the book of orders: %s", error)

    async def _do_due(self) -> None:
        now, plans = time.time(), self._book.orders.planned
        due = [each for each in plans if each.at <= now]
        self._strike_out(replace(self._book.orders, planned=tuple(each for each in plans if each not in due)))
        for each in due:
            try:
                if now - each.at > OVERDUE:
                    raise Refused(f"it was due {now - each.at:.0f} s ago, when haman did not run here")
                outcome = await self._now(each.routers, each.to, force=each.force, by=each.by)
                refused = "" if outcome["ok"] else "; ".join(outcome["lines"])
            except Refused as error:
                refused = str(error)
            if refused:
                who, node = each.routers[0] if each.routers else "all", self._own().node
                why = f"what {each.by} had planned was not done: {refused}"
                self._record(_transition(who, node, node, "switchover_refused", why))


def _names(value: Any) -> tuple[str, ...]:
    if value is None:
        return ()
    if not isinstance(value, list) or not all(isinstance(each, str) for each in value):
        raise Refused("routers are a list of names")
    return tuple(dict.fromkeys(value))


def _words(outcome: dict[str, Any]) -> str:
    names, to = " and ".join(outcome["routers"]), outcome["to"]
    if outcome["moved"]:
        return f"{names}: {to} serves, after {outcome['seconds']:.3g} s"
    return f"{names}: {to} has not taken it in {outcome['seconds']:.3g} s, so it stays here; why is in the log there"


def _transition(who: str, before: str, after: str, cause: str, why: str) -> Transition:
    return Transition(kind=Kind.ORDER, who=who, before=before, after=after, why=why, cause=cause, at=time.time())
