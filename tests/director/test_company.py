"""Two directors' companies over the loopback's addresses, with real sockets: who follows whom."""

from __future__ import annotations

import asyncio
import socket
from dataclasses import replace
from ipaddress import IPv4Address, IPv6Address
from typing import TYPE_CHECKING

from haman.director.company import Company, Own
from haman.failover.choice import Said
from haman.health.agreement import Agreement
from haman.model.cluster import Channel
from haman.model.kernel import DestinationConfig, DestinationKey, Kernel
from haman.model.routers import Director
from haman.model.services import Forward, Target
from haman.model.sites import Backup, Order
from haman.model.transition import Role
from haman.plan import desired
from tests.director.support import cluster, report, service

if TYPE_CHECKING:
    from collections.abc import Callable, Collection

    from haman.model.cluster import Cluster
    from haman.model.transition import Transition

WEB = service()
KEY = desired.service_key(WEB, 80)
RS1, RS2 = (DestinationKey(KEY, server.address, 80) for server in WEB.servers.values())
OWN: dict[Target, int | None] = {Target("web", "rs1", 80): 1, Target("web", "rs2", 80): 2}


def pair() -> Cluster:
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as sock:
        sock.bind(("127.0.0.1", 0))
        port = int(sock.getsockname()[1])
    addresses = {"lb1": IPv4Address("127.0.0.1"), "lb2": IPv4Address("127.0.0.2")}
    directors = {name: Director(name=name, address=address) for name, address in addresses.items()}
    return cluster(directors=directors, channel=Channel(port=port))


class Side:
    """One director: its role, its table, and what its company made of the other."""

    def __init__(self, of: Cluster, node: str, role: Role, digest: str = "same") -> None:
        self.own = Own(cluster=of, node=node, digest=digest, roles=(report(role),), waiting={}, connections={})
        self.table = Kernel()
        self.reweighed: set[str] = set()
        self.covered: list[dict[str, tuple[str, ...]]] = []
        self.recorded: list[Transition] = []
        self.company = Company(
            own=lambda: self.own,
            agreement=Agreement(),
            held=lambda: self.table,
            covered=self.covered.append,
            reweighed=self._reweigh,
            met=lambda: None,
            record=self.recorded.append,
            began=1.0,
        )

    def _reweigh(self, services: Collection[str]) -> None:
        self.reweighed |= set(services)

    def becomes(self, role: Role) -> None:
        self.own = replace(self.own, roles=(report(role),))
        self.company.stands()

    def holds(self, *destinations: tuple[DestinationKey, int]) -> None:
        table = {key: DestinationConfig(Forward.DR, weight) for key, weight in destinations}
        self.table = Kernel(destinations=table)
        self.company.written({KEY})

    @property
    def weights(self) -> dict[str, int | None]:
        return {target.server: weight for target, weight in self.company.agreement.weights(OWN).items()}


def run(one: Side, other: Side, scenario: Callable[[], object]) -> None:
    async def both() -> None:
        async with asyncio.timeout(60), asyncio.TaskGroup() as tasks:
            running = [tasks.create_task(side.company.run()) for side in (one, other)]
            await scenario()  # type: ignore[misc]
            for task in running:
                task.cancel()

    asyncio.run(both())


async def until(met: Callable[[], object]) -> None:
    while not met():
        await asyncio.sleep(0.01)


def test_what_is_asked_now_names_what_the_asked_one_has_said() -> None:
    of = pair()
    lb1, lb2 = Side(of, "lb1", Role.ACTIVE), Side(of, "lb2", Role.STANDBY)
    assert lb2.company.heard_of("lb1") == (0, 0)
    assert not lb1.company.said_lately(0, 0)

    async def scenario() -> None:
        await until(lambda: lb1.company.said_lately(*lb2.company.heard_of("lb1")))

    run(lb1, lb2, scenario)
    life, number = lb2.company.heard_of("lb1")
    assert not lb1.company.said_lately(life + 1, number), "another life"
    assert not lb1.company.said_lately(life, number + 1000), "it has not said it"


