"""A right file becomes exactly this cluster."""

from __future__ import annotations

import time
from dataclasses import replace
from ipaddress import IPv4Address, IPv4Interface, IPv4Network, IPv6Network
from typing import TYPE_CHECKING

import pytest

from haman import config
from haman.errors import ConfigError
from haman.model import cluster as model
from haman.model import routing, trackers
from haman.model.checks import Check, HttpProbe, TcpProbe
from haman.model.routers import (
    Announce,
    ChecksumForm,
    Director,
    Member,
    Preempt,
    Router,
    StandbyAddress,
    Transport,
    VirtualAddress,
)
from haman.model.services import (
    Floor,
    Forward,
    OnFailure,
    Persistence,
    Protocol,
    Server,
    Service,
    Tunnel,
    TunnelChecksum,
    TunnelType,
)
from tests.config.casebook import BASE

if TYPE_CHECKING:
    from pathlib import Path

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
sync: {interfaces: {lb1: ens4}, interface: eth3, id: 7, group: 224.0.0.82, port: 8849, ttl: 2, max_length: 1KiB,
       wait: 20s}
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
    bare = Router(
        name="public",
        vrid=51,
        advert_interval=1.0,
        addresses=(VirtualAddress(interface=IPv4Interface("10.0.0.100/24"), device="eth0"),),
        members={
            "lb1": Member(director="lb1", priority=2, interface="eth0", address=IPv4Address("10.0.0.1")),
            "lb2": Member(director="lb2", priority=100, interface="eth0", address=IPv4Address("10.0.0.2")),
        },
    )
    assert router == replace(bare, standby_address=StandbyAddress.NOWHERE)
    text = (
        SMALL
        + "services: {web: {address: 10.0.0.100, port: 80, check: {tcp: {}}, servers: {rs1: {address: 10.0.0.3}}}}"
    )
    cluster = config.parse(text, "f")
    assert cluster.routers["public"] == bare
    assert cluster.services["web"] == Service(
        name="web",
        servers={"rs1": Server(name="rs1", address=IPv4Address("10.0.0.3"))},
        scheduler="mh",
        flags=frozenset({"mh-port", "mh-fallback"}),
        protocol=Protocol.TCP,
        address=IPv4Address("10.0.0.100"),
        ports=(80,),
        check=Check(name="web/check", probe=TcpProbe()),
    )
    assert (cluster.timeouts, cluster.hooks, cluster.metrics) == (model.Timeouts(), (), None)
    assert (cluster.log_format, cluster.log_level) == (model.LogFormat.TEXT, "info")
    http = config.parse(text.replace("{tcp: {}}", "{http: {}}"), "f").services["web"].check
    assert http == Check(name="web/check", probe=HttpProbe())


def test_directors_and_members(full: model.Cluster) -> None:
    assert full.directors["lb1"] == Director(name="lb1", address=IPv4Address("10.0.0.1"), hostnames=("a.example.com",))
    assert full.routers["public"].members == {
        "lb1": Member(director="lb1", priority=200, interface="ens3", address=IPv4Address("10.0.0.11")),
        "lb2": Member(director="lb2", priority=100, interface="eth0", address=IPv4Address("10.0.0.2")),
    }
    assert list(full.routers["inner"].members) == ["lb1"]


def test_router(full: model.Cluster) -> None:
    router = full.routers["public"]
    assert router.advert_interval == 0.1
    assert router.preempt == Preempt(allowed=True, after=30.0)
    assert full.routers["inner"].preempt == Preempt(allowed=True)
    assert router.track == (
        trackers.TrackedInterface(interface="eth1"),
        trackers.TrackedInterface(interface="eth2", penalty=60),
    )
    assert router.announce == Announce(count=3, spacing=0.005, repeat=(1.0,))
    assert (router.linger, router.minimum_ttl) == (0.02, 254)
    assert router.transport is Transport.UNICAST
    assert router.checksum is ChecksumForm.PSEUDO_HEADER
    assert router.standby_address is StandbyAddress.LOOPBACK


