"""May a standby take the role now? What an arbiter has to say about that, and what its silence means.

An arbiter is something beside the directors that tells a dead peer from a cut cable: it is reached from one side of a
cut only. The elector asks (`effects.Ask`), the director process finds out, and what comes back is a Ruling. Pure.

* A question is asked when the first advertisement is overdue by half an interval, so that the answer is there before
  Active_Down expires; and again each interval until the matter is settled.
* A ruling counts only if it answers a question of this very silence: what was found out while the active router still
  spoke says nothing about a cut that came after it.
* A worse router that is heard, and is to be preempted, is another matter than a silence: the question says so, and its
  answer counts for nothing once that one is silent.
* A role that its holder gives away (priority 0) is taken without a question: the holder's own word is better.
* A ruling against it holds the standby back for as long as it is the last word. After that it listens for a whole
  Active_Down_Interval: a line that was mended carries the arbiter's answer sooner than the next advertisement.
* Where nobody answers at all, because there is no director process, the last ruling of any age counts, and if there
  was none, or it was in favour, the role is taken: an arbiter that cannot be asked must not make two failures out of
  one. With `strict` it is not taken.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from haman.election.parameters import PRIORITY_LEAVING

if TYPE_CHECKING:
    from haman.election.states import Standby

UNANSWERED = 2.0
"""Seconds, beside two intervals, after which nobody is expected to answer: a director process that was killed is back
by then, as a rule, and one that lives answers within milliseconds, if only that the arbiter does not."""

OVERDUE = 1.4
"""Intervals after which a router that was heard may be silent: just before the first question about a silence."""

OFTEN = 0.1
"""Seconds between two questions at least."""


@dataclass(frozen=True, slots=True)
class Ruling:
    """asked: when the question was asked that it answers, monotonic seconds. why: words, for an operator."""

    asked: float
    granted: bool
    why: str


@dataclass(frozen=True, slots=True)
class Leave:
    """The standby may take the role. words: what is to be said of it; empty without an arbiter."""

    words: str = ""


@dataclass(frozen=True, slots=True)
class Wait:
    """The answer is not there yet."""


@dataclass(frozen=True, slots=True)
class Refusal:
    words: str


def asked_at(due: float, skew: float, interval: float) -> float:
    """When the first question is due: 1.5 intervals after the last advertisement, if the standby's timer ends at
    `due`."""
    return due - skew - 1.5 * interval


def again_at(asked: float, interval: float) -> float:
    return asked + max(interval, OFTEN)


def is_late(asked: float, interval: float, now: float) -> bool:
    """The next question, asked now: this process stood still, and could hear no answer meanwhile. Nobody's patience
    with one is over yet."""
    return now - asked > 2 * max(interval, OFTEN)


def needed(standby: Standby) -> bool:
    """Not where the active router has given up the role itself."""
    return standby.peer is None or standby.peer.priority != PRIORITY_LEAVING


def judge(
    standby: Standby, ruling: Ruling | None, interval: float, now: float, *, strict: bool
) -> Leave | Wait | Refusal:
    """For a standby that asked. ruling: the last one there was."""
    if standby.first_asked is None:
        return Wait()
    if ruling is not None and ruling.asked >= standby.first_asked:
        return Leave(f"the arbiter agrees: {ruling.why}") if ruling.granted else Refusal(ruling.why)
    if now - standby.first_asked < UNANSWERED + 2 * interval:
        return Wait()
    nobody = f"nobody has answered for the arbiter for {now - standby.first_asked:.3g} s"
    if strict:
        return Refusal(nobody)
    if ruling is not None and not ruling.granted:
        return Refusal(f"{nobody}, and its last word was no: {ruling.why}")
    return Leave(f"{nobody}, so it is not waited for")
