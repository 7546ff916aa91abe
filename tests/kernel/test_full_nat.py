"""Full NAT on a real kernel: servers that know nothing of the director answer through it, wherever they stand."""

from __future__ import annotations

import socket
from typing import TYPE_CHECKING

import pytest

from tests.kernel.gateway_net import Site, said
from tests.kernel.test_privileges import confined

if TYPE_CHECKING:
    from pathlib import Path

    from haman.lab.hosts import Network

pytestmark = pytest.mark.kernel

FOUR, SIX = "10.0.0.100", "2001:db8::100"
TABLE = ("list", "table", "inet", "haman")


def yaml(*services: str) -> str:
    return "\n".join(
        [
            "cluster: test",
            "directors: {lb1: {address: 10.0.0.1, address6: '2001:db8::1'}}",
            "routers: {public: {interface: eth0, vrid: 51, advert_interval: 1s,",
            "  addresses: [10.0.0.100/24, 10.0.0.101/24, '2001:db8::100/64']}}",
            "services:",
            *services,
            "",
        ]
    )


def service(name: str, address: str, servers: str, protocol: str = "tcp", more: str = "") -> str:
    return (
        f"  {name}: {{address: '{address}', port: 80, protocol: {protocol}, scheduler: rr, forward: fullnat,"
        f" check: false, {more} servers: {{{servers}}}}}"
    )


FAR4, NEAR4 = "far: {address: 10.9.0.11, port: 8080}", "near: {address: 10.0.0.12, port: 8080}"
FAR6, NEAR6 = "far: {address: '2001:db8:9::11', port: 8080}", "near: {address: '2001:db8::12', port: 8080}"
ALL = yaml(
    service("tcp4", FOUR, f"{FAR4}, {NEAR4}"),
    service("udp4", FOUR, f"{FAR4}, {NEAR4}", "udp"),
    service("tcp6", SIX, f"{FAR6}, {NEAR6}"),
    service("udp6", SIX, f"{FAR6}, {NEAR6}", "udp"),
)


@pytest.fixture
def site(network: Network, tmp_path: Path) -> Site:
    site = Site(network, tmp_path)
    for host in (site.near, site.far):
        site.serve(host, 8080)
    return site


def test_servers_anywhere_answer_tcp_and_udp_over_both_families(site: Site) -> None:
    """`far` has no route to the client, `near` would answer it directly: both see the director, on their side."""
    site.start(ALL)
    for address, udp in ((FOUR, False), (FOUR, True), (SIX, False), (SIX, True)):
        answers = {said(site.client, address, 80, udp=udp) for _ in range(6)}
        far = "2001:db8:9::1" if address == SIX else "10.9.0.1"
        assert len(answers) == 2, (address, udp, answers, site.nft(*TABLE), site.log())
        assert f"far {far}" in answers
        (near,) = answers - {f"far {far}"}
        assert near.split()[0] == "near"
        assert near.split()[1] in ("10.0.0.1", "2001:db8::1"), near  # never the client's
    assert site.lb1.read("/proc/sys/net/ipv4/vs/conntrack").strip() == "1"


def test_the_source_can_be_chosen_and_a_client_keeps_its_of_several(site: Site) -> None:
    site.start(yaml(service("web", FOUR, NEAR4, more="source: 10.0.0.101,")))
    assert said(site.client, FOUR, 80) == "near 10.0.0.101"
    site.reload(yaml(service("web", FOUR, NEAR4, more="source: [10.0.0.100, 10.0.0.101],")))
    answers = {said(site.client, FOUR, 80) for _ in range(6)}
    assert len(answers) == 1, answers
    assert answers <= {"near 10.0.0.100", "near 10.0.0.101"}


