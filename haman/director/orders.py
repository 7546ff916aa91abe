"""What the operator has told this node by command, and it keeps to until told otherwise: over restarts and reboots.

* Maintenance: it takes no VIP, whatever happens.
* Given away: a router that was moved to another director is not taken back from it. When nobody serves it, it is taken.
* Planned: a router is to be moved at a certain time.
* Wished: which site is to serve a service, whatever health says. A director that another one leads keeps that one's.

And one thing that only the operator ends: which backup serves a service that does not return by itself. After a reboot
nothing else would tell.

Plain values and a file; what follows from them is `duty`'s and `switchover`'s.
"""

from __future__ import annotations

import json
from dataclasses import asdict, dataclass, field, replace
from typing import TYPE_CHECKING, Any

from haman import files, paths
from haman.errors import Refused
from haman.model.sites import Order
from haman.observe.journal import log
from haman.printable import printable

if TYPE_CHECKING:
    from collections.abc import Callable, Collection, Mapping

WORDS = 500
"""Characters of what is told with an order."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Maintenance:
    """why: the operator's words, perhaps none. at: wall clock."""

    why: str
    by: str
    at: float

    @property
    def words(self) -> str:
        return f"maintenance{f': {self.why}' if self.why else ''} (haman maintenance off ends it)"


@dataclass(frozen=True, slots=True, kw_only=True)
class Given:
    """A router that was given to director `to`. at: wall clock."""

    to: str
    by: str
    at: float


@dataclass(frozen=True, slots=True, kw_only=True)
class Planned:
    """What is to be moved at `at` (wall clock). to: None leaves it to the moment. force: whatever the others lack."""

    routers: tuple[str, ...]
    to: str | None
    force: bool
    by: str
    at: float


@dataclass(frozen=True, slots=True, kw_only=True)
class Wished:
    """site: `backup` or `local`. by: somebody, or the director that has it so. at: wall clock."""

    site: str
    by: str
    at: float


@dataclass(frozen=True, slots=True, kw_only=True)
class Orders:
    """given: by router. sites: by service. held: by service that does not return by itself, the name of the backup
    that serves it."""

    maintenance: Maintenance | None = None
    given: Mapping[str, Given] = field(default_factory=dict)
    planned: tuple[Planned, ...] = ()
    sites: Mapping[str, Wished] = field(default_factory=dict)
    held: Mapping[str, str] = field(default_factory=dict)

    def waiting(self) -> dict[str, str]:
        """By router, why it is not taken from a living peer."""
        return {
            router: f"it was given to {given.to} (haman switchover --back {router} lets this director take it again)"
            for router, given in self.given.items()
        }

    def plain(self) -> dict[str, Any]:
        """As JSON values."""
        return {**asdict(self), "planned": [{**asdict(each), "routers": list(each.routers)} for each in self.planned]}

    def give(self, routers: Collection[str], given: Given) -> Orders:
        return replace(self, given={**self.given, **dict.fromkeys(routers, given)})

    def take_back(self, routers: Collection[str]) -> Orders:
        return replace(self, given={name: given for name, given in self.given.items() if name not in routers})

    def renamed(self, names: Mapping[str, str]) -> Orders:
        """names: of routers that go on under another name, the old one by the new one."""
        now = {old: new for new, old in names.items()}
        given = {now.get(name, name): each for name, each in self.given.items() if name in now or name not in names}
        planned = tuple(
            replace(each, routers=tuple(now.get(name, name) for name in each.routers)) for each in self.planned
        )
        return replace(self, given=given, planned=planned)

    def wish(self, service: str, wished: Wished | None) -> Orders:
        """None: as health says."""
        others = {name: each for name, each in self.sites.items() if name != service}
        return replace(self, sites=others if wished is None else {**others, service: wished})

    def hold(self, service: str, backup: str | None) -> Orders:
        """None: it is not held at one."""
        others = {name: each for name, each in self.held.items() if name != service}
        return replace(self, held=others if backup is None else {**others, service: backup})


class Book:
    """The orders that hold, each change of them written down before it counts. changed: called after each."""

    def __init__(self, changed: Callable[[], None]) -> None:
        self._changed = changed
        self.orders = _load()

    def change(self, orders: Orders) -> None:
        """Raises Refused, and nothing has changed then."""
        if orders == self.orders:
            return
        try:
            files.replace(paths.orders(), json.dumps(orders.plain(), indent=1))
        except OSError as error:
            raise Refused(f"the order cannot be written down: {error}") from error
        self.orders = orders
        self._changed()

    def note(self, orders: Orders) -> None:
        """The same for what follows from something that has happened already: it counts, written down or not."""
        try:
            self.change(orders)
        except Refused as error:
            log.error("%s: a restart of the director forgets it", error)
            self.orders = orders


def said(value: Any, otherwise: str = "") -> str:
    """What somebody says with an order, as it may be shown in any terminal, to hooks and in one line of the log.
    otherwise: for nothing."""
    text = value if isinstance(value, str) else ""
    return printable(text[:WORDS]) or otherwise


def _wished(kept: Mapping[str, Any]) -> Wished:
    """Raises TypeError, ValueError."""
    wished = Wished(**kept)
    Order(wished.site)
    return wished


def _load() -> Orders:
    """No orders if there is no file, or none that can be read, which is said in the log."""
    file = paths.orders()
    try:
        kept = json.loads(file.read_text(encoding="utf-8"))
        maintenance = kept["maintenance"]
        return Orders(
            maintenance=None if maintenance is None else Maintenance(**maintenance),
            given={router: Given(**given) for router, given in kept["given"].items()},
            planned=tuple(Planned(**{**each, "routers": tuple(each["routers"])}) for each in kept["planned"]),
            sites={service: _wished(each) for service, each in kept.get("sites", {}).items()},
            held={service: str(backup) for service, backup in kept.get("held", {}).items()},
        )
    except FileNotFoundError:
        return Orders()
    except (OSError, ValueError, KeyError, TypeError, AttributeError) as error:
        log.error("%s cannot be read, so orders given before are forgotten: %r", file, error)
        return Orders()
