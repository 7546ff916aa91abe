"""What the kernel must hold, for configurations small enough to write the answer down."""

from __future__ import annotations

from dataclasses import replace
from ipaddress import ip_address, ip_interface

import pytest

from haman.model.kernel import (
    AddressKey,
    DaemonConfig,
    DaemonKey,
    DaemonRole,
    DestinationConfig,
    DestinationKey,
    Kernel,
    ServiceConfig,
    ServiceKey,
    TimeoutsConfig,
    TimeoutsKey,
)
from haman.model.routers import StandbyAddress
from haman.model.services import Forward, OnFailure, Persistence, Protocol, Server, Service, Target, Tunnel, TunnelType
from haman.plan import desired
from tests.plan.clusters import SYNC, cluster, elector_config, service

VIP = ip_address("10.0.0.100")
VIP6 = ip_address("2001:db8::100")
WEB80, WEB443 = (ServiceKey.at(Protocol.TCP, VIP, port) for port in (80, 443))


def sysctls(kernel: Kernel) -> dict[str, str]:
    return {key.path: config.value for key, config in kernel.sysctls.items()}


def vs(*services: Service, **options: object) -> dict[str, str]:
    """The net/ipv4/vs settings for a cluster of these services, by their last name."""
    held = sysctls(desired.ipvs(cluster(*services, **options), "lb1", {}))  # type: ignore[arg-type]
    return {path.removeprefix("net/ipv4/vs/"): value for path, value in held.items()}


# -- addresses ---------------------------------------------------------------------------------------------


def test_a_standby_keeps_its_vips_on_lo_as_host_addresses() -> None:
    held = desired.addresses(elector_config(), {"public": False})
    assert set(held.addresses) == {AddressKey("lo", VIP, 32), AddressKey("lo", VIP6, 128)}


def test_the_active_director_has_them_on_the_nic_as_well() -> None:
    held = desired.addresses(elector_config(), {"public": True})
    assert set(held.addresses) == {
        AddressKey("lo", VIP, 32),
        AddressKey("lo", VIP6, 128),
        AddressKey("eth0", VIP, 32),
        AddressKey("eth0", VIP6, 64),
    }


def test_a_router_whose_standbys_hold_nothing() -> None:
    config = elector_config(standby=StandbyAddress.NOWHERE)
    assert not desired.addresses(config, {}).addresses
    assert set(desired.addresses(config, {"public": True}).addresses) == {
        AddressKey("eth0", VIP, 32),
        AddressKey("eth0", VIP6, 64),
    }


@pytest.mark.parametrize(
    ("vip", "device", "prefix"),
    [
        ("10.0.0.100/24", "eth0", 32),  # the node's own 10.0.0.1 is in that subnet, on that device
        ("10.0.0.100/24", "eth1", 24),
        ("203.0.113.100/24", "eth0", 24),  # a subnet that is there only with the VIP
        ("203.0.113.100/32", "eth0", 32),
        ("2001:db8::100/64", "eth0", 64),
    ],
)
def test_a_vip_brings_its_subnet_only_where_the_node_has_no_address_of_it(vip: str, device: str, prefix: int) -> None:
    config = elector_config((ip_interface(vip), device))
    held = desired.addresses(config, {"public": True})
    assert AddressKey(device, ip_interface(vip).ip, prefix) in held.addresses


def test_ipvs_schedules_while_a_vip_is_on_a_nic_and_only_then() -> None:
    config = replace(elector_config(), opens=("public",))
    for holding, value in (({}, "1"), ({"public": False}, "1"), ({"public": True}, "0"), ({"other": True}, "1")):
        assert sysctls(desired.addresses(config, holding))["net/ipv4/vs/backup_only"] == value
    assert "net/ipv4/vs/backup_only" not in sysctls(desired.addresses(elector_config(), {"public": True}))


