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
    from collections.abc import Iterable, Mapping

    from haman.health.hysteresis import Health
    from haman.model.services import Service, Target

_CAUSES = {
    State.UP: "servers_up",
    State.DOWN: "no_server_left",
    State.FLOOR: "minimum_up",
    State.UNKNOWN: "not_checked",
}


class Board:
    """adopted: targets the kernel serves when this process starts, with their weights (empty at a cold start)."""

    def __init__(self, services: Mapping[str, Service], adopted: Mapping[Target, int], now: float) -> None:
        self._services = dict(services)
        self._health: dict[Target, Health] = {}
        self._since: dict[str, float] = dict.fromkeys(services, now)
        for service in services.values():
            for target, _ in service.targets():
                if service.check is None:
                    self._health[target] = hysteresis.assumed(now)
                elif target in adopted:
                    asked = adopted[target] if service.check.sets_weight else None
                    self._health[target] = hysteresis.adopted(now, asked)
                else:
                    self._health[target] = hysteresis.cold(now)
        self._weighed = {name: Weighing(service, self._health, now) for name, service in services.items()}
        self._unchecked = {target for target, health in self._health.items() if not health.checked}
        self._reweighed: set[str] = set()
        self._weights = {target: weight for each in self._weighed.values() for target, weight in each.weights.items()}

    def __contains__(self, service: str) -> bool:
        return service in self._weighed

    @property
    def health(self) -> Mapping[Target, Health]:
        return self._health

    @property
    def weights(self) -> Mapping[Target, int | None]:
        """What each server is to have in the kernel: None is "not in the table", 0 is quiesced."""
        return self._weights

    @property
    def unchecked(self) -> int:
        """How many servers no result has confirmed yet."""
        return len(self._unchecked)

    def take_reweighed(self) -> set[str]:
        """The services with weights, or sites with a health, that are others than when this was asked last."""
        taken, self._reweighed = self._reweighed, set()
        return taken

    def knows(self, name: str) -> bool:
        """Is there such a service?"""
        return name in self._weighed

    def service(self, name: str) -> Weighing:
        return self._weighed[name]

    def service_since(self, name: str) -> float:
        """Since when the service is in its state, monotonic seconds."""
        return self._since[name]

    def result(
        self, target: Target, *, passed: bool, words: str, now: float, at: float, weight: int | None = None
    ) -> list[Transition]:
        """One check result. weight: what it asks for, None for the configured one. Returns what changed: the server
        first, then its service."""
        service = self._services[target.service]
        assert service.check is not None, "a service without a check has no results"
        before = self._health[target]
        after = hysteresis.observe(before, service.check, passed=passed, words=words, now=now, weight=weight)
        self._health[target] = after
        reweighed = before.weight != after.weight
        news = before.verdict is not after.verdict or before.checked is not after.checked or reweighed
        if not news and not self._weighed[service.name].held_too_long(target, now):
            return []
        if after.checked:
            self._unchecked.discard(target)
        if service.backups or "@" in service.name:
            self._reweighed.add(service.name)  # which site serves may depend on it, whatever becomes of the weights
        changes = [change for change in (hysteresis.transition(target, before, after, at),) if change]
        if reweighed:
            changes.append(self._reweigh(service, target, before, words, at))
        return changes + self._weigh(service, target, now, at)

    def replace(self, service: Service, health: Mapping[Target, Health], now: float, at: float) -> list[Transition]:
        """`service` is new, or other than before, and its targets begin with `health`. What it had and has no more
        keeps its weight until `forget`, so that a server that only changed its name is never without one."""
        known = self._weighed.get(service.name)
        self._services[service.name] = service
        self._health.update(health)
        for target, each in health.items():
            (self._unchecked.discard if each.checked else self._unchecked.add)(target)
        weighing = self._weighed[service.name] = Weighing(service, self._health, now)
        self._weights.update(weighing.weights)
        if known is None or known.state is not weighing.state:
            self._since[service.name] = now
        return [] if known is None else self._service_change(service, known.state, weighing, at)

    def forget(self, targets: Iterable[Target], services: Iterable[str]) -> None:
        """These are in no configuration any more."""
        for name in services:
            del self._services[name], self._weighed[name], self._since[name]
        for target in targets:
            del self._health[target]
            self._weights.pop(target, None)
            self._unchecked.discard(target)

    def doubt(self, names: Iterable[str]) -> None:
        """This node was cut off from the servers of these services: they are to be checked again before they count as
        checked. Weights stay."""
        for name in names:
            service = self._services[name]
            for target, _ in service.targets() if service.check is not None else ():
                self._health[target] = hysteresis.doubted(self._health[target])
                self._unchecked.add(target)

    def _reweigh(self, service: Service, target: Target, before: Health, words: str, at: float) -> Transition:
        configured = service.servers[target.server].weight
        after = self._health[target]
        return Transition(
            kind=Kind.WEIGHT,
            who=str(target),
            before=str(configured if before.weight is None else before.weight),
            after=str(configured if after.weight is None else after.weight),
            why=words,
            cause="check_weight" if after.weight is not None else "configured_weight",
            at=at,
        )

    def _weigh(self, service: Service, target: Target, now: float, at: float) -> list[Transition]:
        weighing = self._weighed[service.name]
        before = weighing.state
        news = weighing.changed(target, now)
        if any(weight != self._weights[each] for each, weight in news.items()):
            self._weights.update(news)
            self._reweighed.add(service.name)
        if weighing.state is not before:
            self._since[service.name] = now
        return self._service_change(service, before, weighing, at)

    @staticmethod
    def _service_change(service: Service, before: State, weighing: Weighing, at: float) -> list[Transition]:
        if weighing.state is before:
            return []
        return [
            Transition(
                kind=Kind.SERVICE,
                who=service.name,
                before=before.value,
                after=weighing.state.value,
                why=weighing.why,
                cause=_CAUSES[weighing.state],
                at=at,
            )
        ]
