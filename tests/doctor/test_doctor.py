"""Each examination with a machine that has what it looks for, and with one that has not."""

from __future__ import annotations

import json
from dataclasses import replace
from ipaddress import IPv4Address, IPv6Interface
from typing import TYPE_CHECKING, Any

import pytest

from haman import doctor
from haman.cli import main
from haman.cli.doctor import text
from haman.doctor import clock, peers
from haman.doctor.scene import Scene
from haman.model.arbiter import Arbiter
from haman.model.cluster import Sync
from haman.model.kernel import AddressKey
from haman.model.routers import StandbyAddress, VirtualAddress
from haman.model.services import Forward
from tests.director.support import cluster, service

if TYPE_CHECKING:
    from pathlib import Path

    from haman.model.cluster import Cluster

SETTINGS = {
    "sys/net/ipv4/conf/all/arp_ignore": "1",
    "sys/net/ipv4/conf/all/arp_announce": "2",
    "sys/net/ipv4/conf/all/promote_secondaries": "1",
    "sys/net/ipv4/conf/all/rp_filter": "0",
    "sys/net/ipv4/conf/eth0/rp_filter": "0",
    "sys/net/ipv4/ip_forward": "1",
    "sys/net/ipv4/ip_nonlocal_bind": "1",
    "sys/net/netfilter/nf_conntrack_count": "10",
    "sys/net/netfilter/nf_conntrack_max": "262144",
    "4711/status": "Name:\tpython\nPPid:\t4710\n",
    "4710/status": "Name:\thaman\nCapPrm:\t00000000000030e0\nVmLck:\t  120 kB\n",
    "4710/comm": "haman",
}


def status(**changes: Any) -> dict[str, Any]:
    router = {"name": "public", "role": "active", "why": "nobody", "vrid": 51, "active_peer": None}
    plain = {
        "node": "lb1",
        "pid": 4711,
        "config": {
            "file": "/etc/haman/haman.yaml",
            "generation": 2,
            "digest": "0123456789ab",
            "changed_since": False,
            "last_reload": {"ok": True, "mistakes": []},
            "warnings": [],
        },
        "routers": [router],
        "kernel": {"refused": []},
        "transitions": [],
    }
    return plain | changes


@pytest.fixture(autouse=True)
def machine(monkeypatch: pytest.MonkeyPatch) -> None:
    """Synchronised, real-time, with a way to lb2."""
    monkeypatch.setattr(clock, "_kernel", lambda: (0x2001, 400))
    monkeypatch.setattr(peers, "_source", lambda address: "10.0.0.1")
    monkeypatch.setattr(doctor.rights, "_real_time", lambda pid: True)


def scene(root: Path, settings: dict[str, str] | None = None, **changes: Any) -> Scene:
    """A healthy lb1 of the test cluster, haman running, but for `changes` and `settings` (below /proc)."""
    for name, value in (SETTINGS | (settings or {})).items():
        path = root / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(value + "\n")
    plain = Scene(
        file="/etc/haman/haman.yaml",
        cluster=cluster(),
        node="lb1",
        status=status(),
        links={"lo": True, "eth0": True, "eth1": True},
        mtu={"eth0": 1500, "eth1": 1500},
        addresses={AddressKey("eth0", IPv4Address("10.0.0.1"), 24)},
        proc=root,
    )
    return replace(plain, **changes)


def found(seen: Scene) -> list[str]:
    return [f"{subject}: {finding.what}" for subject, finding in doctor.examine(seen)]


def test_a_healthy_machine(tmp_path: Path) -> None:
    assert found(scene(tmp_path)) == []


def with_servers(forward: Forward, **changes: Any) -> Cluster:
    web = service()
    servers = {name: replace(server, forward=forward) for name, server in web.servers.items()}
    return cluster(services={"web": replace(web, servers=servers)}, **changes)


def with_router(**changes: Any) -> Cluster:
    plain = cluster()
    return replace(plain, routers={"public": replace(plain.routers["public"], **changes)})


