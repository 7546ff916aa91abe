"""Hosts from files: every example that can be a cluster on one machine becomes one, the others say why not."""

from __future__ import annotations

from pathlib import Path

import pytest

from haman.config import load, parse
from haman.errors import LabError
from haman.lab.box.duties import answerer, commands, doors
from haman.lab.box.layout import Kind, lay_out

EXAMPLES = Path(__file__).parents[3] / "etc" / "examples"
REFUSED = {"outbound-gateway.yaml": "service internet is a gateway"}


def laid(example):
    return lay_out(load(EXAMPLES / example))


def hosts(layout):
    """By host: addresses by card, then its gateways."""
    return {
        host.name: ({card: each.texts() for card, each in host.cards.items()}, sorted(map(str, host.gateways.values())))
        for host in layout.hosts.values()
    }


@pytest.mark.parametrize("path", sorted(EXAMPLES.glob("*.yaml")), ids=lambda path: path.name)
def test_every_example_is_laid_out_or_refused_in_words(path):
    cluster = load(path)
    if path.name in REFUSED:
        with pytest.raises(LabError, match=REFUSED[path.name]):
            lay_out(cluster)
        return
    layout = lay_out(cluster)
    found = [address for host in layout.hosts.values() for address, _ in host.addresses()]
    assert len(set(found)) == len(found), "an address is one host's"
    vips = {vip for router in cluster.routers.values() for vip in router.vips}
    assert not vips & set(found), "VIPs are haman's to put somewhere"
    for host in layout.hosts.values():
        for gateway in host.gateways.values():
            assert any(gateway in network for _, network in host.addresses()), f"{host.name} reaches its gateway"


def test_two_families_share_one_card():
    assert hosts(laid("both-families.yaml")) == {
        "lb1": ({"eth0": ["10.0.0.1/24", "2001:db8::1/64"]}, ["10.0.0.254", "2001:db8::fffe"]),
        "lb2": ({"eth0": ["10.0.0.2/24", "2001:db8::2/64"]}, ["10.0.0.254", "2001:db8::fffe"]),
        "rs1": ({"eth0": ["10.0.0.11/24", "2001:db8::11/64"]}, ["10.0.0.254", "2001:db8::fffe"]),
        "rs2": ({"eth0": ["10.0.0.12/24", "2001:db8::12/64"]}, ["10.0.0.254", "2001:db8::fffe"]),
        "router": (
            {"eth0": ["10.0.0.254/24", "2001:db8::fffe/64"], "eth1": ["192.0.2.1/24", "2001:db8:ffff::1/64"]},
            [],
        ),
        "client": ({"eth0": ["192.0.2.10/24", "2001:db8:ffff::a/64"]}, ["192.0.2.1", "2001:db8:ffff::1"]),
    }


def test_servers_behind_nat_answer_by_way_of_the_vip_and_see_no_router():
    layout = laid("nat.yaml")
    found = hosts(layout)
    assert found["app1"] == ({"eth0": ["10.1.0.11/24", "2001:db8:2::11/64"]}, ["10.1.0.254", "2001:db8:2::fe"])
    assert layout.hosts["app1"].cards["eth0"].segment == layout.hosts["lb1"].cards["eth1"].segment
    assert layout.hosts["app1"].cards["eth0"].segment not in {
        card.segment for card in layout.hosts["router"].cards.values()
    }
    assert layout.hosts["lb1"].forward


def test_servers_elsewhere_are_behind_the_router():
    layout = laid("full-nat.yaml")
    assert hosts(layout)["app1"] == (
        {"eth0": ["172.18.1.11/24", "2001:db8:18::11/64"]},
        ["172.18.1.254", "2001:db8:18::fffe"],
    )
    assert layout.hosts["app1"].cards["eth0"].segment != layout.hosts["app2"].cards["eth0"].segment


