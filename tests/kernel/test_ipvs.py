"""The real IPVS table: every field there and back, refusals, daemons, traffic; ipvsadm and pyroute2 are witnesses."""

from __future__ import annotations

import asyncio
import errno
import socket
from dataclasses import replace
from ipaddress import IPv4Address, ip_address
from typing import TYPE_CHECKING, Any

import pytest
from pyroute2 import IPVS, IPVSService

from haman.kernel.ipvs import Ipvs, Traffic, table
from haman.lab.waiting import happens
from haman.model.kernel import (
    SENTINEL_FWMARK,
    DaemonConfig,
    DaemonKey,
    DaemonRole,
    DestinationConfig,
    DestinationKey,
    ServiceConfig,
    ServiceKey,
    TimeoutsConfig,
    TimeoutsKey,
)
from haman.model.services import Forward, Protocol, Tunnel, TunnelChecksum, TunnelType
from haman.plan.diff import diff
from haman.plan.ops import Add, Op, Remove, Set
from haman.plan.ownership import Ownership

if TYPE_CHECKING:
    from collections.abc import Callable, Coroutine

    from haman.lab.hosts import Host

VIP, VIP6 = ip_address("10.0.0.100"), ip_address("2001:db8::100")
WEB = ServiceKey.at(Protocol.TCP, VIP, 80)
WEB6 = ServiceKey.at(Protocol.TCP, VIP6, 80)
MARK = ServiceKey.marked(7)
MARK6 = ServiceKey.marked(7, ipv6=True)
RS1 = DestinationKey(WEB, ip_address("10.0.0.11"), 80)
DR = DestinationConfig(Forward.DR, 1)
RR = ServiceConfig("rr")


@pytest.fixture
def director(network) -> Host:
    """A host with two devices, eth0 and eth1, each on a segment of its own."""
    lan, sync = network.segment("lan"), network.segment("sync")
    interfaces = {"eth0": (lan, ["10.0.0.1/24", "2001:db8::1/64"]), "eth1": (sync, ["10.9.0.1/24", "fd09::1/64"])}
    return network.host("director", interfaces)


def on(host: Host, steps: Callable[[Ipvs], Coroutine[Any, Any, Any]]) -> Any:
    """Run `steps` on that host with an open Ipvs, to the end."""

    async def run() -> Any:
        ipvs = Ipvs()
        try:
            return await steps(ipvs)
        finally:
            ipvs.close()

    return host.call(asyncio.run, run())


def apply(host: Host, *ops: Op) -> list[str]:
    """What the kernel refused, in words."""
    refusals = on(host, lambda ipvs: ipvs.apply(ops))
    return [str(refusal.error) for refusal in refusals]


def snapshot(host: Host) -> Any:
    return on(host, lambda ipvs: ipvs.snapshot())


def saved(host: Host) -> list[str]:
    """The table as ipvsadm would restore it."""
    return host.run("ipvsadm", "-Sn").stdout.splitlines()


# -- every field, there and back ---------------------------------------------------------------------------

