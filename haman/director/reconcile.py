"""The IPVS table on its level: what checks and configuration want, compared with what the kernel holds, and mended.

Kicked by a changed weight it acts in the same turn of the loop, on what it believes the kernel to hold; dumping first
would make a dead server's clients wait for it. Whether the belief is right is looked at beside (`looking`).

Start, a changed weight, drift, a refused operation's retry: all are one `_turn`, which plans the whole table, or,
when only weights changed since the last one, these services alone (`planning`).
"""

from __future__ import annotations

import asyncio
import time
from typing import TYPE_CHECKING

from haman.director import believed, drift, planning
from haman.director.kernels import Kernels
from haman.director.looking import Looking
from haman.director.made import Made
from haman.director.refusals import Refusals
from haman.errors import HamanError
from haman.model.kernel import DaemonKey, DaemonRole, DestinationKey, Kernel, ServiceKey
from haman.model.transition import Kind, Transition
from haman.plan.ownership import of_director

if TYPE_CHECKING:
    from collections.abc import Callable, Collection, Iterable, Mapping, Sequence

    from haman.director.kernels import Filter, Table
    from haman.kernel.refusal import Refusal
    from haman.model.cluster import Cluster
    from haman.model.kernel import Key
    from haman.model.services import Target
    from haman.model.standing import Connections
    from haman.observe.tally import Tally
    from haman.plan.desired import Order
    from haman.plan.ops import Op
    from haman.plan.ownership import Ownership

REOPEN = 5.0
"""Seconds between attempts when the kernel has no IPVS: somebody may load the module."""


