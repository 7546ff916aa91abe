"""Verdicts of one service's servers -> the weight each gets in the kernel, and the service's own state.

The floor (`minimum_up`) exists against a check that is broken, not against servers that are: when more servers
fail than it allows, some keep their weight although they fail. Four decisions:

* It counts per IPVS service (per front port) and among servers whose configured weight is not 0.
* Only a server that was up once, or was adopted from the kernel, can be kept. Of one that never answered there is
  no evidence that it ever worked; at a cold start a wrong port would otherwise send clients into the void.
* Kept are the latest to fail: what failed long ago is likelier to be really dead.
* Servers that failed together, within the time one common cause needs to be noticed on all of them, are ranked
  by name. Two directors see the failures of such a wave in different order; ranked by name they keep the same servers.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from enum import Enum
from typing import TYPE_CHECKING

from haman.health.cadence import detection_time
from haman.health.hysteresis import Health, Verdict
from haman.model.cluster import OnFailure, Target

if TYPE_CHECKING:
    from collections.abc import Mapping

    from haman.model.cluster import Floor, Service


class State(Enum):
    """A service's state; with several fronts the worst, in this order."""

    DOWN = "down"
    FLOOR = "floor"
    UNKNOWN = "unknown"
    UP = "up"


@dataclass(frozen=True, slots=True, kw_only=True)
class Weighing:
    """weights: None is "not in the table", 0 is quiesced. kept: serving only because of the floor."""

    weights: Mapping[Target, int | None]
    kept: frozenset[Target]
    state: State
    why: str


def needed(floor: Floor, servers: int) -> int:
    """How many of `servers` the floor wants up. A share is rounded up (50% of 3 is 2), but not by float dust."""
    return min(servers, max(floor.count, math.ceil(floor.share * servers - 1e-9)))


def weigh(service: Service, health: Mapping[Target, Health]) -> Weighing:
    """Weights for every target of `service`. `health` holds at least those."""
    fronts = [_front(service, front, health) for front in service.fronts]
    kept = frozenset(target for front in fronts for target in front.kept)
    out = None if service.on_failure is OnFailure.REMOVE else 0
    weights = {
        target: server.weight if health[target].verdict is Verdict.UP or target in kept else out
        for target, server in service.targets()
    }
    worst = min(fronts, key=lambda front: list(State).index(front.state))
    return Weighing(weights=weights, kept=kept, state=worst.state, why=worst.why)


@dataclass(frozen=True, slots=True)
class _Front:
    kept: list[Target]
    state: State
    why: str


def _front(service: Service, front: int, health: Mapping[Target, Health]) -> _Front:
    targets = [service.target(server, front) for server in service.servers.values() if server.weight > 0]
    where = f" on port {front}" if len(service.fronts) > 1 else ""
    if not targets:
        return _Front([], State.DOWN, f"no server with a weight{where}")
    up = [target for target in targets if health[target].verdict is Verdict.UP]
    missing = needed(service.minimum_up, len(targets)) - len(up)
    kept = _latest(service, targets, health)[:missing] if missing > 0 else []
    count = f"{len(up)} of {len(targets)} servers up{where}"
    if kept:
        names = ", ".join(target.server for target in sorted(kept))
        return _Front(kept, State.FLOOR, f"{count}; minimum_up keeps {names} although failing")
    if up:
        return _Front([], State.UP, count)
    if any(not health[target].checked for target in targets):
        return _Front([], State.UNKNOWN, f"no server checked successfully yet{where}")
    return _Front([], State.DOWN, f"no server left{where}: {len(targets)} of {len(targets)} are down")


def _latest(service: Service, targets: list[Target], health: Mapping[Target, Health]) -> list[Target]:
    """Failed servers that may be kept, latest wave of failures first, by name within a wave."""
    failed = [target for target in targets if health[target].verdict is Verdict.DOWN and health[target].proven]
    failed.sort(key=lambda target: health[target].since, reverse=True)
    window = detection_time(service.check) if service.check else 0.0
    waves: list[list[Target]] = []
    for target in failed:
        if waves and health[waves[-1][-1]].since - health[target].since <= window:
            waves[-1].append(target)
        else:
            waves.append([target])
    return [target for wave in waves for target in sorted(wave)]