SERVICES = [
    (WEB, RR, "-A -t 10.0.0.100:80 -s rr"),
    (ServiceKey.at(Protocol.UDP, VIP, 53), ServiceConfig("wlc"), "-A -u 10.0.0.100:53 -s wlc"),
    (ServiceKey.at(Protocol.SCTP, VIP, 9), ServiceConfig("lc"), "-A --sctp-service 10.0.0.100:9 -s lc"),
    (WEB6, ServiceConfig("wrr", prefix=128), "-A -t [2001:db8::100]:80 -s wrr"),
    (MARK, ServiceConfig("none"), "-A -f 7 -s none"),
    (MARK6, ServiceConfig("sed", prefix=128), "-A -f 7 -6 -s sed"),
    (WEB, ServiceConfig("mh", frozenset({"mh-port"})), "-A -t 10.0.0.100:80 -s mh -b mh-port"),
    (
        WEB,
        ServiceConfig("mh", frozenset({"mh-port", "mh-fallback"})),
        "-A -t 10.0.0.100:80 -s mh -b mh-fallback,mh-port",
    ),
    (WEB, ServiceConfig("sh", frozenset({"sh-port"})), "-A -t 10.0.0.100:80 -s sh -b sh-port"),
    (WEB, ServiceConfig("sh", frozenset({"sh-fallback"})), "-A -t 10.0.0.100:80 -s sh -b sh-fallback"),
    (
        WEB,
        ServiceConfig("wlc", frozenset({"flag-1", "flag-3"})),
        "-A -t 10.0.0.100:80 -s wlc -b flag-1,flag-3",
    ),
    (WEB, ServiceConfig("rr", persistence=300), "-A -t 10.0.0.100:80 -s rr -p 300"),
    (WEB, ServiceConfig("rr", persistence=60, prefix=24), "-A -t 10.0.0.100:80 -s rr -p 60 -M 255.255.255.0"),
    (WEB6, ServiceConfig("rr", persistence=60, prefix=64), "-A -t [2001:db8::100]:80 -s rr -p 60 -M 64"),
    (
        ServiceKey.at(Protocol.UDP, VIP, 5060),
        ServiceConfig("rr", persistence=60, engine="sip"),
        "-A -u 10.0.0.100:5060 -s rr -p 60 --pe sip",
    ),
    (
        ServiceKey.at(Protocol.UDP, VIP, 53),
        ServiceConfig("rr", one_packet=True),
        "-A -u 10.0.0.100:53 -s rr -o",
    ),
    (ServiceKey.marked(SENTINEL_FWMARK), ServiceConfig("none"), "-A -f 1751215457 -s none"),
]


@pytest.mark.parametrize(("key", "config", "line"), SERVICES, ids=[line for *_, line in SERVICES])
def test_a_service_comes_back_as_it_was_made(director: Host, key: ServiceKey, config: ServiceConfig, line: str) -> None:
    assert apply(director, Add(key, config)) == []
    assert saved(director) == [line]
    assert snapshot(director).services == {key: config}


SCHEDULERS = ("rr", "wrr", "lc", "wlc", "lblc", "lblcr", "dh", "sh", "sed", "nq", "fo", "ovf", "mh", "twos")


@pytest.mark.parametrize("scheduler", SCHEDULERS)
def test_every_scheduler(director: Host, scheduler: str) -> None:
    assert apply(director, Add(WEB, ServiceConfig(scheduler)), Add(RS1, DR)) == []
    assert snapshot(director).services == {WEB: ServiceConfig(scheduler)}


def test_ipvsadm_shows_our_thresholds(director: Host) -> None:
    apply(director, Add(WEB, RR), Add(RS1, DestinationConfig(Forward.DR, 1, 100, 50)))
    listed = director.run("ipvsadm", "-Ln", "--thresholds").stdout.splitlines()[-1]
    assert listed.split() == ["->", "10.0.0.11:80", "100", "50", "0", "0"]


def tunnel(kind: TunnelType, port: int = 0, checksum: TunnelChecksum = TunnelChecksum.NONE) -> DestinationConfig:
    return DestinationConfig(Forward.TUN, 1, tunnel=Tunnel(type=kind, port=port, checksum=checksum))


