"""What the operator wants: the configuration as nouns, after all defaults and per-director overrides are known.

Frozen and comparable with `==`. All durations are seconds as float, all addresses are `ipaddress` objects,
nothing here is optional only because YAML left it out: `config/` fills every default in. The same Cluster is
built on every director; what differs per node is asked for with the node's name.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from enum import Enum
from typing import TYPE_CHECKING

from haman.model.addresses import Address
from haman.model.arbiter import Arbiter
from haman.model.authentication import Authentication
from haman.model.routers import Director, Router
from haman.model.services import Service
from haman.model.trackers import Group, Tracker

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping


@dataclass(frozen=True, slots=True, kw_only=True)
class Sync:
    """Connection synchronisation. interface is per director. Both daemons run on every director for ever. wait: seconds
    at most in which a standby leaves a living peer active because it does not hold its connections yet.

    backup_only: a director schedules only while it holds the VIPs; all routers are then one election."""

    interfaces: Mapping[str, str]  # by director name
    sync_id: int
    group: Address
    port: int = 8848
    ttl: int = 1
    max_length: int = 0  # bytes; 0: the kernel's choice (the interface's MTU)
    wait: float = 60.0
    backup_only: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class Timeouts:
    """IPVS connection timeouts in whole seconds; 0 leaves the kernel's value alone."""

    tcp: int = 0
    tcp_fin: int = 0
    udp: int = 0


@dataclass(frozen=True, slots=True, kw_only=True)
class Channel:
    """The directors' channel: UDP between their addresses. key_file: absolute; its content signs every message, where
    the cluster has no Authentication, which does so otherwise."""

    port: int = 8850
    key_file: str | None = None


class HookEvent(Enum):
    """Roles of routers and groups, a rival of a router that is active, its split brain, what came of asking about a
    takeover, states of services and servers."""

    ACTIVE = "active"
    STANDBY = "standby"
    FAULT = "fault"
    STOP = "stop"
    RIVAL = "rival"
    SPLIT_BRAIN = "split-brain"
    TAKEOVER_CONFIRMED = "takeover-confirmed"
    TAKEOVER_UNCONFIRMED = "takeover-unconfirmed"
    SECOND_OWNER = "second-owner"
    SERVICE_UP = "service-up"
    SERVICE_FLOOR = "service-floor"
    SERVICE_DOWN = "service-down"
    SERVER_UP = "server-up"
    SERVER_DOWN = "server-down"
    SITE_BACKUP = "site-backup"
    SITE_LOCAL = "site-local"


@dataclass(frozen=True, slots=True, kw_only=True)
class Hook:
    """An operator's program. argv[0] is absolute; never passed through a shell. user None: see haman.accounts.

    routers, groups: whose roles; both empty is every router and no group, groups alone is no router. services: whose
    states and whose servers', empty is all. arguments: it is given what happened behind its own arguments.
    """

    on: frozenset[HookEvent]
    argv: tuple[str, ...]
    timeout: float = 10.0
    user: str | None = None
    routers: frozenset[str] = frozenset()
    groups: frozenset[str] = frozenset()
    services: frozenset[str] = frozenset()
    arguments: bool = True


@dataclass(frozen=True, slots=True, kw_only=True)
class Listen:
    host: str
    port: int


class LogFormat(Enum):
    TEXT = "text"
    JSON = "json"


@dataclass(frozen=True, slots=True, kw_only=True)
class Cluster:
    """One whole cluster, the same on every director."""

    name: str
    directors: Mapping[str, Director]
    routers: Mapping[str, Router]
    groups: Mapping[str, Group] = field(default_factory=dict)
    trackers: Mapping[str, Tracker] = field(default_factory=dict)
    services: Mapping[str, Service] = field(default_factory=dict)
    sync: Sync | None = None
    channel: Channel | None = None
    authentication: Authentication | None = None
    arbiter: Arbiter | None = None
    timeouts: Timeouts = field(default_factory=Timeouts)
    hooks: tuple[Hook, ...] = ()
    metrics: Listen | None = None
    control_group: str | None = None  # of the control socket
    log_format: LogFormat = LogFormat.TEXT
    log_level: str = "info"

    def routers_of(self, node: str) -> Iterator[Router]:
        """The routers that `node` takes part in."""
        return (router for router in self.routers.values() if node in router.members)

    def services_of(self, node: str) -> Iterator[Service]:
        """The services whose packets come to `node`: on a VIP of one of its routers, or by firewall mark."""
        for service in self.services.values():
            router = self.router_of(service)
            if router is None or node in router.members:
                yield service

    def checked_of(self, node: str) -> Iterator[Service]:
        """All that `node` checks: its services, and the backups of each as a service of its own."""
        for service in self.services_of(node):
            yield from service.checked()

    def groups_of(self, node: str) -> Iterator[Group]:
        """The sync groups that `node` takes part in: all members of one have the same directors."""
        return (group for group in self.groups.values() if node in self.routers[group.routers[0]].members)

    def trackers_of(self, node: str) -> Iterator[Tracker]:
        """The trackers that matter to `node`, each once."""
        uses = [use for router in self.routers_of(node) for use in router.watch]
        uses += [use for group in self.groups_of(node) for use in group.watch]
        return (self.trackers[name] for name in dict.fromkeys(use.tracker for use in uses))

    def router_of(self, service: Service) -> Router | None:
        """The router that carries a service's address; None for a firewall mark."""
        for router in self.routers.values():
            if service.address in router.vips:
                return router
        return None
