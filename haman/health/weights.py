"""Verdicts of one service's servers -> the weight each gets in the kernel, and the service's own state.

The floor (`minimum_up`) exists against a check that is broken, not against servers that are: when more servers
fail than it allows, some keep their weight although they fail. Six decisions:

* It counts per IPVS service (per front port) and among servers whose weight is not 0.
* Only a server that was up once, or was adopted from the kernel, can be kept. Of one that never answered there is
  no evidence that it ever worked; at a cold start a wrong port would otherwise send clients into the void.
* Kept are the latest to fail: what failed long ago is likelier to be really dead.
* Servers that failed together, within the time one common cause needs to be noticed on all of them, are ranked
  by name. Two directors see the failures of such a wave in different order; ranked by name they keep the same servers.
* When none is left up, the whole last wave is kept, even if the floor is content with less: what fails all at once
  is most often the check, or this director's own network. A director that was cut off then comes back with a
  table that still knows the servers its clients are on.
* When the first server after that is up again, the others of the wave stay for a detection time: they are likely to be
  back too and only their next checks are missing, and taking them out meanwhile would reset their connections.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from enum import Enum
from typing import TYPE_CHECKING

from haman.health.cadence import detection_time
from haman.health.hysteresis import Health, Verdict
from haman.model.services import OnFailure, Target

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from haman.model.services import Floor, Service


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
    """hold_until: monotonic seconds; until then the failing servers in `kept` may be more than the floor needs."""

    kept: list[Target]
    state: State
    why: str
    all_down: bool = False
    hold_until: float | None = None


class Weighing:
    """One service's weights, kept on the level of its servers' health, which it reads from `health`.

    weights: None is "not in the table", 0 is quiesced. Call `changed` for every target whose health has changed, or
    that is `held` for too long: that costs the work of the fronts it is behind, and not of a thousand others.
    """

    def __init__(self, service: Service, health: Mapping[Target, Health], now: float) -> None:
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
        self._window = detection_time(service.check) if service.check else 0.0
        self._fronts = {front: self._judge(front, _Front([], State.UNKNOWN, ""), now) for front in self._servers}
        self._in_state: dict[State, set[int]] = {state: set() for state in State}
        for front, judged in self._fronts.items():
            self._in_state[judged.state].add(front)
        self._holds = False
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

    def held_too_long(self, target: Target, now: float) -> bool:
        """Is `target` kept for the sake of a wave whose time is over?"""
        if not self._holds:  # nearly always, and asked at every result
            return False
        fronts = [self._fronts[front] for front in self._behind[target]]
        return any(each.hold_until is not None and now >= each.hold_until for each in fronts)

    def changed(self, target: Target, now: float) -> Mapping[Target, int | None]:
        """The health of `target` has changed. Returns the weights that may be others now."""
        fronts = self._behind[target]
        for front in fronts:
            self._in_state[self._fronts[front].state].discard(front)
            self._fronts[front] = self._judge(front, self._fronts[front], now)
            self._in_state[self._fronts[front].state].add(front)
        self._holds = any(each.hold_until is not None for each in self._fronts.values())
        self._weigh(fronts)
        return {each: self.weights[each] for front in fronts for each in self._servers[front]}

    def _weigh(self, fronts: Iterable[int]) -> None:
        for front in fronts:
            for target, weight in self._servers[front].items():
                up = self._health[target].verdict is Verdict.UP
                kept = any(target in self._fronts[each].kept for each in self._behind[target])
                self.weights[target] = self._weight(target, weight) if up or kept else self._out

    def _weight(self, target: Target, configured: int) -> int:
        asked = self._health[target].weight
        return configured if asked is None else asked

    def _judge(self, front: int, before: _Front, now: float) -> _Front:
        service, health = self._service, self._health
        targets = [target for target, weight in self._servers[front].items() if self._weight(target, weight) > 0]
        where = f" on port {front}" if len(self._servers) > 1 else ""
        if not targets:
            return _Front([], State.DOWN, f"no server with a weight{where}")
        up = [target for target in targets if health[target].verdict is Verdict.UP]
        missing = needed(service.minimum_up, len(targets)) - len(up)
        waves = self._waves(targets) if missing > 0 else []
        kept = [target for wave in waves for target in wave][: max(missing, 0 if up or not waves else len(waves[0]))]
        hold_until = self._hold(before, up=bool(up), now=now)
        if hold_until is not None:
            kept += [target for target in before.kept if target not in {*kept, *up}]
        count = f"{len(up)} of {len(targets)} servers up{where}"
        if kept:
            names = ", ".join(target.server for target in sorted(kept))
            return _Front(kept, State.FLOOR, f"{count}; minimum_up keeps {names} although failing", not up, hold_until)
        if up:
            return _Front([], State.UP, count)
        if any(not health[target].checked for target in targets):
            return _Front([], State.UNKNOWN, f"no server checked successfully yet{where}")
        return _Front([], State.DOWN, f"no server left{where}: {len(targets)} of {len(targets)} are down")

    def _hold(self, before: _Front, *, up: bool, now: float) -> float | None:
        """Until when the rest of a wave that took all servers is kept beside those that are up again."""
        if not up or not before.kept:
            return None
        if before.all_down:
            return now + self._window
        return before.hold_until if before.hold_until is not None and now < before.hold_until else None

    def _waves(self, targets: list[Target]) -> list[list[Target]]:
        """Failed servers that may be kept, latest wave of failures first, by name within a wave."""
        health = self._health
        failed = [target for target in targets if health[target].verdict is Verdict.DOWN and health[target].proven]
        failed.sort(key=lambda target: health[target].since, reverse=True)
        waves: list[list[Target]] = []
        for target in failed:
            if waves and health[waves[-1][-1]].since - health[target].since <= self._window:
                waves[-1].append(target)
            else:
                waves.append([target])
        return [sorted(wave) for wave in waves]
