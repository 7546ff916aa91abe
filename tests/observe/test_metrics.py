from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

from prometheus_client.parser import text_string_to_metric_families

from haman import __version__
from haman.model.transition import Kind, Transition
from haman.observe.families import FAMILIES
from haman.observe.metrics import render
from haman.observe.tally import Tally
from tests.observe.support import figures

if TYPE_CHECKING:
    from haman.observe.figures import Figures


def samples(of: Figures) -> dict[str, float]:
    """`name{label="value"}` -> value, as a scraper sees them, without the process's own."""
    page = render(of).decode()
    return {
        sample.name + "".join(f" {key}={value}" for key, value in sorted(sample.labels.items())): sample.value
        for family in text_string_to_metric_families(page)
        for sample in family.samples
        if sample.name.startswith("haman_") and not sample.name.endswith("_created")
    }


def test_what_a_scraper_sees_of_an_active_router() -> None:
    seen = samples(figures())
    assert seen[f"haman_build_info cluster=web node=lb1 version={__version__}"] == 1
    assert seen["haman_router_role role=active router=public"] == 1
    assert seen["haman_router_role role=standby router=public"] == 0
    assert seen["haman_router_priority router=public"] == 150
    assert seen["haman_router_holds router=public"] == 1
    assert seen["haman_router_ready router=public"] == 1
    assert seen["haman_service_state service=web state=floor"] == 1
    assert seen["haman_service_state service=web state=up"] == 0
    assert seen["haman_service_differing_servers service=web"] == 1
    assert seen["haman_server_up port=80 server=rs2 service=web"] == 0
    assert seen["haman_server_weight port=80 server=rs1 service=web"] == 2
    assert seen["haman_server_weight port=80 server=rs2 service=web"] == 0
    assert seen["haman_server_reason port=80 reason=refused server=rs2 service=web"] == 1
    assert seen["haman_sync_daemon_running role=master"] == 1
    assert seen["haman_sync_daemon_running role=backup"] == 0
    assert seen["haman_sync_connections_held router=public"] == 812
    assert seen["haman_sync_connections_active router=public"] == 1034
    assert seen["haman_loop_lag_seconds process=elector"] == 0.001
    assert seen["haman_config_loaded_timestamp_seconds"] == 1763780645


def test_what_is_counted_by_the_elector() -> None:
    counters = {
        "public": {
            "adverts_sent": 100,
            "adverts_send_failed": 2,
            "adverts_received": 7,
            "priority_zero_sent": 1,
            "announcements_sent": 8,
            "rivals_heard": 6,
            "refused_ttl": 3,
            "mismatch_interval": 4,
        },
        "interface eth0": {"refused_vrid": 5},
    }
    seen = samples(figures(counters=counters))
    assert seen["haman_adverts_total kind=sent router=public"] == 100
    assert seen["haman_adverts_total kind=send_failed router=public"] == 2
    assert seen["haman_adverts_total kind=received router=public"] == 7
    assert seen["haman_adverts_total kind=priority_zero_sent router=public"] == 1
    assert seen["haman_announcements_total router=public"] == 8
    assert seen["haman_rivals_total router=public"] == 6
    assert seen["haman_packets_refused_total reason=ttl where=public"] == 3
    assert seen["haman_packets_refused_total reason=vrid where=interface eth0"] == 5
    assert seen["haman_advert_mismatches_total router=public what=interval"] == 4


def test_a_split_brain_is_a_level_and_a_count() -> None:
    tally = Tally()
    for before, after in (("none", "10.0.0.2"), ("10.0.0.2", "10.0.0.2,10.0.0.3"), ("10.0.0.2,10.0.0.3", "none")):
        tally.transition(
            Transition(kind=Kind.SPLIT, who="public", before=before, after=after, why="w", cause="c", at=1.0)
        )
    seen = samples(figures(tally=tally))
    assert seen["haman_router_split_brain router=public"] == 1
    assert seen["haman_split_brains_total router=public"] == 1