DESTINATIONS = [
    (RS1, DR, "-g -w 1"),
    (RS1, DestinationConfig(Forward.DR, 0), "-g -w 0"),
    (RS1, DestinationConfig(Forward.DR, 65535), "-g -w 65535"),
    (RS1, DestinationConfig(Forward.NAT, 2, 100, 50), "-m -w 2"),
    (RS1, DestinationConfig(Forward.NAT, 2, 100, 0), "-m -w 2"),
    (DestinationKey(WEB, ip_address("10.0.0.11"), 8080), DestinationConfig(Forward.NAT, 1), "-m -w 1"),
    (RS1, tunnel(TunnelType.IPIP), "-i -w 1 --tun-type ipip"),
    (RS1, tunnel(TunnelType.GRE), "-i -w 1 --tun-type gre --tun-nocsum"),
    (RS1, tunnel(TunnelType.GRE, checksum=TunnelChecksum.FULL), "-i -w 1 --tun-type gre --tun-csum"),
    (RS1, tunnel(TunnelType.GUE, 6080), "-i -w 1 --tun-type gue --tun-port 6080 --tun-nocsum"),
    (
        RS1,
        tunnel(TunnelType.GUE, 6080, TunnelChecksum.REMOTE),
        "-i -w 1 --tun-type gue --tun-port 6080 --tun-remcsum",
    ),
    (DestinationKey(WEB6, ip_address("2001:db8::11"), 80), DR, "-g -w 1"),
    (DestinationKey(WEB6, ip_address("10.0.0.11"), 80), tunnel(TunnelType.IPIP), "-i -w 1 --tun-type ipip"),
    (DestinationKey(WEB, ip_address("2001:db8::11"), 80), tunnel(TunnelType.IPIP), "-i -w 1 --tun-type ipip"),
    (DestinationKey(MARK, ip_address("10.0.0.11"), 0), DR, "-g -w 1"),
    (DestinationKey(WEB, ip_address("127.0.0.1"), 80), DR, "-g -w 1"),  # its own: still the method that was asked for
]


@pytest.mark.parametrize(("key", "config", "words"), DESTINATIONS)
def test_a_destination_comes_back_as_it_was_made(
    director: Host, key: DestinationKey, config: DestinationConfig, words: str
) -> None:
    prefix = 128 if key.service.ipv6 else 32
    assert apply(director, Add(key.service, replace(RR, prefix=prefix)), Add(key, config)) == []
    assert saved(director)[1].split(" ", 5)[5] == words
    assert snapshot(director).destinations == {key: config}


def test_pyroute2_reads_what_we_wrote(director: Host) -> None:
    config = DestinationConfig(Forward.TUN, 3, 20, 10, Tunnel(type=TunnelType.GUE, port=6080))
    apply(director, Add(WEB, ServiceConfig("mh", frozenset({"mh-port"}), 300, 24)), Add(RS1, config))

    def witness() -> tuple[dict[str, Any], dict[str, Any]]:
        with IPVS() as ipvs:
            [service] = ipvs.service("dump")
            [dest] = ipvs.dest("dump", service=IPVSService(addr="10.0.0.100", port=80, protocol=socket.IPPROTO_TCP))
            return dict(service.get("service")["attrs"]), dict(dest.get("dest")["attrs"])

    service, dest = director.call(witness)
    assert service["IPVS_SVC_ATTR_SCHED_NAME"] == "mh"
    assert service["IPVS_SVC_ATTR_TIMEOUT"] == 300
    assert service["IPVS_SVC_ATTR_NETMASK"] == "255.255.255.0"
    assert service["IPVS_SVC_ATTR_FLAGS"]["flags"] == 0x1 | 0x2 | 0x10  # persistent, hashed by the kernel, mh-port
    assert (dest["IPVS_DEST_ATTR_ADDR"], dest["IPVS_DEST_ATTR_PORT"]) == ("10.0.0.11", 80)
    assert (dest["IPVS_DEST_ATTR_U_THRESH"], dest["IPVS_DEST_ATTR_L_THRESH"]) == (20, 10)
    assert (dest["IPVS_DEST_ATTR_FWD_METHOD"], dest["IPVS_DEST_ATTR_WEIGHT"]) == (2, 3)


