"""Takeovers that ask whether they took: `election.confirmation`, joined to sockets and the loop's timers.

Nothing waits for it. It begins when the first announcements are out, sends for some tenths of a millisecond at a time
with the loop's other work between, and asks about AT_ONCE routers at a time; the others have their turn when one of
these is done, or is left with a second owner that stays. Sockets are open only while somebody asks.
"""

from __future__ import annotations

from collections import deque
from typing import TYPE_CHECKING, NamedTuple

from haman.election import confirmation
from haman.election.confirmation import Announce, Asking, Place, Probe, Question
from haman.elector.announcer import PART
from haman.errors import KernelRefused, KernelUnavailable
from haman.wire import neighbours

if TYPE_CHECKING:
    import asyncio
    from collections.abc import Callable, Collection, Sequence
    from ipaddress import IPv6Address

    from haman.election.confirmation import Frame
    from haman.elector.machine import Machine, Port, Replies
    from haman.model.addresses import Address
    from haman.model.confirmation import Confirmation, Neighbour
    from haman.model.elector import RouterConfig

AT_ONCE = 16
"""Routers that are asked about at a time: what answers is read in less than a millisecond."""

REMEMBERED = 1.0
"""Seconds for which what the kernel knows of an interface's neighbours is not read again, for many routers at once."""


class _Run(NamedTuple):
    router: RouterConfig
    asking: Asking
    replies: tuple[tuple[str, int], ...]


