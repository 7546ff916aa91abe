"""What clients lose when an operator moves the VIP: `haman switchover`, beside the two ways that keepalived has.

The cluster of `haman lab failover` with all its clients: 1,000 UDP requests a second, 20 short TCP requests a second
and 20 long downloads. The VIP is moved to the other director and back, by turns: with haman by `haman switchover`, both
ways; with keepalived by writing a lower priority for the active one and reloading it (SIGHUP), and then the old one
again; and with keepalived by stopping the active one (SIGTERM) and starting it again, which preempts.

Counted from the order until two seconds after the VIP has moved. What happened while the client itself was held up,
while a host's own buffers overflowed, or while answers came after the half second in which they count, is left out and
done again; the notes say how often.

How to read it: keepalived's active director leaves first, and the other one notices by its silence or its last word;
haman's serves on until its successor speaks.
"""

from __future__ import annotations

import sys
import time
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final, NamedTuple

from bench import session
from bench.figures import OURS, Measurement, Row, median
from haman.director.ask import ask
from haman.errors import LabError
from haman.lab import instruments, measure
from haman.lab.drills.base import RESUME, SYNC_DELAY
from haman.lab.hosts import Network
from haman.lab.keepalived import Keepalived
from haman.lab.software import Haman
from haman.lab.stage import Stage
from haman.lab.variants import FAILOVER
from haman.lab.waiting import happens, until
from haman.lab.workload import STREAMS

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from haman.lab.software import Node, Software

TURNS: Final = 2
"""How often each way gets its turn."""

MOVES: Final = 2
"""There and back, in each turn."""

ATTEMPTS: Final = 4
"""How often a turn is tried before the machine is called too busy to measure on."""

WITHIN: Final = 60.0
AFTER: Final = 2.0
"""Seconds after the VIP has moved that still count."""

KNOWN: Final = SYNC_DELAY + 1.0
"""Seconds until connection sync has told of the downloads, with either program."""

LOW: Final = 50
"""A priority below that of the standby."""


class Lost(NamedTuple):
    """Of one move."""

    requests: int
    shorts: int
    downloads: int


@dataclass(frozen=True, slots=True)
class Way:
    """there, back: given to the better director, and to whom they move the VIP."""

    name: str
    software: Callable[[], Software]
    there: Callable[[Node, Node], None]
    back: Callable[[Node, Node], None]


def _order(here: Node) -> None:
    """It is refused, and nothing happens, until the other director knows the connections."""
    until(
        f"{here.name} to give the VIP away",
        lambda: here.host.call(ask, "switchover", patience=WITHIN, by="the measurement")["ok"],
        WITHIN,
        every=0.5,
    )


def _order_back(best: Node, other: Node) -> None:
    """After that both stand as if nothing had been ordered."""
    _order(other)
    other.host.call(ask, "switchover", back=True, by="the measurement")


def _stop(best: Node, _: Node) -> None:
    best.terminate()
    best.ended()


WAYS: Final = (
    Way(OURS, Haman, lambda best, _: _order(best), _order_back),
    Way(
        "keepalived, priority",
        Keepalived,
        lambda best, _: best.reconfigure(Keepalived(LOW)),
        lambda best, _: best.reconfigure(Keepalived()),
    ),
    Way("keepalived, stop", Keepalived, _stop, lambda best, _: best.start()),
)


