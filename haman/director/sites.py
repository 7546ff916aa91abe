"""Which site serves each service that has backups: what failover decides, kept, told and written into the weights.

Deciding is `failover.choice`, on the board's health; this is its clock and its memory. A director that another one
leads (that one is active for the service's router) has the same site as it, so a takeover in the middle of a site
failover sends new connections where they went before.
"""

from __future__ import annotations

import asyncio
import time
from collections import ChainMap
from typing import TYPE_CHECKING

from haman.director.orders import Wished
from haman.errors import Refused
from haman.failover import choice as failover
from haman.failover import weights as failover_weights
from haman.model.sites import LOCAL, Order
from haman.model.transition import Kind, Transition

if TYPE_CHECKING:
    from collections.abc import Callable, Collection, Iterable, Mapping, MutableMapping

    from haman.director.orders import Book
    from haman.failover.choice import Choice, Said
    from haman.health.board import Board
    from haman.model.services import Service, Target


class Sites:
    """reweighed: called with the services whose weights a site has changed. chosen: called when the site of a service
    that others may follow, or the operator's wish, is another. record: takes transitions. book: keeps the operator's
    wishes, and which backup serves what does not return by itself."""

    def __init__(
        self,
        reweighed: Callable[[Collection[str]], None],
        chosen: Callable[[], None],
        record: Callable[[Transition], None],
        book: Book,
    ) -> None:
        self._reweighed = reweighed
        self._chosen = chosen
        self._record = record
        self._book = book
        self._board: Board | None = None
        self._services: dict[str, Service] = {}
        self._owner: dict[str, str] = {}
        self._choices: dict[str, Choice] = {}
        self._said: dict[str, Said] = {}
        self._overlay: dict[Target, int | None] = {}
        self._timer: asyncio.TimerHandle | None = None

    @property
    def choices(self) -> Mapping[str, Choice]:
        """By service that has backups."""
        return self._choices

    def followed(self, service: str) -> str | None:
        """The director whose site this one has; None: its own."""
        said = self._said.get(service)
        return None if said is None else said.director

    @property
    def weights(self) -> Mapping[Target, int | None]:
        """What each server is to have by this director's own checks, given the site that serves."""
        own: Mapping[Target, int | None] = {} if self._board is None else self._board.weights
        overlay: MutableMapping[Target, int | None] = self._overlay
        return ChainMap(overlay, own) if overlay else own  # type: ignore[arg-type]

    def configure(self, services: Iterable[Service], board: Board, serving: Mapping[str, int]) -> None:
        """board: knows the health of all of them and of their backups. serving: what the kernel's table says, for those
        that were not here before. A backup that goes on under its name goes on serving."""
        now = time.monotonic()
        before, old = self._choices, self._services
        self._board = board
        self._services = {service.name: service for service in services if service.backups}
        self._owner = {part.name: name for name, service in self._services.items() for part in service.everywhere()}
        self._said = {name: said for name, said in self._said.items() if name in self._services}
        self._choices, self._overlay = {}, {}
        for name, service in self._services.items():
            known = before.get(name)
            if known is not None and old[name].backups == service.backups:
                self._choices[name] = known
            else:
                site = serving.get(name, LOCAL) if known is None else _same(old[name], known.serving, service)
                if site == LOCAL and known is None:
                    site = _numbered(service, self._book.orders.held.get(name))
                self._choices[name] = failover.begin(len(service.backups), now, site, self._wished(name))
            self._decide(name, now)
        self._forget()
        self._schedule(now)

    def judged(self, services: Collection[str]) -> set[str]:
        """The health of these has changed, be they services or backups. Returns the services to write anew."""
        now = time.monotonic()
        names = {self._owner.get(name, name) for name in services}
        for name in names & self._services.keys():
            self._decide(name, now)
        self._schedule(now)
        return names

    def follow(self, said: Mapping[str, Said]) -> None:
        """By service, what the director that is active for it says; all others are decided here."""
        if said == self._said:
            return
        changed = {name for name in {*said, *self._said} if said.get(name) != self._said.get(name)}
        self._said = dict(said)
        now = time.monotonic()
        if reweighed := {name for name in changed & self._services.keys() if self._decide(name, now)}:
            self._reweighed(reweighed)
        self._schedule(now)

    def use(self, name: str, order: str, by: str) -> dict[str, object]:
        """The operator wants this. Raises Refused, and nothing has changed then."""
        if name not in self._services:
            known = ", ".join(sorted(self._services)) or "none"
            raise Refused(f"there is no service '{name}' with a backup here; with one: {known}")
        if (leader := self.followed(name)) is not None:
            raise Refused(f"director {leader} is active for service '{name}': say it there, this one follows")
        try:
            wanted, before = Order(order), self._wished(name)
        except ValueError:
            raise Refused(f"{order!r} is no wish: say backup, local or auto") from None
        self._book.change(self._book.orders.wish(name, _written(wanted, by)))
        self._choices[name] = failover.ordered(self._choices[name], wanted)
        if wanted is not before:
            self._record(_order(name, before.value, wanted.value, f"ordered by {by}", "site"))
        now = time.monotonic()
        if self._decide(name, now):
            self._reweighed({name})
        self._schedule(now)
        self._chosen()
        choice = self._choices[name]
        return {"service": name, "order": wanted.value, "serves": self.name_of(name, choice.serving), "why": choice.why}

    def name_of(self, service: str, serving: int) -> str:
        return failover.words(serving, [backup.name for backup in self._services[service].backups])

    def close(self) -> None:
        if self._timer is not None:
            self._timer.cancel()

    def _decide(self, name: str, now: float) -> bool:
        """Returns whether weights have changed."""
        assert self._board is not None
        board, service, before = self._board, self._services[name], self._choices[name]
        level = failover_weights.level(service, board.weights, board.health)
        said = self._said.get(name)
        if said is not None and said.serving <= len(service.backups):
            after = failover.follow(before, service.failover, level, now, said)
            if after.order is not before.order:
                self._book.note(self._book.orders.wish(name, _written(after.order, f"director {said.director}")))
        else:
            after = failover.decide(before, service.failover, level, now)
        self._choices[name] = after
        weighed = failover_weights.weighed(service, after, board.weights, board.health)
        changed = any(self._overlay.get(target, -1) != weight for target, weight in weighed.items())
        self._overlay.update(weighed)
        stays = after.serving != LOCAL and (service.failover.manual or after.order is Order.BACKUP)
        held = self.name_of(name, after.serving) if stays else None
        if held != self._book.orders.held.get(name):
            self._book.note(self._book.orders.hold(name, held))
        if not after.same_site(before):
            self._record(self._transition(name, before, after))
            self._chosen()
        return changed

    def _transition(self, name: str, before: Choice, after: Choice) -> Transition:
        return Transition(
            kind=Kind.SITE,
            who=name,
            before=self.name_of(name, before.serving),
            after=self.name_of(name, after.serving),
            why=after.why,
            cause=after.cause,
            at=time.time(),
        )

    def _schedule(self, now: float) -> None:
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None
        due = [
            at
            for name, choice in self._choices.items()
            if name not in self._said
            and (at := failover.deadline(choice, self._services[name].failover, now)) is not None
        ]
        if due:
            self._timer = asyncio.get_running_loop().call_later(min(due) - now, self._ring)

    def _ring(self) -> None:
        self._timer = None
        now = time.monotonic()
        if reweighed := {name for name in self._services if self._decide(name, now)}:
            self._reweighed(reweighed)
        self._schedule(now)

    def _wished(self, name: str) -> Order:
        wished = self._book.orders.sites.get(name)
        return Order.AUTO if wished is None else Order(wished.site)

    def _forget(self) -> None:
        """What was wished for services that are gone, or have no backup any more; it is said."""
        orders = self._book.orders
        gone = [(name, wished) for name, wished in orders.sites.items() if name not in self._services]
        for name, wished in gone:
            orders = orders.wish(name, None)
            why = f"no service '{name}' with a backup is configured any more: what {wished.by} wanted of it is dropped"
            self._record(_order(name, wished.site, Order.AUTO.value, why, "site_gone"))
        for name in orders.held.keys() - self._services.keys():
            orders = orders.hold(name, None)
        self._book.note(orders)


def _written(order: Order, by: str) -> Wished | None:
    return None if order is Order.AUTO else Wished(site=order.value, by=by, at=time.time())


def _order(name: str, before: str, after: str, why: str, cause: str) -> Transition:
    return Transition(kind=Kind.ORDER, who=name, before=before, after=after, why=why, cause=cause, at=time.time())


def _same(old: Service, serving: int, new: Service) -> int:
    """The number that the backup which serves has now; LOCAL if it is gone."""
    return LOCAL if serving == LOCAL else _numbered(new, old.backups[serving - 1].name)


def _numbered(service: Service, name: str | None) -> int:
    """The backup of this name; LOCAL if there is none."""
    return next((number for number, backup in enumerate(service.backups, 1) if backup.name == name), LOCAL)