def test_a_table_that_ipvsadm_made(director: Host) -> None:
    director.run(
        "ipvsadm",
        "-R",
        input="-A -t 10.0.0.100:80 -s sh -b sh-port -p 60 -M 255.255.0.0\n"
        "-a -t 10.0.0.100:80 -r 10.0.0.11:8080 -m -w 5 -x 9 -y 3\n"
        "-A -f 9 -6 -s rr -o\n"
        "-a -f 9 -6 -r [2001:db8::11]:0 -i --tun-type gue --tun-port 7000 --tun-remcsum\n",
    )
    held = snapshot(director)
    assert held.services == {
        WEB: ServiceConfig("sh", frozenset({"sh-port"}), 60, 16),
        ServiceKey.marked(9, ipv6=True): ServiceConfig("rr", prefix=128, one_packet=True),
    }
    gue = Tunnel(type=TunnelType.GUE, port=7000, checksum=TunnelChecksum.REMOTE)
    assert held.destinations == {
        DestinationKey(WEB, ip_address("10.0.0.11"), 8080): DestinationConfig(Forward.NAT, 5, 9, 3),
        DestinationKey(ServiceKey.marked(9, ipv6=True), ip_address("2001:db8::11"), 0): DestinationConfig(
            Forward.TUN, 1, tunnel=gue
        ),
    }


def test_a_mask_no_prefix_describes_is_like_none_we_would_want(director: Host) -> None:
    director.run("ipvsadm", "-A", "-t", "10.0.0.100:80", "-s", "rr", "-p", "60", "-M", "255.0.255.0")
    assert snapshot(director).services == {WEB: ServiceConfig("rr", persistence=60, prefix=-1)}


def test_a_thousand_destinations_of_one_service(director: Host) -> None:
    many = {DestinationKey(WEB, IPv4Address(0x0A010000 + number), 80): DR for number in range(1000)}
    ops: list[Op] = [Add(WEB, RR), *(Add(key, config) for key, config in many.items())]
    turns = 0

    async def steps(ipvs: Ipvs) -> Any:
        nonlocal turns
        done = asyncio.Event()

        async def count() -> None:
            nonlocal turns
            while not done.is_set():
                turns += 1
                await asyncio.sleep(0)

        async with asyncio.TaskGroup() as group:
            group.create_task(count())
            refusals = await ipvs.apply(ops)
            applied = turns
            held = await ipvs.snapshot()
            done.set()
        return refusals, held, applied

    refusals, held, applied = on(director, steps)
    assert refusals == []
    assert held.destinations == many
    assert applied >= 3  # others had their turn meanwhile: no batch is larger than 500