def test_directors_that_serve_are_one_host_and_a_loopback_address_is_each_of_them():
    assert [host.name for host in laid("two-boxes.yaml").of(Kind.SERVER)] == []
    assert list(laid("two-boxes.yaml").serving) == ["node1", "node2"]
    assert list(laid("local-node.yaml").serving) == ["lb1", "lb2", "rs1"]


def test_what_the_file_pings_and_routes_by_is_the_router():
    assert hosts(laid("vip-only-haproxy.yaml"))["router"][0]["eth0"] == ["192.0.2.1/24"]
    assert ["10.9.0.1/24"] in hosts(laid("three-node-dns.yaml"))["router"][0].values()


def cluster(server, forward):
    return parse(
        f"""
cluster: web
directors: {{lb1: {{address: 10.0.0.1, priority: 150}}, lb2: {{address: 10.0.0.2, priority: 100}}}}
routers: {{public: {{interface: eth0, vrid: 51, addresses: [10.0.0.100/24]}}}}
services:
  web: {{address: 10.0.0.100, port: 80, forward: {forward}, servers: {{rs1: {{address: {server}}}}}}}
""",
        "file",
    )


@pytest.mark.parametrize(
    ("server", "forward", "words"),
    [
        ("172.16.0.9", "nat", "is in no network of the directors"),
        ("172.16.0.9", "nat", "no VIP is in its network"),
    ],
)
def test_a_file_that_cannot_work_on_one_machine_is_refused(server, forward, words):
    with pytest.raises(LabError, match=words):
        lay_out(cluster(server, forward))


def test_nat_in_the_vips_own_network_goes_back_by_the_vip():
    assert hosts(lay_out(cluster("10.0.0.11", "nat")))["rs1"][1] == ["10.0.0.100"]


def test_commands_for_all_and_for_one():
    layout = laid("both-families.yaml")
    assert commands([], layout) == {}
    assert commands(["httpd -h {host} -a {address}", "rs2="], layout) == {
        "rs1": ["httpd", "-h", "rs1", "-a", "10.0.0.11"],
        "rs2": [],
    }
    assert commands(["env A=b httpd"], layout)["rs2"] == ["env", "A=b", "httpd"]


@pytest.mark.parametrize(
    ("serve", "words"),
    [
        (["lb1=httpd"], "lb1 is no real server; there are rs1, rs2"),
        (["a", "b"], "a second command for all"),
        (["sh -c 'x"], "No closing quotation"),
    ],
)
def test_a_command_that_is_wrong_is_refused(serve, words):
    with pytest.raises(LabError, match=words):
        commands(serve, laid("both-families.yaml"))


def test_the_answerer_has_the_ports_of_services_and_checks():
    assert answerer(laid("nat.yaml").serving["app1"]) == [("tcp", 8443), ("udp", 5353)]
    assert answerer(laid("tunnel.yaml").serving["oslo"]) == [("tcp", 80), ("tcp", 8080), ("udp", 514)]
    assert answerer(laid("two-boxes.yaml").serving["node1"]) == [("tcp", 80), ("tcp", 443), ("udp", 5060)]
    marked = answerer(laid("firewall-mark.yaml").serving["rs1"])
    assert {("tcp", 80), ("tcp", 443), ("tcp", 8000), ("tcp", 8099), ("udp", 443)} <= set(marked)
    assert len(marked) == 103, "of the range 8000-8100 the first hundred"


def test_a_client_tries_what_the_answerer_answers_and_of_other_services_tcp():
    assert [str(door) for door in doors(load(EXAMPLES / "udp.yaml"), [])] == [
        "echo (udp 10.0.0.100:7)",
        "game (udp 10.0.0.100:27015)",
    ]
    assert doors(load(EXAMPLES / "udp.yaml"), ["rs1"]) == []
    assert [str(door) for door in doors(load(EXAMPLES / "nat.yaml"), ["app1"])] == [
        "shop (tcp 203.0.113.10:443)",
        "shop6 (tcp [2001:db8:1::10]:443)",
    ]
