"""Measured numbers as data, and what is computed from them. Pure: no clock, no files.

A Measurement has rows (one quantity each), a row has a cell for each program. Ratios follow from the cells, so they
cannot disagree with them; but where both programs ran in the same short turns, each run has a ratio of its own, which
is told: on a busy machine it is steadier than the cells are.
"""

from __future__ import annotations

import math
import statistics
from dataclasses import asdict, dataclass, field
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

OURS = "haman"


@dataclass(frozen=True, slots=True)
class Cell:
    """value: the row's statistic. low, high: the spread beside it. count: of samples."""

    value: float
    low: float
    high: float
    count: int


def median(samples: Sequence[float]) -> Cell:
    """The median, between the smallest and the largest. `samples` is not empty."""
    return Cell(statistics.median(samples), min(samples), max(samples), len(samples))


def tail(samples: Sequence[float], quantile: float) -> Cell:
    """A quantile, between the median and the largest. `samples` is not empty."""
    return Cell(at_quantile(samples, quantile), statistics.median(samples), max(samples), len(samples))


def at_quantile(samples: Sequence[float], quantile: float) -> float:
    """The smallest sample that at least this share (0 < quantile <= 1) of all are not above (the nearest rank)."""
    ordered = sorted(samples)
    return ordered[max(0, math.ceil(quantile * len(ordered)) - 1)]


@dataclass(frozen=True, slots=True, kw_only=True)
class Goal:
    """What haman's value shall not exceed: `ratio` times the peer's, or by `more` than haman's own in row `than`.

    within_spread: instead, it shall be the peer's as far as can be told."""

    ratio: float | None = None
    more: float | None = None
    than: str = ""
    within_spread: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class Row:
    """what: the quantity in words, unique within a measurement. unit: "s" (shown as it fits), "MiB", or a word.

    cells: by program, OURS and one or more peers; the first peer is the one that the ratio is taken against.
    paired: the ratios of the single runs, where these were made by turns.
    """

    what: str
    unit: str
    cells: Mapping[str, Cell]
    goal: Goal | None = None
    paired: Cell | None = None

    @property
    def ratio(self) -> float | None:
        """Ours to the first peer's; None without one, or when the peer's is nothing."""
        if self.paired is not None:
            return self.paired.value
        peer = next((cell for name, cell in self.cells.items() if name != OURS), None)
        ours = self.cells.get(OURS)
        if ours is None or peer is None or not peer.value:
            return None
        return ours.value / peer.value

    @property
    def within_spread(self) -> bool | None:
        """Whether some of the paired runs say less and some say more than the peer's; None where there are none."""
        return None if self.paired is None else self.paired.low <= 1 <= self.paired.high


@dataclass(frozen=True, slots=True, kw_only=True)
class Measurement:
    """name: of the module. statistic: what the cells hold, in words. notes: what has to be said beside the numbers.

    conditions: under which it ran, in words by name: kernel, versions, how busy the machine was.
    """

    name: str
    title: str
    statistic: str
    rows: tuple[Row, ...]
    notes: tuple[str, ...] = ()
    conditions: Mapping[str, str] = field(default_factory=dict)

    def row(self, what: str) -> Row:
        """Raises KeyError."""
        for row in self.rows:
            if row.what == what:
                return row
        raise KeyError(what)

    def reached(self, row: Row) -> bool | None:
        """Whether the row's goal is reached; None without a goal, or without what it is compared with."""
        goal, ours = row.goal, row.cells.get(OURS)
        if goal is None or ours is None:
            return None
        if goal.within_spread:
            return row.within_spread
        if goal.ratio is not None:
            return None if row.ratio is None else row.ratio <= goal.ratio
        if goal.more is not None:
            return ours.value <= self.row(goal.than).cells[OURS].value + goal.more
        return None

    def to_json(self) -> dict[str, Any]:
        return asdict(self)

    @classmethod
    def from_json(cls, data: Mapping[str, Any]) -> Measurement:
        rows = tuple(
            Row(
                what=row["what"],
                unit=row["unit"],
                cells={name: Cell(**cell) for name, cell in row["cells"].items()},
                goal=Goal(**row["goal"]) if row["goal"] else None,
                paired=Cell(**row["paired"]) if row["paired"] else None,
            )
            for row in data["rows"]
        )
        return cls(**{**data, "rows": rows, "notes": tuple(data["notes"])})
