"""Figures of a small director."""

from __future__ import annotations

from dataclasses import replace
from ipaddress import IPv4Address
from typing import Any

from haman.model.cluster import Target
from haman.model.elector import RoleReport
from haman.model.transition import Role
from haman.observe.figures import Figures
from haman.observe.tally import Tally

REPORT = RoleReport(
    router="public",
    role=Role.ACTIVE,
    priority=150,
    holds=True,
    since=1000.0,
    why="nothing heard for 3.61 s",
    peer=IPv4Address("10.0.0.2"),
    peer_priority=100,
)


def figures(**changes: Any) -> Figures:
    plain = Figures(
        cluster="web",
        node="lb1",
        generation=1,
        loaded_at=1763780645.0,
        roles=(REPORT,),
        waiting={},
        counters={},
        services=(("web", "floor"),),
        servers=((Target("web", "rs1", 80), True, 2), (Target("web", "rs2", 80), False, None)),
        in_flight=3,
        check_lateness=0.0,
        refused=0,
        ipvs_available=True,
        lag={"elector": 0.001, "director": 0.02},
        heartbeat_age=0.05,
        tally=Tally(),
    )
    return replace(plain, **changes)
