"""The limits that drills have in common, as sentences about what was seen."""

from __future__ import annotations

from functools import cache
from typing import TYPE_CHECKING

from haman.config import load
from haman.health.cadence import detection_time
from haman.lab.cluster import INTERFACE
from haman.lab.results import Limit
from haman.lab.variants import FAILOVER
from haman.lab.workload import MH, UDP, WLC

if TYPE_CHECKING:
    from haman.lab.drills.base import Seen
    from haman.lab.software import Node
    from haman.lab.stage import Stage

SLACK = 0.05
"""Seconds every limit in time allows for what is not the protocol's: system calls, one slow virtual processor."""


RETURN = 45.0
"""Seconds a drill waits for what must come sooner or later: a preemption, a restart, a server's return."""


def came_true(what: str, value: float | None) -> Limit:
    """Something that has to happen, whenever: `value` is truthy if it did."""
    return Limit(name=what, bound=1, measured=float(bool(value)), unit="yes", at_least=True)


def gap_of_a_takeover(stage: Stage, seen: Seen, standby: Node) -> Limit:
    """gap <= 3 adverts + skew + 50 ms."""
    return Limit(name="gap", bound=stage.takeover_time(standby) + SLACK, measured=seen.answered.gap, unit="ms")


def taken_over(stage: Stage, seen: Seen, standby: Node) -> Limit:
    """The standby answers for the VIP within 3 adverts + skew + 50 ms. Said of a fault that leaves the old director's
    kernel forwarding what still reaches it, so that requests show no gap."""
    assert seen.ownership is not None, "a drill about owners asks for them"
    heard = seen.ownership.first.get(standby.host.mac(INTERFACE))
    return Limit(
        name="taken over after",
        bound=stage.takeover_time(standby) + SLACK,
        measured=None if heard is None else heard - seen.course.fault,
        unit="ms",
    )


def nothing_lost(seen: Seen) -> Limit:
    return Limit(name="lost", bound=0, measured=seen.answered.lost)


def downloads_kept(seen: Seen) -> Limit:
    return Limit(name="downloads kept", bound=seen.downloads.running, measured=seen.downloads.kept, at_least=True)


def no_short_failed(stage: Stage, seen: Seen) -> list[Limit]:
    """With `mh` none may fail. With another scheduler those may that had begun within the sync delay before the
    move: only the others count."""
    mh, wlc = stage.cluster.port(MH), stage.cluster.port(WLC)
    hashed = [failed for failed in seen.shorts.failed if failed.port == mh]
    others = [failed for failed in seen.shorts.failed if failed.port == wlc and not seen.course.too_young(failed.begun)]
    return [
        Limit(name="short TCP failed, mh", bound=0, measured=len(hashed)),
        Limit(name="wlc, not explained by sync", bound=0, measured=len(others)),
    ]


@cache
def detection() -> float:
    """How long the death of a server may stay unnoticed by the check of the UDP and short TCP services, and 50 ms. By
    the lab's own file: a planted fault in the checks must not move the limit."""
    check = load(str(FAILOVER)).services[UDP].check
    assert check is not None, "the lab's services are checked"
    return detection_time(check) + SLACK


def last_error(bound: float, seen: Seen) -> list[Limit]:
    """The last request that was lost, and the last short one that failed, had begun within `bound` of the fault."""
    lost, fault = seen.answered.last_lost, seen.course.fault
    begun = [failed.begun for failed in seen.shorts.failed]
    return [
        Limit(name="last lost after", bound=bound, measured=0.0 if lost is None else lost - fault, unit="ms"),
        Limit(name="last error after", bound=bound, measured=max(0.0, max(begun, default=fault) - fault), unit="ms"),
    ]


def one_owner(bound: float, seen: Seen) -> Limit:
    """Never two owners on the segment for longer than `bound`."""
    assert seen.ownership is not None, "a drill about owners asks for them"
    return Limit(name="two owners", bound=bound, measured=seen.ownership.several, unit="ms")
