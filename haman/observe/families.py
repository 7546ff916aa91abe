"""The metrics' names and meanings in one table: the only place where a name is declared, and the page made from it."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from prometheus_client.core import (
    CounterMetricFamily,
    GaugeMetricFamily,
    HistogramMetricFamily,
    InfoMetricFamily,
    SummaryMetricFamily,
)


@dataclass(frozen=True, slots=True)
class Family:
    """name: as exposed, with its unit but without Prometheus' suffixes (_total, _info, _bucket)."""

    name: str
    kind: type[Any]
    labels: tuple[str, ...]
    help: str


FAMILIES = (
    Family("haman_build", InfoMetricFamily, (), "Version of haman, this director's name, the cluster's name."),
    Family("haman_config_generation", GaugeMetricFamily, (), "Configurations this director process has taken."),
    Family("haman_config_loaded_timestamp_seconds", GaugeMetricFamily, (), "When it took the current one."),
    Family(
        "haman_router_role",
        GaugeMetricFamily,
        ("router", "role"),
        "1 for the role this director has in the virtual router, 0 for the others.",
    ),
    Family("haman_router_priority", GaugeMetricFamily, ("router",), "Priority now, penalties included."),
    Family(
        "haman_router_holds",
        GaugeMetricFamily,
        ("router",),
        "1 while the VIPs are on the NIC (a standby that lingers still holds them).",
    ),
    Family(
        "haman_router_ready",
        GaugeMetricFamily,
        ("router",),
        "1 when this director may preempt: its table is loaded and every server has been checked once.",
    ),
    Family(
        "haman_router_transitions",
        CounterMetricFamily,
        ("router", "role", "cause"),
        "Changes of role, by the role entered and why.",
    ),
    Family(
        "haman_takeover_seconds",
        HistogramMetricFamily,
        ("router",),
        "From the election's decision to the last first-round announcement sent.",
    ),
    Family(
        "haman_adverts",
        CounterMetricFamily,
        ("router", "kind"),
        "VRRP advertisements: sent, send_failed, received, and among them priority_zero_sent, priority_zero_received.",
    ),
    Family("haman_announcements", CounterMetricFamily, ("router",), "Gratuitous ARP frames sent."),
    Family(
        "haman_packets_refused",
        CounterMetricFamily,
        ("where", "reason"),
        "VRRP packets that were not believed, by router or, where none could be told, `interface NAME`.",
    ),
    Family(
        "haman_advert_mismatches",
        CounterMetricFamily,
        ("router", "what"),
        "Advertisements taken although the sender's configuration differs from ours: addresses, interval.",
    ),
    Family("haman_service_state", GaugeMetricFamily, ("service", "state"), "1 for the service's state, else 0."),
    Family("haman_server_up", GaugeMetricFamily, ("service", "server", "port"), "1 when the last verdict is up."),
    Family(
        "haman_server_weight",
        GaugeMetricFamily,
        ("service", "server", "port"),
        "Weight the kernel is to have; 0 also for a server that is not in its table.",
    ),
    Family(
        "haman_checks",
        CounterMetricFamily,
        ("address", "port", "probe", "outcome"),
        "Checks made. One check serves every service that asks the same of the same server.",
    ),
    Family("haman_check_seconds", SummaryMetricFamily, ("address", "port", "probe"), "How long checks took."),
    Family("haman_check_latest_seconds", GaugeMetricFamily, ("address", "port", "probe"), "How long the last took."),
    Family("haman_checks_in_flight", GaugeMetricFamily, (), "Checks that wait for an answer."),
    Family(
        "haman_check_lateness_seconds",
        GaugeMetricFamily,
        (),
        "For how long the check that should have started first has been waiting for its turn.",
    ),
    Family(
        "haman_drift_repairs",
        CounterMetricFamily,
        ("found",),
        "Repaired IPVS objects that somebody else had removed (missing), changed, or added (unexpected).",
    ),
    Family("haman_kernel_refusals", CounterMetricFamily, (), "Operations the kernel refused."),
    Family("haman_kernel_refused_now", GaugeMetricFamily, (), "Operations that are wanted and refused at present."),
    Family("haman_kernel_ipvs_available", GaugeMetricFamily, (), "0 when IPVS is needed and the kernel has none."),
    Family(
        "haman_hooks",
        CounterMetricFamily,
        ("program", "event", "result"),
        "Hooks run: exit (any status), timeout, signal, not_started.",
    ),
    Family(
        "haman_hook_exit_status",
        GaugeMetricFamily,
        ("program", "event"),
        "The last run's exit status; minus the signal's number, -1000 when it could not be started.",
    ),
    Family(
        "haman_hooks_superseded",
        CounterMetricFamily,
        (),
        "Role changes no hook was run for, because a later one overtook them while hooks were running.",
    ),
    Family("haman_transitions", CounterMetricFamily, ("kind", "cause"), "Every recorded change, by kind and cause."),
    Family(
        "haman_loop_lag_seconds",
        GaugeMetricFamily,
        ("process",),
        "Worst lateness of the process's event loop in about the last second.",
    ),
    Family(
        "haman_elector_heartbeat_age_seconds",
        GaugeMetricFamily,
        (),
        "Since the director last heard the elector.",
    ),
)


def reference() -> str:
    """docs/reference/metrics.md."""
    lines = [
        "# Metrics",
        "",
        "Served by every director under `metrics.listen` at `/metrics`, in Prometheus' text format, beside",
        "`/live` (200 while the director and the elector talk to each other) and `/ready` (200 when every router may",
        "preempt, else 503 with the reasons). The usual `process_*` metrics are the director process's own.",
        "This page is made from `haman/observe/families.py`.",
        "",
        "| metric | type | labels | meaning |",
        "|---|---|---|---|",
    ]
    for family in FAMILIES:
        labels = ", ".join(f"`{label}`" for label in family.labels)
        lines.append(f"| `{_exposed(family)}` | {_type(family)} | {labels} | {family.help} |")
    return "\n".join(lines) + "\n"


def _type(family: Family) -> str:
    return family.kind.__name__.removesuffix("MetricFamily").lower()


def _exposed(family: Family) -> str:
    return family.name + {CounterMetricFamily: "_total", InfoMetricFamily: "_info"}.get(family.kind, "")