V6 = VirtualAddress(interface=IPv6Interface("2001:db8::100/64"), device="eth0")
NARROW = Sync(interfaces={"lb1": "eth1"}, sync_id=51, group=IPv4Address("224.0.0.81"), max_length=1400)
GUARDED = cluster(arbiter=Arbiter(arp=(IPv4Address("10.0.0.254"),)))
PLANTED: dict[str, tuple[dict[str, str], dict[str, Any], str]] = {
    "mistakes": ({}, {"cluster": None, "mistakes": ("haman.yaml:7:3: what?",)}, "config: the configuration"),
    "refused": (
        {},
        {"status": status(config=status()["config"] | {"last_reload": {"ok": False, "mistakes": ["x:1:1: y"]}})},
        "config: the last reload was refused",
    ),
    "changed": (
        {},
        {"status": status(config=status()["config"] | {"changed_since": True})},
        "config: what is running is not what stands in the file",
    ),
    "warning": (
        {},
        {"status": status(config=status()["config"] | {"warnings": ["metrics.listen: in use"]})},
        "config: a part of the configuration could not be taken up",
    ),
    "skew": (
        {},
        {"status": status(transitions=[{"who": "public", "cause": "mismatch_addresses", "why": "10.0.0.2 ..."}])},
        "config: another director has other settings for router public",
    ),
    "no ipvs": ({}, {"ipvs": "no family IPVS"}, "ipvs: this kernel has no IPVS"),
    "kernel refuses": (
        {},
        {"status": status(kernel={"refused": [{"operation": "add x", "why": "errno 2"}]})},
        "ipvs: the kernel refuses to add x",
    ),
    "no interface": (
        {},
        {"links": {"lo": True, "eth1": True}},
        "interfaces: router public is on eth0, and there is no",
    ),
    "no carrier": (
        {},
        {"links": {"eth0": False, "eth1": True}},
        "interfaces: eth0, the interface of router public, is",
    ),
    "no source": (
        {},
        {"addresses": {AddressKey("eth1", IPv4Address("10.0.0.1"), 24)}},
        "interfaces: eth0 does not have 10.0.0.1",
    ),
    "no device for a vip": (
        {},
        {"links": {"eth0": True}},
        "interfaces: VIP 10.0.1.100 of router public is to be on eth1",
    ),
    "tunnel": ({}, {"cluster": with_servers(Forward.TUN)}, "interfaces: tunnelled packets of full size do not fit"),
    "sync": (
        {},
        {"cluster": cluster(sync=NARROW), "mtu": {"eth0": 1500, "eth1": 1400}},
        "interfaces: synchronisation messages are longer than",
    ),
    "arp": (
        {"sys/net/ipv4/conf/all/arp_ignore": "0"},
        {},
        "settings: net.ipv4.conf.all.arp_ignore is not as haman needs",
    ),
    "forwarding": (
        {"sys/net/ipv4/ip_forward": "0"},
        {"cluster": with_servers(Forward.NAT)},
        "settings: this machine does",
    ),
    "forwarding for full NAT": (
        {"sys/net/ipv4/ip_forward": "0"},
        {"cluster": with_servers(Forward.FULLNAT)},
        "settings: this machine does not forward, and servers are reached by NAT",
    ),
    "nft": (
        {"sys/net/ipv4/vs/conntrack": "1"},
        {"cluster": with_servers(Forward.FULLNAT), "nft": False},
        "packet_filter: the program nft is missing, and services need",
    ),
    "connection tracking": (
        {"sys/net/ipv4/vs/conntrack": "0"},
        {"cluster": with_servers(Forward.FULLNAT)},
        "settings: net.ipv4.vs.conntrack is not as haman needs",
    ),
    "strange director": (
        {},
        {"status": status(problems=["service web: the MAC addresses of director lb2 are not known, so ..."])},
        "packet_filter: this director cannot tell another one's frames",
    ),
    "gateway": (
        {"sys/net/ipv4/ip_forward": "0"},
        {"cluster": cluster(services={"web": replace(service(), masquerade=True)})},
        "settings: this machine does not forward, and is a gateway",
    ),
    "rp_filter": (
        {"sys/net/ipv4/conf/eth0/rp_filter": "1"},
        {"cluster": with_servers(Forward.NAT)},
        "settings: eth0 drops packets whose answer would leave by another interface",
    ),
    "nonlocal": (
        {"sys/net/ipv4/ip_nonlocal_bind": "0"},
        {"cluster": with_router(standby_address=StandbyAddress.NOWHERE)},
        "settings: programs cannot listen on a VIP that is not here",
    ),
    "ipv6 off": (
        {"sys/net/ipv6/conf/eth0/disable_ipv6": "1"},
        {"cluster": with_router(addresses=(V6,))},
        "settings: IPv6 is switched off on eth0",
    ),
    "capabilities": (
        {"4710/status": "CapPrm:\t0000000000001000\nVmLck:\t 1 kB\n"},
        {},
        "rights: haman lacks CAP_NET_RAW",
    ),
    "memory": (
        {"4710/status": "CapPrm:\t0000000000003000\nVmLck:\t 0 kB\n"},
        {},
        "rights: the elector's memory is not",
    ),
    "stranger": (
        {},
        {
            "status": status(
                routers=[
                    status()["routers"][0]
                    | {"role": "standby", "active_peer": {"address": "10.0.0.9", "director": None, "priority": 200}}
                ]
            )
        },
        "peers: router public: somebody who is no director of this cluster speaks for it",
    ),
    "fault": (
        {},
        {"status": status(routers=[status()["routers"][0] | {"role": "fault"}])},
        "peers: router public is in fault",
    ),
    "arbiter not reached": (
        {},
        {
            "cluster": GUARDED,
            "status": status(arbiter={"state": "down", "why": "ARP 10.0.0.254 does not answer, 1 must"}),
        },
        "arbiter: the arbiter is not reached from this director",
    ),
    "arbiter on no network": (
        {},
        {"cluster": cluster(arbiter=Arbiter(arp=(IPv4Address("10.9.9.9"),)))},
        "arbiter: the arbiter can never say yes to this director",
    ),
    "arbiter of directors that are not heard": (
        {},
        {
            "cluster": cluster(arbiter=Arbiter(directors=("lb1", "lb2", "lb3"), quorum=2)),
            "status": status(directors=[{"name": "lb2", "heard": False}, {"name": "lb3", "heard": False}]),
        },
        "arbiter: the arbiter can never say yes to this director",
    ),
    "arbiter with a director that is not heard": (
        {},
        {
            "cluster": cluster(arbiter=Arbiter(directors=("lb1", "lb2", "lb3"), quorum=2)),
            "status": status(directors=[{"name": "lb2", "heard": True}, {"name": "lb3", "heard": False}]),
        },
        "arbiter: some of those that the arbiter is made of cannot say yes to this director",
    ),
    "arbiter without a spare": (
        {},
        {"cluster": cluster(arbiter=Arbiter(arp=(IPv4Address("10.0.0.254"),), strict=True))},
        "arbiter: the VIPs are lost with any one of those that the arbiter is made of",
    ),
    "arbiter not reached by another": (
        {},
        {
            "cluster": GUARDED,
            "status": status(directors=[{"name": "lb2", "heard": True, "reaches_arbiter": False}]),
        },
        "arbiter: director lb2 does not reach the arbiter",
    ),
    "keepalived": ({"815/comm": "keepalived"}, {}, "others: keepalived runs here too"),
    "conntrack": ({"sys/net/netfilter/nf_conntrack_count": "250000"}, {}, "tables: the table of tracked connections"),
}


