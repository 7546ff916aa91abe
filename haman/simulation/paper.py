"""The machine of `haman.elector.machine`, made of paper: what one life of an elector gets from its host.

When that life is over (`gone`), whatever it still asks for is neither done nor heard.
"""

from __future__ import annotations

import asyncio
import errno
from collections import deque
from typing import TYPE_CHECKING, Protocol

from haman.kernel.addresses import Lost
from haman.model.kernel import Kernel
from haman.simulation.host import ELECTOR
from haman.wire import arp

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Callable, Collection, Iterable, Iterator, Mapping, Sequence

    from haman.elector.child import Listener
    from haman.elector.machine import Director
    from haman.kernel.addresses import Event
    from haman.kernel.refusal import Refusal
    from haman.model.cluster import LogFormat
    from haman.model.confirmation import Neighbour
    from haman.model.kernel import Key, SysctlConfig, SysctlKey
    from haman.model.transition import Transition
    from haman.plan.ops import Op
    from haman.simulation.host import Host
    from haman.wire.neighbours import Answer
    from haman.wire.packet import Packet


class Outside(Protocol):
    """The process as its machine needs it: what goes out, and who the director is."""

    host: Host

    def speak(self, device: str, packet: Packet) -> int: ...

    def announce(self, device: str, frame: bytes) -> int: ...

    def neighbours(self) -> tuple[Neighbour, ...]: ...

    def companion(self, listener: Listener) -> Director: ...

    def record(self, transition: Transition) -> None: ...


class PaperEar:
    """A socket's queue: what arrives while the process stands still waits here."""

    def __init__(self, machine: PaperMachine, device: str) -> None:
        self._machine = machine
        self.interface = device
        self.queue: deque[Packet] = deque()

    def alive(self) -> bool:
        return True

    def fileno(self) -> int:
        return -1

    def receive(self) -> Iterator[Packet | None]:
        while self.queue:
            yield self.queue.popleft()

    def send(self, packet: Packet) -> int:
        return self._machine.speak(self.interface, packet)

    def close(self) -> None:
        self.queue.clear()


class PaperPort:
    def __init__(self, machine: PaperMachine) -> None:
        self._machine = machine

    def send(self, device: str, ethertype: int, frame: bytes) -> int:
        return self._machine.announce(device, frame)

    def hardware(self, device: str) -> bytes | None:
        return self._machine.host.mac.get(device)

    def forwards(self, device: str) -> bool:
        return True

    def close(self) -> None:
        pass


class PaperReplies:
    """What neighbours answer, and others that have the VIP."""

    def __init__(self, machine: PaperMachine, device: str, version: int) -> None:
        self._machine = machine
        self._version = version
        self.interface = device
        self.queue: deque[Answer] = deque()

    @property
    def pending(self) -> bool:
        return bool(self.queue)

    def fileno(self) -> int:
        return -1

    def receive(self) -> Iterator[Answer | None]:
        while self.queue:
            yield self.queue.popleft()

    def close(self) -> None:
        self.queue.clear()
        self._machine.open_replies.pop((self.interface, self._version), None)


class PaperAddresses:
    def __init__(self, machine: PaperMachine) -> None:
        self._machine = machine

    async def open(self) -> None:
        pass

    def is_ours(self, port: int) -> bool:
        return False

    async def snapshot(self) -> Kernel:
        return Kernel(addresses=dict(self._machine.host.addresses))

    async def links(self) -> dict[str, bool]:
        return dict(self._machine.host.carrier)

    async def apply(self, ops: Sequence[Op]) -> list[Refusal]:
        return self._machine.apply(ops)


class PaperRouting:
    """No router of a story has routes of its own."""

    def is_ours(self, port: int) -> bool:
        return False

    def snapshot(self) -> Kernel:
        return Kernel()

    def apply(self, ops: Sequence[Op]) -> list[Refusal]:
        return []


class Silence:
    """News of routes: there are none."""

    queue = ()

    def fileno(self) -> int:
        return -1

    def changed(self) -> bool:
        return False


class News:
    """What netlink told and the elector has not read yet."""

    def __init__(self) -> None:
        self.waiting: list[Event] = []
        self._arrived = asyncio.Event()

    def arrive(self) -> None:
        self._arrived.set()

    async def events(self) -> AsyncIterator[Event]:
        yield Lost()
        while True:
            while self.waiting:
                yield self.waiting.pop(0)
            self._arrived.clear()
            await self._arrived.wait()


class PaperKernel:
    def __init__(self, machine: PaperMachine) -> None:
        self._machine = machine
        self.addresses = PaperAddresses(machine)
        self.routing = PaperRouting()

    def address_news(self) -> AsyncIterator[Event]:
        return self._machine.news.events()

    def routing_news(self) -> Silence:
        return Silence()

    def read_sysctls(self, keys: Iterable[SysctlKey]) -> Mapping[SysctlKey, SysctlConfig]:
        held = self._machine.host.sysctls
        return {key: held[key] for key in keys if key in held}

    def apply_sysctls(self, ops: Sequence[Op]) -> list[Refusal]:
        return self._machine.apply(ops)

    def remembered(self) -> frozenset[Key]:
        return self._machine.host.remembered

    def remember(self, keys: Collection[Key]) -> None:
        if not self._machine.gone:
            self._machine.host.remembered = frozenset(keys)


class NoManager:
    """No systemd."""

    watchdog: float | None = None

    def ready(self) -> None:
        pass

    reloading = stopping = alive = ready

    def status(self, words: str) -> None:
        pass


class PaperMachine:
    def __init__(self, outside: Outside) -> None:
        self._outside = outside
        self.host = outside.host
        self.gone = False
        self.clock: Callable[[], float] = outside.host.clock
        self.kernel = PaperKernel(self)
        self.manager = NoManager()
        self.news = News()
        self.ears: dict[tuple[str, int], PaperEar] = {}
        self.open_replies: dict[tuple[str, int], PaperReplies] = {}
        outside.host.news = self.news.waiting

    # -- what the ear, the port and the kernel ask ------------------------------------------------------------------

    def speak(self, device: str, packet: Packet) -> int:
        return errno.ENETDOWN if self.gone else self._outside.speak(device, packet)

    def announce(self, device: str, frame: bytes) -> int:
        return 0 if self.gone else self._outside.announce(device, frame)

    def apply(self, ops: Sequence[Op]) -> list[Refusal]:
        return [] if self.gone else self.host.apply(ops, ELECTOR)

    # -- Machine ----------------------------------------------------------------------------------------------------

    def ear(self, interface: str, family: int) -> PaperEar:
        ear = self.ears[interface, family] = PaperEar(self, interface)
        return ear

    def port(self) -> PaperPort:
        return PaperPort(self)

    def replies(self, interface: str, ethertype: int) -> PaperReplies:
        version = 4 if ethertype == arp.ETHERTYPE else 6
        replies = self.open_replies[interface, version] = PaperReplies(self, interface, version)
        return replies

    def neighbours(self, interface: str) -> Sequence[Neighbour]:
        return self._outside.neighbours()

    def director(self, loop: asyncio.AbstractEventLoop, listener: Listener) -> Director:
        return self._outside.companion(listener)

    def prepare(self) -> list[str]:
        return []

    def configured(self) -> None:
        pass

    def log(self, form: LogFormat, level: str) -> None:
        pass

    def record(self, transition: Transition) -> None:
        self._outside.record(transition)
