"""The whole file."""

from __future__ import annotations

from typing import Annotated

from haman.config.shape.arbiter import Arbiter
from haman.config.shape.around import Channel, Control, Hook, Log, Metrics, Sync, Timeouts
from haman.config.shape.authentication import Signatures
from haman.config.shape.base import Either, LeftOut, Shape, Some, setting
from haman.config.shape.checks import Check
from haman.config.shape.routers import Director, Router
from haman.config.shape.services import Service
from haman.config.shape.trackers import Group, Tracker
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
    groups: dict[Name, Group] = setting(
        "Sync groups, by name: virtual routers that are always on the same director.",
        default={},
        example={"firewall": {"routers": ["outside", "inside"]}},
    )
    trackers: dict[Name, Tracker] = setting(
        "What virtual routers can depend on, by name, for any number of routers and groups.",
        default={},
        example={"gateway": {"ping": "10.0.0.254", "interval": "500ms"}},
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
    channel: Annotated[
        bool | Channel | None, Either("true, false or a mapping", {"boolean": Flag, "mapping": Channel})
    ] = setting(
        "The directors' channel; `false` turns it off.",
        otherwise="on, if there is more than one director",
        example={"key_file": "/etc/haman/channel.key"},
    )
    authentication: Annotated[Signatures | None, LeftOut()] = setting(
        "The keys by which directors know each other, over VRRP and on their channel.",
        otherwise="nothing is signed: who can send on the segment can take the VIPs",
        example={"keys": [{"id": 1, "file": "/etc/haman/keys/1"}]},
    )
    arbiter: Annotated[Arbiter | None, LeftOut()] = setting(
        "Who has a say before a standby takes over from a director that has fallen silent.",
        otherwise="nobody: silence is enough",
        example={"arp": ["10.0.0.254"]},
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
    control: Control = setting("Who may ask the running haman.", default={}, example={"group": "haman"})
    log: Log = setting("The log.", default={}, example={"format": "json"})