class Confirmer:
    """still: does this router announce its addresses now? said: of a router, what came of it. link_local: an
    interface's own address to probe from over IPv6. count: announcements that went out."""

    def __init__(
        self,
        loop: asyncio.AbstractEventLoop,
        machine: Machine,
        port: Port,
        *,
        still: Callable[[str], bool],
        said: Callable[[str, Confirmation], None],
        link_local: Callable[[str], IPv6Address | None],
        count: Callable[[str, int], None],
    ) -> None:
        self._loop = loop
        self._machine = machine
        self._port = port
        self._still = still
        self._said = said
        self._link_local = link_local
        self._count = count
        self._waiting: dict[str, tuple[RouterConfig, float]] = {}
        self._running: dict[str, _Run] = {}
        self._kin: Collection[Address] = frozenset()
        self._timers: dict[str, asyncio.TimerHandle] = {}
        self._replies: dict[tuple[str, int], Replies] = {}
        self._known: dict[str, tuple[float, Sequence[Neighbour]]] = {}
        self._outbox: deque[tuple[str, Frame]] = deque()
        self._sending: asyncio.Handle | None = None

    def configure(self, kin: Collection[Address]) -> None:
        """kin: whose owners have the VIPs themselves, or are directors; see `election.confirmation.others`."""
        self._kin = kin

    def begin(self, router: RouterConfig, decided: float | None) -> None:
        """Call it AFTER the first announcements. decided: when the election made this director active; None for
        addresses that were announced again: while it is being asked about, whoever has answered is asked anew."""
        if router.confirm is None:
            return
        run = self._running.get(router.name)
        if decided is None and run is not None and run.router == router:
            run.asking.again()
            return
        if decided is None and router.name in self._waiting:
            decided = self._waiting[router.name][1]
        self._end(router.name)
        self._waiting[router.name] = (router, self._loop.time() if decided is None else decided)
        self._admit()

    def end(self, router: str) -> None:
        """Nothing more is to be said of its addresses."""
        self._end(router)
        self._admit()

    def close(self) -> None:
        self._waiting.clear()
        for name in list(self._running):
            self._end(name)

    # -- inside -------------------------------------------------------------------------------------------------

    def _admit(self) -> None:
        lasting = sum(run.asking.lasting for run in self._running.values())
        while self._waiting and len(self._running) - lasting < AT_ONCE:
            name = next(iter(self._waiting))
            router, decided = self._waiting.pop(name)
            if self._still(name):
                self._start(router, decided)

    def _start(self, router: RouterConfig, decided: float) -> None:
        assert router.confirm is not None
        places = confirmation.in_view(
            [Place(address.device, address.ip) for address in router.addresses], router.confirm.addresses
        )
        devices = dict.fromkeys(place.device for place in places)
        own = [mac for device in devices if (mac := self._port.hardware(device)) is not None]
        asking = Asking(
            router.confirm,
            places,
            {device: confirmation.others(self._neighbours(device), self._kin) for device in devices},
            own,
            router.linger,
            decided,
        )
        ears = tuple(dict.fromkeys((place.device, neighbours.ethertype(place.vip)) for place in places))
        self._running[router.name] = _Run(router, asking, ears)
        for ear in ears:
            self._listen(*ear)
        self._send(router.name, asking.begin(self._loop.time()))

    def _neighbours(self, device: str) -> Sequence[Neighbour]:
        """None where the kernel does not tell: then only others' claims are seen."""
        now = self._loop.time()
        at, known = self._known.get(device, (now - REMEMBERED, ()))
        if now - at >= REMEMBERED:
            try:
                known = self._machine.neighbours(device)
            except (KernelRefused, KernelUnavailable):
                known = ()
            self._known[device] = now, known
        return known

    def _listen(self, device: str, ethertype: int) -> None:
        if (device, ethertype) in self._replies:
            return
        try:
            replies = self._machine.replies(device, ethertype)
        except OSError:
            return  # the interface is gone, and with it soon the role
        self._replies[device, ethertype] = replies
        self._loop.add_reader(replies, self._drain, replies)

    def _drain(self, replies: Replies) -> None:
        now = self._loop.time()
        for answer in replies.receive():
            if answer is not None:
                for run in self._running.values():
                    run.asking.heard(replies.interface, answer.address, answer.hardware, answer.to, now)

    def _send(self, name: str, frames: Sequence[Frame]) -> None:
        """And be there again at the deadline."""
        asking = self._running[name].asking
        assert asking.deadline is not None
        self._timers[name] = self._loop.call_at(asking.deadline, self._tick, name)
        self._outbox.extend((name, frame) for frame in frames)
        if self._sending is None:
            self._go_on()

    def _go_on(self) -> None:
        self._sending = None
        until = self._loop.time() + PART
        still: dict[str, bool] = {}
        announced: dict[str, int] = {}
        while self._outbox:
            name, frame = self._outbox.popleft()
            if name not in still:
                still[name] = name in self._running and self._still(name)
            if still[name] and self._put(frame) and isinstance(frame, Announce):
                announced[name] = announced.get(name, 0) + 1
            if self._outbox and self._loop.time() >= until:
                self._sending = self._loop.call_soon(self._go_on)
                break
        for name, frames in announced.items():
            self._count(name, frames)

    def _put(self, frame: Frame) -> int:
        device, vip = frame.place
        mac = self._port.hardware(device)
        data = None if mac is None else self._made(frame, mac)
        return 0 if data is None else self._port.send(device, neighbours.ethertype(vip), data)

    def _made(self, frame: Frame, mac: bytes) -> bytes | None:
        device, vip = frame.place
        match frame:
            case Announce():
                return neighbours.announcement(mac, vip, router=vip.version == 6 and self._port.forwards(device))
            case Probe():
                return neighbours.probe(mac, vip, self._link_local(device) if vip.version == 6 else None)
            case Question(neighbour=neighbour):
                return neighbours.question(mac, vip, neighbour.address, neighbour.hardware)

    def _tick(self, name: str) -> None:
        """Before believing silence, drain the inbox."""
        if not self._still(name):
            self._end(name)
            self._admit()
            return
        run = self._running[name]
        for ear in run.replies:
            if ear in self._replies:
                self._drain(self._replies[ear])
        frames, outcome = run.asking.tick(self._loop.time())
        if run.asking.over:
            self._end(name)
        else:
            self._send(name, frames)
        if outcome is not None:
            self._said(name, outcome)
        self._admit()

    def _end(self, name: str) -> None:
        self._waiting.pop(name, None)
        if name not in self._running:
            return
        del self._running[name]
        self._timers.pop(name).cancel()
        wanted = {ear for run in self._running.values() for ear in run.replies}
        for ear in self._replies.keys() - wanted:
            replies = self._replies.pop(ear)
            self._loop.remove_reader(replies)
            replies.close()
