"""Every setting on docs/reference/keepalived.md is one, at the place that its section names."""

from __future__ import annotations

import json
import re
from typing import Any

import pytest

from tests.docs.pages import ROOT
from tests.docs.test_configurations import KEYS, complete, mistakes, value

PAGE = (ROOT / "docs/reference/keepalived.md").read_text(encoding="utf-8")
SECTIONS = dict(re.findall(r"^## ([^\n]*)\n(.*?)(?=^## |\Z)", PAGE, re.DOTALL | re.MULTILINE))
PLACES = {
    "VRRP instance": lambda setting: {"routers": {"public": setting}},
    "Sync groups": lambda setting: {"groups": {"firewall": setting}},
    "Notify": lambda setting: {"hooks": [setting]},
    "Trackers": lambda setting: {"trackers": {"one": setting}},
}
INSIDE = {"interface": "eth1", "vrid": 52, "addresses": ["10.1.0.254/24"]}


def settings() -> list[tuple[str, str, str]]:
    """Section, keepalived's word, and the row's settings, those of one cell together."""
    found = []
    for section in PLACES:
        for row in re.findall(r"^\| (.*) \|$", SECTIONS[section], re.MULTILINE)[2:]:
            word, ours, remark = row.split(" | ") if row.count(" | ") == 2 else (*row.split(" | "), "")
            for cell in (ours, remark):
                written = [part for part in re.findall(r"`([^`]+)`", cell) if re.match(r"\{|\w+: ", part)]
                found += [(section, word, part) for part in (written if section == "Trackers" else [*_joined(written)])]
    return found


def _joined(written: list[str]) -> list[str]:
    """`version: 2`, `auth: ...` belong together."""
    return ["\n".join(written)] if written else []


@pytest.mark.parametrize(("section", "word", "setting"), settings(), ids=lambda text: text[:40])
def test_a_setting_is_one(section: str, word: str, setting: str) -> None:
    settings: dict[str, Any] = value(setting)
    above = {key: part for key, part in settings.items() if key in KEYS and section != "Notify"}
    if section == "Sync groups":
        above.pop("routers", None)
    below = {key: part for key, part in settings.items() if key not in above}
    fragment = {**(PLACES[section](below) if below else {}), **above}
    if "firewall" in json.dumps(fragment):
        fragment.setdefault("groups", {}).setdefault("firewall", {}).setdefault("routers", ["public", "inside"])
        fragment.setdefault("routers", {})["inside"] = INSIDE
    assert mistakes(complete(json.dumps(fragment))) == []


def test_there_are_many() -> None:
    assert len(settings()) > 50


WORDS = re.findall(
    r"\w+",
    """
state interface vrf virtual_router_id priority version native_ipv6 advert_int mcast_src_ip mcast_dst_ip unicast_src_ip
track_src_ip unicast_peer min_ttl max_ttl unicast_ttl check_unicast_src unicast_fault_no_peer old_unicast_checksum
v3_checksum_as_v2 auth_hmac use_vmac use_vmac_addr vmac_xmit_base use_ipvlan virtual_ipaddress
virtual_ipaddress_excluded label brd scope peer home mngtmpaddr noprefixroute autojoin no_track preferred_lft
no_virtual_ipaddress virtual_routes virtual_rules promote_secondaries accept no_accept nopreempt preempt_delay
track_interface weight reverse track_script track_file track_process track_bfd dont_track_primary garp_master_delay
garp_master_repeat garp_master_refresh garp_master_refresh_repeat garp_lower_prio_delay garp_lower_prio_repeat
garp_extra_if down_timer_adverts lower_prio_no_advert higher_prio_send_advert timer_expired_backup owner_ignore_adverts
skip_check_adv_addr strict_mode notify_master notify_backup notify_fault notify_stop notify_deleted
notify_master_rx_lower_pri notify notify_priority_changes smtp_alert kernel_rx_buf_size debug interface_up_down_delays
vrrp_sync_group sync_group_tracking_weight global_tracking notify_fifo vrrp_notify_fifo lvs_notify_fifo
vrrp_script script interval timeout rise fall user init_fail init_file vrrp_track_process process param_match quorum
quorum_max fork_delay terminate_delay delay full_command bfd_instance track_group
""",
)
"""Every keyword of keepalived 2.4's manual page in vrrp_instance, vrrp_sync_group, notify scripts and trackers."""


@pytest.mark.parametrize("word", WORDS)
def test_every_word_of_keepalived_is_answered(word: str) -> None:
    rows = re.findall(r"^\| (.*?) \| ", PAGE, re.MULTILINE)
    assert any(re.search(rf"\b{word}\b", row) for row in rows), word