def test_address_sysctls_do_not_depend_on_the_role() -> None:
    silent = {"net/ipv4/conf/all/arp_ignore": "1", "net/ipv4/conf/all/arp_announce": "2"}
    promote = {"net/ipv4/conf/all/promote_secondaries": "1"}
    with_subnet, host = (ip_interface("203.0.113.100/24"), "eth0"), (ip_interface("10.0.0.100/24"), "eth0")
    for holding in ({}, {"public": True}):
        assert sysctls(desired.addresses(elector_config(), holding)) == silent
        assert sysctls(desired.addresses(elector_config(with_subnet), holding)) == silent | promote
        assert sysctls(desired.addresses(elector_config(host, standby=StandbyAddress.NOWHERE), holding)) == {}


# -- the IPVS table ----------------------------------------------------------------------------------------


def test_one_service_per_port_and_a_sentinel_per_family() -> None:
    held = desired.ipvs(cluster(), "lb1", {})
    assert held.services == {
        ServiceKey.marked(0x68616D61): ServiceConfig("none"),
        ServiceKey.marked(0x68616D61, ipv6=True): ServiceConfig("none", prefix=128),
        WEB80: ServiceConfig("wlc"),
        WEB443: ServiceConfig("wlc"),
        ServiceKey.at(Protocol.TCP, VIP6, 80): ServiceConfig("wlc", prefix=128),
        ServiceKey.marked(7): ServiceConfig("wlc", persistence=300, prefix=24),
        ServiceKey.at(Protocol.TCP, ip_address("10.0.9.9"), 443): ServiceConfig("wlc"),
    }
    assert held.destinations == {}


def test_without_any_service_there_is_still_a_sentinel() -> None:
    held = desired.ipvs(cluster(service("web6", protocol=Protocol.TCP, address=VIP6, ports=(80,))), "lb3", {})
    assert held.services == {ServiceKey.marked(0x68616D61): ServiceConfig("none")}


def test_a_weight_of_none_is_out_of_the_table_and_zero_is_quiesced() -> None:
    weights = {
        Target("web", "rs1", 80): 2,
        Target("web", "rs1", 443): None,
        Target("web", "rs2", 8080): 0,  # a server with a port of its own: one target behind both services
        Target("marked", "rs1", 0): 1,  # behind a mark, without a port of its own
    }
    held = desired.ipvs(cluster(), "lb1", weights)
    rs1, rs2 = ip_address("10.0.0.11"), ip_address("10.0.0.12")
    assert held.destinations == {
        DestinationKey(WEB80, rs1, 80): DestinationConfig(Forward.DR, 2),
        DestinationKey(WEB80, rs2, 8080): DestinationConfig(Forward.DR, 0),
        DestinationKey(WEB443, rs2, 8080): DestinationConfig(Forward.DR, 0),
        DestinationKey(ServiceKey.marked(7), rs1, 0): DestinationConfig(Forward.DR, 1),
    }


def test_a_tunnel_has_its_kind_and_other_methods_have_none() -> None:
    gre = Tunnel(type=TunnelType.GRE)
    servers = {
        "a": Server(name="a", address=ip_address("10.0.0.11"), forward=Forward.TUN),
        "b": Server(name="b", address=ip_address("10.0.0.12"), forward=Forward.TUN, tunnel=gre, upper_threshold=9),
        "c": Server(name="c", address=ip_address("10.0.0.13"), forward=Forward.NAT, tunnel=gre),
    }
    web = service("web", protocol=Protocol.TCP, address=VIP, ports=(80,), servers=servers)
    held = desired.ipvs(cluster(web), "lb1", {Target("web", name, 80): 1 for name in servers})
    assert list(held.destinations.values()) == [
        DestinationConfig(Forward.TUN, 1, tunnel=Tunnel(type=TunnelType.IPIP)),
        DestinationConfig(Forward.TUN, 1, 9, tunnel=gre),
        DestinationConfig(Forward.NAT, 1),
    ]


@pytest.mark.parametrize(
    ("scheduler", "given", "held"),
    [
        ("mh", {"flag-1", "flag-2"}, {"mh-fallback", "mh-port"}),
        ("mh", {"mh-port"}, {"mh-port"}),
        ("sh", {"flag-2", "flag-3"}, {"sh-port", "flag-3"}),
        ("wlc", {"flag-1"}, {"flag-1"}),
    ],
)
def test_scheduler_flags_go_by_their_schedulers_words(scheduler: str, given: set[str], held: set[str]) -> None:
    web = service("web", fwmark=7, scheduler=scheduler, flags=frozenset(given), one_packet=True)
    config = desired.ipvs(cluster(web), "lb1", {}).services[ServiceKey.marked(7)]
    assert config == ServiceConfig(scheduler, frozenset(held), one_packet=True)


