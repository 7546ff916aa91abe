"""The metrics page, filled from what the director knows. Which metrics there are is in `families`.

Filling reads Figures, a value taken on the loop, so rendering may happen in a thread while the world moves on.
"""

from __future__ import annotations

from itertools import accumulate
from typing import TYPE_CHECKING, Any

from prometheus_client import CollectorRegistry, ProcessCollector, generate_latest
from prometheus_client.core import InfoMetricFamily
from prometheus_client.registry import Collector

from haman import __version__
from haman.model.transition import Role
from haman.observe.families import FAMILIES

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping, Sequence

    from haman.observe.figures import Figures
    from haman.observe.tally import Histogram

DRIFT = ("missing", "changed", "unexpected")
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
    yield _plain("haman_config_reload_successful", float(figures.reload_ok))
    yield _plain("haman_config_reload_timestamp_seconds", figures.reloaded_at)
    yield from _routers(figures)
    yield from _elector(figures)
    yield from _services(figures)
    yield from _checks(figures)
    yield from _traffic(figures)
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
    yield _histograms("haman_takeover_seconds", figures.tally.takeovers)
    yield _histograms("haman_takeover_confirmed_seconds", figures.tally.confirmations)
    owners = {r.router: 0 if r.confirmation is None else len(r.confirmation.owners) for r in roles}
    yield _labelled("haman_second_owners", (((router,), number) for router, number in owners.items()))


def _elector(figures: Figures) -> Iterator[tuple[str, Any]]:
    counters = figures.counters
    adverts, announcements, refused, mismatches = [], [], [], []
    for where, counts in counters.items():
        for name, value in counts.items():
            if name.startswith("refused_"):
                refused.append(((where, name.removeprefix("refused_")), value))
            elif name.startswith("mismatch_"):
                mismatches.append(((where, name.removeprefix("mismatch_")), value))
            elif name == "announcements_sent":
                announcements.append(((where,), value))
            elif name == "rivals_heard":
                continue
            else:
                adverts.append(((where, name.removeprefix("adverts_")), value))
    yield _labelled("haman_adverts", adverts)
    yield _labelled("haman_announcements", announcements)
    # From 0 on: of a counter that first appears as 1, Prometheus sees no increase.
    rivals = {report.router: counters.get(report.router, {}).get("rivals_heard", 0) for report in figures.roles}
    yield _labelled("haman_rivals", (((router,), number) for router, number in rivals.items()))
    yield _labelled("haman_router_split_brain", (((router,), float(two)) for router, two in figures.splits.items()))
    reached = [] if figures.arbiter is None else [((), float(figures.arbiter))]
    yield _labelled("haman_arbiter_reached", reached)
    yield _labelled("haman_router_held", (((r.router,), float(r.held is not None)) for r in figures.roles))
    yield _labelled("haman_split_brains", (((router,), figures.tally.splits[router]) for router in figures.splits))
    yield _labelled("haman_packets_refused", refused)
    yield _labelled("haman_advert_mismatches", mismatches)
    yield _labelled("haman_channel_refused", figures.channel_refused.items())


def _services(figures: Figures) -> Iterator[tuple[str, Any]]:
    states = (((name, each), float(each == state)) for name, state in figures.services for each in SERVICE_STATES)
    yield _labelled("haman_service_state", states)
    yield _labelled("haman_service_site", (((name, site), float(serves)) for name, site, serves in figures.sites))
    yield from _relays(figures)
    yield _labelled("haman_service_differing_servers", (((name,), count) for name, count in figures.differing.items()))
    servers = [((t.service, t.server, str(t.port)), up, weight, why) for t, up, weight, why in figures.servers]
    yield _labelled("haman_server_up", ((labels, float(up)) for labels, up, _, _ in servers))
    yield _labelled("haman_server_weight", ((labels, weight or 0) for labels, _, weight, _ in servers))
    yield _labelled("haman_server_reason", (((*labels, why), 1) for labels, _, _, why in servers))


