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


def _traffic(noun: str, labels: tuple[str, ...]) -> tuple[Family, ...]:
    """What the kernel counts of a service, and of a server behind it."""
    since = "since the kernel has it"
    return (
        Family(f"haman_ipvs_{noun}_connections", CounterMetricFamily, labels, f"Connections scheduled {since}."),
        Family(f"haman_ipvs_{noun}_packets", CounterMetricFamily, (*labels, "direction"), f"Packets {since}: in, out."),
        Family(f"haman_ipvs_{noun}_bytes", CounterMetricFamily, (*labels, "direction"), f"Bytes {since}: in, out."),
    )


FAMILIES = (
    Family("haman_build", InfoMetricFamily, (), "Version of haman, this director's name, the cluster's name."),
    Family("haman_config_generation", GaugeMetricFamily, (), "Configurations this director process has taken."),
    Family("haman_config_loaded_timestamp_seconds", GaugeMetricFamily, (), "When it took the current one."),
    Family(
        "haman_config_reload_successful",
        GaugeMetricFamily,
        (),
        "0 when the last reload was refused: the file on disk has mistakes, an earlier state of it is running.",
    ),
    Family("haman_config_reload_timestamp_seconds", GaugeMetricFamily, (), "When the last reload was tried."),
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
        "1 when this director may preempt: its table is loaded, every server has been checked once, and it holds the"
        " active one's connections.",
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
        "haman_takeover_confirmed_seconds",
        HistogramMetricFamily,
        ("router",),
        "From the election's decision until the last neighbour in view had followed, or a second owner was heard last.",
    ),
    Family(
        "haman_second_owners",
        GaugeMetricFamily,
        ("router",),
        "Machines beside this one, which is active, that answer for a VIP, as far as was asked after a takeover.",
    ),
    Family(
        "haman_adverts",
        CounterMetricFamily,
        ("router", "kind"),
        "VRRP advertisements: sent, send_failed, received, and among them priority_zero_sent, priority_zero_received"
        " and authenticated.",
    ),
    Family("haman_announcements", CounterMetricFamily, ("router",), "Gratuitous ARP frames sent."),
    Family(
        "haman_rivals",
        CounterMetricFamily,
        ("router",),
        "Times another router was heard speaking as active while this one was and stayed so.",
    ),
    Family(
        "haman_router_split_brain",
        GaugeMetricFamily,
        ("router",),
        "1 while another director is known to be active beside this one, by VRRP or on the directors' channel.",
    ),
    Family("haman_arbiter_reached", GaugeMetricFamily, (), "1 while the arbiter answers this director."),
    Family(
        "haman_router_held",
        GaugeMetricFamily,
        ("router",),
        "1 while the arbiter keeps this director from becoming active, though no active one is heard.",
    ),
    Family("haman_split_brains", CounterMetricFamily, ("router",), "Times that began."),
    Family(
        "haman_packets_refused",
        CounterMetricFamily,
        ("where", "reason"),
        "VRRP packets that were not believed, by router or, where none could be told, `interface NAME`.",
    ),
    Family(
        "haman_channel_refused",
        CounterMetricFamily,
        ("director", "reason"),
        "Messages on the directors' channel that were not believed.",
    ),
    Family(
        "haman_advert_mismatches",
        CounterMetricFamily,
        ("router", "what"),
        "Advertisements taken although the sender's configuration differs from ours: addresses, interval; or"
        " nothing is heard over the other family.",
    ),
    Family("haman_service_state", GaugeMetricFamily, ("service", "state"), "1 for the service's state, else 0."),
    Family(
        "haman_service_site",
        GaugeMetricFamily,
        ("service", "site"),
        "1 for the site that serves a service with backups (`local`, or a backup's name), else 0. A backup's servers"
        " are shown as those of a service `NAME@BACKUP`, packets that other sites send here as those of `NAME@`.",
    ),
    Family(
        "haman_relay_sessions",
        GaugeMetricFamily,
        ("service",),
        "TCP sessions, or UDP flows, that the relay to this backup has (`NAME@BACKUP`).",
    ),
    Family("haman_relay_sessions_begun", CounterMetricFamily, ("service",), "The same, since its process was started."),
    Family("haman_relay_bytes", CounterMetricFamily, ("service", "direction"), "Bytes it has handed on: up, down."),
    Family(
        "haman_relay_waiting_bytes",
        GaugeMetricFamily,
        ("service",),
        "Bytes that wait in it for slow receivers: see `memory` of a backup.",
    ),
    Family(
        "haman_relay_refused",
        CounterMetricFamily,
        ("service", "reason"),
        "What it refused, dropped or ended early: see docs/explanation/relay.md for the reasons.",
    ),
    Family(
        "haman_service_differing_servers",
        GaugeMetricFamily,
        ("service",),
        "Servers whose weight here is the active director's word, and would be another by this director's own checks.",
    ),
    Family("haman_server_up", GaugeMetricFamily, ("service", "server", "port"), "1 when the last verdict is up."),
    Family(
        "haman_server_weight",
        GaugeMetricFamily,
        ("service", "server", "port"),
        "Weight the kernel is to have; 0 also for a server that is not in its table.",
    ),
    Family(
        "haman_server_reason",
        GaugeMetricFamily,
        ("service", "server", "port", "reason"),
        "1, with why it is up or down: the outcome of its last check (connected, refused, timeout_connect, ...),"
        " minimum_up for one that is kept although it fails, not_checked, no_check, adopted.",
    ),
    Family(
        "haman_checks",
        CounterMetricFamily,
        ("check", "address", "port", "probe", "outcome"),
        "Checks made. One question serves every service that asks the same of the same server; it counts for each name"
        " of a check that asks it.",
    ),
    Family("haman_check_seconds", SummaryMetricFamily, ("check", "address", "port", "probe"), "How long checks took."),
    Family("haman_service_check_seconds", HistogramMetricFamily, ("service",), "How long checks of its servers took."),
    Family(
        "haman_check_latest_seconds",
        GaugeMetricFamily,
        ("check", "address", "port", "probe"),
        "How long the last took.",
    ),
    Family(
        "haman_check_certificate_end_timestamp_seconds",
        GaugeMetricFamily,
        ("check", "address", "port", "probe"),
        "When the certificate that the server showed last ends.",
    ),
    Family("haman_checks_in_flight", GaugeMetricFamily, (), "Checks that wait for an answer."),
    Family(
        "haman_check_lateness_seconds",
        GaugeMetricFamily,
        (),
        "For how long the check that should have started first has been waiting for its turn.",
    ),
    Family(
        "haman_ipvs_counters_available",
        GaugeMetricFamily,
        (),
        "1 when the kernel told its counters; 0 too when there is no service to count.",
    ),
    *_traffic("service", ("service", "port")),
    *_traffic("server", ("service", "port", "server")),
    Family(
        "haman_ipvs_server_connections_now",
        GaugeMetricFamily,
        ("service", "port", "server", "state"),
        "Connections at this moment: active (established), inactive (all others, those of UDP among them), persistent"
        " (clients bound to the server).",
    ),
    Family(
        "haman_sync_daemon_running",
        GaugeMetricFamily,
        ("role",),
        "1 when the kernel runs the sync daemon (master, backup); absent where none is wanted.",
    ),
    Family(
        "haman_sync_connections_held",
        GaugeMetricFamily,
        ("router",),
        "Established connections of synchronised services that this director's table holds, its own or told.",
    ),
    Family(
        "haman_sync_connections_active",
        GaugeMetricFamily,
        ("router",),
        "The same as the active director says it on the directors' channel; absent where this one is active.",
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
    Family("haman_maintenance", GaugeMetricFamily, (), "1 while `haman maintenance on` holds: no VIP is taken here."),
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
    Family("haman_hook_seconds", SummaryMetricFamily, ("program", "event"), "How long hooks ran."),
    Family(
        "haman_hooks_superseded",
        CounterMetricFamily,
        (),
        "Changes no hook was run for, because a later one of the same object overtook them while they waited.",
    ),
    Family("haman_hooks_waiting", GaugeMetricFamily, (), "Changes whose hooks have not all ended."),
    Family("haman_tracker_up", GaugeMetricFamily, ("tracker",), "1 while the tracker is good."),
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
        "This page is made from `haman/observe/families.py`. [How to use them](../how-to/metrics.md).",
        "",
        "| metric | type | labels | meaning |",
        "|---|---|---|---|",
    ]
    for family in FAMILIES:
        labels = ", ".join(f"`{label}`" for label in family.labels)
        lines.append(f"| `{_exposed(family)}` | {_type(family)} | {labels} | {family.help} |")
    return "\n".join(lines) + "\n" + _REST


