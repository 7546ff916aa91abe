from __future__ import annotations

import asyncio
from dataclasses import replace
from ipaddress import IPv4Address, IPv6Address
from typing import TYPE_CHECKING, Any

import pytest

from haman.director import foresee as foreseen
from haman.director.foresee import elections, roles, second_chances, ways, weigh
from haman.director.report import document
from haman.director.slice import slice_for
from haman.model.kernel import AddressConfig, Kernel, SysctlKey, TableConfig, TableKey
from haman.model.relay import Proxy, Terms
from haman.model.services import Forward, OnFailure, Server, Target
from haman.model.sites import Backup
from haman.model.transition import Role
from haman.plan import desired
from haman.plan.desired import on_nic
from tests.director.support import cluster, report, service
from tests.director.test_report import view

if TYPE_CHECKING:
    from haman.model.cluster import Cluster

RS1, RS2 = Target("web", "rs1", 80), Target("web", "rs2", 80)
CONFIG = slice_for(cluster(), "lb1", 0)


def status(**changes: Any) -> dict[str, Any]:
    """rs1 is up (weight 1), rs2 down (configured weight 2)."""
    return document(view(**changes))


def test_roles_are_those_that_are_played() -> None:
    assert roles(CONFIG, Kernel(), status()) == ({"public": True}, [])
    standby = status(roles=(report(Role.STANDBY),))
    assert roles(CONFIG, Kernel(), standby) == ({"public": False}, [])


def test_without_a_haman_the_kernel_tells_them() -> None:
    held = Kernel(addresses={on_nic(CONFIG.routers[0], CONFIG.routers[0].addresses[0]): AddressConfig()})
    active = "router public is in no running haman and has its VIPs on the NIC, so it is taken as active"
    assert roles(CONFIG, held, None) == ({"public": True}, [active])
    standby = "router public is in no running haman and is taken as standby"
    assert roles(CONFIG, Kernel(), None) == ({"public": False}, [standby])


def test_weights_are_those_of_now() -> None:
    assert weigh(cluster(), "lb1", status()) == ({RS1: 1, RS2: None}, [])


@pytest.mark.parametrize(("on_failure", "down"), [(OnFailure.REMOVE, None), (OnFailure.QUIESCE, 0)])
def test_a_changed_weight_counts_for_who_is_up(on_failure: OnFailure, down: int | None) -> None:
    servers = {name: replace(server, weight=7) for name, server in service().servers.items()}
    of = cluster(services={"web": replace(service(), servers=servers, on_failure=on_failure)})
    assert weigh(of, "lb1", status())[0] == {RS1: 7, RS2: down}


def test_what_is_new_is_taken_as_up_and_said() -> None:
    of = cluster(services={"web": service(), "dns": service("dns", port=53)})
    weights, assumed = weigh(of, "lb1", status())
    assert weights == {RS1: 1, RS2: None, Target("dns", "rs1", 53): 1, Target("dns", "rs2", 53): 2}
    assert assumed == [
        "new, and taken as up: they are served once their first check has passed: dns/rs1:53, dns/rs2:53"
    ]
    weights, assumed = weigh(cluster(), "lb1", None)
    assert weights == {RS1: 1, RS2: 2}
    assert assumed == ["no haman runs here, so every server is taken as up: web/rs1:80, web/rs2:80"]


def test_a_server_at_another_address_is_new() -> None:
    moved = {name: replace(server, address=IPv4Address("10.0.0.99")) for name, server in service().servers.items()}
    of = cluster(services={"web": replace(service(), servers=service().servers | {"rs2": moved["rs2"]})})
    weights, assumed = weigh(of, "lb1", status())
    assert weights == {RS1: 1, RS2: 2}
    assert assumed == ["new, and taken as up: they are served once their first check has passed: web/rs2:80"]


class Held:
    """A kernel with this in it, for whoever opens a part of it."""

    def __init__(self, kernel: Kernel) -> None:
        self.kernel = kernel

    def __call__(self) -> Held:
        return self

    async def open(self) -> None: ...

    def close(self) -> None: ...


class HeldTable(Held):
    async def snapshot(self) -> Kernel:
        return replace(self.kernel, tables={}, sysctls={})


class HeldRules(Held):
    async def snapshot(self) -> dict[TableKey, TableConfig]:
        return dict(self.kernel.tables)


class Told:
    def known(self, cluster: Cluster) -> dict[str, tuple[str, ...]]:
        return {name: (f"02:00:00:00:00:0{name[-1]}",) for name in cluster.directors}


