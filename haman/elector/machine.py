"""The machine as the elector sees it: everything it asks of kernel, clock, service manager and its child process.

One real one (`real`), and one of paper for the simulation: the same elector runs on both. No rule of any kind is here.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Protocol

if TYPE_CHECKING:
    import asyncio
    from collections.abc import AsyncIterator, Callable, Collection, Iterable, Iterator, Mapping, Sequence

    from haman.elector.child import Listener
    from haman.kernel.addresses import Event
    from haman.kernel.refusal import Refusal
    from haman.model.cluster import LogFormat
    from haman.model.confirmation import Neighbour
    from haman.model.elector import Message
    from haman.model.kernel import Kernel, Key, SysctlConfig, SysctlKey
    from haman.model.transition import Transition
    from haman.plan.ops import Op
    from haman.wire.neighbours import Answer
    from haman.wire.packet import Packet


class Ear(Protocol):
    """VRRP of one IP version on one interface: see `segment` and `segment6`."""

    @property
    def interface(self) -> str: ...

    def alive(self) -> bool: ...

    def fileno(self) -> int: ...

    def receive(self) -> Iterator[Packet | None]: ...

    def send(self, packet: Packet) -> int: ...

    def close(self) -> None: ...


class Port(Protocol):
    """Where announcements leave: see `port`."""

    def send(self, device: str, ethertype: int, frame: bytes) -> int: ...

    def hardware(self, device: str) -> bytes | None: ...

    def forwards(self, device: str) -> bool: ...

    def close(self) -> None: ...


class Replies(Protocol):
    """What is answered to this machine on one interface: see `replies`."""

    @property
    def interface(self) -> str: ...

    def fileno(self) -> int: ...

    def receive(self) -> Iterator[Answer | None]: ...

    def close(self) -> None: ...


class AddressTable(Protocol):
    """See `kernel.addresses.Addresses`."""

    async def open(self) -> None: ...

    def is_ours(self, port: int) -> bool: ...

    async def snapshot(self) -> Kernel: ...

    async def links(self) -> dict[str, bool]: ...

    async def apply(self, ops: Sequence[Op]) -> list[Refusal]: ...


class RoutingTable(Protocol):
    """See `kernel.routing.Routing`."""

    def is_ours(self, port: int) -> bool: ...

    def snapshot(self) -> Kernel: ...

    def apply(self, ops: Sequence[Op]) -> list[Refusal]: ...


class RoutingNews(Protocol):
    """See `kernel.routing_watch.RoutingWatch`."""

    def fileno(self) -> int: ...

    def changed(self) -> bool: ...


class KeptKernel(Protocol):
    """What the keeper reads and writes."""

    @property
    def addresses(self) -> AddressTable: ...

    @property
    def routing(self) -> RoutingTable: ...

    def address_news(self) -> AsyncIterator[Event]: ...

    def routing_news(self) -> RoutingNews: ...

    def read_sysctls(self, keys: Iterable[SysctlKey]) -> Mapping[SysctlKey, SysctlConfig]: ...

    def apply_sysctls(self, ops: Sequence[Op]) -> list[Refusal]: ...

    def remembered(self) -> frozenset[Key]: ...

    def remember(self, keys: Collection[Key]) -> None:
        """Raises OSError."""


class Director(Protocol):
    """The other process: see `child.Child`."""

    @property
    def pid(self) -> int | None: ...

    @property
    def failures(self) -> int: ...

    @property
    def in_order(self) -> bool: ...

    def start(self) -> None: ...

    def send(self, message: Message) -> None: ...

    def watch(self) -> None: ...

    def kill(self, why: str) -> None: ...

    def retire(self) -> None: ...


class Manager(Protocol):
    """The service manager: see `notify.Notify`."""

    @property
    def watchdog(self) -> float | None: ...

    def ready(self) -> None: ...

    def reloading(self) -> None: ...

    def stopping(self) -> None: ...

    def alive(self) -> None: ...

    def status(self, words: str) -> None: ...


class Machine(Protocol):
    @property
    def clock(self) -> Callable[[], float]:
        """Monotonic seconds, the same that the event loop goes by."""

    @property
    def kernel(self) -> KeptKernel: ...

    @property
    def manager(self) -> Manager: ...

    def ear(self, interface: str, family: int) -> Ear:
        """Raises OSError."""

    def port(self) -> Port:
        """Raises OSError."""

    def replies(self, interface: str, ethertype: int) -> Replies:
        """Raises OSError."""

    def neighbours(self, interface: str) -> Sequence[Neighbour]:
        """Raises KernelRefused, KernelUnavailable."""

    def director(self, loop: asyncio.AbstractEventLoop, listener: Listener) -> Director: ...

    def prepare(self) -> list[str]:
        """Real-time scheduling and the like. Returns what was refused, in words."""

    def configured(self) -> None:
        """A configuration was taken up; it lives for long."""

    def log(self, form: LogFormat, level: str) -> None:
        """From now on so."""

    def record(self, transition: Transition) -> None:
        """For the log."""