_REST = """
## How many there are

Labels hold names from the configuration, ports, and codes from fixed lists; never a client's address, nor a reason in
words. A director shows about

| for each | samples |
|---|---|
| router | 15, and one for each reason that ever changed its role or refused its packets |
| takeover histogram of a router | 13 |
| service | 5, 17 for the latency of its checks; 5 for each of its ports |
| server behind a port of a service | 3, and 8 of what the kernel counts |
| server and port that is checked | 3, and one for each outcome there ever was, seldom more than 3 |
| hook program and event | 4 to 7 |

so a cluster of 10 services with 100 servers has some 2,000, and one of 1,000 services with 10,000 servers some
200,000: scrape that one every 30 s. What the kernel counts is read when somebody asks, at most once a second.

## /metrics/keepalived

The same figures under the names and labels of mehdy/keepalived-exporter, for dashboards and alerts that were made for
it: `keepalived_up`, `keepalived_vrrp_state` (0 INIT, 1 BACKUP, 2 MASTER, 3 FAULT), `keepalived_become_master_total`,
`keepalived_release_master_total`, `keepalived_advertisements_received_total`, `keepalived_advertisements_sent_total`,
`keepalived_advertisements_interval_errors_total`, `keepalived_priority_zero_received_total`,
`keepalived_priority_zero_sent_total`, `keepalived_ip_ttl_errors_total`, `keepalived_packet_length_errors_total`,
`keepalived_invalid_type_received_total`, `keepalived_address_list_errors_total`,
`keepalived_authentication_{invalid,mismatch,failure}_total` and `keepalived_gratuitous_arp_delay_total`; for each
tracker, of whatever kind, `keepalived_script_status` (0 BAD, 1 GOOD) and `keepalived_script_state` (always 0, idle), by
`name`.
"""


def _type(family: Family) -> str:
    return family.kind.__name__.removesuffix("MetricFamily").lower()


def _exposed(family: Family) -> str:
    return family.name + {CounterMetricFamily: "_total", InfoMetricFamily: "_info"}.get(family.kind, "")
