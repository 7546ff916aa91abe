"""What all drills share: the instruments proved first, then the act, then numbers from the clients' records.

A drill says only what it does (`act`) and what must hold (`limits`); it never cleans up, `Stage.prepare` does.
"""

from __future__ import annotations

import time
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, ClassVar

from haman.lab import instruments, measure
from haman.lab.results import Result
from haman.lab.waiting import happens
from haman.lab.workload import MH, STREAMS, WLC

if TYPE_CHECKING:
    from collections.abc import Iterator
    from contextlib import AbstractContextManager

    from haman.lab.measure import Answered, Downloads, Ownership, Pace, Shorts
    from haman.lab.results import Limit
    from haman.lab.stage import Stage

QUIET = 1.0
"""Seconds of the same traffic without a fault, right before each drill: it must lose nothing."""

MARGIN = 0.2
"""Seconds around a drill's act in which a pause of the machine counts as one during it."""

QUIET_TRIALS = 5
SYNC_DELAY = 4.0
"""Seconds until a new connection is known to the standby: up to about 3.6 in measurements of the kernel's daemons."""

RESUME = 15.0
"""Seconds a download may take to go on once the service is back: the server's retransmissions back off to about twice
the gap."""


@dataclass
class Course:
    """What a drill notes while it acts, monotonic seconds. fault: when it was done. moved: when the VIP had moved, if
    that was not at once. over: when nothing is timed any more, if that is before all was `well` again.

    facts: what the drill measured itself, for its limits; None: it never came to that. notes: for the report.
    """

    fault: float = 0.0
    moved: float | None = None
    over: float | None = None
    well: float = 0.0
    facts: dict[str, float | None] = field(default_factory=dict)
    notes: list[str] = field(default_factory=list)

    def faulted(self) -> None:
        """Call it as soon as the fault is done."""
        self.fault = time.monotonic()

    def too_young(self, begun: float) -> bool:
        """Had a connection begun so shortly before the move that sync could not have told the standby of it?"""
        return self.fault - SYNC_DELAY <= begun <= (self.moved or self.fault)


@dataclass(frozen=True, kw_only=True)
class Seen:
    """What the clients recorded from the fault on, in numbers. ownership: only with `asks_arp`."""

    course: Course
    answered: Answered
    shorts: Shorts
    downloads: Downloads
    ownership: Ownership | None


class Drill:
    """name: on the command line. title: in the report. plants: planted faults that must turn its line red.

    requests: at least so many have to be sent after the fault. asks_arp: ask the segment for owners at 1 kHz.
    directors: how many the cluster must have. beside_keepalived: it must speak as Debian's keepalived
    understands. costs_downloads: some are bound to be lost, so none is waited for.
    """

    name: ClassVar[str]
    title: ClassVar[str]
    plants: ClassVar[tuple[str, ...]] = ()
    requests: ClassVar[int] = 1000
    asks_arp: ClassVar[bool] = False
    directors: ClassVar[int] = 2
    beside_keepalived: ClassVar[bool] = False
    costs_downloads: ClassVar[bool] = False

    def arrange(self, stage: Stage) -> None:
        """What must be so before the quiet second, beside a cluster that is whole."""

    def act(self, stage: Stage, course: Course) -> None:
        """Do it, and return when its consequences are over, or can be no longer waited for."""
        raise NotImplementedError

    def limits(self, stage: Stage, seen: Seen) -> Iterator[Limit]:
        """Every limit of the drill, with what was measured."""
        raise NotImplementedError


def perform(drill: Drill, stage: Stage, during: AbstractContextManager[None]) -> Result:
    """Run a drill once on a cluster that is whole. during: surrounds the act (a planted fault, or nothing).
    Errors: LabError when the drill cannot be done at all."""
    traffic = stage.traffic
    began = time.monotonic()
    if drill.asks_arp:
        traffic.start_prober()
    drill.arrange(stage)
    quiet, doubts = _quiet_second(stage)
    drops = stage.drops()
    before = stage.owner()
    table_before = stage.table()
    course = Course()
    with during:
        drill.act(stage, course)
        course.well = time.monotonic()
        stage.requests_since(course.fault, drill.requests)
        hope = not drill.costs_downloads and stage.served(course.fault, within=0.0)
        happens(lambda: not _downloads(stage, course).silent, RESUME if hope else 0.0, every=0.1)
        end = time.monotonic()
        traffic.settled(end)
    if drill.asks_arp:
        traffic.stop_prober()
    seen = Seen(
        course=course,
        answered=measure.answered(traffic.udp.records, course.fault, end),
        shorts=measure.shorts(traffic.tcp.records, course.fault, end),
        downloads=_downloads(stage, course),
        ownership=measure.ownership(traffic.arp.records, course.fault, end) if drill.asks_arp else None,
    )
    limits = tuple(drill.limits(stage, seen))
    doubts += instruments.doubts_about_pace(
        _pace(stage, course.fault - MARGIN, (course.over or course.well) + MARGIN),
        instruments.stall_allowed(limits, stage.advert),
        _pace(stage, quiet, end),
    )
    doubts += instruments.doubts_about_drops(stage.drops().since(drops))
    return Result(
        drill=drill.name,
        title=drill.title,
        advert_interval=stage.advert,
        limits=limits,
        active=(before, stage.owner()),
        requests=seen.answered.sent,
        lost=seen.answered.lost,
        gap=seen.answered.gap,
        downloads=seen.downloads.running,
        downloads_kept=seen.downloads.kept,
        short={name: dict(seen.shorts.outcomes.get(stage.cluster.port(name), {})) for name in (MH, WLC)},
        within_sync=_young(stage, seen),
        notes=tuple(course.notes),
        why=tuple(doubts),
        seconds=round(time.monotonic() - began, 1),
        table_before=table_before,
        table_after=stage.table(),
    )


def _quiet_second(stage: Stage) -> tuple[float, list[str]]:
    """When a second began in which the traffic lost nothing, and nothing to doubt; or the last one tried, and why not.

    A drill's own arrangements may still show in the first of them.
    """
    traffic = stage.traffic
    for _ in range(QUIET_TRIALS):
        begin = time.monotonic()
        end = begin + QUIET
        traffic.settled(end)
        doubts = instruments.doubts_before(
            measure.answered(traffic.udp.records, begin, end),
            measure.shorts(traffic.tcp.records, begin, end),
            measure.downloads(traffic.files.records, begin, begin),
            STREAMS,
        )
        if not doubts:
            break
    return begin, doubts


def _pace(stage: Stage, begin: float, end: float) -> Pace:
    udp = stage.traffic.udp
    return measure.pace(udp.records, udp.head["start"], udp.head["interval"], begin, end)


def _downloads(stage: Stage, course: Course) -> Downloads:
    stage.traffic.files.read()
    return measure.downloads(stage.traffic.files.records, course.fault, course.well)


def _young(stage: Stage, seen: Seen) -> int:
    """How many of the failed short requests sync could not help: too young, and with a scheduler that leaves the
    choice of a server to sync."""
    port = stage.cluster.port(WLC)
    return sum(failed.port == port and seen.course.too_young(failed.begun) for failed in seen.shorts.failed)
