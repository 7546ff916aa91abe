"""Plays one story to its end, or until an invariant is violated."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from haman.simulation import deeds
from haman.simulation.invariants import Watch
from haman.simulation.world import Violation, World

if TYPE_CHECKING:
    from collections.abc import Callable

    from haman.simulation.story import Deed, Story

STEPS = 3_000_000
"""No story needs more: beyond it somebody keeps the network busy without end."""


@dataclass(frozen=True, slots=True)
class Played:
    """violation: in words; None: all invariants held. invariant: its name. trace: what happened, a line each."""

    failovers: int
    violation: str | None
    invariant: str | None
    trace: tuple[str, ...]
    seconds: float


def play(story: Story) -> Played:
    """The same story gives the same trace. Raises BadStory."""
    world = World(story.setup, story.seed)
    for deed in story.deeds:
        world.timeline.at(deed.at, _doing(world, deed))
    watch = Watch(world)
    found: Violation | None = None
    try:
        steps, timeline = 0, world.timeline
        while timeline.step(story.end):
            if world.version != watch.version or timeline.now >= watch.due:
                watch.look()
            steps += 1
            if steps > STEPS:
                world.violate("no flood", f"more than {STEPS:,} steps")
        watch.look()
    except Violation as violation:
        found = violation
    finally:
        world.close()
    invariant = None if found is None else found.invariant
    return Played(world.failovers, None if found is None else str(found), invariant, tuple(world.trace), world.now)


def _doing(world: World, deed: Deed) -> Callable[[], None]:
    return lambda: deeds.do(world, deed.words)
