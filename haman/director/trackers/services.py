"""A virtual service of the configuration: what the checks have made of it."""

from __future__ import annotations

from typing import TYPE_CHECKING

from haman.director.trackers.judge import Look
from haman.health.weights import State

if TYPE_CHECKING:
    from collections.abc import AsyncGenerator, Callable

    from haman.director.trackers.bell import Bell
    from haman.health.weights import Weighing
    from haman.model.trackers import ServiceWatch, Tracker


async def looks(
    tracker: Tracker, watch: ServiceWatch, weighing: Callable[[str], Weighing | None], bell: Bell
) -> AsyncGenerator[Look, None]:
    """Whenever the bell rings, and every `interval`; none before a check has answered."""
    while True:
        weighed = weighing(watch.service)
        if weighed is not None and weighed.state is not State.UNKNOWN:
            # Kept up by its floor it goes on: its check is more likely wrong than all of its servers.
            yield Look(weighed.state is not State.DOWN, weighed.why)
        await bell.wait(tracker.interval)