@pytest.mark.parametrize("name", PLANTED)
def test_what_is_planted_is_found_and_nothing_else(tmp_path: Path, name: str) -> None:
    settings, changes, expected = PLANTED[name]
    seen = scene(tmp_path, settings, **changes)
    assert [each[: len(expected)] for each in found(seen)] == [expected]
    ((_, finding),) = doctor.examine(seen)
    assert finding.evidence
    assert finding.consequence
    assert finding.fix


def test_an_arbiter_that_is_reached(tmp_path: Path) -> None:
    said = status(
        arbiter={"state": "up", "why": ""}, directors=[{"name": "lb2", "heard": True, "reaches_arbiter": True}]
    )
    assert found(scene(tmp_path, cluster=GUARDED, status=said)) == []
    assert found(scene(tmp_path, cluster=GUARDED)) == []


def test_an_unsynchronised_clock(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(clock, "_kernel", lambda: (0x40, 16_000_000))
    ((_, finding),) = doctor.examine(scene(tmp_path))
    assert finding.evidence == "adjtimex: status 0x40, maximum error 16 s"
    assert not finding.problem


def test_the_kernels_clock_can_be_read() -> None:
    read = clock._kernel()
    assert read is not None
    status, error = read
    assert 0 <= status < 0x10000
    assert 0 <= error <= 100_000_000


@pytest.mark.parametrize(("source", "expected"), [(None, "there is no way to"), ("10.9.9.9", "packets to lb2 leave")])
def test_ways_to_peers(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, source: str | None, expected: str) -> None:
    monkeypatch.setattr(peers, "_source", lambda address: source)
    (words,) = found(scene(tmp_path))
    assert expected in words


def test_not_in_real_time(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(doctor.rights, "_real_time", lambda pid: False)
    assert found(scene(tmp_path)) == ["rights: the elector is not scheduled in real time"]


def test_without_a_running_haman_it_says_so_and_looks_at_the_rest(tmp_path: Path) -> None:
    settings = {"self/status": "CapPrm:\t0000003fffffffff\n", "sys/net/ipv4/conf/all/arp_ignore": "0"}
    seen = scene(tmp_path, settings | {"815/comm": "keepalived"}, status=None, silence="no haman runs here: ...")
    assert found(seen) == ["others: keepalived runs here too", "config: no haman answers here"]


def test_problems_come_first_and_are_counted(tmp_path: Path) -> None:
    seen = scene(tmp_path, {"815/comm": "keepalived"}, status=None, cluster=with_servers(Forward.TUN))
    page = text(doctor.examine(seen), ("others",))
    assert page.startswith("PROBLEM (others): keepalived runs here too\n  seen:  process 815 (keepalived)\n  means: ")
    assert page.endswith("1 problem, 2 hints; examined: others")


def test_the_verb(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    monkeypatch.setenv("HAMAN_RUN_DIR", str(tmp_path))
    file = tmp_path / "haman.yaml"
    file.write_text("cluster: web\ncolour: red\n")
    assert main(["doctor", "--config", str(file), "--json"]) == 3
    answer = json.loads(capsys.readouterr().out)
    assert answer["running"] is False
    assert answer["findings"][0]["subject"] == "config"
    assert f"{file}:" in answer["findings"][0]["evidence"]
