"""The arbiter as a director process knows it: looked at now and then, asked when a standby is about to take over.

Played after `haman.director.arbiter`, by whose rule a verdict changes. What the directors tell each other of it crosses
at once, where both hear each other.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Protocol

from haman.director.arbiter import FALL, RISE, SHORTEST
from haman.director.trackers.judge import Judge, Look
from haman.model.elector import Ruled
from haman.model.trackers import Standing

if TYPE_CHECKING:
    from collections.abc import Callable, Collection

    from haman.model.elector import AskArbiter
    from haman.model.trackers import Verdict

ECHO = 0.001
"""Seconds until the arbiter has answered, if it does."""

LOOKS = 2.0
"""Advertisement intervals between two looks at it while nothing happens."""


def noticed(interval: float) -> float:
    """Seconds until a director surely knows that the arbiter is lost: a look that may have been just before, and those
    it takes, the last of which is given time."""
    return (FALL + 1) * LOOKS * interval


class Elder(Protocol):
    """Whose director asks."""

    def reaches_arbiter(self) -> bool: ...

    def stands(self, reached: bool | None) -> None:
        """It tells the other directors."""


class Asking:
    """others: the other directors. later: calls after so many seconds, if that process still lives. changed: the
    verdict is another one. heard: what others have said last."""

    def __init__(
        self,
        elder: Elder,
        *,
        others: Collection[str],
        interval: float,
        strict: bool,
        later: Callable[[float, Callable[[], None]], None],
        changed: Callable[[], None],
    ) -> None:
        self._elder = elder
        self._others = others
        self.heard: dict[str, bool | None] = {}
        self._pause = LOOKS * interval
        self._strict = strict
        self._later = later
        self._changed = changed
        self._judge = Judge(rise=RISE, fall=FALL)
        self._look()

    @property
    def verdict(self) -> Verdict | None:
        """None before the first look is over."""
        return self._judge.verdict

    @property
    def reached(self) -> bool | None:
        verdict = self.verdict
        return None if verdict is None else verdict.standing is Standing.UP

    @property
    def alone(self) -> bool:
        """Every other director has said last that it does not reach the arbiter."""
        return bool(self._others) and all(self.heard.get(other) is False for other in self._others)

    def answer(self, question: AskArbiter, say: Callable[[Ruled], None]) -> None:
        answers = self._elder.reaches_arbiter()

        def over() -> None:
            granted, why = answers, "it answers" if answers else "it does not answer"
            if not granted and not self._strict and self.reached is False and self.alone:
                granted, why = True, f"it answers no director, so it tells nothing: {why}"
            say(Ruled(router=question.router, asked=question.asked, granted=granted, why=why))

        self._later(ECHO if answers else max(SHORTEST, 2 * question.interval), over)

    def _look(self) -> None:
        answers = self._elder.reaches_arbiter()

        def over() -> None:
            if self._judge.take(Look(answers, "it answers" if answers else "it does not answer")):
                self._changed()
            self._elder.stands(self.reached)

        self._later(ECHO if answers else self._pause / 2, over)
        self._later(self._pause, self._look)