def moved(stage: Stage, act: Callable[[Node, Node], None], to: Node) -> Lost | None:
    """What it costs; None when a client or server was held up meanwhile, or a host lost packets itself. Errors:
    LabError."""
    best, other = stage.ranking[:2]
    stage.traffic.renew()
    until("the downloads to run", lambda: stage.traffic.streams() == STREAMS, WITHIN, every=0.1)
    time.sleep(KNOWN)
    drops, late, begun = stage.drops(), _late(stage), time.monotonic()
    act(best, other)
    until(f"{to.name} to have the VIP", lambda: stage.owned_by(to, 0.0), WITHIN)
    there = time.monotonic()
    end = there + AFTER
    happens(lambda: not _downloads(stage, begun, there).silent, RESUME, every=0.1)
    stage.traffic.settled(time.monotonic())
    requests = stage.traffic.udp.records
    head = stage.traffic.udp.head
    lost = Lost(
        requests=measure.answered(requests, begun, end).lost,
        shorts=len(measure.shorts(stage.traffic.tcp.records, begun, end).failed),
        downloads=STREAMS - _downloads(stage, begun, there).kept,
    )
    if failed := measure.shorts(stage.traffic.tcp.records, begun, end).failed:
        session.say([f"{each.outcome} on port {each.port}" for each in failed])
    pace = measure.pace(requests, head["start"], head["interval"], begun, end)
    dropped, late = stage.drops().since(drops), _late(stage) - late
    if pace.worst <= instruments.STALL_UNTIMED and not dropped and not late:
        return lost
    held_up = f"the client was held up for {pace.worst:.3f} s"
    session.say(f"done again: {lost}; {held_up}, lost within hosts: {dropped}, answered, but too late: {late}")
    return None


def _late(stage: Stage) -> int:
    """Requests so far that count as lost, and were answered all the same: after half a second, in which nothing on
    their way but a program that waits for the processor holds a packet."""
    stage.traffic.udp.read()
    return int(stage.traffic.udp.marks[-1].get("late", 0)) if stage.traffic.udp.marks else 0


def _downloads(stage: Stage, begun: float, since: float) -> measure.Downloads:
    stage.traffic.files.read()
    return measure.downloads(stage.traffic.files.records, begun, since)


def _turn(stage: Stage, way: Way) -> tuple[Lost, Lost] | None:
    """There and back; None when the client was held up in one of them. Errors: LabError."""
    stage.prepare()
    best, other = stage.ranking[:2]
    there = moved(stage, way.there, other)
    back = moved(stage, way.back, best)
    return (there, back) if there and back else None


def turns(stage: Stage, way: Way) -> tuple[list[tuple[Lost, Lost]], int]:
    """So many good ones, and how many were no good. Errors: LabError when it takes too many."""
    good: list[tuple[Lost, Lost]] = []
    for attempt in range(ATTEMPTS * MOVES):
        if lost := _turn(stage, way):
            good.append(lost)
        if len(good) == MOVES:
            return good, attempt + 1 - MOVES
    raise LabError("the client was held up too often: this machine is too busy to measure on")


def measure_all(work: Path) -> Measurement:
    found: dict[str, list[tuple[Lost, Lost]]] = {way.name: [] for way in WAYS}
    again = 0
    for turn in range(TURNS):
        for way in WAYS:
            folder = work / f"{turn}-{way.name.replace(', ', '-')}"
            folder.mkdir()
            with Network() as network:
                stage = Stage(network, FAILOVER, way.software(), folder)
                stage.start()
                good, bad = turns(stage, way)
                stage.close()
            found[way.name] += good
            again += bad
            session.say(f"turn {turn + 1}, {way.name}: " + "; ".join(f"{tuple(a)}, {tuple(b)}" for a, b in good))
    rows = [
        Row(
            what=f"{what} by {'the move' if direction == 0 else 'the way back'}",
            unit="",
            cells={name: median([float(each[direction][part]) for each in moves]) for name, moves in found.items()},
        )
        for direction in (0, 1)
        for part, what in enumerate(("UDP requests lost", "short TCP requests failed", f"downloads lost of {STREAMS}"))
    ]
    return Measurement(
        name="handover",
        title="What a move by the operator costs",
        statistic=f"medians of {TURNS * MOVES} moves (smallest - largest)",
        rows=tuple(rows),
        notes=(f"{again} moves there and back were done again, because a client or buffer could not follow.",),
        conditions=session.versions("keepalived"),
    )


if __name__ == "__main__":
    sys.exit(session.main("handover", measure_all, timeout=3600))
