"""What directors ask each other about one router when its active director has fallen silent: the vote of the third.

`wire.standing` turns it into datagrams.
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import Enum


class Wanted(Enum):
    """THERE: nothing but an answer. VOTE: may the asker take this router? ACTIVE: is the one asked active for it?"""

    THERE = "there"
    VOTE = "vote"
    ACTIVE = "active"


@dataclass(frozen=True, slots=True, kw_only=True)
class Poll:
    """A question of director `node`. number: nobody can guess it, and the answer repeats it: one that was said to
    another question, or is played back, answers nothing. router: empty where it is about none. priority: of the asker,
    there. ready: has it all that it needs to serve it, and does it reach the arbiter as far as it knows? interval:
    seconds between two advertisements of whoever was active, by which it is patient; 0 where it wants no vote. life,
    heard: of the director that is asked, and the number of what it said last, as the asker knows it: a question that is
    played back later, or to another director, does not know it."""

    cluster: str
    node: str
    number: int
    wanted: Wanted
    router: str = ""
    priority: int = 0
    ready: bool = False
    interval: float = 0.0
    life: int = 0
    heard: int = 0


@dataclass(frozen=True, slots=True, kw_only=True)
class Vote:
    """The answer of director `node` to the poll of that number. why: in words."""

    cluster: str
    node: str
    number: int
    yes: bool
    why: str = ""
