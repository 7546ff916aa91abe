"""Addresses, and the routes and rules that go with them, on their level: what the roles want on `lo` and the NICs is
compared with what is there, and mended.

Woken by a changed role, by netlink (somebody deleted a VIP, a link came back), by a refusal's retry. The picture of
what is there is kept from one dump, our own operations and the kernel's notifications, so that a takeover need not
dump first; whenever notifications were lost it is read anew.
"""

from __future__ import annotations

import asyncio
from dataclasses import replace
from typing import TYPE_CHECKING, Protocol

from haman.elector.fights import Fights
from haman.errors import KernelRefused
from haman.kernel.addresses import AddressAdded, AddressRemoved, LinkChanged, Lost
from haman.model.elector import TakeoverDone
from haman.model.kernel import BACKUP_ONLY, AddressConfig, AddressKey, Kernel, RouteKey, RuleKey, SysctlKey
from haman.model.transition import Kind
from haman.observe import journal
from haman.plan import desired
from haman.plan.diff import closes, diff
from haman.plan.ops import Add, Remove
from haman.plan.ownership import Ownership, of_elector

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence, Set

    from haman.elector.announcer import Announcer
    from haman.elector.machine import KeptKernel
    from haman.kernel.refusal import Refusal
    from haman.model.addresses import Address
    from haman.model.elector import ElectorConfig, RouterConfig
    from haman.model.kernel import Key
    from haman.plan.ops import Op

RETRY = 1.0
"""Seconds until an operation the kernel refused is tried again."""

GUARD = 5.0
"""Seconds between looks at the ARP sysctls, which notify nobody when they are changed."""

REST = 1.0
"""Seconds between two looks at routes and rules because somebody changed one of ours: whoever deletes one again and
again makes us busy once a second, not as often as it pleases."""

Drifted = tuple[AddressKey, str, str, str]
"""What somebody else has changed: an address, what it was (for the record), what was done to it, and by whom."""

NAMED = 8
"""Addresses that are named when many were changed by somebody else in one moment."""

FEW = 64
"""Addresses up to which a new configuration is looked through on the loop (a millisecond); more of them in a thread."""


class Owner(Protocol):
    """The engine, as the keeper needs it."""

    def playing(self) -> ElectorConfig | None: ...

    def holding(self) -> Mapping[str, bool | None]: ...

    def router_config(self, name: str) -> RouterConfig | None: ...

    def due_announcements(self) -> dict[str, float | None]: ...

    def announces(self, name: str) -> bool: ...

    def refused(self, name: str, why: str) -> None: ...

    def contested(self, name: str, why: str) -> None: ...


class Reporter(Protocol):
    def note(self, kind: Kind, who: str, before: str, after: str, cause: str, why: str) -> None: ...

    def takeover(self, done: TakeoverDone) -> None: ...

    def announced(self, router: RouterConfig, decided: float | None) -> None: ...

    def withheld(self, router: str) -> None:
        """Not all of its addresses are there."""

    def links(self, carrier: Mapping[str, bool]) -> None: ...

    def addresses(self, found: Mapping[AddressKey, AddressConfig]) -> None: ...

    def address(self, key: AddressKey, config: AddressConfig | None) -> None: ...


