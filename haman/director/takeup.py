"""Health and checks of a new configuration's services, put in place of the old ones, a little in each turn of the loop.

Services are complete one by one, so results that come in between find what they need. Targets that are in no
configuration any more keep their weights meanwhile: what they lose them for is the new table, in one plan.
"""

from __future__ import annotations

import asyncio
import time
from typing import TYPE_CHECKING

from haman.director.inheritance import same_question
from haman.health import hysteresis

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

    from haman.director.checks import Checks
    from haman.director.loading import Change
    from haman.health.board import Board
    from haman.health.hysteresis import Health
    from haman.model.services import Service, Target
    from haman.model.transition import Transition

CHUNK = 100
"""Targets in a row before the loop may do something else (some milliseconds)."""


async def take_up(change: Change, board: Board, checks: Checks) -> AsyncIterator[Transition]:
    """Gives what changed by it: services whose state is another with their new servers."""
    old = {service.name: service for service in change.gone}
    count = 0
    for service in change.services:
        for transition in board.replace(service, _health(change, service, old, board), time.monotonic(), time.time()):
            yield transition
        checks.add([service])
        if (count := count + len(service.servers) * len(service.fronts)) >= CHUNK:
            count = 0
            await give_way()
    for service in change.gone:
        checks.remove(service)
        if (count := count + len(service.servers) * len(service.fronts)) >= CHUNK:
            count = 0
            await give_way()
    checks.resize()


async def give_way() -> None:
    """One turn of the loop for the others."""
    await asyncio.sleep(0)


def _health(change: Change, service: Service, old: dict[str, Service], board: Board) -> dict[Target, Health]:
    now = time.monotonic()
    found = {}
    for target, _ in service.targets():
        heir = change.heirs.get(target)
        if heir is not None:
            before = old[heir.service]
            found[target] = hysteresis.inherited(
                board.health[heir],
                service.check,
                had_check=before.check is not None,
                same_question=same_question(before, heir, service, target),
                now=now,
            )
        elif service.check is None:
            found[target] = hysteresis.assumed(now)
        elif target in change.serves:
            asked = change.serves[target] if service.check.sets_weight else None
            found[target] = hysteresis.adopted(now, asked)
        else:
            found[target] = hysteresis.cold(now)
    return found
