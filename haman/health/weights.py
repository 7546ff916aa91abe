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
    from collections.abc import Iterable, Mapping

    from haman.model.cluster import Floor, Service


class State(Enum):
    """A service's state; with several fronts the worst, in this order."""

    DOWN = "down"
    FLOOR = "floor"
    UNKNOWN = "unknown"
    UP = "up"


def needed(floor: Floor, servers: int) -> int:
    """How many of `servers` the floor wants up. A share is rounded up (50% of 3 is 2), but not by float dust."""
    return min(servers, max(floor.count, math.ceil(floor.share * servers - 1e-9)))


@dataclass(frozen=True, slots=True)
class _Front:
    kept: list[Target]
    state: State
    why: str


class Weighing:
    """One service's weights, kept on the level of its servers' health, which it reads from `health`.

    weights: None is "not in the table", 0 is quiesced. Call `changed` for every target whose health has changed: that
    costs the work of the fronts it is behind, and not of a thousand others.
    """

    def __init__(self, service: Service, health: Mapping[Target, Health]) -> None:
        self._service = service
        self._health = health
        self._out = None if service.on_failure is OnFailure.REMOVE else 0
        self._servers: dict[int, dict[Target, int]] = {
            front: {service.target(server, front): server.weight for server in service.servers.values()}
            for front in service.fronts
        }
        self._behind: dict[Target, list[int]] = {}
        for front, servers in self._servers.items():
            for target in servers:
                self._behind.setdefault(target, []).append(front)
        self._fronts = {front: self._judge(front) for front in self._servers}
        self._in_state: dict[State, set[int]] = {state: set() for state in State}
        for front, judged in self._fronts.items():
            self._in_state[judged.state].add(front)
        self.weights: dict[Target, int | None] = {}
        self._weigh(self._servers)

    @property
    def state(self) -> State:
        return next(state for state in State if self._in_state[state])

    @property
    def why(self) -> str:
        """In words, of the first front that is in the service's state."""
        worst = self._in_state[self.state]
        return self._fronts[next(front for front in self._fronts if front in worst)].why

    @property
    def kept(self) -> frozenset[Target]:
        """Serving only because of the floor."""
        return frozenset(target for front in self._fronts.values() for target in front.kept)

    def changed(self, target: Target) -> Mapping[Target, int | None]:
        """The health of `target` has changed. Returns the weights that may be others now."""
        fronts = self._behind[target]
        for front in fronts:
            self._in_state[self._fronts[front].state].discard(front)
            self._fronts[front] = self._judge(front)
            self._in_state[self._fronts[front].state].add(front)
        self._weigh(fronts)
        return {each: self.weights[each] for front in fronts for each in self._servers[front]}

    def _weigh(self, fronts: Iterable[int]) -> None:
        for front in fronts:
            for target, weight in self._servers[front].items():
                up = self._health[target].verdict is Verdict.UP
                kept = any(target in self._fronts[each].kept for each in self._behind[target])
                self.weights[target] = weight if up or kept else self._out

    def _judge(self, front: int) -> _Front:
        service, health = self._service, self._health
        targets = [target for target, weight in self._servers[front].items() if weight > 0]
        where = f" on port {front}" if len(self._servers) > 1 else ""
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
