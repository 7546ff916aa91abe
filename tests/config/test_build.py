"""A right file becomes exactly this cluster."""

from __future__ import annotations

import time
from dataclasses import replace
from ipaddress import IPv4Address, IPv4Interface

import pytest

from haman import config
from haman.errors import ConfigError
from haman.model import cluster as model
from tests.config.casebook import BASE

SMALL = """\
cluster: web
directors: {lb1: {address: 10.0.0.1, priority: 2}, lb2: {address: 10.0.0.2}}
routers: {public: {interface: eth0, vrid: 51, addresses: [10.0.0.100/24]}}
"""

FULL = """\
cluster: web
directors:
  lb1:
    address: 10.0.0.1
    priority: 150
    hostnames: [a.example.com]
    routers: {public: {interface: ens3, priority: 200, address: 10.0.0.11}}
  lb2: {address: 10.0.0.2}
routers:
  public:
    interface: eth0
    vrid: 51
    advert_interval: 100ms
    addresses: [10.0.0.100/24, {address: 10.0.1.100/24, dev: eth1}, {address: 10.0.0.101}]
    preempt: {after: 30s}
    track: [{interface: eth1}, {interface: eth2, penalty: 60}]
    linger: 20ms
    transport: unicast
    minimum_ttl: 254
    checksum: pseudo-header
    standby_address: loopback
    announce: {count: 3, spacing: 5ms, repeat: [1s]}
  inner: {interface: eth1, vrid: 52, addresses: [10.0.1.101/24], directors: [lb1], preempt: true}
checks:
  front: {http: {path: /healthz, host: x.example, status: [200, 300-399]}, interval: 1s, timeout: 500ms, port: 81}
services:
  web:
    address: 10.0.0.100
    ports: [80, 443]
    scheduler: sh
    flags: [sh-port, sh-fallback]
    check: front
    minimum_up: 50%
    on_failure: quiesce
    persistence: {timeout: 10m, prefix: 24}
    servers:
      rs1: {address: 10.0.0.21, weight: 2, upper_threshold: 10, lower_threshold: 5}
      rs2: {address: 10.0.0.22, forward: nat, port: 8080}
      lb1: {director: lb1}
      lb2: {address: 10.0.0.2}
  far:
    address: 10.0.1.100
    port: 53
    protocol: udp
    one_packet: true
    forward: tun
    tunnel: {type: gue, port: 6080, checksum: remote}
    minimum_up: 1
    check: {tcp: {}, interval: 200ms}
    servers: {rs1: {address: 10.9.0.1}, rs2: {address: 10.9.0.2, tunnel: {type: gre}}}
  marked: {fwmark: 0x10, family: ipv6, scheduler: wlc, check: false, servers: {rs1: {address: "2001:db8::1"}},
           persistence: {engine: sip}}
sync: {interfaces: {lb1: ens4}, interface: eth3, id: 7, group: 224.0.0.82, port: 8849, ttl: 2, max_length: 1KiB}
timeouts: {tcp: 15m, udp: 90s}
hooks:
  - {on: [active, stop], run: "/bin/x 'a b'", timeout: 5s, user: nobody, routers: [public]}
  - {on: [fault], run: [/bin/y, "*"]}
metrics: {listen: "[::1]:9112"}
log: {format: json, level: debug}
"""


@pytest.fixture(scope="module")
def full() -> model.Cluster:
    return config.parse(FULL, "f")


def test_what_is_left_out_has_the_models_default() -> None:
    """One default per setting: the file's and the model's are the same."""
    router = config.parse(SMALL, "f").routers["public"]
    bare = model.Router(
        name="public",
        vrid=51,
        advert_interval=1.0,
        addresses=(model.VirtualAddress(interface=IPv4Interface("10.0.0.100/24"), device="eth0"),),
        members={
            "lb1": model.Member(director="lb1", priority=2, interface="eth0", address=IPv4Address("10.0.0.1")),
            "lb2": model.Member(director="lb2", priority=100, interface="eth0", address=IPv4Address("10.0.0.2")),
        },
    )
    assert router == replace(bare, standby_address=model.StandbyAddress.NOWHERE)
    text = (
        SMALL
        + "services: {web: {address: 10.0.0.100, port: 80, check: {tcp: {}}, servers: {rs1: {address: 10.0.0.3}}}}"
    )
    cluster = config.parse(text, "f")
    assert cluster.routers["public"] == bare
    assert cluster.services["web"] == model.Service(
        name="web",
        servers={"rs1": model.Server(name="rs1", address=IPv4Address("10.0.0.3"))},
        scheduler="mh",
        flags=frozenset({"mh-port"}),
        protocol=model.Protocol.TCP,
        address=IPv4Address("10.0.0.100"),
        ports=(80,),
        check=model.Check(name="web/check", probe=model.TcpProbe()),
    )
    assert (cluster.timeouts, cluster.hooks, cluster.metrics) == (model.Timeouts(), (), None)
    assert (cluster.log_format, cluster.log_level) == (model.LogFormat.TEXT, "info")
    http = config.parse(text.replace("{tcp: {}}", "{http: {}}"), "f").services["web"].check
    assert http == model.Check(name="web/check", probe=model.HttpProbe())


