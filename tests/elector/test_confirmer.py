"""Asking about takeovers beside an election: in small parts, about some routers at a time, with sockets that are open
only meanwhile."""

from __future__ import annotations

import heapq
from collections import deque
from dataclasses import dataclass, field
from ipaddress import IPv4Address, IPv6Address, ip_interface
from typing import TYPE_CHECKING, Any

from haman.elector.confirmer import AT_ONCE, Confirmer
from haman.errors import KernelRefused
from haman.model.confirmation import Confirm, Confirmation, Neighbour, TakeoverVerdict
from haman.model.elector import RouterConfig
from haman.model.routers import VirtualAddress
from haman.wire import arp
from haman.wire.neighbours import Answer

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence

OURS, THEIRS = bytes.fromhex("020000000001"), bytes.fromhex("525400aabb02")
GATEWAY = Neighbour(address=IPv4Address("10.0.0.254"), hardware=bytes.fromhex("0200000000fe"), fresh=True)
SERVER = Neighbour(address=IPv4Address("10.0.0.11"), hardware=bytes.fromhex("02000000000b"), fresh=True)


@dataclass
class Timer:
    cancelled: bool = False

    def cancel(self) -> None:
        self.cancelled = True


class Loop:
    """Time that is moved by hand; `slow` of it passes with each look at the clock."""

    def __init__(self) -> None:
        self.now = 100.0
        self.slow = 0.0
        self.soon: deque[Callable[[], None]] = deque()
        self.timers: list[tuple[float, int, Timer, Callable[[], None]]] = []
        self.readers: dict[Any, Callable[[], None]] = {}

    def time(self) -> float:
        self.now += self.slow
        return self.now

    def call_soon(self, call: Callable[..., None], *args: Any) -> Timer:
        self.soon.append(lambda: call(*args))
        return Timer()

    def call_at(self, at: float, call: Callable[..., None], *args: Any) -> Timer:
        timer = Timer()
        heapq.heappush(self.timers, (at, len(self.timers) + id(timer), timer, lambda: call(*args)))
        return timer

    def add_reader(self, reader: Any, call: Callable[..., None], *args: Any) -> None:
        self.readers[reader] = lambda: call(*args)

    def remove_reader(self, reader: Any) -> None:
        del self.readers[reader]

    def run(self, seconds: float) -> None:
        until = self.now + seconds
        while True:
            while self.soon:
                self.soon.popleft()()
            if not self.timers or self.timers[0][0] > until:
                break
            at, _, timer, call = heapq.heappop(self.timers)
            if not timer.cancelled:
                self.now = max(self.now, at)
                call()
        self.now = until


class Replies:
    def __init__(self, machine: Machine, interface: str) -> None:
        self.interface = interface
        self.queue: deque[Answer] = deque()
        self._machine = machine

    def fileno(self) -> int:
        return -1

    def receive(self) -> Iterator[Answer | None]:
        while self.queue:
            yield self.queue.popleft()

    def close(self) -> None:
        self._machine.open.remove(self)


@dataclass
class Machine:
    """Its machine and its port at once."""

    known: Sequence[Neighbour] | None = (GATEWAY,)
    open: list[Replies] = field(default_factory=list)
    looks: int = 0
    sent: list[bytes] = field(default_factory=list)

    def replies(self, interface: str, ethertype: int) -> Replies:
        self.open.append(Replies(self, interface))
        return self.open[-1]

    def neighbours(self, interface: str) -> Sequence[Neighbour]:
        self.looks += 1
        if self.known is None:
            raise KernelRefused("look for neighbours", 1)
        return self.known

    def send(self, device: str, ethertype: int, frame: bytes) -> int:
        self.sent.append(frame)
        return 1

    def hardware(self, device: str) -> bytes:
        return OURS

    def forwards(self, device: str) -> bool:
        return False

    def answer(self, *answers: Answer) -> None:
        for replies in self.open:
            replies.queue.extend(answers)


VIP = IPv4Address("10.0.0.100")
ASKED = Confirm()


class Scene:
    def __init__(self, known: Sequence[Neighbour] | None = (GATEWAY,)) -> None:
        self.loop, self.machine = Loop(), Machine(known)
        self.active = True
        self.said: list[tuple[str, Confirmation]] = []
        self.announced = 0
        self.confirmer = Confirmer(
            self.loop,  # type: ignore[arg-type]
            self.machine,  # type: ignore[arg-type]
            self.machine,  # type: ignore[arg-type]
            still=lambda name: self.active,
            said=lambda name, outcome: self.said.append((name, outcome)),
            link_local=lambda device: IPv6Address("fe80::1"),
            count=self._count,
        )

    def _count(self, router: str, frames: int) -> None:
        self.announced += frames


def router(name: str = "public", last: int = 100, *, confirm: Confirm | None = ASKED, many: int = 1) -> RouterConfig:
    addresses = (ip_interface(f"10.0.{number}.{last}/24") for number in range(many))
    return RouterConfig(
        name=name,
        vrid=51,
        priority=100,
        interface="eth0",
        source=IPv4Address("10.0.0.1"),
        advert_interval=0.1,
        addresses=tuple(VirtualAddress(interface=each, device="eth0") for each in addresses),
        confirm=confirm,
    )


FOLLOWS = Answer(GATEWAY.address, GATEWAY.hardware, VIP)


