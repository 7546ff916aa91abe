"""Addresses on their level: what the roles want on `lo` and the NICs is compared with what is there, and mended.

Woken by a changed role, by netlink (somebody deleted a VIP, a link came back), by a refusal's retry. The picture of
what is there is kept from one dump, our own operations and the kernel's notifications, so that a takeover need not
dump first; whenever notifications were lost it is read anew.
"""

from __future__ import annotations

import asyncio
import time
from typing import TYPE_CHECKING, Protocol

from haman.kernel import remembered, sysctls
from haman.kernel.addresses import AddressAdded, Addresses, AddressRemoved, LinkChanged, Lost, Watch
from haman.model.elector import TakeoverDone
from haman.model.kernel import AddressConfig, AddressKey, Kernel, SysctlKey
from haman.model.transition import Kind
from haman.plan import desired
from haman.plan.diff import diff
from haman.plan.ops import Add, Remove
from haman.plan.ownership import Ownership, of_elector

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from haman.elector.announcer import Announcer
    from haman.kernel.refusal import Refusal
    from haman.model.elector import ElectorConfig, RouterConfig
    from haman.plan.ops import Op

RETRY = 1.0
"""Seconds until an operation the kernel refused is tried again."""

GUARD = 5.0
"""Seconds between looks at the ARP sysctls, which notify nobody when they are changed."""


class Owner(Protocol):
    """The engine, as the keeper needs it."""

    def holding(self) -> Mapping[str, bool | None]: ...

    def router_config(self, name: str) -> RouterConfig | None: ...

    def due_announcements(self) -> dict[str, float | None]: ...

    def holds(self, name: str) -> bool: ...

    def refused(self, name: str, why: str) -> None: ...


class Reporter(Protocol):
    def note(self, kind: Kind, who: str, before: str, after: str, cause: str, why: str) -> None: ...

    def takeover(self, done: TakeoverDone) -> None: ...

    def links(self, carrier: Mapping[str, bool]) -> None: ...


