"""The whole file."""

from __future__ import annotations

from typing import Annotated

from haman.config.shape.around import Hook, Log, Metrics, Sync, Timeouts
from haman.config.shape.base import Either, LeftOut, Shape, Some, setting
from haman.config.shape.checks import Check
from haman.config.shape.routers import Director, Router
from haman.config.shape.services import Service
from haman.config.shape.types import Flag, Name


class File(Shape):
    """One whole cluster. The same file lies on every director."""

    cluster: Name = setting("The cluster's name, in logs and metrics.", example="web")
    directors: Annotated[dict[Name, Director], Some()] = setting(
        "The machines that run haman, by name: best their host names, since a machine looks for itself here.",
        example={"lb1": {"address": "10.0.0.1", "priority": 150}, "lb2": {"address": "10.0.0.2"}},
    )
    routers: Annotated[dict[Name, Router], Some()] = setting(
        "The virtual routers, by name. The VIPs of one move together; most clusters need one.",
        example={"public": {"interface": "eth0", "vrid": 51, "addresses": ["10.0.0.100/24"]}},
    )
    checks: dict[Name, Check] = setting(
        "Health checks, by name, for any number of services.",
        default={},
        example={"front": {"http": {"path": "/healthz"}, "interval": "1s"}},
    )
    services: dict[Name, Service] = setting(
        "The virtual services, by name. Without any, haman moves VIPs and leaves IPVS alone.",
        default={},
        example={"web": {"address": "10.0.0.100", "port": 80, "servers": {"rs1": {"address": "10.0.0.11"}}}},
    )
    sync: Annotated[bool | Sync | None, Either("true, false or a mapping", {"boolean": Flag, "mapping": Sync})] = (
        setting(
            "Connection synchronisation; `false` turns it off.",
            otherwise="on, if there are services and more than one director",
            example={"interface": "eth1"},
        )
    )
    timeouts: Timeouts = setting("Connection timeouts of IPVS.", default={}, example={"udp": "1m"})
    hooks: list[Hook] = setting(
        "Programs of yours that are told about changes.",
        default=[],
        example=[{"on": ["active", "standby"], "run": "/etc/haman/hooks/notify.sh"}],
    )
    metrics: Annotated[Metrics | None, LeftOut()] = setting(
        "Figures for Prometheus.", otherwise="none are served", example={"listen": "127.0.0.1:9112"}
    )
    log: Log = setting("The log.", default={}, example={"format": "json"})
