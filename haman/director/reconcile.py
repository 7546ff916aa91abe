"""The IPVS table on its level: what checks and configuration want, compared with what the kernel holds, and mended.

Kicked by a changed weight it acts in the same turn of the loop, on what it believes the kernel to hold; dumping first
would make a dead server's clients wait for it. Whether the belief is right is looked at beside: IPVS notifies
nobody, so a digest of /proc/net/ip_vs is taken every TICK, and a dump made when it is not the digest that went with
the last dump. A difference to the belief is somebody else's doing: drift.

Start, a changed weight, drift, a refused operation's retry: all are one `_turn`, which plans the whole table, or,
when only weights changed since the last one, these services alone (`planning`).
"""

from __future__ import annotations

import asyncio
import time
from dataclasses import replace
from itertools import groupby
from typing import TYPE_CHECKING, NamedTuple, ParamSpec, Protocol, TypeVar

from haman.director import believed, drift, planning
from haman.director.refusals import Refusals
from haman.errors import HamanError
from haman.kernel import remembered, sysctls
from haman.model.kernel import Kernel, SysctlKey
from haman.model.transition import Kind, Transition
from haman.observe.journal import log
from haman.plan.ownership import of_director

if TYPE_CHECKING:
    from collections.abc import Callable, Hashable, Iterable, Mapping, Sequence

    from haman.kernel.refusal import Refusal
    from haman.model.cluster import Cluster, Target
    from haman.model.kernel import Key
    from haman.observe.tally import Tally
    from haman.plan.ops import Op

P = ParamSpec("P")
T = TypeVar("T")

TICK = 0.5
"""Seconds between two digests. With the dump and the repair after it, drift is gone within 1 s."""

AUDIT = 10.0
"""Seconds after which a dump is made though the digest is the same: it shows no thresholds, timeouts and daemons."""

REOPEN = 5.0
"""Seconds between attempts when the kernel has no IPVS: somebody may load the module."""

SMALL = 500
"""Servers up to which reading, comparing and planning the whole table (some milliseconds) are done on the loop: on a
busy machine a repair would wait longer for its turns as a thread. More would hold the loop for too long."""


class Table(Protocol):
    """kernel.ipvs.Ipvs, as it is needed here."""

    async def snapshot(self) -> Kernel: ...

    async def apply(self, ops: Sequence[Op]) -> list[Refusal]: ...

    def digest(self) -> Hashable: ...

    def close(self) -> None: ...


class _Seen(NamedTuple):
    """What a look found: the kernel's state, repairs of what others did, the digest that goes with both."""

    actual: Kernel
    repairs: Sequence[Op]
    digest: Hashable


