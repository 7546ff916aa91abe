"""From looks to a verdict: `rise` good ones in a row, or `fall` bad ones, change it. The very first one counts at once:
there is no verdict yet to be stable against, and until there is one the router waits in fault. Pure."""

from __future__ import annotations

from dataclasses import dataclass

from haman.model.trackers import Standing, Verdict


@dataclass(frozen=True, slots=True)
class Look:
    """words: what was seen, for an operator: "no answer within 500 ms". number: of a file, else 0."""

    passed: bool
    words: str
    number: int = 0


class Judge:
    """rise, fall: how many looks in a row."""

    def __init__(self, *, rise: int, fall: int) -> None:
        self._rise = rise
        self._fall = fall
        self._streak = 0  # looks in a row that speak against the verdict
        self.verdict: Verdict | None = None

    def take(self, look: Look) -> bool:
        """Whether the verdict is another one now; other words for the same are none. A file's new number is."""
        standing = Standing.UP if look.passed else Standing.DOWN
        verdict = self.verdict
        if verdict is not None and verdict.standing is standing:
            self._streak = 0
            if verdict.number == look.number:
                return False
            self.verdict = Verdict(standing=standing, why=look.words, number=look.number)
            return True
        needed = self._rise if look.passed else self._fall
        self._streak += 1
        if verdict is not None and self._streak < needed:
            return False
        many = verdict is not None and needed > 1
        count = f"{needed} of {needed} {'good' if look.passed else 'failed'}: " if many else ""
        self.verdict = Verdict(standing=standing, why=f"{count}{look.words}", number=look.number)
        self._streak = 0
        return True