def test_what_is_counted_by_the_director() -> None:
    tally = Tally()
    change = Transition(
        kind=Kind.ROUTER, who="public", before="standby", after="active", why="w", cause="master_down", at=0.0
    )
    tally.transition(change)
    tally.transition(replace(change, kind=Kind.SERVER, cause="check_failed"))
    for seconds in (0.0005, 0.001, 0.03, 5.0):
        tally.takeover("public", seconds)
    tally.check(("web", "10.0.0.11", "80", "http"), "good_status", 0.25)
    tally.check(("web", "10.0.0.11", "80", "http"), "bad_status", 0.5)
    tally.latency("web", 0.25)
    tally.latency("web", 60.0)
    tally.drift["missing"] += 2
    tally.refusals += 1
    tally.hook("notify.sh", "active", "exit", 1, 0.25)
    tally.hook("notify.sh", "active", "exit", 1, 0.5)
    tally.hooks_superseded += 1
    seen = samples(figures(tally=tally.copy()))
    assert seen["haman_router_transitions_total cause=master_down role=active router=public"] == 1
    assert seen["haman_transitions_total cause=master_down kind=router"] == 1
    assert seen["haman_transitions_total cause=check_failed kind=server"] == 1
    assert seen["haman_takeover_seconds_bucket le=0.001 router=public"] == 2
    assert seen["haman_takeover_seconds_bucket le=0.05 router=public"] == 3
    assert seen["haman_takeover_seconds_bucket le=1.0 router=public"] == 3
    assert seen["haman_takeover_seconds_bucket le=+Inf router=public"] == 4
    assert seen["haman_takeover_seconds_count router=public"] == 4
    assert seen["haman_takeover_seconds_sum router=public"] == 5.0315
    assert seen["haman_checks_total address=10.0.0.11 check=web outcome=bad_status port=80 probe=http"] == 1
    assert seen["haman_check_seconds_count address=10.0.0.11 check=web port=80 probe=http"] == 2
    assert seen["haman_check_seconds_sum address=10.0.0.11 check=web port=80 probe=http"] == 0.75
    assert seen["haman_check_latest_seconds address=10.0.0.11 check=web port=80 probe=http"] == 0.5
    assert seen["haman_service_check_seconds_bucket le=0.1 service=web"] == 0
    assert seen["haman_service_check_seconds_bucket le=0.25 service=web"] == 1
    assert seen["haman_service_check_seconds_bucket le=10.0 service=web"] == 1
    assert seen["haman_service_check_seconds_bucket le=+Inf service=web"] == 2
    assert seen["haman_service_check_seconds_sum service=web"] == 60.25
    assert seen["haman_drift_repairs_total found=missing"] == 2
    assert seen["haman_kernel_refusals_total"] == 1
    assert seen["haman_hooks_total event=active program=notify.sh result=exit"] == 2
    assert seen["haman_hook_seconds_sum event=active program=notify.sh"] == 0.75
    assert seen["haman_hook_seconds_count event=active program=notify.sh"] == 2
    assert seen["haman_hooks_waiting"] == 4
    assert seen["haman_tracker_up tracker=gateway"] == 1
    assert seen["haman_tracker_up tracker=ping 10.0.0.254"] == 0
    assert seen["haman_hook_exit_status event=active program=notify.sh"] == 1
    assert seen["haman_hooks_superseded_total"] == 1


def test_what_is_counted_by_the_kernel() -> None:
    seen = samples(figures())
    assert seen["haman_ipvs_counters_available"] == 1
    assert seen["haman_ipvs_service_connections_total port=80 service=web"] == 1234
    assert seen["haman_ipvs_service_packets_total direction=in port=80 service=web"] == 70
    assert seen["haman_ipvs_service_bytes_total direction=out port=80 service=web"] == 6000
    assert seen["haman_ipvs_server_connections_total port=80 server=rs1 service=web"] == 34
    assert seen["haman_ipvs_server_packets_total direction=out port=80 server=rs1 service=web"] == 6
    assert seen["haman_ipvs_server_bytes_total direction=in port=80 server=rs1 service=web"] == 700
    now = {state: seen[f"haman_ipvs_server_connections_now port=80 server=rs1 service=web state={state}"]
           for state in ("active", "inactive", "persistent")}  # fmt: skip
    assert now == {"active": 5, "inactive": 4, "persistent": 3}
    without = samples(figures(traffic=None))
    assert without["haman_ipvs_counters_available"] == 0
    assert not any(name.startswith("haman_ipvs_service") for name in without)


def test_a_copy_does_not_change_later() -> None:
    tally = Tally()
    tally.check(("a", "80", "tcp"), "connected", 0.1)
    tally.takeover("public", 0.1)
    tally.latency("web", 0.1)
    copy = tally.copy()
    tally.latency("web", 0.1)
    tally.check(("a", "80", "tcp"), "connected", 0.1)
    tally.takeover("public", 0.1)
    tally.drift["missing"] += 1
    assert copy.checks["a", "80", "tcp"].outcomes.total() == 1
    assert sum(copy.takeovers["public"].counts) == 1
    assert sum(copy.latencies["web"].counts) == 1
    assert not copy.drift


def test_every_declared_metric_is_on_the_page_and_no_other() -> None:
    page = render(figures()).decode()
    helped = {line.split()[2] for line in page.splitlines() if line.startswith("# HELP haman_")}
    suffix = {"CounterMetricFamily": "_total", "InfoMetricFamily": "_info"}
    assert helped == {family.name + suffix.get(family.kind.__name__, "") for family in FAMILIES}