class Keeper:
    def __init__(self, owner: Owner, reporter: Reporter, announcer: Announcer) -> None:
        self._owner = owner
        self._reporter = reporter
        self._announcer = announcer
        self._addresses = Addresses()
        self._config: ElectorConfig | None = None
        self._ownership = Ownership()
        self._actual: dict[AddressKey, AddressConfig] | None = None
        self._carrier: dict[str, bool] = {}
        self._dirty = asyncio.Event()
        self._level = asyncio.Event()
        self._wanted: frozenset[AddressKey] = frozenset()
        self._settled: frozenset[AddressKey] = frozenset()

    def wake(self) -> None:
        self._level.clear()
        self._dirty.set()

    async def level(self) -> None:
        """Returns once the kernel is as the latest wake asked, or has refused."""
        await self._level.wait()

    def configure(self, config: ElectorConfig) -> None:
        """From now on these addresses are ours; what an earlier configuration made and this one does not know goes."""
        known = remembered.load("addresses")
        self._config = config
        self._ownership = of_elector(config, known)
        everywhere = desired.addresses(config, {router.name: True for router in config.routers})
        remembered.save("addresses", {*known, *everywhere.addresses})
        self.wake()

    async def open(self) -> None:
        await self._addresses.open()
        await self._reread()

    async def run(self) -> None:
        """For ever: bring the kernel to the level whenever something has changed."""
        while True:
            try:
                async with asyncio.timeout(GUARD):
                    await self._dirty.wait()
            except TimeoutError:
                pass
            self._dirty.clear()
            if self._config is not None:
                await self._reconcile(self._config)
            if not self._dirty.is_set():
                self._level.set()

    async def watch(self) -> None:
        """For ever: what the kernel says has changed."""
        async for event in Watch():
            match event:
                case AddressAdded(key):
                    if self._actual is not None:
                        self._actual[key] = AddressConfig()
                    if key in self._ownership and key not in self._wanted:
                        self.wake()
                case AddressRemoved(key):
                    if self._actual is not None:
                        self._actual.pop(key, None)
                    if key in self._wanted:
                        self.wake()
                case LinkChanged():
                    self._carrier = await self._addresses.links()
                    self._reporter.links(self._carrier)
                    self.wake()
                case Lost():
                    self._actual = None
                    self._carrier = await self._addresses.links()
                    self._reporter.links(self._carrier)
                    self.wake()

    async def _reread(self) -> dict[AddressKey, AddressConfig]:
        self._actual = dict((await self._addresses.snapshot()).addresses)
        self._carrier = await self._addresses.links()
        self._reporter.links(self._carrier)
        return self._actual

    async def _reconcile(self, config: ElectorConfig) -> None:
        announcements = self._owner.due_announcements()
        actual = self._actual if self._actual is not None else await self._reread()
        wanted = desired.addresses(config, self._levels(config, actual))
        held = Kernel(addresses=actual, sysctls=sysctls.read(wanted.sysctls))
        ops = diff(wanted, held, self._ownership)
        self._wanted = frozenset(wanted.addresses)
        self._report_drift(ops)
        refusals = await self._apply(ops, actual)
        self._settled = self._wanted - {
            refusal.op.key for refusal in refusals if isinstance(refusal.op.key, AddressKey)
        }
        self._report_refusals(config, refusals)
        for name, decided in announcements.items():
            self._announce(name, decided)

    def _levels(self, config: ElectorConfig, actual: Mapping[AddressKey, AddressConfig]) -> dict[str, bool]:
        """An adopting router keeps what is there: the VIP that an earlier life of this process left on the NIC."""
        levels = {}
        for router in config.routers:
            holds = self._owner.holding().get(router.name, False)
            if holds is None:
                holds = any(desired.on_nic(router, vip) in actual for vip in router.addresses)
            levels[router.name] = holds
        return levels

    async def _apply(self, ops: Sequence[Op], actual: dict[AddressKey, AddressConfig]) -> list[Refusal]:
        settings = [op for op in ops if isinstance(op.key, SysctlKey)]
        moves = [op for op in ops if isinstance(op.key, AddressKey)]
        refusals = list(sysctls.apply(settings))
        refusals += await self._addresses.apply(moves)
        refused = {refusal.op.key for refusal in refusals}
        for op in moves:
            match op:
                case Add(AddressKey() as key, AddressConfig() as made) if key not in refused:
                    actual[key] = made
                case Remove(AddressKey() as key) if key not in refused:
                    actual.pop(key, None)
        return refusals

    def _announce(self, name: str, decided: float | None) -> None:
        router = self._owner.router_config(name)
        if router is None or not self._owner.holds(name):
            return
        self._announcer.announce(router)
        if decided is not None:
            seconds = time.monotonic() - decided
            self._reporter.takeover(TakeoverDone(router=name, seconds=seconds, addresses=len(router.addresses)))

    def _report_drift(self, ops: Sequence[Op]) -> None:
        """An address that had been in place and is missing again was taken by somebody else."""
        for op in ops:
            if isinstance(op, Add) and isinstance(op.key, AddressKey) and op.key in self._settled:
                why = f"{op.key} was deleted by somebody else; put back"
                self._reporter.note(Kind.DRIFT, str(op.key), "missing", "present", "address_deleted", why)
                router = self._router_of(op.key)
                if router is not None and self._owner.holds(router.name) and op.key.device != "lo":
                    self._announcer.announce(router)

    def _report_refusals(self, config: ElectorConfig, refusals: Sequence[Refusal]) -> None:
        for refusal in refusals:
            why = str(refusal.error)
            self._reporter.note(Kind.KERNEL, str(refusal.op.key), "ok", "refused", "kernel_refused", why)
            router = self._router_of(refusal.op.key) if isinstance(refusal.op.key, AddressKey) else None
            if router is not None and isinstance(refusal.op, Add):
                self._owner.refused(router.name, why)
        if refusals:
            self._actual = None
            asyncio.get_running_loop().call_later(RETRY, self.wake)

    def _router_of(self, key: AddressKey) -> RouterConfig | None:
        routers = self._config.routers if self._config is not None else ()
        return next((r for r in routers if any(vip.ip == key.ip for vip in r.addresses)), None)
