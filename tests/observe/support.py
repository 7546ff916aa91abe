"""Figures of a small director."""

from __future__ import annotations

from dataclasses import replace
from ipaddress import IPv4Address
from typing import Any

from haman.kernel.ipvs.decode import Traffic as Counted
from haman.model.elector import RoleReport
from haman.model.services import Target
from haman.model.transition import Role
from haman.observe.figures import Figures, ServerFigures, Traffic
from haman.observe.tally import Tally
from tests.director.support import cluster

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
        reload_ok=True,
        reloaded_at=1763780646.0,
        roles=(REPORT,),
        waiting={},
        counters={},
        services=(("web", "floor"),),
        differing={"web": 1},
        sites=(("web", "local", False), ("web", "east", True)),
        servers=(
            ServerFigures(Target("web", "rs1", 80), True, 2, "good_status"),
            ServerFigures(Target("web", "rs2", 80), False, None, "refused"),
        ),
        in_flight=3,
        check_lateness=0.0,
        refused=0,
        maintenance=False,
        ipvs_available=True,
        lag={"elector": 0.001, "director": 0.02},
        heartbeat_age=0.05,
        hooks_waiting=4,
        connections={"public": (812, 1034)},
        daemons={"master": True, "backup": False},
        channel_refused={("lb2", "signature"): 6},
        traffic=Traffic(
            services={("web", 80): Counted(1234, 70, 60, 7000, 6000)},
            servers={("web", 80, "rs1"): Counted(34, 7, 6, 700, 600, 5, 4, 3)},
        ),
        routers=cluster().routers,
        trackers=[("gateway", True), ("ping 10.0.0.254", False)],
        splits={"public": True},
        arbiter=True,
        tally=Tally(),
    )
    return replace(plain, **changes)