def test_the_standby_has_what_the_active_one_holds_and_in_its_order() -> None:
    of = pair()
    lb1, lb2 = Side(of, "lb1", Role.ACTIVE), Side(of, "lb2", Role.STANDBY)

    async def scenario() -> None:
        lb1.holds((RS2, 2), (RS1, 7))
        await until(lambda: lb2.company.agreement.follows("web"))
        assert lb2.weights == {"rs1": 7, "rs2": 2}
        assert lb2.company.agreement.order() == {"web": {80: ("rs2", "rs1")}}
        assert lb2.reweighed == {"web"}
        assert lb1.weights == {"rs1": 1, "rs2": 2}, "nobody is followed by who is active"
        lb1.holds((RS2, 2))
        await until(lambda: lb2.weights["rs1"] is None)

    run(lb1, lb2, scenario)


def test_roles_change_places() -> None:
    of = pair()
    lb1, lb2 = Side(of, "lb1", Role.ACTIVE), Side(of, "lb2", Role.STANDBY)

    async def scenario() -> None:
        lb1.holds((RS1, 7))
        lb2.holds((RS2, 9))
        await until(lambda: lb2.weights == {"rs1": 7, "rs2": None})
        lb2.reweighed.clear()
        lb2.becomes(Role.ACTIVE)
        assert lb2.weights == {"rs1": 1, "rs2": 2}, "its own checks, at once"
        assert lb2.reweighed == {"web"}
        lb1.becomes(Role.STANDBY)
        await until(lambda: lb1.weights == {"rs1": None, "rs2": 9})

    run(lb1, lb2, scenario)


def test_who_lives_by_another_file_is_heard_but_not_followed() -> None:
    of = pair()
    lb1, lb2 = Side(of, "lb1", Role.ACTIVE, digest="other"), Side(of, "lb2", Role.STANDBY)

    async def scenario() -> None:
        lb1.holds((RS1, 7))
        await until(lambda: "lb1" in lb2.company.peers.all and lb2.company.peers.all["lb1"].shares > (0, 0))
        assert lb2.company.agreement.follows("web") is None
        lb1.own = replace(lb1.own, digest="same")
        lb1.company.reconfigured()
        await until(lambda: lb2.company.agreement.follows("web") == "lb1")

    run(lb1, lb2, scenario)


def test_two_directors_talk_in_a_family_that_both_have() -> None:
    both = Director(name="lb1", address=IPv4Address("10.0.0.1"), address6=IPv6Address("2001:db8::1"))
    six = Director(name="lb2", address=IPv6Address("2001:db8::2"))
    four = Director(name="lb3", address=IPv4Address("10.0.0.3"))
    assert both.between(six) == (IPv6Address("2001:db8::1"), IPv6Address("2001:db8::2"))
    assert both.between(four) == (IPv4Address("10.0.0.1"), IPv4Address("10.0.0.3"))
    assert both.between(both) == (IPv4Address("10.0.0.1"), IPv4Address("10.0.0.1"))
    assert six.between(four) is None


def test_the_standby_hears_which_site_serves() -> None:
    backup = Backup(name="east", servers=WEB.servers)
    both = replace(pair(), services={"web": replace(WEB, backups=(backup,))})
    one, other = Side(both, "lb1", Role.ACTIVE), Side(both, "lb2", Role.STANDBY)
    one.own = replace(one.own, sites={"web": (1, False, "backup")})

    async def scenario() -> None:
        await until(other.company.said_of_sites)
        assert other.company.said_of_sites() == {"web": Said("lb1", 1, open=False, order=Order.BACKUP)}
        assert one.company.said_of_sites() == {}
        other.becomes(Role.ACTIVE)
        assert other.company.said_of_sites() == {}

    run(one, other, scenario)
