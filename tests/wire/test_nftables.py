"""The file for nft, word for word: tests/kernel has the kernel's opinion of it."""

from __future__ import annotations

from ipaddress import ip_address, ip_network
from typing import Any

from haman.model.filter import Mark, Ruleset, SecondChance, SourceNat
from haman.model.services import Protocol
from haman.wire.nftables import removal, render

REMOVAL = (
    "add table inet haman\ndelete table inet haman\n"
    "add table ip haman\ndelete table ip haman\n"
    "add table ip6 haman\ndelete table ip6 haman\n"
)
TCP, UDP = (Protocol.TCP,), (Protocol.TCP, Protocol.UDP)


def rule(**fields: Any) -> str:
    """The one rule that a mark becomes."""
    return rules(marks=(Mark(**{"mark": 7, "version": 4, "protocols": TCP, **fields}),))[0]


def rules(**ruleset: Any) -> list[str]:
    lines = render(Ruleset(**ruleset)).splitlines()
    return [line.strip() for line in lines if line.startswith("\t\t") and "policy accept" not in line]


def test_the_table_is_replaced_in_one_file() -> None:
    vip = (ip_network("10.0.0.100"),)
    mark = Mark(mark=7, version=4, protocols=TCP, destinations=vip, ports=((80, 80),), screened=True)
    nat = SourceNat(version=4, vip=ip_address("10.0.0.100"), protocol=Protocol.TCP, ports=(80,))
    assert render(Ruleset(marks=(mark,), nats=(nat,), peers=("02:00:00:00:00:02", "02:00:00:00:00:01"))) == (
        f"{REMOVAL}"
        "table inet haman {\n"
        "\tset peers { type ether_addr; elements = { 02:00:00:00:00:01, 02:00:00:00:00:02 }; }\n"
        "\tchain marks {\n"
        "\t\ttype filter hook prerouting priority mangle; policy accept;\n"
        "\t\tip daddr { 10.0.0.100 } meta l4proto { tcp } th dport { 80 } ether saddr != @peers meta mark set 0x7\n"
        "\t}\n"
        "\tchain sources {\n"
        "\t\ttype nat hook postrouting priority srcnat; policy accept;\n"
        "\t\tmeta nfproto ipv4 ct original ip daddr 10.0.0.100 meta l4proto tcp"
        " ct original proto-dst { 80 } masquerade\n"
        "\t}\n"
        "}\n"
    )
    assert removal() == REMOVAL


def test_a_second_chance_is_a_table_of_its_familys_own() -> None:
    mac = ("02:00:00:00:00:01",)
    four = SecondChance(
        version=4, to=ip_address("10.0.0.1"), interface="eth0", macs=mac, vip=ip_address("10.0.0.100"), ports=(81, 80)
    )
    six = SecondChance(version=6, to=ip_address("2001:db8::1"), interface="eth0", macs=mac, mark=7)
    here = (
        "ether saddr != { 02:00:00:00:00:01 } ip daddr 10.0.0.100 tcp dport { 80, 81 } tcp flags & (syn | ack) != syn"
    )
    here6 = "ether saddr != { 02:00:00:00:00:01 } meta mark 0x7 tcp flags & (syn | ack) != syn"
    assert render(Ruleset(chances=(four, six))) == (
        f"{REMOVAL}"
        "table ip haman {\n"
        "\tchain unknown {\n"
        "\t\ttype filter hook input priority 110; policy accept;\n"
        f'\t\t{here} socket wildcard 1 dup to 10.0.0.1 device "eth0" drop\n'
        f"\t\t{here} socket transparent {{ 0, 1 }} accept\n"
        f'\t\t{here} dup to 10.0.0.1 device "eth0" drop\n'
        "\t}\n"
        "}\n"
        "table ip6 haman {\n"
        "\tchain unknown {\n"
        "\t\ttype filter hook input priority 110; policy accept;\n"
        f'\t\t{here6} socket wildcard 1 dup to 2001:db8::1 device "eth0" drop\n'
        f"\t\t{here6} socket transparent {{ 0, 1 }} accept\n"
        f'\t\t{here6} dup to 2001:db8::1 device "eth0" drop\n'
        "\t}\n"
        "}\n"
    )


def test_what_a_director_sends_is_left_alone_and_of_udp_even_what_ipvs_knows() -> None:
    vip = (ip_network("10.0.0.100"),)
    mark = Mark(mark=7, version=4, protocols=UDP, destinations=vip, ports=((53, 53),), screened=True)
    assert rules(marks=(mark,), peers=("02:00:00:00:00:02",)) == [
        "ip daddr { 10.0.0.100 } meta l4proto { tcp, udp } th dport { 53 } ether saddr != @peers meta mark set 0x7",
        "ip daddr { 10.0.0.100 } meta l4proto { udp } th dport { 53 } ether saddr @peers meta pkttype set other",
    ]


def test_marks_alone_track_no_connection() -> None:
    assert "nat" not in render(Ruleset(marks=(Mark(mark=7, version=4, protocols=TCP),)))


def test_what_a_mark_compares() -> None:
    assert rule(protocols=UDP) == "meta nfproto ipv4 meta l4proto { tcp, udp } meta mark set 0x7"
    assert rule(incoming="eth1", sources=(ip_network("10.1.0.0/16"),), excluded=(ip_network("10.0.0.0/8"),)) == (
        'iifname "eth1" ip saddr { 10.1.0.0/16 } ip daddr != { 10.0.0.0/8 } meta l4proto { tcp } meta mark set 0x7'
    )
    six = rule(version=6, destinations=(ip_network("2001:db8::/64"),), diverted=True)
    assert six == (
        "ip6 daddr { 2001:db8::/64 } meta l4proto { tcp }"
        " fib daddr type != { local, broadcast, anycast, multicast } meta mark set 0x7"
    )


def test_sets_hold_nothing_twice() -> None:
    """nft refuses intervals that overlap."""
    shown = rule(
        destinations=(ip_network("10.0.0.101"), ip_network("10.0.0.0/24"), ip_network("10.9.0.1")),
        ports=((8000, 8100), (80, 80), (8050, 8200), (8201, 8201), (80, 80)),
    )
    assert shown == (
        "ip daddr { 10.0.0.0/24, 10.9.0.1 } meta l4proto { tcp } th dport { 80, 8000-8201 } meta mark set 0x7"
    )


def test_new_sources() -> None:
    server, one, two = ip_address("10.9.0.11"), ip_address("10.0.0.1"), ip_address("10.0.0.2")
    assert rules(nats=(SourceNat(version=4, mark=9, servers=(server,), to=(one,)),)) == [
        "meta nfproto ipv4 meta mark 0x9 ip daddr { 10.9.0.11 } snat ip to 10.0.0.1"
    ]
    (pool,) = rules(nats=(SourceNat(version=4, mark=9, to=(one, two)),))
    assert pool.endswith("meta mark 0x9 snat ip to jhash ip saddr mod 2 map { 0 : 10.0.0.1, 1 : 10.0.0.2 }")
    six = SourceNat(version=6, vip=ip_address("2001:db8::100"), servers=(ip_address("2001:db8:9::11"),))
    assert rules(nats=(six,)) == [
        "meta nfproto ipv6 ct original ip6 daddr 2001:db8::100 ip6 daddr { 2001:db8:9::11 } masquerade"
    ]
