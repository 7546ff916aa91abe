"""The arithmetic of RFC 9568, section 6.1, and for version 2 of RFC 3768, section 6.1. Seconds in, seconds out."""

from __future__ import annotations

PRIORITY_LEAVING = 0
PRIORITY_OWNER = 255
PRIORITY_LOWEST = 1
PRIORITY_HIGHEST = 254

LEAVE_SLACK = 0.5
"""How much longer than a standby's skew a leaving router waits for its successor's first advertisement: the
successor's process may be late, its packet may queue."""


def skew(priority: int, interval: float, version: int = 3) -> float:
    """Skew_Time: ((256 - Priority) * Active_Adver_Interval) / 256; in version 2 the interval is no part of it."""
    return (256 - priority) * (interval if version == 3 else 1.0) / 256


def active_down(priority: int, interval: float, version: int = 3) -> float:
    """Active_Down_Interval: (3 * Active_Adver_Interval) + Skew_Time."""
    return 3 * interval + skew(priority, interval, version)


def patience(interval: float) -> float:
    """The shortest silence after which a peer of any priority may have taken over: no peer's skew is negative."""
    return 3 * interval


def longest_patience(interval: float) -> float:
    """The silence after which a peer that is ready has taken over: any skew is below one interval (in version 2 below
    a second, the shortest interval there is)."""
    return 4 * interval


def leave_bound(interval: float) -> float:
    """How long a leaving router keeps serving when no successor is heard: its goodbye may be lost and is said again
    after one interval, and any peer's skew is below one."""
    return 2 * interval + LEAVE_SLACK


def effective(priority: int, penalty: int) -> int:
    """Priority after tracking. The owner's 255 says that the addresses are its own, so it cannot be lowered."""
    if priority == PRIORITY_OWNER:
        return priority
    return max(PRIORITY_LOWEST, min(PRIORITY_HIGHEST, priority - penalty))