@pytest.mark.parametrize(("told", "changes"), [({"public": "lb2"}, False), ({}, True)])
def test_the_rules_of_a_move_are_no_difference_while_status_tells_of_it(
    monkeypatch: pytest.MonkeyPatch, told: dict[str, str], *, changes: bool
) -> None:
    """Just after a move the kernel has rules, and sloppy_tcp, as no file says."""
    of = cluster()
    rs2_is_down = {RS1: 1, RS2: None}
    after_move = desired.ipvs(of, "lb1", rs2_is_down, macs=Told().known(of), taken={"public": "lb2"})
    assert "dup to 10.0.0.2" in after_move.tables[TableKey()].text
    assert after_move.sysctls[SysctlKey("net/ipv4/vs/sloppy_tcp")].value == "0"
    addresses = desired.addresses(CONFIG, {"public": True})
    settings = {**after_move.sysctls, **addresses.sysctls}
    monkeypatch.setattr(foreseen, "Addresses", HeldTable(addresses))
    monkeypatch.setattr(foreseen, "Ipvs", HeldTable(after_move))
    monkeypatch.setattr(foreseen, "PacketFilter", HeldRules(after_move))
    monkeypatch.setattr(foreseen, "Frames", Told)
    monkeypatch.setattr(foreseen, "connections", lambda: ())
    monkeypatch.setattr(foreseen.remembered, "load", lambda _: frozenset(after_move.tables))
    monkeypatch.setattr(foreseen.sysctls, "read", lambda keys: {key: settings[key] for key in keys if key in settings})
    found = asyncio.run(foreseen.foresee(of, "lb1", status(taken=told)))
    assert found.changes == changes, found.ops


def test_without_a_haman_or_with_an_older_one_nobody_is_asked() -> None:
    older = status()
    for each in older["routers"]:
        del each["second_chance"]
    assert second_chances(older) == second_chances(None) == {}


def test_what_the_election_will_decide() -> None:
    assert elections(CONFIG, None) == elections(CONFIG, status()) == []
    router = replace(CONFIG.routers[0], vrid=52)
    assert elections(replace(CONFIG, routers=(router,)), status()) == [
        "router public (active here) moves from VRID 51 on eth0 to VRID 52 on eth0: its election goes on;"
        " reload the active director last"
    ]
    other = replace(router, name="other")
    assert elections(replace(CONFIG, routers=(other,)), status()) == [
        "router public (active here) leaves the configuration",
        "router other begins: it listens before it speaks",
    ]


def test_a_rename_is_one_and_keeps_the_role() -> None:
    """As the reload does it: an election is a VRID on an interface."""
    renamed = replace(CONFIG, routers=(replace(CONFIG.routers[0], name="front"),))
    assert elections(renamed, status()) == [
        "router public (active here) is renamed to front: its election goes on",
    ]
    assert roles(renamed, Kernel(), status()) == ({"front": True}, [])


def test_how_backups_are_reached_and_that_new_ones_wait() -> None:
    vip, far = IPv4Address("10.0.0.100"), IPv4Address("203.0.113.10")
    east = Server(name="east", address=far, forward=Forward.FULLNAT, source=(vip,), port=8080)
    west = Server(name="west", address=far, forward=Forward.TUN)
    north = Server(name="north", address=far, forward=Forward.RELAY, source=(vip,), port=8080, relay=1)
    six = Server(name="six", address=IPv6Address("2001:db8::10"), forward=Forward.RELAY, relay=2)
    backups = (
        *(Backup(name=each.name, servers={each.name: each}) for each in (east, west)),
        Backup(name="north", servers={"north": north}, relay=Terms(proxy=Proxy.V2)),
        Backup(name="six", servers={"six": six}, relay=Terms()),
    )
    flags = frozenset({"mh-port", "mh-fallback"})
    of = cluster(services={"web": replace(service(), flags=flags, backups=backups)})
    assert list(ways(of, "lb1")) == [
        "service web: backup east is 203.0.113.10:8080, by fullnat: it sees 10.0.0.100",
        "service web: backup west is 203.0.113.10, by tun: the client's address is kept",
        "service web: backup north is 203.0.113.10:8080, by relay: it sees 10.0.0.100, and is told the client by"
        " the PROXY protocol v2",
        "service web: backup six is 2001:db8::10, by relay: it sees the address of this director",
    ]
    weights, _ = weigh(of, "lb1", status())
    assert (weights[Target("web@east", "east", 8080)], weights[Target("web@west", "west", 80)]) == (0, 0)