def test_directors_and_members(full: model.Cluster) -> None:
    assert full.directors["lb1"] == model.Director(
        name="lb1", address=IPv4Address("10.0.0.1"), hostnames=("a.example.com",)
    )
    assert full.routers["public"].members == {
        "lb1": model.Member(director="lb1", priority=200, interface="ens3", address=IPv4Address("10.0.0.11")),
        "lb2": model.Member(director="lb2", priority=100, interface="eth0", address=IPv4Address("10.0.0.2")),
    }
    assert list(full.routers["inner"].members) == ["lb1"]


def test_router(full: model.Cluster) -> None:
    router = full.routers["public"]
    assert router.advert_interval == 0.1
    assert router.preempt == model.Preempt(allowed=True, after=30.0)
    assert full.routers["inner"].preempt == model.Preempt(allowed=True)
    assert router.track == (
        model.TrackedInterface(interface="eth1"),
        model.TrackedInterface(interface="eth2", penalty=60),
    )
    assert router.announce == model.Announce(count=3, spacing=0.005, repeat=(1.0,))
    assert (router.linger, router.minimum_ttl) == (0.02, 254)
    assert router.transport is model.Transport.UNICAST
    assert router.checksum is model.ChecksumForm.PSEUDO_HEADER
    assert router.standby_address is model.StandbyAddress.LOOPBACK


def test_a_vip_follows_each_directors_interface_unless_it_names_one(full: model.Cluster) -> None:
    devices = {name: [vip.device for vip in full.routers["public"].addresses_on(name)] for name in ("lb1", "lb2")}
    assert devices == {"lb1": ["ens3", "eth1", "ens3"], "lb2": ["eth0", "eth1", "eth0"]}
    assert [str(vip.interface) for vip in full.routers["public"].addresses] == [
        "10.0.0.100/24", "10.0.1.100/24", "10.0.0.101/32",
    ]  # fmt: skip


def test_where_a_standby_keeps_the_vip_follows_from_the_services(full: model.Cluster) -> None:
    assert full.routers["inner"].standby_address is model.StandbyAddress.NOWHERE
    used = FULL.replace("10.0.1.100\n    port: 53", "10.0.1.101\n    port: 53")
    assert config.parse(used, "f").routers["inner"].standby_address is model.StandbyAddress.LOOPBACK
    said = used.replace("preempt: true}", "preempt: true, standby_address: nowhere}")
    assert config.parse(said, "f").routers["inner"].standby_address is model.StandbyAddress.NOWHERE


def test_service_and_servers(full: model.Cluster) -> None:
    web = full.services["web"]
    assert (web.ports, web.scheduler, web.flags) == ((80, 443), "sh", {"sh-port", "sh-fallback"})
    assert web.persistence == model.Persistence(timeout=600, prefix=24)
    assert (web.minimum_up, web.on_failure) == (model.Floor(share=0.5), model.OnFailure.QUIESCE)
    assert web.servers == {
        "rs1": model.Server(
            name="rs1", address=IPv4Address("10.0.0.21"), weight=2, upper_threshold=10, lower_threshold=5
        ),
        "rs2": model.Server(name="rs2", address=IPv4Address("10.0.0.22"), forward=model.Forward.NAT, port=8080),
        "lb1": model.Server(name="lb1", address=IPv4Address("10.0.0.1"), director="lb1"),
        "lb2": model.Server(name="lb2", address=IPv4Address("10.0.0.2"), director="lb2"),
    }
    assert web.check == model.Check(
        name="front",
        probe=model.HttpProbe(path="/healthz", host="x.example", statuses=((200, 200), (300, 399))),
        interval=1.0,
        timeout=0.5,
        port=81,
    )


