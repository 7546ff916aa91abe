"""What changed, and why: the one record behind log lines, metrics, hooks, history and `why`."""

from __future__ import annotations

from dataclasses import dataclass
from enum import Enum


class Kind(Enum):
    """What sort of object a transition is about."""

    ROUTER = "router"  # before/after: a Role's value
    PACKET = "packet"  # an advertisement was refused, or differs from what this node is configured for
    SERVER = "server"  # before/after: unknown, up, down
    SERVICE = "service"  # before/after: unknown, up, down (no server left), floor (kept up by minimum_up)
    DRIFT = "drift"  # something of ours was changed by somebody else, and repaired
    KERNEL = "kernel"  # the kernel refused something or lacks it (before/after: ok, refused, unavailable)
    PROCESS = "process"  # elector and director themselves
    HOOK = "hook"
    CONFIG = "config"


class Role(Enum):
    """A node's part in one virtual router."""

    STANDBY = "standby"
    ACTIVE = "active"
    FAULT = "fault"
    STOPPED = "stopped"


@dataclass(frozen=True, slots=True, kw_only=True)
class Transition:
    """`who` is the object's name (router `public`, server `web/rs1:80`); `why` is words for an operator;
    `at` is wall-clock seconds since the epoch, for people only: no decision ever reads it. `cause`
    is a short stable code for metrics labels (`master_down`, `priority_higher`, `link_lost`, ...)."""

    kind: Kind
    who: str
    before: str
    after: str
    why: str
    cause: str
    at: float