def test_what_full_nat_is_not_asked_for_keeps_its_source(site: Site) -> None:
    """One table for all: a direct-routing service on the same VIP, and what the director forwards anyway."""
    site.near.sysctl("net/ipv4/conf/all/arp_ignore", 1)
    site.near.ip("address add 10.0.0.100/32 dev lo")
    site.far.route("default", via="10.9.0.1")
    direct = service("direct", FOUR, "near: {address: 10.0.0.12}").replace("port: 80", "port: 8080")
    site.start(yaml(service("web", FOUR, FAR4), direct.replace("fullnat", "dr")))
    assert said(site.client, FOUR, 80) == "far 10.9.0.1"
    assert said(site.client, FOUR, 8080) == "near 10.0.0.9"
    site.client.route("10.9.0.0/24", via="10.0.0.1")
    assert said(site.client, "10.9.0.11", 8080) == "far 10.0.0.9"


def test_a_flushed_table_comes_back_and_streams_live_through_it_and_others_tables_stay(site: Site) -> None:
    site.nft("add table inet theirs; add chain inet theirs own { type filter hook input priority 5; }")
    site.nft("add table ip nat; add chain ip nat own; add rule ip nat own counter")
    theirs = site.nft("list table inet theirs"), site.nft("list table ip nat")
    site.start(ALL)
    written = site.nft(*TABLE)
    with site.client.call(socket.create_connection, (FOUR, 80), 5.0) as stream:

        def alive() -> bool:
            stream.send(b"who\n")
            return bool(stream.recv(200))

        def repaired(times: int) -> bool:
            """Told only when it is written and read back: damage in between is part of the same repair."""
            return site.log().count("-> repaired: ") == times and site.nft(*TABLE) == written

        assert alive()
        for times, damage in enumerate(
            ("delete table inet haman", "flush table inet haman", "flush chain inet haman sources"), 1
        ):
            site.nft(*damage.split())
            site.until(lambda times=times: repaired(times))  # type: ignore[misc]
            assert alive()
            assert said(site.client, FOUR, 80)
        site.nft("add", "rule", "inet", "haman", "sources", "counter")  # edited, not emptied
        site.until(lambda: repaired(4))
        site.reload(yaml(service("tcp4", FOUR, f"{FAR4}, {NEAR4}")))  # replaced by our own hand
        assert "ip6" not in site.nft(*TABLE)
        assert alive()
    assert site.log().count("packet-filter table inet haman: missing -> repaired") == 1, site.log()
    assert site.log().count("packet-filter table inet haman: changed -> repaired") == 3, site.log()
    assert theirs == (site.nft("list table inet theirs"), site.nft("list table ip nat"))


def test_it_stays_over_a_stop_a_kill_and_a_restart_and_goes_when_nothing_needs_it(site: Site) -> None:
    site.start(ALL)
    written = site.nft(*TABLE)
    assert site.process is not None
    site.process.signal(15)
    assert site.process.wait(40) == 0
    assert site.nft(*TABLE) == written
    handles = site.nft("-a", *TABLE)
    site.start(ALL)
    assert said(site.client, FOUR, 80)
    assert site.nft("-a", *TABLE) == handles  # known again: not even written anew
    site.reload(yaml(service("web", FOUR, NEAR4).replace("fullnat", "dr").replace(", port: 8080", "")))
    assert "haman" not in site.nft("list", "tables")
    site.reload(ALL)
    assert site.nft(*TABLE) == written


def test_without_rules_to_write_no_nft_is_started_and_without_nft_the_reason_is_told(site: Site) -> None:
    plain = yaml(service("web", FOUR, NEAR4).replace("fullnat", "dr").replace(", port: 8080", ""))
    site.lb1.run("mount", "--bind", "/dev/null", "/usr/sbin/nft")
    try:
        site.start(plain)
        site.until(lambda: site.status()["kernel"]["loaded"])
        assert site.status()["kernel"]["refused"] == []
        site.reload(ALL)
        site.until(lambda: site.status()["kernel"]["refused"])
        (refused,) = site.status()["kernel"]["refused"]
        assert "packet-filter table inet haman" in refused["operation"]
    finally:
        site.lb1.run("umount", "/usr/sbin/nft")
    site.until(lambda: not site.status()["kernel"]["refused"])
    assert said(site.client, FOUR, 80)


def test_the_units_privileges_suffice(site: Site) -> None:
    site.start(ALL, through=confined())
    site.until(lambda: said(site.client, FOUR, 80))
    assert site.status()["kernel"]["refused"] == []
