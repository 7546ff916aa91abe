"""The result of a drill as data, and the verdict on it. How it looks on paper is report's business."""

from __future__ import annotations

from dataclasses import asdict, dataclass, field
from enum import Enum
from typing import Any


class Verdict(Enum):
    """NOT_MEASURED: the instruments were not good enough to say; it is never taken for one of the first two.
    BROKEN: the drill itself failed, so nothing is known about the cluster."""

    HELD = "held"
    MISSED = "missed"
    NOT_MEASURED = "not measured"
    BROKEN = "broken"


@dataclass(frozen=True, slots=True, kw_only=True)
class Limit:
    """One limit in words and numbers. measured and bound are seconds when `unit` is "ms" (shown as such), 0 or 1 when
    it is "yes" (something that has to come true), else counts.

    at_least: the bound is the least that is good, not the most. A measured None is something that never happened
    ("VIP back"), which holds no limit. act: what happened in a story when it was measured.
    """

    name: str
    bound: float
    measured: float | None
    unit: str = ""
    at_least: bool = False
    act: str = ""

    @property
    def held(self) -> bool:
        if self.measured is None:
            return False
        return self.measured >= self.bound if self.at_least else self.measured <= self.bound


@dataclass(frozen=True, slots=True, kw_only=True)
class Result:
    """One drill's or story's outcome. Times are seconds.

    active: who had the VIP before and after. short: outcomes of short TCP requests by service, then kind;
    within_sync: how many of the failed ones had begun within the sync delay before the move, with a scheduler that
    does not compute the same server everywhere. why: what made it not measured, or broke it. attempts: how often the
    drill was run for this verdict. examples: the files a story was told from; a drill has none. table_before,
    table_after: the active director's IPVS table, in words.
    """

    drill: str
    title: str
    advert_interval: float
    limits: tuple[Limit, ...] = ()
    active: tuple[str, str] = ("", "")
    requests: int = 0
    lost: int = 0
    gap: float = 0.0
    downloads: int = 0
    downloads_kept: int = 0
    short: dict[str, dict[str, int]] = field(default_factory=dict)
    within_sync: int = 0
    notes: tuple[str, ...] = ()
    why: tuple[str, ...] = ()
    broken: bool = False
    plant: str = ""
    attempts: int = 1
    seconds: float = 0.0
    examples: tuple[str, ...] = ()
    table_before: str = ""
    table_after: str = ""

    @property
    def verdict(self) -> Verdict:
        if self.broken:
            return Verdict.BROKEN
        if self.why:
            return Verdict.NOT_MEASURED
        return Verdict.HELD if all(limit.held for limit in self.limits) else Verdict.MISSED

    @property
    def short_failed(self) -> int:
        return sum(count for kinds in self.short.values() for kind, count in kinds.items() if kind != "ok")

    @property
    def short_total(self) -> int:
        return sum(sum(kinds.values()) for kinds in self.short.values())

    def to_json(self) -> dict[str, Any]:
        """As plain data; each limit with whether it held, and the verdict."""
        limits = [{**asdict(limit), "held": limit.held} for limit in self.limits]
        return {**asdict(self), "limits": limits, "verdict": self.verdict.value}

    @classmethod
    def from_json(cls, data: dict[str, Any]) -> Result:
        plain = {key: value for key, value in data.items() if key != "verdict"}
        limits = [{key: value for key, value in limit.items() if key != "held"} for limit in data["limits"]]
        plain["limits"] = tuple(Limit(**limit) for limit in limits)
        for key in ("active", "notes", "why", "examples"):
            if key in plain:
                plain[key] = tuple(plain[key])
        return cls(**plain)


def exit_code(results: list[Result]) -> int:
    """0: all limits held; 3: one was missed, or could not be measured; 1: a drill broke, or there was none."""
    verdicts = {result.verdict for result in results}
    if Verdict.BROKEN in verdicts or not results:
        return 1
    return 0 if verdicts == {Verdict.HELD} else 3