def test_a_tunnel_is_inherited_and_a_fast_interval_never_slow(full: model.Cluster) -> None:
    far = full.services["far"]
    remote = model.Tunnel(type=model.TunnelType.GUE, port=6080, checksum=model.TunnelChecksum.REMOTE)
    assert [server.tunnel for server in far.servers.values()] == [remote, model.Tunnel(type=model.TunnelType.GRE)]
    assert far.check
    assert (far.check.name, far.check.interval, far.check.fast_interval) == ("far/check", 0.2, 0.2)
    assert (far.one_packet, far.protocol, far.minimum_up) == (True, model.Protocol.UDP, model.Floor(count=1))


def test_a_firewall_mark(full: model.Cluster) -> None:
    marked = full.services["marked"]
    assert (marked.fwmark, marked.fwmark_ipv6, marked.protocol, marked.address, marked.ports) == (
        16,
        True,
        None,
        None,
        (),
    )
    assert (marked.scheduler, marked.flags, marked.check) == ("wlc", frozenset(), None)
    assert marked.persistence == model.Persistence(timeout=300, prefix=128, engine="sip")


def test_what_is_around(full: model.Cluster) -> None:
    assert full.sync == model.Sync(
        interfaces={"lb1": "ens4", "lb2": "eth3"},
        sync_id=7,
        group=IPv4Address("224.0.0.82"),
        port=8849,
        ttl=2,
        max_length=1024,
    )
    assert full.timeouts == model.Timeouts(tcp=900, tcp_fin=0, udp=90)
    assert full.hooks == (
        model.Hook(
            on=frozenset({model.HookEvent.ACTIVE, model.HookEvent.STOP}),
            argv=("/bin/x", "a b"),
            timeout=5.0,
            user="nobody",
            routers=frozenset({"public"}),
        ),
        model.Hook(on=frozenset({model.HookEvent.FAULT}), argv=("/bin/y", "*")),
    )
    assert full.metrics == model.Listen(host="::1", port=9112)
    assert (full.log_format, full.log_level) == (model.LogFormat.JSON, "debug")


SERVICE = "services: {web: {address: 10.0.0.100, port: 80, check: false, servers: {rs1: {address: 10.0.0.3}}}}\n"


@pytest.mark.parametrize(
    ("text", "runs"),
    [
        (BASE, False),
        (BASE + SERVICE, True),
        (BASE + SERVICE + "sync: false\n", False),
        (BASE + "sync: true\n", True),
        (BASE + SERVICE.replace("10.0.0.3", "10.0.0.3, weight: 2") + "sync: {}\n", True),
        (BASE.replace(", lb2: {address: 10.0.0.2, priority: 1}", "") + SERVICE, False),
    ],
)
def test_sync_runs_where_it_can_be_of_use(text: str, runs: bool) -> None:
    sync = config.parse(text, "f").sync
    assert (sync is not None) is runs
    if sync:
        assert sync == model.Sync(
            interfaces={"lb1": "eth0", "lb2": "eth0"}, sync_id=51, group=IPv4Address("224.0.0.81")
        )


def test_parse_raises_every_mistake_as_a_line() -> None:
    with pytest.raises(ConfigError) as caught:
        config.parse("cluster: a b\nlog: {level: loud}\n", "f.yaml")
    assert [line.split(": ")[0] for line in caught.value.mistakes] == [
        "f.yaml:1:1",
        "f.yaml:1:1",
        "f.yaml:1:10",
        "f.yaml:2:14",
    ]


def test_ten_thousand_servers() -> None:
    """About a second on an idle core; the limit is there to notice a square, not a slow machine."""
    rows = [BASE, "services:\n"]
    for service in range(1000):
        rows += [f"  web{service}:\n    address: 10.0.0.100\n    port: {service + 1}\n"]
        rows += ["    check: {tcp: {}}\n    servers:\n"]
        rows += [f"      rs{n}: {{address: 10.1.{service // 250}.{n + 1}, weight: {n + 1}}}\n" for n in range(10)]
    begun = time.process_time()
    cluster = config.parse("".join(rows), "f")
    assert time.process_time() - begun < 10
    assert sum(len(service.servers) for service in cluster.services.values()) == 10_000
