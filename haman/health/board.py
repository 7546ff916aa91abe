"""The health of every server of a cluster: results go in, transitions and changed weights come out.

The board decides at once and completely: after `result` returns, `weights` is what the kernel should hold. It
does not know how results come about, nor who writes the weights anywhere.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from haman.health import hysteresis
from haman.health.weights import State, Weighing
from haman.model.transition import Kind, Transition

if TYPE_CHECKING:
    from collections.abc import Container, Mapping

    from haman.health.hysteresis import Health
    from haman.model.cluster import Service, Target

_CAUSES = {
    State.UP: "servers_up",
    State.DOWN: "no_server_left",
    State.FLOOR: "minimum_up",
    State.UNKNOWN: "not_checked",
}


class Board:
    """adopted: targets the kernel serves when this process starts (empty at a cold start)."""

    def __init__(self, services: Mapping[str, Service], adopted: Container[Target], now: float) -> None:
        self._services = services
        self._health: dict[Target, Health] = {}
        self._since: dict[str, float] = dict.fromkeys(services, now)
        for service in services.values():
            for target, _ in service.targets():
                if service.check is None:
                    self._health[target] = hysteresis.assumed(now)
                elif target in adopted:
                    self._health[target] = hysteresis.adopted(now)
                else:
                    self._health[target] = hysteresis.cold(now)
        self._weighed = {name: Weighing(service, self._health) for name, service in services.items()}
        self._weights = {target: weight for each in self._weighed.values() for target, weight in each.weights.items()}

    @property
    def health(self) -> Mapping[Target, Health]:
        return self._health

    @property
    def weights(self) -> Mapping[Target, int | None]:
        """What each server is to have in the kernel: None is "not in the table", 0 is quiesced."""
        return self._weights

    def service(self, name: str) -> Weighing:
        return self._weighed[name]

    def service_since(self, name: str) -> float:
        """Since when the service is in its state, monotonic seconds."""
        return self._since[name]

    def result(self, target: Target, *, passed: bool, words: str, now: float, at: float) -> list[Transition]:
        """One check result. Returns what changed: the server first, then its service."""
        service = self._services[target.service]
        assert service.check is not None, "a service without a check has no results"
        before = self._health[target]
        after = hysteresis.observe(before, service.check, passed=passed, words=words, now=now)
        if after is before:
            return []
        self._health[target] = after
        if before.verdict is after.verdict and before.checked:
            return []
        changes = [change for change in (hysteresis.transition(target, before, after, at),) if change]
        return changes + self._weigh(service, target, now, at)

    def _weigh(self, service: Service, target: Target, now: float, at: float) -> list[Transition]:
        weighing = self._weighed[service.name]
        before = weighing.state
        self._weights.update(weighing.changed(target))
        after = weighing.state
        if before is after:
            return []
        self._since[service.name] = now
        return [
            Transition(
                kind=Kind.SERVICE,
                who=service.name,
                before=before.value,
                after=after.value,
                why=weighing.why,
                cause=_CAUSES[after],
                at=at,
            )
        ]
