"""To whom does a director give its vote for a router? Pure: time comes in as `now`.

* Whoever asks is heard for a while (`open_for`), and then all that asked meanwhile are judged at once: one who is ready
  goes before one who is not, then the higher priority, then the name. All of them ask within a moment, since all
  missed the same advertisement, so the time of arrival says nothing about who is the best.
* Nobody gets it while a director is known to be active. That is found out while the ballot is open.
* A vote that was given is given to nobody else until it has lapsed (`LAPSE`). So two directors that do not hear each
  other are never both elected by majorities of the same voters. It is prolonged for who would get it anew, the best of
  those that ask: voters begin at different times, and votes that come and go in turns would never be enough at once.
  It is not for a worse one, which stands in the way. In its last part (`USE`) not even that is told that it has it,
  since it could not be used in time.
* Who asked in the last ballot is a candidate in this one: with short intervals a ballot is shorter than the time
  between two questions, and each would have ballots of its own.
* A voter that has just begun has forgotten to whom it gave its vote, and gives it to nobody until that has lapsed.
* Intervals are the candidate's: by them it is patient, and may be elected later than a voter with shorter ones thinks.
"""

from __future__ import annotations

from dataclasses import dataclass, field

from haman.election import gate

LEAST = 0.05
"""Seconds that a ballot is open at least: a busy director process is given so long to say that it is active."""

USE = 4.0
"""Intervals. Who has enough votes takes the role within 3.5 of the question: its timer ends 1.5 to 2.5 after it, and
one more later if it is not ready."""

LAPSE = 8.0
"""Intervals, half a second beside: USE, and as much again in which it is said again to who has it."""


@dataclass(frozen=True, slots=True)
class Candidate:
    """interval: seconds, of the active director whose silence it is about, as the candidate heard it."""

    node: str
    priority: int
    ready: bool
    interval: float


@dataclass(frozen=True, slots=True)
class _Given:
    to: str
    until: float


@dataclass(slots=True)
class Ballots:
    """By router: who wants it, while its ballot is open, and to whom the vote was given last. began: when this voter
    did, monotonic seconds."""

    began: float
    _candidates: dict[str, dict[str, Candidate]] = field(default_factory=dict)
    _given: dict[str, _Given] = field(default_factory=dict)
    _lately: dict[str, dict[str, tuple[Candidate, float]]] = field(default_factory=dict)

    def enter(self, router: str, candidate: Candidate) -> bool:
        """Whether that opens the ballot: after `open_for` seconds it is to be closed."""
        opened = router not in self._candidates
        self._candidates.setdefault(router, {})[candidate.node] = candidate
        return opened

    def close(self, router: str, active: str, now: float) -> dict[str, tuple[bool, str]]:
        """By candidate, whether it gets the vote, and why. active: who says that it is active, empty: nobody."""
        candidates = self._candidates.pop(router)
        before = self._lately.get(router, {})
        lately = {name: (each, at) for name, (each, at) in before.items() if now - at <= again(each.interval)}
        lately |= {name: (each, now) for name, each in candidates.items()}
        self._lately[router] = lately
        if active:
            self._given.pop(router, None)  # it was used, or nobody needs it
            self._lately.pop(router, None)
            return dict.fromkeys(candidates, (False, f"{active} says that it is active"))
        if now < self.began + max(lapse(each.interval) for each in candidates.values()):
            return dict.fromkeys(candidates, (False, "it has just begun, and may have given its vote before"))
        given, best = self._given.get(router), max((each for each, _ in lately.values()), key=_worth)
        if given is None or now >= given.until:
            given = self._given[router] = _Given(best.node, now + lapse(best.interval))
        elif given.to == best.node and best.node in candidates:
            given = self._given[router] = _Given(best.node, max(given.until, now + lapse(best.interval)))
        left = given.until - now
        no = False, f"its vote is {given.to}'s for {left:.2g} s more"
        return {
            name: (True, "nobody it reaches is active") if name == given.to and left >= USE * each.interval else no
            for name, each in candidates.items()
        }


def open_for(interval: float, timeout: float) -> float:
    """Seconds. One interval: a vote that is asked for after 1.5 of them is there after 2.5, BEFORE the standby's timer
    ends. timeout: after so long no answer is a no; half of it at most."""
    return min(max(interval, LEAST), timeout / 2)


def again(interval: float) -> float:
    """Seconds that a question counts for after its ballot: each asks again within (`gate.again_at`)."""
    return 1.5 * max(interval, gate.OFTEN)


def lapse(interval: float) -> float:
    """Seconds from when a vote is given."""
    return LAPSE * interval + 0.5


def _worth(candidate: Candidate) -> tuple[bool, int, str]:
    return candidate.ready, candidate.priority, candidate.node