def test_a_persistence_engine_and_an_ipv6_mark() -> None:
    sip = service("sip", fwmark=7, fwmark_ipv6=True, persistence=Persistence(timeout=60, prefix=64, engine="sip"))
    held = desired.ipvs(cluster(sip), "lb1", {}).services
    assert held[ServiceKey.marked(7, ipv6=True)] == ServiceConfig("wlc", persistence=60, prefix=64, engine="sip")


# -- daemons, timeouts, settings ---------------------------------------------------------------------------


def test_both_sync_daemons_run_for_ever() -> None:
    held = desired.ipvs(cluster(), "lb1", {})
    config = DaemonConfig("eth1", 7, ip_address("224.0.0.81"), 8848, 1, 0)
    assert held.daemons == {DaemonKey(DaemonRole.MASTER): config, DaemonKey(DaemonRole.BACKUP): config}
    assert held.timeouts == {TimeoutsKey(): TimeoutsConfig(900, 0, 0)}


def test_no_daemons_without_sync_or_without_an_interface_for_it() -> None:
    assert desired.ipvs(cluster(), "lb3", {}).daemons == {}
    without = desired.ipvs(cluster(sync=None, timeouts=(0, 0, 0)), "lb1", {})
    assert without.daemons == {}
    assert without.timeouts == {}


def test_settings_of_a_plain_cluster() -> None:
    assert vs(sync=None) == {"expire_nodest_conn": "1", "conn_reuse_mode": "1"}


def test_settings_for_the_sync_daemons() -> None:
    assert vs() == {
        "expire_nodest_conn": "1",
        "conn_reuse_mode": "1",
        "backup_only": "0",
        "sync_threshold": "3 0",
        "sync_refresh_period": "3",
    }


def test_whether_it_schedules_is_left_to_the_role_where_standbys_are_closed() -> None:
    closing = replace(SYNC, backup_only=True)
    assert "backup_only" not in vs(sync=closing)
    assert desired.ipvs(cluster(sync=closing), "lb1", {}).first == {DaemonKey(DaemonRole.BACKUP)}
    assert desired.ipvs(cluster(), "lb1", {}).first == frozenset()


@pytest.mark.parametrize(("timeouts", "period"), [((900, 0, 300), "3"), ((900, 0, 6), "2"), ((2, 0, 0), "1")])
def test_the_refresh_period_stays_well_under_the_shortest_timeout(timeouts: tuple[int, int, int], period: str) -> None:
    assert vs(timeouts=timeouts)["sync_refresh_period"] == period


@pytest.mark.parametrize(
    ("protocol", "sloppy"),
    [
        (Protocol.TCP, {"sloppy_tcp"}),
        (Protocol.SCTP, {"sloppy_sctp"}),
        (Protocol.UDP, set()),
        (None, {"sloppy_tcp", "sloppy_sctp"}),  # a firewall mark may stand for any protocol
    ],
)
def test_maglev_hashing_lets_a_director_take_up_running_connections(
    protocol: Protocol | None, sloppy: set[str]
) -> None:
    where = {"fwmark": 7} if protocol is None else {"protocol": protocol, "address": VIP, "ports": (80,)}
    hashed = service("web", scheduler="mh", **where)
    assert {name for name in vs(hashed, sync=None) if name.startswith("sloppy")} == sloppy


@pytest.mark.parametrize(("on_failure", "asked"), [(OnFailure.QUIESCE, True), (OnFailure.REMOVE, False)])
def test_bound_clients_leave_a_quiesced_server(on_failure: OnFailure, asked: bool) -> None:
    bound = service("web", fwmark=7, persistence=Persistence(timeout=300, prefix=32), on_failure=on_failure)
    assert ("expire_quiescent_template" in vs(bound)) is asked
