"""The metrics page, filled from what the director knows. Which metrics there are is in `families`.

Filling reads Figures, a value taken on the loop, so rendering may happen in a thread while the world moves on.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from prometheus_client import CollectorRegistry, ProcessCollector, generate_latest
from prometheus_client.core import InfoMetricFamily
from prometheus_client.registry import Collector

from haman import __version__
from haman.model.transition import Role
from haman.observe.families import FAMILIES
from haman.observe.tally import TAKEOVER_BUCKETS, Histogram

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping, Sequence

    from haman.observe.figures import Figures

SERVICE_STATES = ("up", "floor", "down", "unknown")
_FAMILY = {family.name: family for family in FAMILIES}


def render(figures: Figures) -> bytes:
    """The whole page in Prometheus' text format. Some 5 microseconds per sample: call it in a thread."""
    registry = CollectorRegistry(auto_describe=False)
    registry.register(_Once(figures))
    ProcessCollector(registry=registry)
    return generate_latest(registry)


class _Once(Collector):
    def __init__(self, figures: Figures) -> None:
        self._figures = figures

    def collect(self) -> Iterator[Any]:
        given = dict(_fill(self._figures))
        assert given.keys() == _FAMILY.keys(), given.keys() ^ _FAMILY.keys()
        yield from given.values()


def _fill(figures: Figures) -> Iterator[tuple[str, Any]]:
    build = {"version": __version__, "node": figures.node, "cluster": figures.cluster}
    yield "haman_build", InfoMetricFamily("haman_build", _FAMILY["haman_build"].help, value=build)
    yield _plain("haman_config_generation", figures.generation)
    yield _plain("haman_config_loaded_timestamp_seconds", figures.loaded_at)
    yield from _routers(figures)
    yield from _elector(figures.counters)
    yield from _services(figures)
    yield from _checks(figures)
    yield from _rest(figures)


def _routers(figures: Figures) -> Iterator[tuple[str, Any]]:
    roles = figures.roles
    waiting = figures.waiting
    yield _labelled(
        "haman_router_role",
        (((r.router, role.value), float(r.role is role)) for r in roles for role in Role),
    )
    yield _labelled("haman_router_priority", (((r.router,), r.priority) for r in roles))
    yield _labelled("haman_router_holds", (((r.router,), float(r.holds)) for r in roles))
    yield _labelled("haman_router_ready", (((r.router,), float(r.router not in waiting)) for r in roles))
    yield _labelled("haman_router_transitions", figures.tally.roles.items())
    family = _family("haman_takeover_seconds")
    for router, histogram in figures.tally.takeovers.items():
        family.add_metric([router], buckets=_buckets(histogram), sum_value=histogram.total)
    yield "haman_takeover_seconds", family


def _elector(counters: Mapping[str, Mapping[str, int]]) -> Iterator[tuple[str, Any]]:
    adverts, announcements, refused, mismatches = [], [], [], []
    for where, counts in counters.items():
        for name, value in counts.items():
            if name.startswith("refused_"):
                refused.append(((where, name.removeprefix("refused_")), value))
            elif name.startswith("mismatch_"):
                mismatches.append(((where, name.removeprefix("mismatch_")), value))
            elif name == "announcements_sent":
                announcements.append(((where,), value))
            else:
                adverts.append(((where, name.removeprefix("adverts_")), value))
    yield _labelled("haman_adverts", adverts)
    yield _labelled("haman_announcements", announcements)
    yield _labelled("haman_packets_refused", refused)
    yield _labelled("haman_advert_mismatches", mismatches)


def _services(figures: Figures) -> Iterator[tuple[str, Any]]:
    states = (((name, each), float(each == state)) for name, state in figures.services for each in SERVICE_STATES)
    yield _labelled("haman_service_state", states)
    servers = [((t.service, t.server, str(t.port)), up, weight) for t, up, weight in figures.servers]
    yield _labelled("haman_server_up", ((labels, float(up)) for labels, up, _ in servers))
    yield _labelled("haman_server_weight", ((labels, weight or 0) for labels, _, weight in servers))


def _checks(figures: Figures) -> Iterator[tuple[str, Any]]:
    checks = figures.tally.checks
    yield _labelled(
        "haman_checks",
        (
            ((*labels, outcome), count)
            for labels, asked in checks.items()
            for outcome, count in sorted(asked.outcomes.items())
        ),
    )
    family = _family("haman_check_seconds")
    for labels, asked in checks.items():
        family.add_metric(labels, count_value=asked.outcomes.total(), sum_value=asked.total)
    yield "haman_check_seconds", family
    yield _labelled("haman_check_latest_seconds", ((labels, asked.latest) for labels, asked in checks.items()))
    yield _plain("haman_checks_in_flight", figures.in_flight)
    yield _plain("haman_check_lateness_seconds", figures.check_lateness)


def _rest(figures: Figures) -> Iterator[tuple[str, Any]]:
    tally = figures.tally
    yield _labelled("haman_drift_repairs", (((found,), count) for found, count in tally.drift.items()))
    yield _plain("haman_kernel_refusals", tally.refusals)
    yield _plain("haman_kernel_refused_now", figures.refused)
    yield _plain("haman_kernel_ipvs_available", float(figures.ipvs_available))
    yield _labelled("haman_hooks", tally.hooks.items())
    yield _labelled("haman_hook_exit_status", tally.hook_status.items())
    yield _plain("haman_hooks_superseded", tally.hooks_superseded)
    yield _labelled("haman_transitions", tally.transitions.items())
    yield _labelled("haman_loop_lag_seconds", (((process,), lag) for process, lag in figures.lag.items()))
    yield _plain("haman_elector_heartbeat_age_seconds", figures.heartbeat_age)


def _family(name: str) -> Any:
    family = _FAMILY[name]
    return family.kind(name, family.help, labels=family.labels)


def _labelled(name: str, samples: Iterable[tuple[Sequence[str], float]]) -> tuple[str, Any]:
    family = _family(name)
    for labels, value in samples:
        family.add_metric(labels, value)
    return name, family


def _plain(name: str, value: float) -> tuple[str, Any]:
    family = _FAMILY[name]
    return name, family.kind(name, family.help, value=value)


def _buckets(histogram: Histogram) -> list[tuple[str, float]]:
    """Prometheus counts upwards: each bucket holds what is not longer than its bound."""
    bounds = [*(str(bound) for bound in TAKEOVER_BUCKETS), "+Inf"]
    return [(bound, sum(histogram.counts[: place + 1])) for place, bound in enumerate(bounds)]
