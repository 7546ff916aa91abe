"""The machine the elector runs on when it runs in earnest: sockets, netlink, /proc, systemd, a child process."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING

from haman.elector import realtime
from haman.elector.child import Child, command
from haman.elector.notify import Notify
from haman.elector.port import PacketPort
from haman.elector.replies import PacketReplies
from haman.elector.segment import Segment
from haman.elector.segment6 import Segment6
from haman.kernel import remembered, sysctls
from haman.kernel.addresses import Addresses, Watch
from haman.kernel.neighbours import Neighbours
from haman.kernel.routing import Routing
from haman.kernel.routing_watch import RoutingWatch
from haman.observe import journal

if TYPE_CHECKING:
    import asyncio
    from collections.abc import AsyncIterator, Collection, Iterable, Mapping, Sequence
    from pathlib import Path

    from haman.elector.child import Listener
    from haman.elector.machine import Ear
    from haman.kernel.addresses import Event
    from haman.kernel.refusal import Refusal
    from haman.model.cluster import LogFormat
    from haman.model.confirmation import Neighbour
    from haman.model.kernel import Key, SysctlConfig, SysctlKey
    from haman.model.transition import Transition
    from haman.plan.ops import Op


class RealKernel:
    def __init__(self) -> None:
        self.addresses = Addresses()
        self.routing = Routing()

    def address_news(self) -> AsyncIterator[Event]:
        return aiter(Watch(self.addresses.is_ours))

    def routing_news(self) -> RoutingWatch:
        return RoutingWatch(self.routing.is_ours)

    def read_sysctls(self, keys: Iterable[SysctlKey]) -> Mapping[SysctlKey, SysctlConfig]:
        return sysctls.read(keys)

    def apply_sysctls(self, ops: Sequence[Op]) -> list[Refusal]:
        return sysctls.apply(ops)

    def remembered(self) -> frozenset[Key]:
        return remembered.load("addresses")

    def remember(self, keys: Collection[Key]) -> None:
        remembered.save("addresses", keys)


class RealMachine:
    def __init__(self, config: Path, node: str | None) -> None:
        self._argv = command(config, node)
        self.clock = time.monotonic
        self.manager = Notify()
        journal.setup("elector")
        self.kernel = RealKernel()
        self._neighbours = Neighbours()

    def ear(self, interface: str, family: int) -> Ear:
        return Segment(interface) if family == 4 else Segment6(interface)

    def port(self) -> PacketPort:
        return PacketPort()

    def replies(self, interface: str, ethertype: int) -> PacketReplies:
        return PacketReplies(interface, ethertype)

    def neighbours(self, interface: str) -> Sequence[Neighbour]:
        return self._neighbours.of(interface)

    def director(self, loop: asyncio.AbstractEventLoop, listener: Listener) -> Child:
        return Child(loop, self._argv, listener)

    def prepare(self) -> list[str]:
        return realtime.prepare()

    def configured(self) -> None:
        realtime.freeze_again()

    def log(self, form: LogFormat, level: str) -> None:
        journal.setup("elector", form, level)

    def record(self, transition: Transition) -> None:
        journal.record(transition)
