"""One server's verdict from a stream of check results: `rise` and `fall` results in a row change it.

Rule 1: nothing here knows services, weights or other servers; what a verdict means for traffic is `weights`.
Rule 2: a server is down until it has answered once. Cold start: UNKNOWN, the first success makes it UP (there is
no verdict to be stable against yet), `fall` failures make it DOWN, and from then on `rise` counts.
Restart: what the kernel already serves is UP until `fall` failures, because taking it out on no evidence would
break connections that the death of a daemon must not touch.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from enum import Enum
from typing import TYPE_CHECKING

from haman.model.transition import Kind, Transition

if TYPE_CHECKING:
    from haman.model.checks import Check
    from haman.model.services import Target


class Verdict(Enum):
    UNKNOWN = "unknown"
    UP = "up"
    DOWN = "down"


@dataclass(frozen=True, slots=True, kw_only=True)
class Health:
    """since: monotonic seconds of the verdict. streak: results in a row that speak against it. checked: results have
    reached or confirmed the verdict since this process started, or was cut off. proven: was up once, or adopted; only
    such a server may be kept by a floor. weight: what its check asks for, None for the configured one.
    """

    verdict: Verdict
    since: float
    why: str
    cause: str
    streak: int = 0
    checked: bool = False
    proven: bool = False
    weight: int | None = None

    @property
    def in_doubt(self) -> bool:
        """The next results may change the verdict, so they are wanted sooner."""
        return not self.checked or self.streak > 0


def cold(now: float) -> Health:
    """A server nobody has asked yet."""
    return Health(verdict=Verdict.UNKNOWN, since=now, why="not checked yet", cause="start")


def adopted(now: float, weight: int | None = None) -> Health:
    """A server the kernel serves already at the start of this process. weight: what its check asked for last."""
    why = "the kernel serves it already, not checked yet"
    return Health(verdict=Verdict.UP, since=now, why=why, cause="adopted", proven=True, weight=weight)


def assumed(now: float) -> Health:
    """A server of a service without a check: taken as healthy for ever."""
    return Health(
        verdict=Verdict.UP, since=now, why="its service has no check", cause="no_check", checked=True, proven=True
    )


def inherited(health: Health, check: Check | None, *, had_check: bool, same_question: bool, now: float) -> Health:
    """What a server of a new configuration begins with, given the health it takes over. Another question is asked
    anew, and until it is answered the old verdict holds."""
    if check is None:
        return health if not had_check else assumed(now)
    if not had_check:
        why = "its service has a check now, not asked yet"
        return Health(verdict=Verdict.UP, since=health.since, why=why, cause="adopted", proven=True)
    return health if same_question else doubted(health)


def observe(health: Health, check: Check, *, passed: bool, words: str, now: float, weight: int | None = None) -> Health:
    """The health after one more result. `words` say what happened: "connection refused". weight: what a passed check
    asks for. That of a server that is up counts at once; of one that fails the last one stays."""
    match health.verdict, passed:
        case Verdict.UP, True:
            if health.checked and not health.streak and health.weight == weight:
                return health
            return replace(health, streak=0, checked=True, weight=weight)
        case Verdict.DOWN, False:
            return health if health.checked and not health.streak else replace(health, streak=0, checked=True)
        case Verdict.UNKNOWN, True:
            return _up(now, weight, f"first check passed: {words}")
        case Verdict.DOWN, True:
            if health.streak + 1 >= check.rise:
                return _up(now, weight, f"{check.rise} of {check.rise} checks passed: {words}")
        case _, False:
            if health.streak + 1 >= check.fall:
                why = f"{check.fall} of {check.fall} checks failed: {words}"
                return replace(
                    health, verdict=Verdict.DOWN, since=now, why=why, cause="check_failed", streak=0, checked=True
                )
    return replace(health, streak=health.streak + 1)


def doubted(health: Health) -> Health:
    """This node was cut off: what it found out meanwhile says more about itself than about the server. The verdict
    stays, since there is no better one, until results confirm or change it."""
    return replace(health, streak=0, checked=False)


def _up(now: float, weight: int | None, why: str) -> Health:
    return Health(
        verdict=Verdict.UP,
        since=now,
        why=why,
        cause="check_passed",
        checked=True,
        proven=True,
        weight=weight,
    )


def transition(target: Target, before: Health, after: Health, at: float) -> Transition | None:
    """The record of a changed verdict; None when it did not change."""
    if before.verdict is after.verdict:
        return None
    return Transition(
        kind=Kind.SERVER,
        who=str(target),
        before=before.verdict.value,
        after=after.verdict.value,
        why=after.why,
        cause=after.cause,
        at=at,
    )
