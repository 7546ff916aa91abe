from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

import pytest
from prometheus_client.parser import text_string_to_metric_families

from haman.model.transition import Kind, Role, Transition
from haman.observe.keepalived import render
from haman.observe.tally import Tally
from tests.observe.support import REPORT, figures

if TYPE_CHECKING:
    from haman.observe.figures import Figures

EXPORTERS = {
    "keepalived_up",
    "keepalived_vrrp_state",
    "keepalived_gratuitous_arp_delay_total",
    "keepalived_advertisements_received_total",
    "keepalived_advertisements_sent_total",
    "keepalived_become_master_total",
    "keepalived_release_master_total",
    "keepalived_packet_length_errors_total",
    "keepalived_advertisements_interval_errors_total",
    "keepalived_ip_ttl_errors_total",
    "keepalived_invalid_type_received_total",
    "keepalived_address_list_errors_total",
    "keepalived_authentication_invalid_total",
    "keepalived_authentication_mismatch_total",
    "keepalived_authentication_failure_total",
    "keepalived_priority_zero_received_total",
    "keepalived_priority_zero_sent_total",
    "keepalived_script_status",
    "keepalived_script_state",
}
"""mehdy/keepalived-exporter, internal/collector/collector.go, without those of its own check script."""


def samples(of: Figures) -> dict[tuple[str, tuple[tuple[str, str], ...]], float]:
    return {
        (sample.name, tuple(sorted(sample.labels.items()))): sample.value
        for family in text_string_to_metric_families(render(of).decode())
        for sample in family.samples
        if not sample.name.endswith("_created")
    }


def test_the_names_and_labels_are_the_exporters() -> None:
    seen = samples(figures())
    assert {name for name, _ in seen} == EXPORTERS
    for name, labels in seen:
        keys = [key for key, _ in labels]
        if name.startswith("keepalived_script_"):
            assert keys == ["name"]
        elif name == "keepalived_vrrp_state":
            assert keys == ["iname", "intf", "ip_address", "vrid"]
        elif name != "keepalived_up":
            assert keys == ["iname", "intf", "state", "vrid"]


def test_trackers_are_its_scripts() -> None:
    """BAD is 0 and GOOD 1; idle is 0."""
    seen = samples(replace(figures(), trackers=[("gateway", True), ("load", False)]))
    found = {(name, labels[0][1]): value for (name, labels), value in seen.items() if "_script_" in name}
    assert found == {
        ("keepalived_script_status", "gateway"): 1,
        ("keepalived_script_status", "load"): 0,
        ("keepalived_script_state", "gateway"): 0,
        ("keepalived_script_state", "load"): 0,
    }


def test_values() -> None:
    tally = Tally()
    for before, after in (("standby", "active"), ("active", "fault"), ("fault", "standby"), ("standby", "active")):
        tally.transition(
            Transition(kind=Kind.ROUTER, who="public", before=before, after=after, why="w", cause=after, at=0.0)
        )
    counters = {"public": {"adverts_sent": 100, "adverts_received": 7, "refused_ttl": 3, "priority_zero_sent": 1}}
    seen = samples(figures(counters=counters, tally=tally))
    common = (("iname", "public"), ("intf", "eth0"), ("state", "MASTER"), ("vrid", "51"))
    assert seen["keepalived_advertisements_sent_total", common] == 100
    assert seen["keepalived_advertisements_received_total", common] == 7
    assert seen["keepalived_ip_ttl_errors_total", common] == 3
    assert seen["keepalived_priority_zero_sent_total", common] == 1
    assert seen["keepalived_become_master_total", common] == 2
    assert seen["keepalived_release_master_total", common] == 1
    assert seen["keepalived_gratuitous_arp_delay_total", common] == 5
    state = (("iname", "public"), ("intf", "eth1"), ("ip_address", "10.0.1.100"), ("vrid", "51"))
    assert seen["keepalived_vrrp_state", state] == 2


@pytest.mark.parametrize(
    ("role", "number", "word"),
    [(Role.STOPPED, 0, "INIT"), (Role.STANDBY, 1, "BACKUP"), (Role.ACTIVE, 2, "MASTER"), (Role.FAULT, 3, "FAULT")],
)
def test_states(role: Role, number: int, word: str) -> None:
    seen = samples(figures(roles=(replace(REPORT, role=role),)))
    assert {value for (name, _), value in seen.items() if name == "keepalived_vrrp_state"} == {number}
    assert {dict(labels)["state"] for name, labels in seen if name == "keepalived_become_master_total"} == {word}
