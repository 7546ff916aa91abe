"""The same figures under the names of mehdy/keepalived-exporter: dashboards and alerts made for it go on working.

A page of its own (`/metrics/keepalived`), scraped by a job of its own or by none: the names are that exporter's, with
its labels. Of its counters those that count nothing here are 0, as its dashboard adds them up.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from prometheus_client import CollectorRegistry, generate_latest
from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily
from prometheus_client.registry import Collector

from haman.model.transition import Role

if TYPE_CHECKING:
    from collections.abc import Iterator

    from haman.model.elector import RoleReport
    from haman.observe.figures import Figures

STATES = {
    Role.STOPPED: (0, "INIT"),
    Role.STANDBY: (1, "BACKUP"),
    Role.ACTIVE: (2, "MASTER"),
    Role.FAULT: (3, "FAULT"),
}

_COUNTED = {
    "advertisements_received": ("adverts_received",),
    "advertisements_sent": ("adverts_sent",),
    "packet_length_errors": ("refused_too_short",),
    "advertisements_interval_errors": ("mismatch_interval", "refused_interval"),
    "ip_ttl_errors": ("refused_ttl",),
    "invalid_type_received": ("refused_type", "refused_version"),
    "address_list_errors": ("mismatch_addresses",),
    "authentication_invalid": (),
    "authentication_mismatch": ("refused_unsigned", "refused_trailer", "refused_unknown_key"),
    "authentication_failure": ("refused_authentication", "refused_signature", "refused_stale", "refused_replay"),
    "priority_zero_received": ("priority_zero_received",),
    "priority_zero_sent": ("priority_zero_sent",),
}
"""The exporter's counters, and those of the elector that make each."""


def render(figures: Figures) -> bytes:
    """The whole page in Prometheus' text format."""
    registry = CollectorRegistry(auto_describe=False)
    registry.register(_Once(figures))
    return generate_latest(registry)


class _Once(Collector):
    def __init__(self, figures: Figures) -> None:
        self._figures = figures

    def collect(self) -> Iterator[Any]:
        figures = self._figures
        yield GaugeMetricFamily("keepalived_up", "Status", value=1)
        yield self._states()
        for name, sources in _COUNTED.items():
            yield self._counter(name, lambda router, of=sources: sum(self._count(router, each) for each in of))
        yield self._counter("become_master", self._became)
        yield self._counter("release_master", lambda router: figures.tally.releases[router])
        yield self._counter("gratuitous_arp_delay", self._delay)
        yield from self._scripts()

    def _states(self) -> GaugeMetricFamily:
        family = GaugeMetricFamily(
            "keepalived_vrrp_state", "State of vrrp", labels=("iname", "intf", "vrid", "ip_address")
        )
        for report in self._figures.roles:
            router = self._figures.routers.get(report.router)
            if router is None:
                continue
            for address in router.addresses_on(self._figures.node):
                labels = (router.name, address.device, str(router.vrid), str(address.ip))
                family.add_metric(labels, STATES[report.role][0])
        return family

    def _scripts(self) -> Iterator[GaugeMetricFamily]:
        """Every tracker that was judged, of whatever kind: with keepalived a ping or a route is a script as well. A
        look that is going on is not told, so the state is always 0, idle."""
        status = GaugeMetricFamily("keepalived_script_status", "Tracker Script Status", labels=("name",))
        state = GaugeMetricFamily("keepalived_script_state", "Tracker Script State", labels=("name",))
        for name, good in self._figures.trackers:
            status.add_metric((name,), int(good))
            state.add_metric((name,), 0)
        yield status
        yield state

    def _counter(self, name: str, value: Any) -> CounterMetricFamily:
        words = name.replace("_", " ").capitalize()
        family = CounterMetricFamily(f"keepalived_{name}", words, labels=("iname", "intf", "vrid", "state"))
        for report in self._figures.roles:
            labels = self._labels(report)
            if labels is not None:
                family.add_metric(labels, value(report.router))
        return family

    def _labels(self, report: RoleReport) -> tuple[str, str, str, str] | None:
        router = self._figures.routers.get(report.router)
        if router is None:
            return None
        interface = router.members[self._figures.node].interface
        return router.name, interface, str(router.vrid), STATES[report.role][1]

    def _count(self, router: str, name: str) -> int:
        return self._figures.counters.get(router, {}).get(name, 0)

    def _became(self, router: str) -> int:
        roles = self._figures.tally.roles.items()
        return sum(number for (name, role, _), number in roles if (name, role) == (router, Role.ACTIVE.value))

    def _delay(self, router: str) -> float:
        """keepalived's garp_master_delay, in seconds: when the neighbours are told for the last time."""
        return max(self._figures.routers[router].announce.repeat, default=0.0)
