"""Numbers and what is measured: whole numbers, durations, percents, sizes.

What has a unit is written with it. A bare number is refused and not guessed: keepalived counts in seconds here
and in centiseconds there, and files are copied.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from decimal import Decimal
from typing import Any

from haman.config.forms.base import Form, wrong
from haman.config.mistakes import quoted, shown

_SECONDS = {"ms": Decimal("0.001"), "s": Decimal(1), "m": Decimal(60), "h": Decimal(3600), "d": Decimal(86400)}
_BYTES = {"B": 1, "KiB": 1 << 10, "MiB": 1 << 20}
_NUMBER = r"[0-9]{1,12}(?:\.[0-9]{1,6})?"
_DURATION = re.compile(rf"({_NUMBER})(ms|s|m|h|d)")
_PERCENT = re.compile(rf"({_NUMBER})%")
_SIZE = re.compile("([0-9]{1,12})(B|KiB|MiB)")
_LOOSE = re.compile(rf"({_NUMBER}) ?([A-Za-z%]*)")
_LONG = re.compile("[1-9][0-9]{18,}")
_SPELLED = {
    **dict.fromkeys(("ms", "msec", "msecs", "millisecond", "milliseconds"), "ms"),
    **dict.fromkeys(("", "s", "sec", "secs", "second", "seconds"), "s"),
    **dict.fromkeys(("m", "min", "mins", "minute", "minutes"), "m"),
    **dict.fromkeys(("h", "hr", "hrs", "hour", "hours"), "h"),
    **dict.fromkeys(("d", "day", "days"), "d"),
}


@dataclass(frozen=True)
class Whole(Form):
    """A whole number, low..high. `why` explains an end of the range that an operator would ask about."""

    low: int
    high: int
    why: str = ""

    @property
    def words(self) -> str:  # type: ignore[override]
        return f"a whole number, {self.low} to {self.high}"

    def parse(self, value: Any) -> int:
        if isinstance(value, str) and _LONG.fullmatch(value):
            raise wrong(f"{quoted(value)} is too large, the highest is {self.high}", f"write {self.spoken}")
        if not isinstance(value, int) or isinstance(value, bool):
            raise wrong(f"{shown(value)} is not a whole number", _whole_cure(value, self))
        if self.low <= value <= self.high:
            return value
        side = f"small, the lowest is {self.low}" if value < self.low else f"large, the highest is {self.high}"
        raise wrong(f"{value} is too {side}", self.why or f"write {self.spoken}")

    def json(self) -> dict[str, Any]:
        return {"type": "integer", "minimum": self.low, "maximum": self.high}


class PortRange(Form):
    """One port or several in a row."""

    words = "1 to 65535, or the first and the last of several, `8000-8100`"

    def parse(self, value: Any) -> tuple[int, int]:
        if isinstance(value, int) and not isinstance(value, bool):
            first = last = value
        else:
            found = re.fullmatch("([0-9]{1,5})-([0-9]{1,5})", value) if isinstance(value, str) else None
            if found is None:
                raise wrong(f"{shown(value)} is neither a port nor a range", "write 80, or 8000-8100 for several")
            first, last = int(found[1]), int(found[2])
        if not 1 <= first <= last <= 65535:
            raise wrong(f"{shown(value)} is no range of ports", "write 1 to 65535, the lower one first")
        return first, last

    def json(self) -> dict[str, Any]:
        return {
            "anyOf": [
                {"type": "integer", "minimum": 1, "maximum": 65535},
                {"type": "string", "pattern": "^[0-9]{1,5}-[0-9]{1,5}$"},
            ]
        }


@dataclass(frozen=True)
class Duration(Form):
    """Seconds as float. The ends and the step are written as an operator writes them."""

    low: str
    high: str
    step: str = ""
    why: str = ""

    @property
    def words(self) -> str:  # type: ignore[override]
        step = f", in steps of {self.step}" if self.step else ""
        return f"a time with its unit (`ms`, `s`, `m`, `h`, `d`), {self.low} to {self.high}{step}"

    def parse(self, value: Any) -> float:
        found = _DURATION.fullmatch(value) if isinstance(value, str) else None
        if not found:
            raise wrong(*_no_duration(value, self))
        seconds = _seconds(value)
        if seconds < _seconds(self.low):
            raise wrong(f"{value} is too short, the shortest is {self.low}", self.why or "write a longer time")
        if seconds > _seconds(self.high):
            raise wrong(f"{value} is too long, the longest is {self.high}", self.why or "write a shorter time")
        if self.step and seconds % _seconds(self.step):
            raise wrong(f"{value} is finer than steps of {self.step}", self.why or f"round it to {self.step}")
        return float(seconds)

    def json(self) -> dict[str, Any]:
        return {"type": "string", "pattern": rf"^{_NUMBER}(ms|s|m|h|d)$"}


@dataclass(frozen=True)
class Percent(Form):
    """A share, as float: `50%` is 0.5. low and high in percent."""

    low: int
    high: int

    @property
    def words(self) -> str:  # type: ignore[override]
        return f"a percentage with its sign, {self.low}% to {self.high}%"

    def parse(self, value: Any) -> float:
        found = _PERCENT.fullmatch(value) if isinstance(value, str) else None
        if not found:
            raise wrong(f"{shown(value)} is not a percentage", f"write it with its sign, such as {self.high}%")
        share = Decimal(found[1])
        if not self.low <= share <= self.high:
            raise wrong(f"{value} is out of range", f"write {self.low}% to {self.high}%")
        return float(share / 100)

    def json(self) -> dict[str, Any]:
        return {"type": "string", "pattern": rf"^{_NUMBER}%$"}


@dataclass(frozen=True)
class Size(Form):
    """Bytes as int."""

    low: int
    high: int

    @property
    def words(self) -> str:  # type: ignore[override]
        return f"a size with its unit (`B`, `KiB`, `MiB`), {sized(self.low)} to {sized(self.high)}"

    def parse(self, value: Any) -> int:
        found = _SIZE.fullmatch(value) if isinstance(value, str) else None
        if not found:
            cure = f"write {value}B" if isinstance(value, int) and value is not True else f"write {self.spoken}"
            raise wrong(f"{shown(value)} has no unit" if isinstance(value, int) else f"{shown(value)} is no size", cure)
        size = int(found[1]) * _BYTES[found[2]]
        if not self.low <= size <= self.high:
            raise wrong(f"{value} is out of range", f"write {sized(self.low)} to {sized(self.high)}")
        return size

    def json(self) -> dict[str, Any]:
        return {"type": "string", "pattern": "^[0-9]{1,12}(B|KiB|MiB)$"}


def spoken(seconds: float) -> str:
    """Seconds as a duration that may be written in the file: 0.5 is 500ms, 300 is 5m."""
    exact = Decimal(str(seconds))
    for unit in ("h", "m", "s"):
        if exact and exact % _SECONDS[unit] == 0:
            return f"{exact // _SECONDS[unit]:f}{unit}"
    return f"{(exact / _SECONDS['ms']).normalize():f}ms" if exact else "0s"


def sized(size: int) -> str:
    """Bytes as a size that may be written in the file. Whole MiB are written as such, all else in B."""
    return f"{size >> 20}MiB" if size and size % (1 << 20) == 0 else f"{size}B"


def _seconds(written: str) -> Decimal:
    found = _DURATION.fullmatch(written)
    assert found
    return Decimal(found[1]) * _SECONDS[found[2]]


def _no_duration(value: Any, form: Duration) -> tuple[str, str]:
    """What is wrong, and the nearest thing that would have been right."""
    bare = isinstance(value, int | float) and not isinstance(value, bool)
    loose = _LOOSE.fullmatch(str(value)) if bare or isinstance(value, str) else None
    unit = _SPELLED.get(loose[2].lower()) if loose else None
    what = f"{shown(value)} is not a time"
    if not loose or not unit:
        return what, f"write {form.spoken}"
    if loose[2]:
        return what, f"write {loose[1]}{unit}"
    return f"{shown(value)} has no unit", f"write {loose[1]}s if seconds are meant, {loose[1]}ms if milliseconds"


def _whole_cure(value: Any, form: Whole) -> str:
    match value:
        case str() if re.fullmatch("0[0-9]+", value):
            return f"a leading zero may mean octal: write {int(value)}"
        case str() if re.fullmatch("0o[0-7]{1,20}", value):
            return f"write it as a decimal number: {int(value, 8)}"
        case str() if re.fullmatch("[0-9]+", value):
            return f"remove the quotes: {value}"
        case str() if re.fullmatch("[1-9][0-9]{0,2}([_,' ][0-9]{3}){1,4}", value):
            return f"write it without separators: {re.sub('[^0-9]', '', value)}"
        case float() if value.is_integer() and abs(value) < 1e18:
            return f"write {int(value)}"
        case _:
            return f"write {form.spoken}"
