"""Which rules a configuration needs, and that an unknown director never leads to a loop."""

from __future__ import annotations

from dataclasses import replace
from ipaddress import ip_address, ip_network
from typing import TYPE_CHECKING

from haman.config import examine, source
from haman.model.kernel import ServiceKey, SysctlConfig, SysctlKey, TableKey
from haman.model.services import Protocol
from haman.plan import desired
from haman.plan.filter import gives_second_chances, ruleset, strangers
from haman.plan.ownership import of_director

if TYPE_CHECKING:
    from haman.model.cluster import Cluster

HEAD = """
cluster: web
directors: {lb1: {address: 10.0.0.1, priority: 2}, lb2: {address: 10.0.0.2, priority: 1}, lb3: {address: 10.0.0.3}}
routers: {public: {interface: eth0, vrid: 51, addresses: [10.0.0.100/24, 10.0.0.101/24, '2001:db8::100/64']}}
services:
"""
MACS = {"lb1": ("02:00:00:00:00:01",), "lb2": ("02:00:00:00:00:02",), "lb3": ("02:00:00:00:00:03",)}
BOTH = "check: false, servers: {lb1: {director: lb1}, lb2: {director: lb2}}"
SYSCTL = SysctlKey("net/ipv4/vs/conntrack")


def cluster(*services: str) -> Cluster:
    found = examine(source.from_text(HEAD + "\n".join(services), "haman.yaml"))
    assert found.cluster is not None, found.mistakes
    return found.cluster


def test_services_that_need_no_rule_have_no_table_and_no_tracking() -> None:
    plain = cluster(
        "  a: {address: 10.0.0.100, port: 80, forward: nat, check: false, servers: {rs1: {address: 10.0.0.11}}}",
        "  b: {fwmark: 7, check: false, servers: {rs1: {address: 10.0.0.11}}}",
        f"  c: {{address: 10.0.0.100, port: 81, scheduler: mh, {BOTH}}}",
    )
    held = desired.ipvs(plain, "lb1", {}, macs=MACS)
    assert held.tables == {}
    assert SYSCTL not in held.sysctls


def test_full_nat_by_address_and_port_and_only_for_servers_that_have_it() -> None:
    some = cluster(
        "  a: {address: 10.0.0.100, ports: [80, 443], forward: fullnat, check: false,",
        "      servers: {rs1: {address: 10.9.0.11}, rs2: {address: 10.9.0.12, source: 10.0.0.101},",
        "                rs3: {address: 10.0.0.13, forward: dr}}}",
    )
    nats = ruleset(some, "lb1", {}).nats
    assert [(nat.ports, nat.servers, nat.to) for nat in nats] == [
        ((80,), (ip_address("10.9.0.11"),), ()),
        ((80,), (ip_address("10.9.0.12"),), (ip_address("10.0.0.101"),)),
        ((443,), (ip_address("10.9.0.11"),), ()),
        ((443,), (ip_address("10.9.0.12"),), (ip_address("10.0.0.101"),)),
    ]
    assert {(nat.vip, nat.protocol) for nat in nats} == {(ip_address("10.0.0.100"), Protocol.TCP)}
    assert desired.ipvs(some, "lb1", {}).sysctls[SYSCTL] == SysctlConfig("1")


def test_a_mark_takes_the_vips_of_its_family_and_tells_what_only_passes() -> None:
    some = cluster(
        "  a: {fwmark: 7, match: [{router: public, addresses: [203.0.113.0/28, '2001:db8:7::/64'], ports: [80]}],",
        "      check: false, servers: {rs1: {address: 10.0.0.11}}}",
        "  b: {fwmark: 8, match: [{dev: eth1, exclude: [203.0.113.0/28]}], masquerade: true, check: false,",
        "      servers: {up: {address: 10.0.0.254}}}",
    )
    own, passing, out = ruleset(some, "lb1", {}).marks
    assert own.destinations == (ip_network("10.0.0.100"), ip_network("10.0.0.101"))
    assert (passing.destinations, passing.diverted) == ((ip_network("203.0.113.0/28"),), True)
    assert (own.diverted, own.protocols, own.ports) == (False, tuple(Protocol), ((80, 80),))
    assert (out.incoming, out.diverted, out.destinations) == ("eth1", True, ())
    (nat,) = ruleset(some, "lb1", {}).nats
    assert (nat.mark, nat.servers, nat.to) == (8, (), ())
    assert desired.ipvs(some, "lb1", {}).sysctls[SYSCTL] == SysctlConfig("1")


