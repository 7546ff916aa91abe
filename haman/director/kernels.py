"""The parts of the kernel that a director writes to, as one: IPVS table, packet filter, kernel settings.

How they are opened, read, told apart by a digest, and written in the contract's order is here; what is to be in them,
and when that is looked at, is not.
"""

from __future__ import annotations

import asyncio
import contextlib
import errno
from dataclasses import replace
from itertools import groupby
from typing import TYPE_CHECKING, ParamSpec, Protocol, TypeVar

from haman.errors import HamanError
from haman.kernel import sysctls
from haman.model.kernel import ServiceKey, SysctlKey, TableKey

if TYPE_CHECKING:
    from collections.abc import Callable, Hashable, Mapping, Sequence

    from haman.kernel.ipvs.decode import Traffic as Counted
    from haman.kernel.refusal import Refusal
    from haman.model.kernel import DestinationKey, Kernel, TableConfig
    from haman.model.standing import Connections
    from haman.plan.ops import Op
    from haman.plan.ownership import Ownership

P = ParamSpec("P")
T = TypeVar("T")

SMALL = 500
"""Servers up to which reading, comparing and planning the whole table (some milliseconds) are done on the loop: on a
busy machine a repair would wait longer for its turns as a thread. More would hold the loop for too long."""


class Table(Protocol):
    """kernel.ipvs.Ipvs, as it is needed here."""

    async def snapshot(self) -> Kernel: ...

    async def apply(self, ops: Sequence[Op]) -> list[Refusal]: ...

    async def counters(self) -> Mapping[ServiceKey | DestinationKey, Counted]: ...

    def digest(self) -> Hashable: ...

    def connections(self) -> Mapping[ServiceKey, Connections]: ...

    def close(self) -> None: ...


class Filter(Protocol):
    """kernel.nftables.PacketFilter, as it is needed here."""

    async def sends_on(self) -> bool: ...

    async def digest(self) -> Hashable: ...

    async def snapshot(self) -> Mapping[TableKey, TableConfig]: ...

    async def apply(self, ops: Sequence[Op]) -> list[Refusal]: ...

    def close(self) -> None: ...


class Kernels:
    """open_table: raises KernelUnavailable. packet_filter: not touched while none of its tables is ours. servers: how
    many there are, which says how long the whole table takes.

    Whatever reads or writes raises HamanError when the kernel does not answer as it should, and OSError when it was
    closed meanwhile."""

    def __init__(self, open_table: Callable[[], Table], packet_filter: Filter, servers: Callable[[], int]) -> None:
        self._open_table = open_table
        self._filter = packet_filter
        self._servers = servers
        self._tables: tuple[Table, Table] | None = None

    @property
    def opened(self) -> object:
        """What stands for this opening, until it is closed; None while nothing is open."""
        return self._tables

    def open(self) -> None:
        """Two sockets: a dump on one must not hold up an operation on the other. Raises HamanError."""
        self._tables = (self._open_table(), self._open_table())

    def close(self) -> None:
        for table in self._tables or ():
            table.close()
        self._tables = None
        self._filter.close()

    async def snapshot(self, ours: Ownership) -> Kernel:
        """A packet filter that does not tell counts as empty: what is refused to write it says why."""
        table, _ = self._sockets()
        filtered: Mapping[TableKey, TableConfig] = {}
        if ours.filters:
            with contextlib.suppress(HamanError):
                filtered = await self._filter.snapshot()
        return replace(await table.snapshot(), sysctls=sysctls.read(ours.sysctls), tables=filtered)

    async def digest(self, ours: Ownership) -> Hashable:
        """What changes with nearly everything that somebody else may do there: not with thresholds, timeouts and
        daemons."""
        table, _ = self._sockets()
        return await self.apart(_digest, table, ours), await self._filter_digest(ours)

    async def connections(self) -> Mapping[ServiceKey, Connections]:
        """How many the servers in the table have, by service; empty while the kernel does not tell."""
        if self._tables is None:
            return {}
        try:
            return await self.apart(self._tables[0].connections)
        except HamanError:
            return {}  # a look finds out why, and says so

    async def apply(self, ops: Sequence[Op]) -> list[Refusal]:
        """In the contract's order, whatever kind each operation is of."""
        _, table = self._sockets()
        refused: list[Refusal] = []
        for kind, group in groupby(ops, _room):
            part = list(group)
            if kind is SysctlKey:
                refused += sysctls.apply(part)
            elif kind is TableKey:
                refused += await self._filter.apply(part)
            else:
                refused += await table.apply(part)
        return refused

    async def apart(self, work: Callable[P, T], *args: P.args, **kwargs: P.kwargs) -> T:
        """What takes long for a large table, beside the loop then."""
        if self._servers() <= SMALL:
            return work(*args, **kwargs)
        return await asyncio.to_thread(work, *args, **kwargs)

    def _sockets(self) -> tuple[Table, Table]:
        if self._tables is None:
            raise OSError(errno.EBADF, "closed meanwhile")
        return self._tables

    async def _filter_digest(self, ours: Ownership) -> Hashable:
        if not ours.filters:
            return None
        try:
            return await self._filter.digest()
        except HamanError as error:
            return str(error)


def _digest(table: Table, ours: Ownership) -> Hashable:
    return table.digest(), tuple(sysctls.read(ours.sysctls).items())


def _room(op: Op) -> type:
    """By whom it is done."""
    return type(op.key) if isinstance(op.key, SysctlKey | TableKey) else ServiceKey
