"""Which drills and stories a command line means, with what is planted: names to work, or what is wrong with them."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from haman.errors import LabError
from haman.lab import session
from haman.lab.drills.table import TABLE
from haman.lab.plants import PLANTS
from haman.lab.stories.table import STORIES, performances

if TYPE_CHECKING:
    from collections.abc import Sequence

    from haman.lab.session import Task
    from haman.lab.stories.table import Performance

FAILOVER, STORY, ALL = "failover", "stories", "all"
"""Names of many: every failover drill, every story, both."""


@dataclass(frozen=True, slots=True)
class Choice:
    """Names of drills and stories, each in its table's order."""

    drills: tuple[str, ...]
    stories: tuple[str, ...]


def choose(names: Sequence[str]) -> Choice:
    """Errors: LabError for a name that is none, with those there are."""
    drills = [entry.drill.name for entry in TABLE]
    stories = [story.name for story in STORIES]
    if unknown := sorted(set(names) - {*drills, *stories, FAILOVER, STORY, ALL}):
        there = ", ".join([*sorted([*drills, *stories]), FAILOVER, STORY, ALL])
        raise LabError(f"no such drill: {', '.join(unknown)}; there are {there}")
    return Choice(
        tuple(drill for drill in drills if {drill, FAILOVER, ALL} & set(names)),
        tuple(story for story in stories if {story, STORY, ALL} & set(names)),
    )


def work(
    choice: Choice, advert: str | None = None, plant: str = "", software: str = "haman"
) -> tuple[list[Task], list[Performance]]:
    """What is to be done. Errors: LabError where the options do not fit each other."""
    if choice.stories and (advert or software != "haman"):
        raise LabError(f"--advert and --software are for drills of {FAILOVER}, not for {', '.join(choice.stories)}")
    known = sorted({*PLANTS, *(plant for story in STORIES for plant in story.plants)})
    if plant and plant not in known:
        raise LabError(f"no such planted fault: {plant}; there are {', '.join(known)}")
    noticing = [entry.drill.name for entry in TABLE if not plant or plant in entry.drill.plants]
    drills = [drill for drill in choice.drills if drill in noticing]
    stories = performances(choice.stories, plant)
    if not drills and not stories:
        raise LabError(f"none of these drills is about the planted fault {plant}")
    return (session.tasks(drills, advert, plant) if drills else []), stories