def test_asked_answered_said_and_closed() -> None:
    scene = Scene()
    scene.confirmer.begin(router(), 99.998)
    assert scene.machine.sent == [
        arp.probe(OURS, VIP),
        arp.request(OURS, VIP, IPv4Address("10.0.0.254"), to=GATEWAY.hardware),
    ]
    (replies,) = scene.machine.open
    scene.machine.answer(FOLLOWS)
    scene.loop.now += 0.001
    scene.loop.readers[replies]()
    scene.loop.run(5.0)
    ((name, outcome),) = scene.said
    assert (name, outcome.verdict) == ("public", TakeoverVerdict.CONFIRMED)
    assert round(outcome.seconds, 4) == 0.003
    assert (scene.machine.open, scene.loop.readers, scene.announced) == ([], {}, 0)


def test_what_waits_in_the_socket_counts_before_silence() -> None:
    """The loop was late, and the timer comes before the reader."""
    scene = Scene()
    scene.confirmer.begin(router(confirm=Confirm(attempts=2)), 100.0)
    scene.machine.answer(FOLLOWS)
    scene.loop.run(5.0)
    assert [outcome.verdict for _, outcome in scene.said] == [TakeoverVerdict.CONFIRMED]
    assert scene.announced == 0


def test_who_does_not_announce_any_more_does_not_ask_either() -> None:
    scene = Scene()
    scene.confirmer.begin(router(), 100.0)
    scene.active = False
    scene.machine.sent.clear()
    scene.loop.run(60.0)
    assert (scene.machine.sent, scene.said, scene.machine.open) == ([], [], [])


def test_switched_off() -> None:
    scene = Scene()
    scene.confirmer.begin(router(confirm=None), 100.0)
    assert (scene.machine.sent, scene.machine.open) == ([], [])


def test_kin_are_not_asked() -> None:
    scene = Scene((GATEWAY, SERVER))
    scene.confirmer.configure({SERVER.address})
    scene.confirmer.begin(router(), 100.0)
    assert [frame[:6] for frame in scene.machine.sent] == [b"\xff" * 6, GATEWAY.hardware]


def test_where_the_kernel_does_not_tell_others_claims_are_seen() -> None:
    scene = Scene(None)
    scene.confirmer.begin(router(), 100.0)
    for _ in range(40):
        scene.machine.answer(Answer(VIP, THEIRS, IPv4Address(0)))
        scene.loop.run(0.05)
    assert [outcome.owners for _, outcome in scene.said] == [("52:54:00:aa:bb:02",)]
    assert scene.announced > 0


def test_frames_leave_in_parts_with_other_work_between() -> None:
    """A look at the clock takes a tenth of a millisecond here: three or four frames fit into a part."""
    scene = Scene([GATEWAY, SERVER])
    scene.loop.slow = 0.0001
    scene.confirmer.begin(router(many=8), 100.0)
    assert 1 <= len(scene.machine.sent) <= 4
    turns = 0
    while scene.loop.soon:
        before = len(scene.machine.sent)
        scene.loop.soon.popleft()()
        assert len(scene.machine.sent) - before <= 4
        turns += 1
    assert (len(scene.machine.sent), turns >= 5) == (8 * 3, True)


def test_a_thousand_routers_have_their_turn() -> None:
    scene = Scene(())
    most = 0
    for number in range(1000):
        scene.confirmer.begin(router(f"r{number}"), 100.0)
        most = max(most, len(scene.machine.sent))
    assert most == AT_ONCE
    assert scene.machine.looks == 1
    scene.loop.run(60.0)
    assert len(scene.said) == 1000
    assert scene.machine.open == []


def test_a_second_owner_that_stays_keeps_no_others_waiting() -> None:
    scene = Scene(())
    for number in range(AT_ONCE):
        scene.confirmer.begin(router(f"r{number}", 100 + number), 100.0)
    for _ in range(30):
        scene.machine.answer(
            *(Answer(IPv4Address(f"10.0.0.{100 + number}"), THEIRS, IPv4Address(0)) for number in range(AT_ONCE))
        )
        scene.loop.run(0.25)
    scene.confirmer.begin(router("last", 200), scene.loop.now)
    scene.loop.run(1.0)
    assert scene.said[-1][0] == "last"
    assert scene.said[-1][1].verdict is TakeoverVerdict.CONFIRMED


def test_announced_again_while_it_is_asked_about() -> None:
    scene = Scene()
    scene.confirmer.begin(router(), 100.0)
    scene.machine.answer(FOLLOWS)
    scene.loop.readers[scene.machine.open[0]]()
    scene.machine.sent.clear()
    scene.confirmer.begin(router(), None)
    assert scene.machine.sent == []
    scene.loop.run(0.11)
    assert scene.machine.sent[-1][:6] == GATEWAY.hardware


def test_a_reload_that_brings_another_address_begins_anew() -> None:
    scene = Scene()
    scene.confirmer.begin(router(), 100.0)
    scene.machine.answer(FOLLOWS)
    scene.machine.sent.clear()
    scene.confirmer.begin(router(many=2), None)
    assert scene.machine.sent[2] == arp.probe(OURS, IPv4Address("10.0.1.100"))
    assert len(scene.machine.open) == 1


def test_what_is_not_there_is_asked_about_no_more() -> None:
    scene = Scene()
    scene.confirmer.begin(router(), 100.0)
    scene.machine.sent.clear()
    scene.confirmer.end("public")
    scene.loop.run(60.0)
    assert (scene.machine.sent, scene.said, scene.machine.open, scene.loop.readers) == ([], [], [], {})