def test_a_snapshot_given_up_half_way_does_not_disturb_the_next(
    director: Host, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Given up at the first point where others get their turn, with the dump still running in the kernel."""
    monkeypatch.setattr(table, "SLICE", 0.0)
    many = {DestinationKey(WEB, IPv4Address(0x0A010000 + number), 80): DR for number in range(1000)}
    apply(director, Add(WEB, RR), *(Add(key, config) for key, config in many.items()))

    async def steps(ipvs: Ipvs) -> Any:
        async with asyncio.TaskGroup() as group:
            given_up = group.create_task(ipvs.snapshot())
            await asyncio.sleep(0)
            given_up.cancel()
        return given_up.cancelled(), await ipvs.snapshot()

    cancelled, held = on(director, steps)
    assert cancelled
    assert held.destinations == many


# -- changes -----------------------------------------------------------------------------------------------


def test_set_changes_in_place(director: Host) -> None:
    apply(director, Add(WEB, ServiceConfig("rr", frozenset({"flag-3"}), 60, 24, "", True)), Add(RS1, DR))
    other = ServiceConfig("mh", frozenset({"mh-fallback"}))
    nat = DestinationConfig(Forward.NAT, 0, 10, 5)
    assert apply(director, Set(WEB, other), Set(RS1, nat)) == []
    held = snapshot(director)
    assert (held.services, held.destinations) == ({WEB: other}, {RS1: nat})


def test_set_takes_an_engine_away_and_a_tunnel(director: Host) -> None:
    sip = ServiceKey.at(Protocol.UDP, VIP, 5060)
    behind = DestinationKey(sip, RS1.address, 5060)
    apply(director, Add(sip, ServiceConfig("rr", persistence=60, engine="sip")), Add(behind, tunnel(TunnelType.GRE)))
    assert apply(director, Set(sip, RR), Set(behind, DR)) == []
    held = snapshot(director)
    assert (held.services, held.destinations) == ({sip: RR}, {behind: DR})


def test_a_removed_service_takes_its_destinations(director: Host) -> None:
    apply(director, Add(WEB, RR), Add(RS1, DR), Add(MARK, RR))
    assert apply(director, Remove(WEB)) == []
    assert saved(director) == ["-A -f 7 -s rr"]


def test_removing_what_is_gone_counts_as_done(director: Host) -> None:
    missing = DestinationKey(MARK, RS1.address, 0)
    assert apply(director, Add(MARK, RR), Remove(WEB), Remove(RS1), Remove(missing)) == []
    assert apply(director, *(Remove(DaemonKey(role)) for role in DaemonRole)) == []


def test_a_refusal_names_the_operation_and_loses_no_other(director: Host) -> None:
    other = DestinationKey(WEB6, ip_address("2001:db8::11"), 80)
    multicast = DestinationKey(WEB, ip_address("224.0.0.9"), 80)
    unknown = ServiceKey.at(Protocol.TCP, VIP, 81)
    assert apply(
        director,
        Add(WEB, RR),
        Add(other, DR),
        Add(RS1, DR),
        Add(unknown, ServiceConfig("nonsense")),
        Add(WEB, RR),
        Add(multicast, DR),
        Set(MARK, RR),
        Set(DestinationKey(WEB, ip_address("10.0.0.12"), 80), DR),
        Set(RS1, DestinationConfig(Forward.DR, 1, 5, 10)),
        Set(RS1, DestinationConfig(Forward.DR, 7)),
    ) == [
        "add tcp [2001:db8::100]:80 -> [2001:db8::11]:80 (dr, weight 1) (its service is not there): "
        "No such process (errno 3)",
        "add tcp 10.0.0.100:81 (nonsense) (this kernel lacks the scheduler or the persistence engine): "
        "No such file or directory (errno 2)",
        "add tcp 10.0.0.100:80 (rr): File exists (errno 17)",
        "add tcp 10.0.0.100:80 -> 224.0.0.9:80 (dr, weight 1) (no unicast address, or of another family than its "
        "service beside a sync daemon, or not by tunnel): Invalid argument (errno 22)",
        "set fwmark 7 (rr) (it is not there): No such process (errno 3)",
        "set tcp 10.0.0.100:80 -> 10.0.0.12:80 (dr, weight 1) (it is not there): No such file or directory (errno 2)",
        "set tcp 10.0.0.100:80 -> 10.0.0.11:80 (dr, weight 1, connections 10 to 5): "
        "Numerical result out of range (errno 34)",
    ]
    assert saved(director) == ["-A -t 10.0.0.100:80 -s rr", "-a -t 10.0.0.100:80 -r 10.0.0.11:80 -g -w 7"]


def test_every_operation_of_two_thousand_refused(director: Host) -> None:
    ops = [Add(DestinationKey(WEB, IPv4Address(0x0A010000 + number), 80), DR) for number in range(2000)]
    refusals = on(director, lambda ipvs: ipvs.apply(ops))
    assert [refusal.op for refusal in refusals] == ops
    assert {refusal.error.errno for refusal in refusals} == {errno.ESRCH}


# -- daemons and timeouts ----------------------------------------------------------------------------------

MASTER, BACKUP = DaemonKey(DaemonRole.MASTER), DaemonKey(DaemonRole.BACKUP)
SYNC = DaemonConfig("eth1", 7, ip_address("224.0.0.81"), 8848, 1, 0)


def test_both_daemons_with_the_kernels_own_lengths(director: Host) -> None:
    assert apply(director, Add(BACKUP, SYNC), Add(MASTER, SYNC)) == []
    assert snapshot(director).daemons == {
        MASTER: replace(SYNC, max_length=1472),  # an Ethernet MTU without the headers of IP and UDP
        BACKUP: replace(SYNC, max_length=1472),
    }
    listed = director.run("ipvsadm", "-L", "--daemon").stdout.splitlines()
    assert [line.split(" (")[0] for line in listed] == ["master sync daemon", "backup sync daemon"]
    assert all("mcast=eth1, syncid=7, maxlen=1472, group=224.0.0.81, port=8848, ttl=1" in line for line in listed)
    assert apply(director, Remove(MASTER)) == []
    assert snapshot(director).daemons == {BACKUP: replace(SYNC, max_length=1472)}


@pytest.mark.parametrize(
    ("config", "backup_length"),
    [
        (DaemonConfig("eth1", 255, ip_address("239.1.2.3"), 9000, 5, 1), 1024),  # the lower bound of a backup
        (DaemonConfig("eth1", 0, ip_address("ff05::81"), 8849, 3, 1400), 1400),
    ],
)
def test_every_setting_of_a_daemon(director: Host, config: DaemonConfig, backup_length: int) -> None:
    assert apply(director, Add(MASTER, config), Add(BACKUP, config)) == []
    assert snapshot(director).daemons == {MASTER: config, BACKUP: replace(config, max_length=backup_length)}


def test_refused_daemons(director: Host) -> None:
    unicast = replace(SYNC, group=ip_address("10.9.0.9"))
    assert apply(director, Add(MASTER, replace(SYNC, interface="eth9")), Add(MASTER, unicast)) == [
        "add sync daemon master (eth9, id 7, 224.0.0.81 port 8848 ttl 1): No such device (errno 19)",
        "add sync daemon master (eth1, id 7, 10.9.0.9 port 8848 ttl 1) (the group is not multicast, or a destination "
        "is of another family than its service): Invalid argument (errno 22)",
    ]
    apply(director, Add(MASTER, SYNC))
    assert apply(director, Add(MASTER, SYNC))[0].endswith("File exists (errno 17)")


def test_timeouts_of_zero_stay_the_kernels(director: Host) -> None:
    assert snapshot(director).timeouts == {TimeoutsKey(): TimeoutsConfig(900, 120, 300)}
    assert apply(director, Set(TimeoutsKey(), TimeoutsConfig(60, 0, 30))) == []
    assert snapshot(director).timeouts == {TimeoutsKey(): TimeoutsConfig(60, 120, 30)}


# -- looks and counts --------------------------------------------------------------------------------------


def digest(host: Host) -> bytes:
    async def steps(ipvs: Ipvs) -> bytes:
        return ipvs.digest()

    return on(host, steps)


def test_the_digest_sees_what_others_do(director: Host) -> None:
    apply(director, Add(WEB, RR), Add(RS1, DR))
    seen = digest(director)
    assert digest(director) == seen
    for words in (
        "-e -t 10.0.0.100:80 -r 10.0.0.11:80 -g -w 0",
        "-a -t 10.0.0.100:80 -r 10.0.0.12:80 -g",
        "-E -t 10.0.0.100:80 -s wlc",
        "-d -t 10.0.0.100:80 -r 10.0.0.12:80",
        "-A -f 9 -s rr",
        "-C",
    ):
        director.run("ipvsadm", *words.split())
        before, seen = seen, digest(director)
        assert seen != before, words


def counters(host: Host) -> Any:
    return on(host, lambda ipvs: ipvs.counters())


@pytest.fixture
def client_and_server(network) -> tuple[Host, Host, Host]:
    lan = network.segment("lan")
    client = network.host("client", {"eth0": (lan, "10.0.0.9/24")})
    director = network.host("director", {"eth0": (lan, ["10.0.0.1/24", "10.0.0.100/32"])})
    server = network.host("server", {"eth0": (lan, "10.0.0.11/24")})
    return client, director, server


def test_traffic_is_counted_and_neither_set_nor_digest_notice_it(client_and_server) -> None:
    client, director, _ = client_and_server
    dns = ServiceKey.at(Protocol.UDP, VIP, 53)
    behind = DestinationKey(dns, RS1.address, 53)
    apply(director, Add(dns, RR), Add(behind, DR))
    seen = digest(director)

    def send() -> None:
        with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as sender:
            for _ in range(3):
                sender.sendto(bytes(72), ("10.0.0.100", 53))

    client.call(send)
    # 72 bytes with 8 of UDP and 20 of IP; UDP has no established state, so its connections count as inactive.
    expected = {dns: Traffic(1, 3, 0, 300, 0), behind: Traffic(1, 3, 0, 300, 0, 0, 1, 0)}
    happens(lambda: counters(director) == expected, 30.0)  # the kernel adds them up every two seconds, one by one
    counted = counters(director)
    assert counted == expected
    assert digest(director) == seen
    apply(director, Set(dns, ServiceConfig("wlc")), Set(behind, DestinationConfig(Forward.DR, 5)))
    assert counters(director) == counted


def chosen(client: Host, director: Host, gateway: str, ports: range) -> dict[str, str]:
    """By the client's port, the server that a director chose for a flow from it."""

    def send() -> None:
        for port in ports:
            with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as sender:
                sender.bind(("10.0.0.9", port))
                sender.sendto(b"?", ("10.0.0.100", 53))

    client.run("ip", "route", "replace", "10.0.0.100/32", "via", gateway)
    client.call(send)
    connections = [line.split() for line in director.read("/proc/thread-self/net/ip_vs_conn").splitlines()[1:]]
    return {port: server for _, _, port, _, _, server, *_ in connections if int(port, 16) in ports}


def test_hashing_minds_the_order_and_the_order_can_be_mended(network) -> None:
    """Two directors with the same servers and weights, added in another order, disagree about some flows; a snapshot
    tells the order, and what `diff` makes of it brings them together."""
    lan = network.segment("lan")
    client = network.host("client", {"eth0": (lan, "10.0.0.9/24")})
    gateways = ("10.0.0.1", "10.0.0.2")
    directors = [network.host(f"d{number}", {"eth0": (lan, f"{gateways[number]}/24")}) for number in (0, 1)]
    dns = ServiceKey.at(Protocol.UDP, VIP, 53)
    hashed = ServiceConfig("mh", frozenset({"mh-port"}))
    first, *rest = (DestinationKey(dns, ip_address(f"10.0.0.{last}"), 53) for last in (11, 12, 13))

    for director, order in zip(directors, ((first, *rest), (*rest, first)), strict=True):
        director.run("ip", "address", "add", "10.0.0.100/32", "dev", "lo")
        apply(director, Add(dns, hashed), *(Add(key, DR) for key in order))
        assert list(snapshot(director).destinations) == list(order)

    def flows(ports: range) -> list[dict[str, str]]:
        return [chosen(client, director, gateway, ports) for director, gateway in zip(directors, gateways, strict=True)]

    one, other = flows(range(20000, 24000))
    assert len(one) == len(other) == 4000
    assert one != other, "or the order would not matter"

    held = snapshot(directors[0])
    wanted = replace(held, destinations=dict.fromkeys((*rest, first), DR), ordered=frozenset({dns}))
    apply(directors[0], *diff(wanted, held, Ownership(vips=frozenset({VIP}))))
    assert list(snapshot(directors[0]).destinations) == [*rest, first]
    one, other = flows(range(30000, 34000))
    assert len(one) == 4000
    assert one == other