def _relays(figures: Figures) -> Iterator[tuple[str, Any]]:
    ways = figures.relays.items()
    yield _labelled("haman_relay_sessions", (((name,), each["sessions"]) for name, each in ways))
    yield _labelled("haman_relay_sessions_begun", (((name,), each["total"]) for name, each in ways))
    yield _labelled(
        "haman_relay_bytes",
        (((name, direction), each[f"bytes_{direction}"]) for name, each in ways for direction in ("up", "down")),
    )
    yield _labelled("haman_relay_waiting_bytes", (((name,), each["held"]) for name, each in ways))
    yield _labelled(
        "haman_relay_refused",
        (((name, reason), count) for name, each in ways for reason, count in each["refused"].items()),
    )


def _traffic(figures: Figures) -> Iterator[tuple[str, Any]]:
    traffic = figures.traffic
    yield _plain("haman_ipvs_counters_available", float(traffic is not None))
    for prefix, counted in (
        ("haman_ipvs_service", {} if traffic is None else traffic.services),
        ("haman_ipvs_server", {} if traffic is None else traffic.servers),
    ):
        every = [(tuple(map(str, names)), each) for names, each in counted.items()]
        yield _labelled(f"{prefix}_connections", ((labels, each.connections) for labels, each in every))
        for what in ("packets", "bytes"):
            yield _labelled(
                f"{prefix}_{what}",
                (((*labels, way), getattr(each, f"{what}_{way}")) for labels, each in every for way in ("in", "out")),
            )
    servers = [] if traffic is None else [(tuple(map(str, names)), each) for names, each in traffic.servers.items()]
    states = ("active", "inactive", "persistent")
    yield _labelled(
        "haman_ipvs_server_connections_now",
        (((*labels, state), getattr(each, state)) for labels, each in servers for state in states),
    )
    yield _labelled("haman_sync_daemon_running", (((role,), float(runs)) for role, runs in figures.daemons.items()))
    counts = figures.connections.items()
    yield _labelled("haman_sync_connections_held", (((router,), float(held)) for router, (held, _) in counts))
    yield _labelled(
        "haman_sync_connections_active",
        (((router,), float(theirs)) for router, (_, theirs) in counts if theirs is not None),
    )


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
    yield _histograms("haman_service_check_seconds", figures.tally.latencies)
    yield _labelled("haman_check_latest_seconds", ((labels, asked.latest) for labels, asked in checks.items()))
    yield _labelled(
        "haman_check_certificate_end_timestamp_seconds",
        ((labels, asked.certificate_ends) for labels, asked in checks.items() if asked.certificate_ends is not None),
    )
    yield _plain("haman_checks_in_flight", figures.in_flight)
    yield _plain("haman_check_lateness_seconds", figures.check_lateness)


def _rest(figures: Figures) -> Iterator[tuple[str, Any]]:
    tally = figures.tally
    yield _labelled("haman_drift_repairs", (((found,), tally.drift[found]) for found in DRIFT))
    yield _plain("haman_kernel_refusals", tally.refusals)
    yield _plain("haman_kernel_refused_now", figures.refused)
    yield _plain("haman_maintenance", float(figures.maintenance))
    yield _plain("haman_kernel_ipvs_available", float(figures.ipvs_available))
    yield _labelled("haman_hooks", tally.hooks.items())
    yield _labelled("haman_hook_exit_status", tally.hook_status.items())
    seconds = _family("haman_hook_seconds")
    for labels, (runs, total) in tally.hook_seconds.items():
        seconds.add_metric(labels, count_value=runs, sum_value=total)
    yield "haman_hook_seconds", seconds
    yield _plain("haman_hooks_superseded", tally.hooks_superseded)
    yield _plain("haman_hooks_waiting", figures.hooks_waiting)
    yield _labelled("haman_tracker_up", (((name,), up) for name, up in figures.trackers))
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


def _histograms(name: str, histograms: Mapping[str, Histogram]) -> tuple[str, Any]:
    family = _family(name)
    for label, histogram in histograms.items():
        family.add_metric([label], buckets=_buckets(histogram), sum_value=histogram.total)
    return name, family


def _buckets(histogram: Histogram) -> list[tuple[str, float]]:
    """Prometheus counts upwards: each bucket holds what is not longer than its bound."""
    bounds = [*(str(bound) for bound in histogram.bounds), "+Inf"]
    return list(zip(bounds, accumulate(histogram.counts), strict=True))