def test_directors_that_serve_without_hashing_are_told_from_clients() -> None:
    pair = cluster(f"  web: {{address: 10.0.0.100, ports: [80, 443], scheduler: wlc, {BOTH}}}")
    rules = ruleset(pair, "lb1", MACS)
    assert [(mark.ports, mark.screened) for mark in rules.marks] == [(((80, 80),), True), (((443, 443),), True)]
    assert rules.peers == ("02:00:00:00:00:02", "02:00:00:00:00:03")
    held = desired.ipvs(pair, "lb1", {}, macs=MACS)
    marks = {mark.mark for mark in rules.marks}
    assert {key.fwmark for key in held.services} >= marks
    assert not any(key.protocol for key in held.services)
    assert marks == {mark.mark for mark in ruleset(pair, "lb2", MACS).marks}  # connections are synchronised by it
    more = cluster(
        f"  web: {{address: 10.0.0.100, ports: [80, 443], scheduler: wlc, {BOTH}}}",
        f"  aaa: {{address: 10.0.0.101, port: 80, scheduler: wlc, {BOTH}}}",
    )
    assert marks < {mark.mark for mark in ruleset(more, "lb1", MACS).marks}  # other services change nothing


def test_while_one_peer_is_unknown_nothing_is_marked_for_who_serves() -> None:
    pair = cluster(
        f"  web: {{address: 10.0.0.100, port: 80, scheduler: wlc, {BOTH}}}",
        f"  all: {{fwmark: 7, match: [{{router: public}}], scheduler: rr, {BOTH}}}",
    )
    for service in pair.services.values():
        assert strangers(pair, service, "lb1", {**MACS, "lb3": ()}) == ("lb3",)
        assert strangers(pair, service, "lb1", MACS) == ()
    assert ruleset(pair, "lb1", {"lb2": MACS["lb2"]}).marks == ()
    # lb3 serves nothing, so nobody sends it what is balanced already.
    alone = ruleset(pair, "lb3", {}).marks
    assert len(alone) == 2
    assert not any(mark.screened for mark in alone)


def test_the_table_is_ours_whoever_is_known() -> None:
    pair = cluster(f"  web: {{address: 10.0.0.100, port: 80, scheduler: wlc, {BOTH}}}")
    assert desired.ipvs(pair, "lb1", {}).tables == {}
    for node in pair.directors:
        owner = of_director(pair, node, ())
        assert all(key in owner for key in desired.ipvs(pair, node, {}, macs=MACS).tables)
        assert TableKey() in owner


def test_a_mark_that_another_service_has_is_not_given_twice() -> None:
    pair = cluster(f"  web: {{address: 10.0.0.100, port: 80, scheduler: wlc, {BOTH}}}")
    (taken,) = pair.services["web"].screens.values()
    more = cluster(
        f"  web: {{address: 10.0.0.100, port: 80, scheduler: wlc, {BOTH}}}",
        f"  own: {{fwmark: {taken}, check: false, servers: {{rs1: {{address: 10.0.0.11}}}}}}",
    )
    assert more.services["web"].screens == {80: taken + 1}
    assert desired.ipvs(replace(more), "lb1", {}, macs=MACS).services.keys() >= {ServiceKey.marked(taken)}


BACKED = (
    "  web: {address: 10.0.0.100, ports: [80, 443], check: false, servers: {rs1: {address: 10.0.0.11}},",
    "    backup: [{name: east, address: 203.0.113.10, from: [203.0.113.0/28]},",
    "             {name: six, address: '2001:db8:9::1', forward: tun},",
    "             {name: told, address: 192.0.2.10, proxy: v2},",
    "             {name: own, address: 198.51.100.1, port: 8080, source: masquerade}]}",
    "sync: false",
)


