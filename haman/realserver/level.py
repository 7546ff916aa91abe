"""The kernel of a real server on its level: dump, diff, carry out; and all of it undone.

The same path whether something is new, was removed by somebody, or is not wanted any more.
"""

from __future__ import annotations

from dataclasses import dataclass
from itertools import groupby
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple, Self

from haman.kernel import remembered, sysctls
from haman.kernel.addresses import Addresses
from haman.kernel.devices import Devices
from haman.kernel.nftables import PacketFilter
from haman.model.kernel import AddressKey, GuePortKey, Kernel, SysctlKey, TableConfig, TableKey
from haman.plan.diff import diff
from haman.plan.ops import Add, Op
from haman.plan.realserver import SILENCE, ownership
from haman.realserver import settings
from haman.wire.redirect import redirected, redirecting, streams

if TYPE_CHECKING:
    from collections.abc import Sequence
    from types import TracebackType

    from haman.kernel.refusal import Refusal
    from haman.model.addresses import Address
    from haman.model.kernel import Key

CONNTRACK = Path("/proc/net/nf_conntrack")

TURNS = 3
"""A device that is made anew takes its addresses along, which a second turn sees; a third has nothing to do."""


@dataclass(frozen=True, slots=True)
class Outcome:
    """done: what was carried out, in its order. refused: what the kernel did not take. kept: connections for which
    something stays after an undo."""

    done: tuple[Op, ...] = ()
    refused: tuple[Refusal, ...] = ()
    kept: int = 0


class _Memory(NamedTuple):
    keys: frozenset[Key]

    @classmethod
    def load(cls) -> _Memory:
        return cls(remembered.load("realserver"))

    def with_coming(self, ops: Sequence[Op]) -> _Memory:
        """What this machine had before haman came is not in it, and is left alone when haman goes."""
        coming = {
            op.key for op in ops if isinstance(op, Add) and isinstance(op.key, AddressKey | GuePortKey | TableKey)
        }
        return _Memory(self.keys | coming)

    def save(self) -> None:
        remembered.save("realserver", self.keys)


class Level:
    """`async with Level() as level`. Not for two tasks at once, nor for two processes."""

    async def __aenter__(self) -> Self:
        self._addresses = Addresses()
        await self._addresses.open()
        self._devices = Devices()
        self._filter = PacketFilter()
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._filter.close()
        self._devices.close()
        await self._addresses.close()

    async def missing(self, wanted: Kernel) -> tuple[Op, ...]:
        """What would be done. Raises KernelRefused where the kernel cannot be looked at."""
        memory = _Memory.load()
        return diff(wanted, await self._snapshot(wanted, memory), ownership(wanted, memory.keys))

    async def reach(self, wanted: Kernel) -> Outcome:
        """Make it so. Raises KernelRefused where the kernel cannot be looked at, OSError where it cannot be written
        down what is made: then nothing is made."""
        done: list[Op] = []
        for _ in range(TURNS):
            ops = await self.missing(wanted)
            memory = _Memory.load().with_coming(ops)
            if ops:
                settings.note(ops)
                memory.save()
            refused = await self._apply(ops)
            failed = {refusal.op.key for refusal in refused}
            done += [op for op in ops if op.key not in failed]
            if not ops or refused:
                break
        if not refused:
            held = {*wanted.addresses, *wanted.gue_ports, *wanted.tables}
            kept = {key for key in memory.keys if key in held}
            if kept != memory.keys:
                _Memory(frozenset(kept)).save()
        return Outcome(tuple(done), tuple(refused))

    async def undo(self) -> Outcome:
        """Exactly what was made goes, then the settings are what they were: an address that is silent must be gone
        BEFORE it is silent no more. They stay while a director on this machine needs them.

        While connections run that the packet filter has redirected its table stays, and redirects nothing new: an undo
        after their end takes it away."""
        vips, running = await self._running()
        if running:
            outcome = await self.reach(Kernel(tables={TableKey(): TableConfig(redirecting(vips, new=False))}))
            return Outcome(outcome.done, outcome.refused, running)
        outcome = await self.reach(Kernel())
        if outcome.refused or remembered.load("addresses"):
            return outcome
        ops = settings.putting_back(SILENCE)
        refused = sysctls.apply(ops)
        if not refused:
            settings.forget()
        return Outcome((*outcome.done, *ops), tuple(refused))

    async def _running(self) -> tuple[frozenset[Address], int]:
        """The VIPs that are redirected, and how many connections would end with the table."""
        if TableKey() not in _Memory.load().keys:
            return frozenset(), 0
        texts = [config.text for config in (await self._filter.snapshot()).values()]
        vips = frozenset(vip for text in texts for vip in redirected(text))
        return vips, streams(_tracked(), vips)

    async def _snapshot(self, wanted: Kernel, memory: _Memory) -> Kernel:
        gue = bool(wanted.gue_ports) or any(isinstance(key, GuePortKey) for key in memory.keys)
        devices = self._devices.snapshot(gue=gue)
        return Kernel(
            addresses=(await self._addresses.snapshot()).addresses,
            devices=devices.devices,
            gue_ports=devices.gue_ports,
            tables=await self._filter.snapshot() if wanted.tables or TableKey() in memory.keys else {},
            sysctls=sysctls.read(wanted.sysctls),
        )

    async def _apply(self, ops: Sequence[Op]) -> list[Refusal]:
        refused: list[Refusal] = []
        for kind, group in groupby(ops, lambda op: type(op.key)):
            part = list(group)
            if kind is SysctlKey:
                refused += sysctls.apply(part)
            elif kind is AddressKey:
                refused += await self._addresses.apply(part)
            elif kind is TableKey:
                refused += await self._filter.apply(part)
            else:
                refused += self._devices.apply(part)
        return refused


def _tracked() -> list[str]:
    """Nothing where this kernel does not show them (CONFIG_NF_CONNTRACK_PROCFS)."""
    try:
        return CONNTRACK.read_text().splitlines()
    except OSError:
        return []
