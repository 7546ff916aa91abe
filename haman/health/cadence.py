"""When is a server asked next, and how long may its death stay unnoticed? Arithmetic on a Check, seconds."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from haman.model.checks import Check


def next_due(check: Check, due: float, ended: float, *, in_doubt: bool, first: bool, draw: float) -> float:
    """When the next check is due.

    due: when this one was; counted from there and not from its real start, so that the lateness of a busy loop
    does not add up. ended: when its result came; a server is never asked twice at once. draw: 0 <= draw < 1,
    spreads the checks: by `jitter` always, and over a whole interval after the `first`, because all servers
    are asked at once at the start and would stay in step for ever.
    """
    wait = min(check.fast_interval, check.interval) if in_doubt else check.interval
    wait *= 1 + check.jitter * (2 * draw - 1)
    if first and not in_doubt:
        wait *= draw
    return max(due + wait, ended)


def detection_time(check: Check) -> float:
    """The longest time from a server's death to its verdict, a punctual checker taken for granted.

    Worst case: it freezes just after it answered; then one interval passes, and `fall` checks each wait out their
    timeout, all but the last followed by what is left of the fast interval.
    """
    late = 1 + check.jitter
    again = max(min(check.fast_interval, check.interval) * late, check.timeout)
    return check.interval * late + (check.fall - 1) * again + check.timeout