def test_what_a_backup_site_sends_here_gets_a_mark_and_what_is_sent_there_a_source() -> None:
    backed = cluster(*BACKED)
    visits = backed.services["web"].visits
    rules = ruleset(backed, "lb1", MACS)
    assert [(mark.mark, mark.ports) for mark in rules.marks] == [
        (visits[80], ((80, 80),)),
        (visits[443], ((443, 443),)),
    ]
    origins = {ip_network(each) for each in ("203.0.113.0/28", "203.0.113.10", "192.0.2.10", "198.51.100.1")}
    for mark in rules.marks:
        assert (mark.destinations, set(mark.sources), mark.version) == ((ip_network("10.0.0.100"),), origins, 4)
    assert {(nat.vip, nat.ports, nat.servers, nat.to) for nat in rules.nats} == {
        (ip_address("10.0.0.100"), (port,), (ip_address(server),), to)
        for port in (80, 443)
        for server, to in (("203.0.113.10", (ip_address("10.0.0.100"),)), ("198.51.100.1", ()))
    }


def test_no_state_of_any_server_leads_a_visit_to_a_backup() -> None:
    """The plan has no such destination: whatever is up, and whichever site serves."""
    backed = cluster(*BACKED)
    service = backed.services["web"]
    everything = {target: 1 for part in service.everywhere() for target, _ in part.targets()}
    held = desired.ipvs(backed, "lb1", everything, macs=MACS)
    visits = {ServiceKey.marked(mark) for mark in service.visits.values()}
    assert visits <= held.services.keys()
    assert {str(key.address) for key in held.destinations if key.service in visits} == {"10.0.0.11"}
    assert {str(key.address) for key in held.destinations if key.service not in visits} == {
        "10.0.0.11",
        "203.0.113.10",
        "2001:db8:9::1",
        "127.0.0.1",  # by relay
        "198.51.100.1",
    }
    assert visits <= of_director(backed, "lb1", ()).services
    assert held.sysctls[SYSCTL] == SysctlConfig("1")


def test_a_visit_of_a_service_that_is_marked_anyway_keeps_its_own_mark() -> None:
    """The last mark counts, and peers' frames are left alone by both."""
    backed = cluster(
        f"  web: {{address: 10.0.0.100, port: 80, scheduler: rr, {BOTH}, backup: [{{address: 203.0.113.10}}]}}"
    )
    service = backed.services["web"]
    marks = ruleset(backed, "lb1", MACS).marks
    assert [mark.mark for mark in marks] == [service.screens[80], service.visits[80]]
    assert all(mark.screened for mark in marks)
    assert service.screens[80] != service.visits[80]


def chances(*services: str, head: str = HEAD, taken: str = "lb1") -> list[tuple[object, ...]]:
    found = examine(source.from_text(head + "\n".join(services), "haman.yaml")).cluster
    assert found is not None
    given = ruleset(found, "lb2", MACS, {"public": taken}).chances
    return [(str(each.to), each.interface, each.macs, str(each.vip), each.ports, each.mark) for each in given]


SHOP = "  shop: {address: 10.0.0.100, ports: [80, 443], check: false, servers: {rs1: {address: 10.0.0.11}}}"
UDP_SHOP = "  dns: {address: 10.0.0.100, port: 53, protocol: udp, check: false, servers: {rs1: {address: 10.0.0.11}}}"


def test_what_this_node_does_not_know_goes_to_the_director_that_served_before() -> None:
    expected = [("10.0.0.1", "eth0", (*MACS["lb1"], *MACS["lb3"]), "10.0.0.100", (80, 443), 0)]
    assert chances(SHOP, UDP_SHOP) == expected, "of UDP any packet may begin anew"
    assert ruleset(cluster(SHOP), "lb2", MACS).chances == ()
    assert ruleset(cluster(SHOP), "lb2", {"lb2": MACS["lb2"]}, {"public": "lb1"}).chances == (), "whose frames, then?"
    assert chances(SHOP, taken="lb9") == [], "one that an older file named"


def test_by_mark_where_the_service_is_one() -> None:
    screened = cluster(f"  a: {{address: 10.0.0.100, port: 80, scheduler: wlc, {BOTH}}}")
    (chance,) = ruleset(screened, "lb3", MACS, {"public": "lb1"}).chances
    (mark,) = next(iter(screened.services.values())).screens.values()
    assert (chance.mark, chance.vip, chance.ports) == (mark, None, ())
    (chance,) = ruleset(screened, "lb2", MACS, {"public": "lb1"}).chances  # it serves, too
    assert (chance.mark, chance.vip, chance.ports) == (mark, None, ())
    assert gives_second_chances(screened, "lb2", "public", "lb1")


