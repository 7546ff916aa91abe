"""Times as an operator reads and writes them: `4 min 10 s`, `14:03:02`, `--since 10m`."""

from __future__ import annotations

import re
import time

_UNITS = {"s": 1, "m": 60, "h": 3600, "d": 86400}
_MOMENTS = ("%Y-%m-%d %H:%M:%S", "%Y-%m-%dT%H:%M:%S", "%Y-%m-%d %H:%M", "%Y-%m-%dT%H:%M", "%Y-%m-%d")


def since(text: str, now: float) -> float:
    """The moment (wall clock) that `10m`, `14:05` or `2026-11-22 14:05` mean at `now`. Raises ValueError, in words.

    A time of day that is still to come is yesterday's.
    """
    if found := re.fullmatch(r"(\d+(?:\.\d+)?)(s|m|h|d)", text):
        return now - float(found[1]) * _UNITS[found[2]]
    today = time.strftime("%Y-%m-%d ", time.localtime(now))
    for form in _MOMENTS:
        for day in ("", today):
            try:
                then = time.strptime(day + text, form)
            except ValueError:
                continue
            return _on(then, -1) if day and time.mktime(then) > now else time.mktime(then)
    raise ValueError(f"{text!r} is no time: write 10m, 2h, 14:05 or 2026-11-22 14:05")


def until(text: str, now: float) -> float:
    """The moment to come that `10m`, `02:30` or `2026-11-23 02:30` mean at `now`. Raises ValueError, in words.

    A time of day that is over is tomorrow's.
    """
    if found := re.fullmatch(r"\+?(\d+(?:\.\d+)?)(s|m|h|d)", text):
        return now + float(found[1]) * _UNITS[found[2]]
    today = time.strftime("%Y-%m-%d ", time.localtime(now))
    for form in _MOMENTS:
        for day in ("", today):
            try:
                then = time.strptime(day + text, form)
            except ValueError:
                continue
            return _on(then, 1) if day and time.mktime(then) <= now else time.mktime(then)
    raise ValueError(f"{text!r} is no time: write 10m, 2h, 02:30 or 2026-11-23 02:30")


def _on(then: time.struct_time, days: int) -> float:
    """The same time of another day, which need not be a multiple of 24 hours away."""
    return time.mktime((*then[:2], then.tm_mday + days, *then[3:8], -1))  # mktime() puts the month right


def precise(moment: float, now: float) -> str:
    """As `clock`, with milliseconds."""
    return f"{clock(moment, now)}.{int(moment % 1 * 1000):03d}"


def span(seconds: float) -> str:
    """`3.2 s`, `4 min 10 s`, `5 h 2 min`, `3 d 4 h`."""
    if seconds < 60:
        return f"{max(0.0, seconds):.1f} s" if seconds < 10 else f"{seconds:.0f} s"
    minutes, rest = divmod(int(seconds), 60)
    if minutes < 60:
        return f"{minutes} min {rest} s"
    hours, minutes = divmod(minutes, 60)
    if hours < 48:
        return f"{hours} h {minutes} min"
    return f"{hours // 24} d {hours % 24} h"


def clock(moment: float, now: float) -> str:
    """The time of day; with the date when that is another day."""
    then = time.localtime(moment)
    today = time.localtime(now)
    same = (then.tm_year, then.tm_yday) == (today.tm_year, today.tm_yday)
    return time.strftime("%H:%M:%S" if same else "%Y-%m-%d %H:%M:%S", then)
