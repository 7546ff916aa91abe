"""A kernel of paper for the reconciler: what `plan.ops` says a kernel does, with a digest as blind as the real one."""

from __future__ import annotations

import asyncio
import errno
import time
from dataclasses import replace
from typing import TYPE_CHECKING

from haman.errors import KernelRefused, KernelUnavailable
from haman.kernel.ipvs.decode import Traffic
from haman.kernel.refusal import Refusal
from haman.model.kernel import Kernel
from haman.plan.ops import step

if TYPE_CHECKING:
    from collections.abc import Hashable, Mapping, Sequence

    from haman.model.kernel import DestinationKey, Key, ServiceKey, TableConfig, TableKey
    from haman.model.standing import Connections
    from haman.plan.ops import Op


class Paper:
    """One kernel; `open` gives sockets to it. refuses: operations on these keys are refused. dump_time: seconds.
    asked_at: of each operation that was asked for, when, monotonic seconds."""

    def __init__(self, kernel: Kernel | None = None) -> None:
        self.kernel = kernel or Kernel()
        self.refuses: set[Key] = set()
        self.missing: str | None = None
        self.dump_time = 0.0
        self.dumps = 0
        self.opened = 0
        self.asked: list[Op] = []
        self.asked_at: list[float] = []
        self.filter_missing: str | None = None
        self.filter_looks = 0
        self.connections: dict[ServiceKey, Connections] = {}

    @property
    def filter(self) -> Filter:
        return Filter(self)

    def open(self) -> Socket:
        if self.missing is not None:
            raise KernelUnavailable(self.missing)
        self.opened += 1
        return Socket(self)

    def behind_our_back(self, *ops: Op) -> None:
        for op in ops:
            self.kernel = step(op, self.kernel)


class Socket:
    def __init__(self, paper: Paper) -> None:
        self._paper = paper

    async def snapshot(self) -> Kernel:
        self._paper.dumps += 1
        seen = self._paper.kernel
        if self._paper.dump_time:
            await asyncio.sleep(self._paper.dump_time)
        return seen

    async def apply(self, ops: Sequence[Op]) -> list[Refusal]:
        refused = []
        for op in ops:
            self._paper.asked.append(op)
            self._paper.asked_at.append(time.monotonic())
            if op.key in self._paper.refuses:
                refused.append(Refusal(op, KernelRefused(str(op), errno.ENOENT)))
                continue
            try:
                self._paper.kernel = step(op, self._paper.kernel)
            except ValueError as error:
                refused.append(Refusal(op, KernelRefused(str(error), errno.EINVAL)))
        await asyncio.sleep(0)
        return refused

    async def counters(self) -> dict[ServiceKey | DestinationKey, Traffic]:
        kernel = self._paper.kernel
        return {key: Traffic(7, 70, 60, 7000, 6000, 2, 1) for key in (*kernel.services, *kernel.destinations)}

    def connections(self) -> dict[ServiceKey, Connections]:
        return self._paper.connections

    def digest(self) -> Hashable:
        """Without thresholds, timeouts and daemons, like /proc/net/ip_vs."""
        kernel = self._paper.kernel
        blind = {key: replace(config, upper_threshold=0) for key, config in kernel.destinations.items()}
        return hash((frozenset(kernel.services.items()), frozenset(blind.items())))

    def close(self) -> None:
        pass


class Filter:
    """The packet filter of the same kernel. A text that was changed behind our back is no text of ours."""

    def __init__(self, paper: Paper) -> None:
        self._paper = paper

    async def digest(self) -> Hashable:
        self._look()
        return tuple(self._paper.kernel.tables.items())

    async def sends_on(self) -> bool:
        return True

    async def snapshot(self) -> Mapping[TableKey, TableConfig]:
        self._look()
        return self._paper.kernel.tables

    async def apply(self, ops: Sequence[Op]) -> list[Refusal]:
        if self._paper.filter_missing is not None:
            return [Refusal(op, KernelRefused(self._paper.filter_missing, errno.EOPNOTSUPP)) for op in ops]
        return await Socket(self._paper).apply(ops)

    def close(self) -> None:
        pass

    def _look(self) -> None:
        self._paper.filter_looks += 1
        if self._paper.filter_missing is not None:
            raise KernelUnavailable(self._paper.filter_missing)