class Reconciler:
    """weights: what each target is to have now. order: see plan.desired.ipvs. open_table: raises KernelUnavailable.
    packet_filter: not touched while no rule is wanted, and none of ours is left. macs: MAC addresses by director, as
    far as they are known. taken: as in plan.filter.ruleset. checked: was every server checked by now? `reconsider` when
    one of these two changes. changed: called when `unavailable`, `loaded` or `refused` changed. disturbed: called when
    somebody else's change of services, servers or sync daemons was mended. asking: called when `asked` has changed.
    written: called with the IPVS services that were written to.

    asked: of `taken`, what the packet filter has the rules for."""

    def __init__(
        self,
        cluster: Cluster,
        node: str,
        *,
        weights: Callable[[], Mapping[Target, int | None]],
        order: Callable[[], Mapping[str, Order]],
        open_table: Callable[[], Table],
        packet_filter: Filter,
        macs: Callable[[], Mapping[str, tuple[str, ...]]],
        taken: Callable[[], Mapping[str, str]],
        checked: Callable[[], bool],
        record: Callable[[Transition], None],
        tally: Tally,
        changed: Callable[[], None],
        disturbed: Callable[[], None],
        asking: Callable[[], None],
        written: Callable[[Collection[ServiceKey]], None],
    ) -> None:
        self._cluster = cluster
        self._node = node
        self._weights = weights
        self._order = order
        self._macs = macs
        self._taken = taken
        self._checked = checked
        self._record = record
        self._tally = tally
        self._changed = changed
        self._disturbed = disturbed
        self._asking = asking
        self._written = written
        self._made = Made()
        self._made.configure(of_director(cluster, node, self._made.keys))
        self._configured = _targets(cluster, node)
        self._wanted = any(True for _ in cluster.services_of(node))
        self._believed = Kernel()
        self._kernels = Kernels(
            open_table, packet_filter, lambda: max(self._configured, len(self._believed.destinations))
        )
        self._kicked = asyncio.Event()
        self._looking = Looking(
            self._kernels,
            believed=lambda: self._believed,
            ours=lambda: self._made.ownership,
            found=self._kicked.set,
        )
        self._reopen_at = 0.0
        self._refusals = Refusals()
        self._level = asyncio.Event()
        self._changed_services: set[str] = set()
        self._plan_all = True
        self._planned_taken: Mapping[str, str] = {}
        self.asked: Mapping[str, str] = {}
        self.unavailable: str | None = None
        self.loaded = not self.needed

    @property
    def needed(self) -> bool:
        """Without services, and nothing left of earlier ones, IPVS is not touched at all."""
        return self._wanted or bool(self._made.keys)

    @property
    def daemons(self) -> dict[str, bool]:
        """By sync daemon that is wanted: does the kernel run it, as far as is known?"""
        wanted = self._cluster.sync is not None and self._wanted
        return {role.value: DaemonKey(role) in self._believed.daemons for role in DaemonRole} if wanted else {}

    @property
    def refused(self) -> tuple[Refusal, ...]:
        return self._refusals.current

    def kick(self, services: Iterable[str]) -> None:
        """Weights of these services changed: act in the next turn of the loop. Many kicks before it are one."""
        self._changed_services.update(services)
        self._kicked.set()

    def reconsider(self) -> None:
        """Something that all of it may depend on has changed: compare all of it in the next turn."""
        self._plan_all = True
        self._kicked.set()

    def reconfigure(self, cluster: Cluster, node: str, ownership: Ownership) -> None:
        """From now on this is wanted: all of it is compared in the next turn. `weights` knows its targets already.
        ownership: of the new configuration; what was made until now stays ours until it is gone."""
        needed = self.needed
        self._cluster, self._node = cluster, node
        self._made.configure(ownership)
        self._configured = _targets(cluster, node)
        self._wanted = any(True for _ in cluster.services_of(node))
        if self.needed and not needed:
            self.loaded = False
        self._plan_all = True
        self._level.clear()
        self._kicked.set()

    async def level(self) -> None:
        """Returns once what was wanted last is in the kernel, or refused by it, or not wanted any more."""
        await self._level.wait()

    @property
    def believed(self) -> Kernel:
        """What the kernel holds, as far as is known."""
        return self._believed

    @property
    def remembered(self) -> frozenset[Key]:
        """What was made there and is not gone."""
        return self._made.keys

    async def connections(self) -> Mapping[ServiceKey, Connections]:
        """How many the servers in the table have, by service; empty while the kernel does not tell."""
        return await self._kernels.connections()

    async def adopt(self) -> dict[Target, int]:
        """Open the kernel's table before anything is planned. Returns the targets it serves, with their weights."""
        if self.needed:
            await self._open()
        return planning.served(self._cluster, self._node, self._believed)

    async def run(self) -> None:
        """For ever; idle while nothing is wanted and what earlier configurations left is gone. Call `adopt` first."""
        loop = asyncio.get_running_loop()
        async with asyncio.TaskGroup() as tasks:
            while True:
                if not self.needed:
                    self.close()
                    self._level.set()
                    if self.unavailable is not None:
                        self.unavailable = None
                        self._changed()
                    await self._kicked.wait()
                    self._kicked.clear()
                    continue
                if self._looking.broken is not None:
                    self._lost(self._looking.broken)
                if self._kernels.opened is None and loop.time() >= self._reopen_at:
                    await self._open()
                if self._kernels.opened is not None:
                    await self._turn()
                if self._kernels.opened is not None:
                    self._looking.begin(loop, tasks)
                await self._sleep(loop)

    def close(self) -> None:
        self._kernels.close()

    async def _sleep(self, loop: asyncio.AbstractEventLoop) -> None:
        times = [self._looking.due if self._kernels.opened is not None else self._reopen_at]
        if self._refusals.retry_at is not None:
            times.append(self._refusals.retry_at)
        try:
            async with asyncio.timeout_at(min(times)):
                await self._kicked.wait()
        except TimeoutError:
            pass
        self._kicked.clear()

    async def _turn(self) -> None:
        """One comparison and what follows from it."""
        before = (self.loaded, self.refused)
        self._believed, repairs = self._looking.take(self._believed)
        ops, want = await self._plan(repairs)
        if ops:
            try:
                refused = await self._apply(ops)
            except HamanError as error:
                self._lost(error)
                return
            self._account(ops, refused, repairs)
            if len(self.refused) < len(before[1]):
                self._plan_all = True  # what waited for it can be done now
                self._kicked.set()
        self.loaded = True
        if want is not None and not self.refused and not self._plan_all:
            self._made.remember(want)
        if not self._plan_all:
            self._level.set()
        if want is not None and want.tables.items() <= self._believed.tables.items():
            self._asks(self._planned_taken)
        if (self.loaded, self.refused) != before:
            self._changed()

    def _asks(self, taken: Mapping[str, str]) -> None:
        """The packet filter has the rules for these."""
        if self.asked != taken:
            self.asked = taken
            self._asking()

    async def _plan(self, repairs: Sequence[Op]) -> tuple[list[Op], Kernel | None]:
        """What is to be done now, and all that is wanted when all was planned. Who changes weights meanwhile kicks
        again."""
        now = time.monotonic()
        retry_at = self._refusals.retry_at
        names, self._changed_services = self._changed_services, set()
        want: Kernel | None = None
        ops: Sequence[Op] = ()
        if self._plan_all or repairs or (retry_at is not None and now >= retry_at):
            self._plan_all = False  # a reload while this is planned asks for it again
            weights = dict(self._weights())
            self._planned_taken = self._taken()
            everything, ops = await self._kernels.apart(
                planning.whole,
                self._cluster,
                self._node,
                weights,
                self._believed,
                self._made.ownership,
                self._order(),
                self._macs(),
                self._checked(),
                self._planned_taken,
            )
            want = everything
            for transition in self._refusals.forget(ops, time.time()):
                self._record(transition)
            if ops:
                self._made.remember(everything, self._believed)
        elif names:
            names &= self._cluster.services.keys()
            ops = planning.part(
                self._cluster, self._node, names, self._weights(), self._believed, self._made.ownership, self._order()
            )
        return self._refusals.allowed(ops, now), want

    async def _apply(self, ops: Sequence[Op]) -> list[Refusal]:
        self._looking.wrote({op.key for op in ops})
        refused = await self._kernels.apply(ops)
        failed = {refusal.op.key for refusal in refused}
        self._believed = believed.carried_out([op for op in ops if op.key not in failed], self._believed)
        self._written({op.key.service for op in ops if isinstance(op.key, DestinationKey)})
        return refused

    def _account(self, ops: Sequence[Op], refused: Sequence[Refusal], repairs: Sequence[Op]) -> None:
        failed = {refusal.op.key for refusal in refused}
        done = {op.key for op in ops} - failed
        repaired = [op for op in repairs if op.key in done]
        self._tally.refusals += len(refused)
        self._tally.drift.update(drift.found(op) for op in repaired)
        if any(isinstance(op.key, ServiceKey | DestinationKey | DaemonKey) for op in repaired):
            self._disturbed()
        at = time.time()
        for transition in (
            *drift.transitions(repaired, at),
            *self._refusals.tried(ops, refused, time.monotonic(), at),
        ):
            self._record(transition)

    async def _open(self) -> None:
        try:
            self._kernels.open()
            self._believed = await self._kernels.snapshot(self._made.ownership)
        except HamanError as error:
            self._lost(error)
            return
        self._looking.forget()
        self._plan_all = True
        if self.unavailable is not None:
            self._record(_availability("unavailable", "ok", "IPVS is there now"))
            self.unavailable = None
            self._changed()

    def _lost(self, error: HamanError) -> None:
        self.close()
        self._looking.broken = None
        self._reopen_at = asyncio.get_running_loop().time() + REOPEN
        if self.unavailable != str(error):
            before = "ok" if self.unavailable is None else "unavailable"
            self.unavailable = str(error)
            self._record(_availability(before, "unavailable", str(error)))
            self._changed()


def _availability(before: str, after: str, why: str) -> Transition:
    cause = "ipvs_" + ("available" if after == "ok" else "unavailable")
    return Transition(kind=Kind.KERNEL, who="IPVS", before=before, after=after, why=why, cause=cause, at=time.time())


def _targets(cluster: Cluster, node: str) -> int:
    return sum(len(service.servers) * len(service.fronts) for service in cluster.services_of(node))