class Keeper:
    def __init__(self, owner: Owner, reporter: Reporter, announcer: Announcer, kernel: KeptKernel) -> None:
        self._owner = owner
        self._reporter = reporter
        self._announcer = announcer
        self._fights = Fights()
        self._routers: dict[Address, RouterConfig] = {}
        self._kernel = kernel
        self._addresses, self._routing = kernel.addresses, kernel.routing
        self._routed = True  # there may be routes or rules of ours, or some are wanted
        self._ways: frozenset[Key] = frozenset()  # of those that were in place after the last look
        self._ways_looked_at = -REST
        self._ways_due: asyncio.TimerHandle | None = None
        self._refused: frozenset[Key] = frozenset()  # and no fault: settings, routes and rules
        self._config: ElectorConfig | None = None
        self._ownership = Ownership()
        self._actual: dict[AddressKey, AddressConfig] | None = None
        self._carrier: dict[str, bool] = {}
        self._dirty = asyncio.Event()
        self._level = asyncio.Event()
        self._replaced: set[AddressKey] = set()
        self._wanted: frozenset[AddressKey] = frozenset()
        self._settled: frozenset[AddressKey] = frozenset()
        self._configured: frozenset[Key] = frozenset()
        self._remembered: frozenset[Key] = frozenset()
        self._withheld: Set[str] = set()  # routers not announced, since the kernel refused an address of theirs
        self._planned: tuple[dict[str, bool], Kernel] | None = None  # of this configuration: levels, what they want

    def wake(self) -> None:
        self._level.clear()
        self._dirty.set()

    async def level(self) -> None:
        """Returns once the kernel is as the latest wake asked, or has refused."""
        await self._level.wait()

    async def open(self) -> None:
        await self._addresses.open()
        await self._reread()
        self._routing_watch = self._kernel.routing_news()
        asyncio.get_running_loop().add_reader(self._routing_watch, self._ways_changed)

    def _ways_changed(self) -> None:
        if self._routing_watch.changed() and self._ways_due is None:
            at = max(_now(), self._ways_looked_at + REST)
            self._ways_due = asyncio.get_running_loop().call_at(at, self._look_at_ways)

    def _look_at_ways(self) -> None:
        self._ways_due, self._ways_looked_at = None, _now()
        self.wake()

    async def run(self) -> None:
        """For ever: bring the kernel to the level whenever something has changed."""
        while True:
            try:
                async with asyncio.timeout(GUARD):
                    await self._dirty.wait()
            except TimeoutError:
                pass
            self._dirty.clear()
            config = self._owner.playing()
            if config is not None:
                await self._take(config)
                await self._reconcile(config)
            if self._owner.playing() is not config:
                self._dirty.set()
            if not self._dirty.is_set():
                self._level.set()

    async def _take(self, config: ElectorConfig) -> None:
        """From now on these addresses are ours; what an earlier configuration made and this one does not know goes."""
        if config is self._config:
            return
        if sum(len(router.addresses) for router in config.routers) <= FEW:
            taken = _claim(config, self._kernel)
        else:
            taken = await asyncio.to_thread(_claim, config, self._kernel)
        self._config, self._planned = config, None
        self._routers = {vip.ip: router for router in reversed(config.routers) for vip in router.addresses}
        self._configured, self._remembered, self._ownership = taken

    def _forget(self, config: ElectorConfig) -> None:
        """What is gone is ours no more: somebody may have another use for it."""
        self._ownership = of_elector(config, self._configured)
        self._remembered = self._configured
        _write_down(self._configured, self._kernel)

    async def watch(self) -> None:
        """For ever: what the kernel says has changed."""
        async for event in self._kernel.address_news():
            match event:
                case AddressAdded(key, config):
                    if self._actual is not None:
                        self._actual[key] = config
                    if key in self._ownership and (key not in self._wanted or config != AddressConfig()):
                        self.wake()
                    self._reporter.address(key, config)
                case AddressRemoved(key) if key in self._replaced:
                    self._replaced.discard(key)  # this is the kernel's answer to our own: it is there again already
                case AddressRemoved(key):
                    if self._actual is not None:
                        self._actual.pop(key, None)
                    if key in self._wanted:
                        self.wake()
                    self._reporter.address(key, None)
                case LinkChanged():
                    self._carrier = await self._addresses.links()
                    self._reporter.links(self._carrier)
                    self.wake()
                case Lost():
                    self._actual = None
                    self._carrier = await self._addresses.links()
                    self._reporter.links(self._carrier)
                    self.wake()
            await asyncio.sleep(0)  # a thousand addresses are a thousand events, a tenth of a millisecond each

    async def _reread(self) -> dict[AddressKey, AddressConfig]:
        self._actual = dict((await self._addresses.snapshot()).addresses)
        self._carrier = await self._addresses.links()
        self._reporter.links(self._carrier)
        self._reporter.addresses(self._actual)
        return self._actual

    async def _reconcile(self, config: ElectorConfig) -> None:
        actual = self._actual if self._actual is not None else await self._reread()
        if self._owner.playing() is not config:
            return  # levels go by the routers' names, and those are another configuration's by now
        levels = self._levels(config, actual)
        if len(self._configured) <= FEW:
            wanted, ops, drifted = self._plan(config, levels, actual)
        else:
            wanted, ops, drifted = await asyncio.to_thread(self._plan, config, levels, dict(actual))
            if self._owner.playing() is not config or self._levels(config, actual) != levels:
                self.wake()
                return  # somebody else's role by now; what was planned is not wanted any more
        announcements: dict[str, float | None] = dict.fromkeys(self._withheld)
        announcements |= self._owner.due_announcements()
        self._wanted = frozenset(wanted.addresses)
        hurt: set[str] = set()
        if drifted:
            ops, drifted = self._rested(ops, drifted, _now())
            hurt = self._report_drift(drifted)
        refusals = await self._apply(ops, actual)
        self._settled = self._wanted - {
            refusal.op.key for refusal in refusals if isinstance(refusal.op.key, AddressKey)
        }
        self._report_refusals(config, refusals)
        self._report_ways(wanted, ops, refusals)
        if not refusals and self._remembered != self._configured:
            self._forget(config)
        for name in hurt:
            announcements.setdefault(name, None)
        whose = [self._whose(refusal.op.key) for refusal in refusals if isinstance(refusal.op, Add)]
        refused = {name for name in whose if name is not None}
        self._withheld = announcements.keys() & refused
        for name in refused:
            self._announcer.cancel(name)  # a takeover right before may still have rounds to come
            self._reporter.withheld(name)
        for name, decided in announcements.items():
            if name not in refused:
                self._announce(name, decided)

    def _plan(
        self, config: ElectorConfig, levels: dict[str, bool], actual: Mapping[AddressKey, AddressConfig]
    ) -> tuple[Kernel, tuple[Op, ...], Sequence[Drifted]]:
        """What is wanted, the way there, and what of it others have brought about: some ten milliseconds for a thousand
        addresses, so that those are planned beside the loop."""
        wanted = self._desired(config, levels)
        # Read anew each time, which costs little: the kernel passes over all that are not ours.
        routed = self._held_routes(wanted)
        held = replace(routed, addresses=actual, sysctls=self._kernel.read_sysctls(wanted.sysctls))
        ops = diff(wanted, held, self._ownership)
        return wanted, ops, self._drift(ops, actual)

    def _held_routes(self, wanted: Kernel) -> Kernel:
        if not (self._routed or wanted.routes or wanted.rules):
            return Kernel()
        try:
            routed = self._routing.snapshot()
        except KernelRefused as error:  # the addresses matter more; the next look is five seconds away
            journal.log.warning("routes and rules are left as they are: %s", error)
            return Kernel(routes=wanted.routes, rules=wanted.rules)
        self._routed = bool(routed.routes or routed.rules or wanted.routes or wanted.rules)
        return routed

    def _desired(self, config: ElectorConfig, levels: dict[str, bool]) -> Kernel:
        """Planned anew when something is new: for a thousand addresses that takes ten milliseconds."""
        if self._planned is None or self._planned[0] != levels:
            self._planned = levels, desired.addresses(config, levels)
        return self._planned[1]

    def _levels(self, config: ElectorConfig, actual: Mapping[AddressKey, AddressConfig]) -> dict[str, bool]:
        """An adopting router keeps what is there: the VIP that an earlier life of this process left on the NIC."""
        levels = {}
        for router in config.routers:
            holds = self._owner.holding().get(router.name, False)
            if holds is None:
                holds = any(actual.get(desired.on_nic(router, vip)) == AddressConfig() for vip in router.addresses)
            levels[router.name] = holds
        return levels

    async def _apply(self, ops: Sequence[Op], actual: dict[AddressKey, AddressConfig]) -> list[Refusal]:
        """In the contract's order: routes and rules go before the addresses, and come after them."""
        settings = [op for op in ops if isinstance(op.key, SysctlKey) and not closes(op)]
        moves = [op for op in ops if isinstance(op.key, AddressKey)]
        ways = [op for op in ops if isinstance(op.key, RouteKey | RuleKey)]
        refusals = list(self._kernel.apply_sysctls(settings))
        refusals += self._routing.apply([op for op in ways if isinstance(op, Remove)])
        refusals += await self._addresses.apply(moves)
        refusals += self._routing.apply([op for op in ways if not isinstance(op, Remove)])
        refusals += self._kernel.apply_sysctls([op for op in ops if closes(op)])
        refused = {refusal.op.key for refusal in refusals}
        removed = {op.key for op in moves if isinstance(op, Remove)}
        if removed:
            added = {op.key for op in moves if isinstance(op, Add) and isinstance(op.key, AddressKey)}
            self._replaced |= added & removed
        for number, op in enumerate(moves, 1):
            if number % FEW == 0:
                await asyncio.sleep(0)
            match op:
                case Add(AddressKey() as key, AddressConfig() as made) if key not in refused:
                    actual[key] = made
                case Remove(AddressKey() as key) if key not in refused:
                    actual.pop(key, None)
        return refusals

    def _announce(self, name: str, decided: float | None) -> None:
        router = self._owner.router_config(name)
        if router is None or not self._owner.announces(name):
            return

        def done() -> None:
            if decided is not None:
                seconds, many = _now() - decided, len(router.addresses)
                self._reporter.takeover(TakeoverDone(router=name, seconds=seconds, addresses=many))
            self._reporter.announced(router, decided)

        self._announcer.announce(router, done)

    def _drift(self, ops: Sequence[Op], actual: Mapping[AddressKey, AddressConfig]) -> Sequence[Drifted]:
        """An address that had been in place and is missing again was taken by somebody else, and one that is there and
        not as it should be was put there by somebody else."""
        drifted = []
        for op in ops:
            if not isinstance(op, Add) or not isinstance(op.key, AddressKey):
                continue
            found = actual.get(op.key)
            if found is not None:
                drifted.append((op.key, found.state.value, found.state.value, "as haman never makes it; made anew"))
            elif op.key in self._settled:
                drifted.append((op.key, "missing", "deleted", "by somebody else; put back"))
        return drifted

    def _rested(
        self, ops: tuple[Op, ...], drifted: Sequence[Drifted], now: float
    ) -> tuple[tuple[Op, ...], Sequence[Drifted]]:
        """Without what somebody has taken away too often to be put back at once: that is left for a little later."""
        whose = {key: self._whose(key) for key, *_ in drifted}
        rests = {name: self._fights.rest(name, now) for name in set(whose.values()) if name is not None}
        if not any(rests.values()):
            return ops, drifted
        asyncio.get_running_loop().call_later(max(rests.values()), self.wake)
        late = {key for key, name in whose.items() if name is not None and rests[name]}
        return tuple(op for op in ops if op.key not in late), [each for each in drifted if each[0] not in late]

    def _report_drift(self, drifted: Sequence[Drifted]) -> set[str]:
        """Of many in one moment the first few are named. Returns the routers that have lost an address on a NIC."""
        more = f" ({len(drifted)} addresses in all)" if len(drifted) > NAMED else ""
        for key, before, what, why in drifted[:NAMED]:
            words = f"{key} was {what} {why}{more}"
            self._reporter.note(Kind.DRIFT, str(key), before, "present", f"address_{what}", words)
        hurt = {name: key for key, *_ in drifted if (name := self._whose(key)) is not None}
        now = _now()
        for name, key in hurt.items():
            if self._fights.repaired(name, now):
                why = f"somebody on this machine keeps deleting its addresses ({key})"
                self._reporter.note(Kind.DRIFT, name, "repaired", "contested", "address_contested", why)
                self._owner.contested(name, why)
        return {name for name, key in hurt.items() if key.device != "lo"}

    def _report_ways(self, wanted: Kernel, ops: Sequence[Op], refusals: Sequence[Refusal]) -> None:
        for op in ops:
            if isinstance(op, Add) and op.key in self._ways:
                noun = "route" if isinstance(op.key, RouteKey) else "rule"
                words = f"{op.key} was there and is gone, by somebody else or with a link; put back"
                self._reporter.note(Kind.DRIFT, str(op.key), "missing", "present", f"{noun}_missing", words)
        ways: set[Key] = {*wanted.routes, *wanted.rules}
        self._ways = frozenset(ways - {refusal.op.key for refusal in refusals})

    def _report_refusals(self, config: ElectorConfig, refusals: Sequence[Refusal]) -> None:
        known = self._refused
        self._refused = frozenset(each.op.key for each in refusals if not isinstance(each.op.key, AddressKey))
        for refusal in refusals:
            if refusal.op.key in known:
                continue  # said already; no fault, since the addresses answer all the same
            why = str(refusal.error)
            self._reporter.note(Kind.KERNEL, str(refusal.op.key), "ok", "refused", "kernel_refused", why)
            router = self._router_of(refusal.op.key) if isinstance(refusal.op.key, AddressKey) else None
            if router is not None and isinstance(refusal.op, Add):
                self._owner.refused(router.name, why)
        if any(isinstance(refusal.op.key, AddressKey) for refusal in refusals):
            self._actual = None
        if refusals:
            asyncio.get_running_loop().call_later(RETRY, self.wake)

    def _whose(self, key: Key) -> str | None:
        router = self._router_of(key) if isinstance(key, AddressKey) else None
        return None if router is None else router.name

    def _router_of(self, key: AddressKey) -> RouterConfig | None:
        return self._routers.get(key.ip)


def _claim(config: ElectorConfig, kernel: KeptKernel) -> tuple[frozenset[Key], frozenset[Key], Ownership]:
    """What the configuration has, the same and what was remembered, written down BEFORE it is made, and the claim to
    all of it."""
    everywhere = desired.addresses(config, {router.name: True for router in config.routers})
    configured: frozenset[Key] = frozenset([*everywhere.addresses, *(everywhere.sysctls.keys() & {BACKUP_ONLY})])
    known = kernel.remembered()
    keys = known | configured
    if keys != known:
        _write_down(keys, kernel)
    return configured, keys, of_elector(config, keys)


def _write_down(keys: frozenset[Key], kernel: KeptKernel) -> None:
    """Without it a VIP that leaves the configuration while haman is stopped stays: no reason not to serve."""
    try:
        kernel.remember(keys)
    except OSError as error:
        journal.log.warning("which addresses were made cannot be written down: %s", error)


def _now() -> float:
    """Monotonic, as the loop has it."""
    return asyncio.get_running_loop().time()