def test_a_vip_follows_each_directors_interface_unless_it_names_one(full: model.Cluster) -> None:
    devices = {name: [vip.device for vip in full.routers["public"].addresses_on(name)] for name in ("lb1", "lb2")}
    assert devices == {"lb1": ["ens3", "eth1", "ens3"], "lb2": ["eth0", "eth1", "eth0"]}
    assert [str(vip.interface) for vip in full.routers["public"].addresses] == [
        "10.0.0.100/24", "10.0.1.100/24", "10.0.0.101/32",
    ]  # fmt: skip


def test_where_a_standby_keeps_the_vip_follows_from_the_services(full: model.Cluster) -> None:
    assert full.routers["inner"].standby_address is StandbyAddress.NOWHERE
    used = FULL.replace("10.0.1.100\n    port: 53", "10.0.1.101\n    port: 53")
    assert config.parse(used, "f").routers["inner"].standby_address is StandbyAddress.LOOPBACK
    said = used.replace("preempt: true}", "preempt: true, standby_address: nowhere}")
    assert config.parse(said, "f").routers["inner"].standby_address is StandbyAddress.NOWHERE


def test_service_and_servers(full: model.Cluster) -> None:
    web = full.services["web"]
    assert (web.ports, web.scheduler, web.flags) == ((80, 443), "sh", {"sh-port", "sh-fallback"})
    assert web.persistence == Persistence(timeout=600, prefix=24)
    assert (web.minimum_up, web.on_failure) == (Floor(share=0.5), OnFailure.QUIESCE)
    assert web.servers == {
        "rs1": Server(name="rs1", address=IPv4Address("10.0.0.21"), weight=2, upper_threshold=10, lower_threshold=5),
        "rs2": Server(name="rs2", address=IPv4Address("10.0.0.22"), forward=Forward.NAT, port=8080),
        "lb1": Server(name="lb1", address=IPv4Address("10.0.0.1"), director="lb1"),
        "lb2": Server(name="lb2", address=IPv4Address("10.0.0.2"), director="lb2"),
    }
    assert web.check == Check(
        name="front",
        probe=HttpProbe(path="/healthz", host="x.example", statuses=((200, 200), (300, 399))),
        interval=1.0,
        timeout=0.5,
        port=81,
    )


def test_a_tunnel_is_inherited_and_a_fast_interval_never_slow(full: model.Cluster) -> None:
    far = full.services["far"]
    remote = Tunnel(type=TunnelType.GUE, port=6080, checksum=TunnelChecksum.REMOTE)
    assert [server.tunnel for server in far.servers.values()] == [
        remote,
        Tunnel(type=TunnelType.GRE),
    ]
    assert far.check
    assert (far.check.name, far.check.interval, far.check.fast_interval) == ("far/check", 0.2, 0.2)
    assert (far.one_packet, far.protocol, far.minimum_up) == (
        True,
        Protocol.UDP,
        Floor(count=1),
    )


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
    assert marked.persistence == Persistence(timeout=300, prefix=128, engine="sip")


