"""What changed, and why: the one record behind log lines, metrics, hooks, history and `why`."""

from __future__ import annotations

from dataclasses import dataclass
from enum import Enum


class Kind(Enum):
    """What sort of object a transition is about."""

    ROUTER = "router"  # before/after: a Role's value
    GROUP = "group"  # a sync group; before/after: a Role's value, the same as all its routers'
    TRACKER = "tracker"  # before/after: unknown, up, down
    TAKEOVER = "takeover"  # what came of asking about it; before: announced, or a TakeoverVerdict; after: one
    RIVAL = "rival"  # another router speaks as active beside this one, which stays active
    SPLIT = "split"  # two active at once (before/after: the addresses of the others, or none)
    ARBITER = "arbiter"  # it keeps a standby from becoming active (before/after: free, held)
    PACKET = "packet"  # an advertisement was refused, or differs from what this node is configured for
    SERVER = "server"  # before/after: unknown, up, down
    WEIGHT = "weight"  # a server's check asks for another weight than before (before/after: the number)
    CERTIFICATE = "certificate"  # a server's certificate (before/after: valid, ending)
    SERVICE = "service"  # before/after: unknown, up, down (no server left), floor (kept up by minimum_up)
    SITE = "site"  # which site serves a service; before/after: local, or the name of a backup
    DRIFT = "drift"  # something of ours was changed by somebody else, and repaired
    KERNEL = "kernel"  # the kernel refused something or lacks it (before/after: ok, refused, unavailable)
    PROCESS = "process"  # elector, director and relay themselves
    HOOK = "hook"
    CONFIG = "config"
    PEER = "peer"  # another director, on the directors' channel
    ORDER = "order"  # of the operator's: a router given away (before/after: directors), maintenance (off, on)
    SYNC = "sync"  # a router whose connections this director is told (before/after: waiting, ready)


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