class Reconciler:
    """weights: what each target is to have now. open_table: raises KernelUnavailable. changed: called when
    `unavailable`, `loaded` or `refused` changed."""

    def __init__(
        self,
        cluster: Cluster,
        node: str,
        *,
        weights: Callable[[], Mapping[Target, int | None]],
        open_table: Callable[[], Table],
        record: Callable[[Transition], None],
        tally: Tally,
        changed: Callable[[], None],
    ) -> None:
        self._cluster = cluster
        self._node = node
        self._weights = weights
        self._open_table = open_table
        self._record = record
        self._tally = tally
        self._changed = changed
        self._remembered = remembered.load("ipvs")
        self._ownership = of_director(cluster, node, self._remembered)
        self._configured = sum(1 for service in cluster.services_of(node) for _ in service.targets())
        self._wanted = any(True for _ in cluster.services_of(node))
        self._tables: tuple[Table, Table] | None = None
        self._reopen_at = 0.0
        self._believed = Kernel()
        self._refusals = Refusals()
        self._kicked = asyncio.Event()
        self._looking = False
        self._broken: HamanError | None = None
        self._seen: _Seen | None = None
        self._changed_services: set[str] = set()
        self._plan_all = True
        self._touched: set[Key] = set()
        self._trusted: Hashable = None
        self._tick_at = self._audit_at = self._rest_until = 0.0
        self.unavailable: str | None = None
        self.loaded = not self.needed

    @property
    def needed(self) -> bool:
        """Without services, and nothing left of earlier ones, IPVS is not touched at all."""
        return self._wanted or bool(self._remembered)

    @property
    def refused(self) -> tuple[Refusal, ...]:
        return self._refusals.current

    def kick(self, services: Iterable[str]) -> None:
        """Weights of these services changed: act in the next turn of the loop. Many kicks before it are one."""
        self._changed_services.update(services)
        self._kicked.set()

    async def adopt(self) -> frozenset[Target]:
        """Open the kernel's table before anything is planned. Returns the targets it serves."""
        if self.needed:
            await self._open()
        return planning.served(self._cluster, self._node, self._believed)

    async def run(self) -> None:
        """For ever, or until what earlier configurations left is gone and nothing is wanted. Call `adopt` first."""
        loop = asyncio.get_running_loop()
        async with asyncio.TaskGroup() as tasks:
            while self.needed:
                if self._broken is not None:
                    self._lost(self._broken)
                if self._tables is None and loop.time() >= self._reopen_at:
                    await self._open()
                if self._tables is not None:
                    await self._turn()
                if self._tables is not None and loop.time() >= self._tick_at:
                    self._tick_at = loop.time() + TICK
                    if not self._looking:
                        self._looking = True
                        tasks.create_task(self._look())
                await self._sleep(loop)
        self.close()

    def close(self) -> None:
        for table in self._tables or ():
            table.close()
        self._tables = None

    async def _sleep(self, loop: asyncio.AbstractEventLoop) -> None:
        times = [self._tick_at if self._tables is not None else self._reopen_at]
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
        assert self._tables is not None
        before = (self.loaded, self.refused)
        repairs = self._take_look()
        ops, want = await self._plan(repairs)
        if ops:
            try:
                refused = await self._apply(ops, self._tables[1])
            except HamanError as error:
                self._lost(error)
                return
            self._account(ops, refused, repairs)
            if len(self.refused) < len(before[1]):
                self._plan_all = True  # what waited for it can be done now
                self._kicked.set()
        self.loaded = True
        if want is not None and not self.refused:
            self._remember(want)
        if (self.loaded, self.refused) != before:
            self._changed()

    async def _plan(self, repairs: Sequence[Op]) -> tuple[list[Op], Kernel | None]:
        """What is to be done now, and all that is wanted when all was planned. Who changes weights meanwhile kicks
        again."""
        now = time.monotonic()
        retry_at = self._refusals.retry_at
        names, self._changed_services = self._changed_services, set()
        want: Kernel | None = None
        ops: Sequence[Op] = ()
        if self._plan_all or repairs or (retry_at is not None and now >= retry_at):
            weights = dict(self._weights())
            everything, ops = await self._apart(
                planning.whole, self._cluster, self._node, weights, self._believed, self._ownership
            )
            want = everything
            self._plan_all = False
            for transition in self._refusals.forget(ops, time.time()):
                self._record(transition)
            if ops:
                self._remember(everything, self._believed)
        elif names:
            ops = planning.part(self._cluster, self._node, names, self._weights(), self._believed, self._ownership)
        return self._refusals.allowed(ops, now), want

    async def _apply(self, ops: Sequence[Op], table: Table) -> list[Refusal]:
        """In the contract's order, whatever kind each operation is of."""
        refused: list[Refusal] = []
        self._touched |= {op.key for op in ops}
        for is_sysctl, group in groupby(ops, lambda op: isinstance(op.key, SysctlKey)):
            part = list(group)
            refused += sysctls.apply(part) if is_sysctl else await table.apply(part)
        failed = {refusal.op.key for refusal in refused}
        self._believed = believed.carried_out([op for op in ops if op.key not in failed], self._believed)
        return refused

    def _account(self, ops: Sequence[Op], refused: Sequence[Refusal], repairs: Sequence[Op]) -> None:
        failed = {refusal.op.key for refusal in refused}
        done = {op.key for op in ops} - failed
        repaired = [op for op in repairs if op.key in done]
        self._tally.refusals += len(refused)
        self._tally.drift.update(drift.found(op) for op in repaired)
        at = time.time()
        for transition in (
            *drift.transitions(repaired, at),
            *self._refusals.tried(ops, refused, time.monotonic(), at),
        ):
            self._record(transition)

    def _remember(self, *kernels: Kernel) -> None:
        """BEFORE objects are made, so that a crash in between forgets none; less again once the rest is gone."""
        made: set[Key] = set()
        for kernel in kernels:
            made |= kernel.services.keys() | kernel.daemons.keys()
        keys = frozenset(key for key in made if key in self._ownership)
        if keys == self._remembered:
            return
        try:
            remembered.save("ipvs", keys)
            self._remembered = keys
        except OSError as error:
            log.warning("what was made in IPVS cannot be written down: %s", error)

    # -- looking -------------------------------------------------------------------------------------------------

    async def _look(self) -> None:
        """Beside the turns: costs them nothing but the loop's time for decoding."""
        tables = self._tables
        assert tables is not None
        loop = asyncio.get_running_loop()
        begun = loop.time()
        try:
            if self._trusted is None and begun < self._rest_until:
                return
            self._touched.clear()
            before = await self._apart(self._digest, tables[0])
            if before == self._trusted and begun < self._audit_at:
                return
            dump = await self._dump(tables[0])
            after = await self._apart(self._digest, tables[0])
            touched = frozenset(self._touched)
            actual, repairs = await self._apart(planning.compare, self._believed, dump, touched, self._ownership)
            self._seen = _Seen(actual, repairs, after if before == after else None)
            self._audit_at = begun + AUDIT
            self._rest_until = loop.time() + 2 * (loop.time() - begun)
            self._kicked.set()
        except HamanError as error:
            self._broken = error  # not closed here: a turn may be using the other socket
            self._kicked.set()
        except OSError:
            if self._tables is tables:  # else a turn has closed the sockets under us, and said why
                raise
        finally:
            self._looking = False

    async def _dump(self, table: Table) -> Kernel:
        return replace(await table.snapshot(), sysctls=sysctls.read(self._ownership.sysctls))

    async def _apart(self, work: Callable[P, T], *args: P.args, **kwargs: P.kwargs) -> T:
        """What takes long for a large table, beside the loop then."""
        if max(self._configured, len(self._believed.destinations)) <= SMALL:
            return work(*args, **kwargs)
        return await asyncio.to_thread(work, *args, **kwargs)

    def _digest(self, table: Table) -> Hashable:
        return table.digest(), tuple(sysctls.read(self._ownership.sysctls).items())

    def _take_look(self) -> Sequence[Op]:
        """The result of the last look becomes the belief. Returns what would repair the difference."""
        if self._seen is None:
            return ()
        seen, self._seen = self._seen, None
        self._believed = believed.merged(seen.actual, self._believed, self._touched)
        self._trusted = None if self._touched else seen.digest
        return seen.repairs

    # -- opening --------------------------------------------------------------------------------------------------

    async def _open(self) -> None:
        """Two sockets: a dump on one must not hold up an operation on the other."""
        try:
            self._tables = (self._open_table(), self._open_table())
            self._believed = await self._dump(self._tables[0])
        except HamanError as error:
            self._lost(error)
            return
        self._seen = self._trusted = None
        self._plan_all = True
        if self.unavailable is not None:
            self._record(_availability("unavailable", "ok", "IPVS is there now"))
            self.unavailable = None
            self._changed()

    def _lost(self, error: HamanError) -> None:
        self.close()
        self._broken = None
        self._reopen_at = asyncio.get_running_loop().time() + REOPEN
        if self.unavailable != str(error):
            before = "ok" if self.unavailable is None else "unavailable"
            self.unavailable = str(error)
            self._record(_availability(before, "unavailable", str(error)))
            self._changed()


def _availability(before: str, after: str, why: str) -> Transition:
    cause = "ipvs_" + ("available" if after == "ok" else "unavailable")
    return Transition(kind=Kind.KERNEL, who="IPVS", before=before, after=after, why=why, cause=cause, at=time.time())