def test_what_is_around(full: model.Cluster) -> None:
    assert full.sync == model.Sync(
        interfaces={"lb1": "ens4", "lb2": "eth3"},
        sync_id=7,
        group=IPv4Address("224.0.0.82"),
        port=8849,
        ttl=2,
        max_length=1024,
        wait=20.0,
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


TRACKING = """\
cluster: web
directors: {lb1: {address: 10.0.0.1, priority: 2}, lb2: {address: 10.0.0.2}}
trackers:
  gateway: {ping: 10.0.0.254, interval: 500ms}
  uplink: {interface: eth2, down_after: 500ms, up_after: 5s}
  proxy: {process: haproxy, quorum: 2, arguments: [-db]}
routers:
  public:
    interface: eth0
    vrid: 51
    addresses: [10.0.0.100/24]
    track:
      - gateway
      - {tracker: uplink, penalty: 60}
      - {script: "/etc/haman/track/db.sh --fast", user: nobody, interval: 5s, penalty: 20}
      - {file: /run/weight, weight: -1}
      - {arp: 10.0.0.253, reverse: true}
  inner: {interface: eth1, vrid: 52, addresses: [10.1.0.100/24], track: [proxy, {arp: 10.0.0.253, timeout: 100ms}]}
groups:
  both:
    routers: [public, inner]
    track: [{route: default, via: 10.0.0.254, table: 100}, {service: web, penalty: 9}, {interface: eth3}]
services: {web: {address: 10.0.0.100, port: 80, check: false, servers: {rs1: {address: 10.0.0.11}}}}
"""


def test_tracking() -> None:
    built = config.parse(TRACKING, "f")
    public, inner = built.routers["public"], built.routers["inner"]
    assert public.track == (trackers.TrackedInterface(interface="eth2", penalty=60, down_after=0.5, up_after=5.0),)
    assert public.watch == (
        trackers.Track(tracker="gateway"),
        trackers.Track(tracker="script /etc/haman/track/db.sh --fast", penalty=20),
        trackers.Track(tracker="file /run/weight", weight=-1),
        trackers.Track(tracker="arp 10.0.0.253", reverse=True),
    )
    assert inner.watch == (trackers.Track(tracker="proxy"), trackers.Track(tracker="arp 10.0.0.253 (2)"))
    assert built.groups == {
        "both": trackers.Group(
            name="both",
            routers=("public", "inner"),
            track=(trackers.TrackedInterface(interface="eth3"),),
            watch=(
                trackers.Track(tracker="route 0.0.0.0/0 via 10.0.0.254 table 100"),
                trackers.Track(tracker="service web", penalty=9),
            ),
        )
    }
    ping = trackers.PingWatch(address=IPv4Address("10.0.0.254"))
    script = trackers.ScriptWatch(argv=("/etc/haman/track/db.sh", "--fast"), user="nobody")
    arp = trackers.ArpWatch(address=IPv4Address("10.0.0.253"))
    route = trackers.RouteWatch(
        destination=IPv4Network("0.0.0.0/0"), via=IPv4Address("10.0.0.254"), interface=None, table=100
    )
    made = {
        "gateway": {"watched": ping, "interval": 0.5, "timeout": 0.5, "rise": 2, "fall": 3},
        "proxy": {"watched": trackers.ProcessWatch(name="haproxy", arguments=("-db",), quorum=2)},
        "script /etc/haman/track/db.sh --fast": {
            "watched": script,
            "interval": 5.0,
            "timeout": 5.0,
            "rise": 2,
            "fall": 3,
        },
        "file /run/weight": {"watched": trackers.FileWatch(path="/run/weight")},
        "arp 10.0.0.253": {"watched": arp, "rise": 2, "fall": 3},
        "arp 10.0.0.253 (2)": {"watched": arp, "timeout": 0.1, "rise": 2, "fall": 3},
        "route 0.0.0.0/0 via 10.0.0.254 table 100": {"watched": route},
        "service web": {"watched": trackers.ServiceWatch(service="web")},
    }
    assert built.trackers == {name: trackers.Tracker(name=name, **values) for name, values in made.items()}
    assert [tracker.name for tracker in built.trackers_of("lb1")] == [
        "gateway",
        "script /etc/haman/track/db.sh --fast",
        "file /run/weight",
        "arp 10.0.0.253",
        "proxy",
        "arp 10.0.0.253 (2)",
        "route 0.0.0.0/0 via 10.0.0.254 table 100",
        "service web",
    ]


FOLLOWING = """\
cluster: web
directors: {lb1: {address: 10.0.0.1, priority: 2}, lb2: {address: 10.0.0.2}}
routers:
  public:
    interface: eth0
    vrid: 51
    addresses:
      - {address: 10.0.0.100/24, label: web}
      - {address: "2001:db8::100/64", excluded: true}
    routes:
      - {to: default, via: 10.0.0.254, source: 10.0.0.100, metric: 50, table: 100}
      - {to: 2001:db8:9::/48, dev: eth1}
      - {to: 10.9.0.0/16}
    rules:
      - {source: 10.0.0.100/32, table: 100, priority: 1000}
      - {fwmark: 7, dev: eth1, table: main, priority: 9}
      - {fwmark: 7, source: default, table: 100, priority: 10}
      - {fwmark: 7, to: "::/0", table: 100, priority: 10}
"""


def test_what_follows_the_role() -> None:
    public = config.parse(FOLLOWING, "f").routers["public"]
    assert [(each.excluded, each.label) for each in public.addresses] == [(False, "web"), (True, "")]
    assert public.routes == (
        routing.VirtualRoute(
            destination=IPv4Network("0.0.0.0/0"),
            via=IPv4Address("10.0.0.254"),
            source=IPv4Address("10.0.0.100"),
            metric=50,
            table=100,
        ),
        routing.VirtualRoute(destination=IPv6Network("2001:db8:9::/48"), device="eth1", metric=1024),
        routing.VirtualRoute(destination=IPv4Network("10.9.0.0/16")),
    )
    assert [route.device for route in public.routes_on("lb1")] == [None, "eth1", "eth0"]
    assert public.rules == (
        routing.VirtualRule(priority=1000, table=100, version=4, source=IPv4Network("10.0.0.100/32")),
        routing.VirtualRule(priority=9, table=254, version=4, fwmark=7, incoming="eth1"),
        routing.VirtualRule(priority=10, table=100, version=4, fwmark=7),
        routing.VirtualRule(priority=10, table=100, version=6, fwmark=7),
    )


@pytest.mark.parametrize(("count", "excluded", "right"), [(255, 0, True), (256, 0, False), (255, 745, True)])
def test_more_addresses_than_an_advertisement_has_room_for(count: int, excluded: int, right: bool) -> None:
    listed = [f"10.1.{number >> 8}.{number & 255}/32" for number in range(1, count + excluded + 1)]
    written = listed[:count] + [f"{{address: {address}, excluded: true}}" for address in listed[count:]]
    text = SMALL.replace("10.0.0.100/24", ", ".join(written))
    if right:
        assert len(config.parse(text, "f").routers["public"].addresses) == count + excluded
        return
    with pytest.raises(ConfigError, match="an advertisement has room for 255 IPv4 addresses, and this is one more"):
        config.parse(text, "f")


@pytest.mark.parametrize(
    ("backup", "forward", "source"),
    [
        ("{address: 203.0.113.10}", Forward.FULLNAT, "10.0.0.100"),
        ("{address: 203.0.113.10, proxy: v2}", Forward.RELAY, "10.0.0.100"),
        ("{address: 203.0.113.10, drain: 5s}", Forward.RELAY, "10.0.0.100"),
        ("{address: '2001:db8:e::10'}", Forward.RELAY, ""),
        ("{address: '2001:db8:e::10', tunnel: {}}", Forward.TUN, ""),
        ("{address: '2001:db8:e::10', forward: tun}", Forward.TUN, ""),
    ],
)
def test_a_backup_is_reached_by_the_first_way_that_fits(
    tmp_path: Path, backup: str, forward: Forward, source: str
) -> None:
    file = tmp_path / "haman.yaml"
    file.write_text(
        SMALL
        + f"""\
sync: false
services:
  web:
    address: 10.0.0.100
    port: 80
    check: {{tcp: {{}}}}
    servers: {{rs1: {{address: 10.0.0.11}}}}
    backup: [{backup}]
"""
    )
    (built,) = config.load(str(file)).services["web"].backups
    (server,) = built.servers.values()
    assert (server.forward, ", ".join(map(str, server.source))) == (forward, source)
    assert (built.relay is not None) is (forward is Forward.RELAY)
