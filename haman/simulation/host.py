"""A director's machine on paper: clock, NICs, addresses, and a kernel that may refuse.

It outlives its processes; a power failure clears what a reboot clears. Everything that changes on its NICs is told to
the elector that runs on it, as netlink would, and to the world.
"""

from __future__ import annotations

import errno
from ipaddress import IPv6Address
from typing import TYPE_CHECKING, Protocol

from haman.errors import KernelRefused
from haman.kernel.addresses import AddressAdded, AddressRemoved, LinkChanged
from haman.kernel.refusal import Refusal
from haman.model.kernel import AddressConfig, AddressKey, SysctlConfig, SysctlKey
from haman.plan.ops import Add
from haman.simulation.cluster import SEGMENTS, number, source

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from haman.kernel.addresses import Event
    from haman.model.kernel import Key
    from haman.plan.ops import Op
    from haman.simulation.cluster import Setup
    from haman.simulation.timeline import Timeline

ELECTOR = "haman"
"""Who changes addresses as a rule; others are `the director` and `somebody else`."""

GUEST = "192.0.2.77"
"""An address of somebody else's on every host: whatever haman does, it stays."""


class Audience(Protocol):
    """The world, as a host needs it."""

    def moved(self, host: Host, key: AddressKey, *, there: bool, why: str) -> None: ...


class Clock:
    """Monotonic seconds of one machine: it runs a little fast or slow, and stands still in some kinds of pause."""

    def __init__(self, timeline: Timeline, drift: float, start: float) -> None:
        self._timeline = timeline
        self._rate = 1.0 + drift
        self._offset = start
        self._stopped_at: float | None = None

    def __call__(self) -> float:
        now = self._timeline.now if self._stopped_at is None else self._stopped_at
        return self._offset + now * self._rate

    def moment(self, local: float) -> float:
        """The world's time at which this clock shows `local`."""
        return (local - self._offset) / self._rate

    def stop(self) -> None:
        self._stopped_at = self._timeline.now

    def go_on(self) -> None:
        if self._stopped_at is not None:
            self._offset -= (self._timeline.now - self._stopped_at) * self._rate
            self._stopped_at = None


class Host:
    def __init__(self, setup: Setup, name: str, timeline: Timeline, audience: Audience) -> None:
        self.name = name
        self.number = number(setup, name)
        self.others = tuple(each for each in setup.directors if each != name)
        self._audience = audience
        self._timeline = timeline
        self.clock = Clock(timeline, setup.drift.get(name, 0.0), 1000.0 * self.number)
        self.on = True
        self.paused = False
        self.refusing = False
        self.refused_at = -1.0  # the last time, in the story's seconds
        self.crippled = False  # its director process dies whenever it is started
        self.given: set[str] = set()  # routers that the operator has moved to another director: outlives reboots
        self.maintenance = False  # by the operator's order, which does so too
        self._due: list[Callable[[], None]] = []  # what processes had timers for that ended while it stood still
        self.carrier = dict.fromkeys(("lo", *SEGMENTS), True)
        self.mac = {device: bytes([2, 0, index, 0, 0, self.number]) for index, device in enumerate(SEGMENTS)}
        self.sources = {device: source(setup, name, device) for device in SEGMENTS}
        self.news: list[Event] | None = None  # of the elector that runs here
        self._boot()

    def _boot(self) -> None:
        self.addresses: dict[AddressKey, AddressConfig] = {}
        self.sysctls: dict[SysctlKey, SysctlConfig] = {}
        self.remembered: frozenset[Key] = frozenset()
        for device, own in self.sources.items():
            self.addresses[AddressKey(device, own, 24)] = AddressConfig()
            self.addresses[AddressKey(device, IPv6Address(f"fe80::{self.number}"), 64)] = AddressConfig()
        self.guest = AddressKey("eth0", type(own)(GUEST), 32)
        self.addresses[self.guest] = AddressConfig()

    @property
    def running(self) -> bool:
        return self.on and not self.paused

    def up(self, device: str) -> bool:
        return self.on and not self.paused and self.carrier.get(device, False)

    def power(self, *, on: bool) -> None:
        self.on = on
        if not on:
            self._due.clear()
            for key in list(self.addresses):
                self._take(key, "power")
        self._boot()

    def later(self, seconds: float, do: Callable[[], None]) -> None:
        """For its processes. What becomes due in a pause is done after it, unless the power went."""

        def due() -> None:
            if self.paused:
                self._due.append(do)
            elif self.on:
                do()

        self._timeline.after(seconds, due)

    def catch_up(self) -> None:
        due, self._due = self._due, []
        for do in due:
            do()

    def link(self, device: str, *, up: bool) -> None:
        self.carrier[device] = up
        self._tell(LinkChanged(device))

    def steal(self, key: AddressKey) -> None:
        """Somebody else deletes it."""
        self._take(key, "somebody else")
        self._tell(AddressRemoved(key))

    def apply(self, ops: Sequence[Op], who: str) -> list[Refusal]:
        """Addresses and settings. While the kernel refuses, nothing of an address changes on a NIC."""
        refusals = []
        for op in ops:
            config = getattr(op, "config", None)
            match op.key:
                case SysctlKey() as key if isinstance(config, SysctlConfig):
                    self.sysctls[key] = config
                case AddressKey() as key if self.refusing and key.device != "lo":
                    self.refused_at = self._timeline.now
                    refusals.append(Refusal(op, KernelRefused(str(op), errno.ENOBUFS)))
                case AddressKey() as key if isinstance(op, Add) and isinstance(config, AddressConfig):
                    self.addresses[key] = config
                    self._audience.moved(self, key, there=True, why=who)
                    self._tell_of(AddressAdded(key, config), key, who)
                case AddressKey() as key if key in self.addresses:
                    self._take(key, who)
                    self._tell_of(AddressRemoved(key), key, who)
                case _:
                    pass
        return refusals

    def _take(self, key: AddressKey, why: str) -> None:
        if self.addresses.pop(key, None) is not None:
            self._audience.moved(self, key, there=False, why=why)

    def _tell(self, event: Event) -> None:
        if self.news is not None:
            self.news.append(event)

    def _tell_of(self, event: Event, key: AddressKey, who: str) -> None:
        """Of the elector's own changes it is told only where the kernel does not say whose they are: with IPv6."""
        if key.ip.version == 6 or who != ELECTOR:
            self._tell(event)
