from __future__ import annotations

import errno
from dataclasses import replace
from ipaddress import IPv4Interface
from typing import Any

from haman.director.readiness import waiting
from haman.errors import KernelRefused
from haman.health import hysteresis
from haman.kernel.refusal import Refusal
from haman.model.kernel import ServiceConfig, ServiceKey, SysctlConfig, SysctlKey, TableConfig, TableKey
from haman.model.routers import VirtualAddress
from haman.model.services import Target
from haman.plan.identity import service_key
from haman.plan.ops import Add, Set
from tests.director.support import cluster, service

RS1, RS2 = Target("web", "rs1", 80), Target("web", "rs2", 80)
CHECKED = hysteresis.assumed(0.0)
COLD = hysteresis.cold(0.0)


def ask(of: Any = None, node: str = "lb1", **changes: Any) -> dict[str, str]:
    plain: dict[str, Any] = {
        "health": {RS1: CHECKED, RS2: CHECKED},
        "unavailable": None,
        "loaded": True,
        "refused": (),
    }
    return waiting(of or cluster(), node, **(plain | changes))


def refusal(key: ServiceKey) -> Refusal:
    op = Add(key, ServiceConfig("mh"))
    return Refusal(op, KernelRefused(str(op), errno.ENOENT))


def test_ready_when_the_table_is_loaded_and_every_server_was_asked() -> None:
    assert ask() == {}


def test_a_server_that_failed_its_check_was_asked() -> None:
    failed = replace(COLD, checked=True, streak=1)
    assert ask(health={RS1: failed, RS2: CHECKED}) == {}


def test_unchecked_servers_are_named() -> None:
    assert ask(health={RS1: CHECKED, RS2: COLD}) == {"public": "1 of 2 servers not checked yet: web/rs2:80"}
    adopted = hysteresis.adopted(0.0)
    assert ask(health={RS1: adopted, RS2: adopted}) == {
        "public": "2 of 2 servers not checked yet: web/rs1:80, web/rs2:80"
    }


def test_only_some_of_many_are_named() -> None:
    ports = tuple(range(8000, 8003))
    many = replace(service(), ports=ports)
    cold = {target: COLD for target, _ in many.targets()}
    assert ask(cluster(services={"web": many}), health=cold) == {
        "public": "6 of 6 servers not checked yet: web/rs1:8000, web/rs1:8001, web/rs1:8002 and 3 more"
    }


def test_the_table_comes_first() -> None:
    assert ask(loaded=False) == {"public": "the IPVS table is not loaded yet"}
    assert ask(loaded=False, unavailable="this kernel has no IPVS") == {"public": "this kernel has no IPVS"}


def test_a_refused_service_of_the_router() -> None:
    key = service_key(service(), 80)
    assert ask(refused=[refusal(key)]) == {
        "public": "the kernel refuses add tcp 10.0.0.100:80 (mh): No such file or directory (errno 2)"
    }


def test_what_is_refused_elsewhere_or_is_no_part_of_the_table_does_not_count() -> None:
    elsewhere = service_key(service(address="10.9.9.9"), 80)
    setting = Set(SysctlKey("net/ipv4/vs/sloppy_tcp"), SysctlConfig("1"))
    read_only = Refusal(setting, KernelRefused(str(setting), errno.EROFS))
    assert ask(refused=[refusal(elsewhere), read_only]) == {}


def test_every_router_waits_for_the_packet_filters_table() -> None:
    op = Add(TableKey(), TableConfig("table inet haman {}"))
    refused = Refusal(op, KernelRefused(str(op), errno.EOPNOTSUPP))
    (why,) = ask(refused=[refused]).values()
    assert why.startswith(
        "the kernel refuses add packet-filter table inet haman (rules: 0 for marks, 0 for new sources)"
    )


def test_routers_without_services_are_ready_whatever_happens() -> None:
    plain = cluster()
    inner = replace(
        plain.routers["public"],
        name="inner",
        addresses=(VirtualAddress(interface=IPv4Interface("10.5.0.1/24"), device="eth1"),),
    )
    both = replace(plain, routers={**plain.routers, "inner": inner})
    assert ask(both, unavailable="this kernel has no IPVS") == {"public": "this kernel has no IPVS"}


def test_every_router_waits_for_a_service_by_firewall_mark() -> None:
    marked = replace(service("marked"), protocol=None, address=None, ports=(), fwmark=7)
    plain = cluster(services={"marked": marked})
    target = Target("marked", "rs1", 0)
    assert ask(plain, health={target: COLD, Target("marked", "rs2", 0): CHECKED}) == {
        "public": "1 of 2 servers not checked yet: marked/rs1:0"
    }
    checked = {target: CHECKED, Target("marked", "rs2", 0): CHECKED}
    assert list(ask(plain, health=checked, refused=[refusal(ServiceKey.marked(7))])) == ["public"]