def test_directors_that_serve_and_hash_ask_nobody_unless_another_scheduler_must() -> None:
    """mh finds the server again by itself, in the middle of a connection; the setting for that is the machine's."""
    hashed = f"  a: {{address: 10.0.0.100, port: 80, scheduler: mh, {BOTH}}}"
    assert ruleset(cluster(hashed), "lb2", MACS, {"public": "lb1"}).chances == ()
    assert not gives_second_chances(cluster(hashed), "lb2", "public", "lb1")
    looked_up = cluster(hashed, UDP_SHOP.replace("check:", "scheduler: wlc, check:"))
    assert ruleset(looked_up, "lb2", MACS, {"public": "lb1"}).chances == (), "UDP needs none"
    mixed = cluster(hashed, SHOP.replace("80, 443", "443").replace("check:", "scheduler: wlc, check:"))
    given = ruleset(mixed, "lb2", MACS, {"public": "lb1"}).chances
    assert sorted(each.ports for each in given) == [(80,), (443,)]
    assert gives_second_chances(mixed, "lb2", "public", "lb1")


def test_a_closed_director_is_asked_for_what_it_serves_itself() -> None:
    closed = "sync: {interface: eth0, backup_only: true}\n" + HEAD
    serving = f"  a: {{address: 10.0.0.100, port: 80, scheduler: wlc, {BOTH}}}"
    assert chances(serving, head=closed) == [("10.0.0.1", "eth0", (*MACS["lb1"], *MACS["lb3"]), "10.0.0.100", (80,), 0)]
    assert chances(serving.replace("lb1: {director: lb1}", "rs1: {address: 10.0.0.11}"), head=closed) == []


def test_no_second_chance_where_answers_come_back_through_here_or_the_old_one_lost_the_vip() -> None:
    assert chances(SHOP.replace("check:", "forward: nat, check:")) == []
    assert chances(SHOP.replace("check:", "forward: fullnat, check:")) == []
    assert chances(SHOP, head=HEAD.replace("vrid: 51,", "vrid: 51, standby_address: nowhere,")) == []
    assert chances(SHOP, head="sync: {interface: eth0, backup_only: true}\n" + HEAD) == []


def test_none_where_a_relay_listens_on_the_vip() -> None:
    """Such a listener cannot be told from a connection."""
    relayed = "backup: [{name: away, address: 192.0.2.1, forward: relay}], "
    assert chances(SHOP.replace("check:", f"{relayed}check:")) == []


def test_a_site_of_the_other_family_marks_no_clients_packets() -> None:
    six = SHOP.replace("10.0.0.100", '"2001:db8::100"').replace("10.0.0.11", '"2001:db8::11"')
    away = six.replace("check:", "backup: [{name: away, address: 192.0.2.1}], check:")
    found = examine(source.from_text(HEAD + away, "haman.yaml")).cluster
    assert found is not None
    assert found.services["shop"].visits
    assert ruleset(found, "lb2", MACS).marks == ()
    told = away.replace("192.0.2.1", "192.0.2.1, from: ['2001:db8:2::/64']")
    found = examine(source.from_text(HEAD + told, "haman.yaml")).cluster
    assert found is not None
    (mark, *_) = ruleset(found, "lb2", MACS).marks
    assert mark.sources == (ip_network("2001:db8:2::/64"),)


def test_while_the_other_director_is_asked_no_connection_is_taken_up_in_the_middle() -> None:
    hashed = cluster(
        SHOP, SHOP.replace("shop", "web").replace("80, 443", "90").replace("check:", "scheduler: mh, check:")
    )
    sloppy = SysctlKey("net/ipv4/vs/sloppy_tcp")
    assert desired.ipvs(hashed, "lb2", {}, macs=MACS).sysctls[sloppy] == SysctlConfig("1")
    taken = desired.ipvs(hashed, "lb2", {}, macs=MACS, taken={"public": "lb1"})
    assert taken.sysctls[sloppy] == SysctlConfig("0")
    assert "table ip haman" in taken.tables[TableKey()].text
