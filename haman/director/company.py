"""The other directors, from this one's side: who they are, what they are told, what of theirs counts here.

Joins the channel to what lives on it: who could take a router (for the elector), who runs another file (for status),
and, for services whose scheduler computes the server, whose word on the weights counts (`health.agreement`).
"""

from __future__ import annotations

import asyncio
import itertools
import time
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from haman.director.echo import Echo
from haman.director.peers import Peers
from haman.failover.choice import Said
from haman.health import agreement
from haman.kernel import macs
from haman.model.kernel import DestinationKey
from haman.model.sites import LOCAL, Order
from haman.model.standing import Shares, Standing
from haman.model.transition import Role
from haman.plan.identity import service_key

if TYPE_CHECKING:
    from collections.abc import Callable, Collection, Iterator, Mapping

    from haman.director.channel import Channel
    from haman.health.agreement import Agreement
    from haman.model.addresses import Address
    from haman.model.authentication import Credentials
    from haman.model.ballot import Poll, Vote
    from haman.model.cluster import Channel as Settings
    from haman.model.cluster import Cluster
    from haman.model.elector import RoleReport
    from haman.model.kernel import Kernel, ServiceKey
    from haman.model.services import Service
    from haman.model.standing import Connections
    from haman.model.transition import Transition

TOGETHER = 150
"""Servers whose shares go into one datagram, so that it fits into one packet; a service is never divided."""


AS_HEALTH_SAYS = (LOCAL, False, Order.AUTO.value)
"""What is not told of a site."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Own:
    """What this director is and how it stands. waiting: by router, what is missing; None before that is known.
    connections: by router, how many its table holds. credentials: how what is told is signed, and what is heard
    judged. sites, hearing, expecting: as in a Standing."""

    cluster: Cluster
    node: str
    digest: str
    roles: tuple[RoleReport, ...]
    waiting: Mapping[str, str] | None
    connections: Mapping[str, Connections] = field(default_factory=dict)
    hearing: tuple[str, ...] = ()
    expecting: tuple[str, ...] = ()
    credentials: Credentials | None = None
    sites: Mapping[str, tuple[int, bool, str]] = field(default_factory=dict)
    arbiter: bool | None = None


class Company:
    """own: asked whenever something is told. agreement: of this node, kept up to date here. held: what the kernel's
    table holds. covered: called with who could take each router, when that changes. reweighed: called with the services
    whose servers are weighed by another's word now, or by another word. met: called when `peers` may know something
    new. began: wall clock, when this process did. asked: called when a director, by name, asks for a vote or gives
    one."""

    def __init__(
        self,
        *,
        own: Callable[[], Own],
        agreement: Agreement,
        held: Callable[[], Kernel],
        covered: Callable[[dict[str, tuple[str, ...]]], None],
        reweighed: Callable[[Collection[str]], None],
        met: Callable[[], None],
        record: Callable[[Transition], None],
        began: float,
        asked: Callable[[str, Poll | Vote], None] = lambda name, said: None,
    ) -> None:
        self._asked = asked
        self._own = own
        self._held = held
        self._covered = covered
        self._reweighed = reweighed
        self._met = met
        self._record = record
        self._life = int(began * 1e9)
        self._said = itertools.count(1)
        self._echo = Echo(self._life)
        self._channel: Channel | None = None
        self._conversation = _companions(own())
        self._others_changed = asyncio.Event()
        self._giving: Mapping[str, str] = {}
        self._told_covered: dict[str, tuple[str, ...]] = {}
        self._services: dict[ServiceKey, tuple[str, int]] = {}
        self._backed: dict[str, str] = {}
        self.peers = Peers(own().cluster.name, (), "")
        self.agreement = agreement
        self._configure()
        self._roles_matter()

    async def run(self) -> None:
        """For ever: with the others, while there are any to talk to; anew when it is others, or elsewhere."""
        while True:
            self._others_changed.clear()
            conversation = self._conversation
            async with asyncio.TaskGroup() as tasks:
                talking = tasks.create_task(self._talk(*conversation)) if conversation is not None else None
                await self._others_changed.wait()
                if talking is not None:
                    talking.cancel()
            self._channel = None

    def reconfigured(self) -> None:
        """`own` tells of another configuration from now on."""
        before, self._conversation = self._conversation, _companions(self._own())
        if before != self._conversation:
            self._others_changed.set()
        elif before is not None:
            own = self._own()
            self.peers.configure(own.cluster.name, before[0], own.digest)
        self._configure()
        self._roles_matter()

    def stands(self) -> None:
        """Roles or readiness have changed."""
        self._roles_matter()
        if self._channel is not None:
            self._channel.tell()

    def post(self, name: str, said: Poll | Vote) -> None:
        """To this director alone, if there is a way to it."""
        if self._channel is not None:
            self._channel.post(name, said)

    def heard_of(self, name: str) -> tuple[int, int]:
        """The life of a director and the number of what it said last, both 0 if nothing: who is asked something is
        shown by them that it is asked now."""
        peer = self.peers.all.get(name)
        return (0, 0) if peer is None or peer.standing is None else (peer.standing.life, peer.standing.number)

    def said_lately(self, life: int, number: int) -> bool:
        """Are these of this process, and of what it has said lately?"""
        return self._echo.shows(life, number, time.monotonic())

    def said_of_sites(self) -> dict[str, Said]:
        """By service with backups that another director is active for, and this one is not, what that one says."""
        active = {report.router for report in self._own().roles if report.role is Role.ACTIVE}
        found: dict[str, Said] = {}
        for service, router in self._backed.items():
            if router in active:
                continue
            for peer in self.peers.all.values():
                standing = peer.standing
                if standing is None or peer.silent or not self.peers.same_config(peer):
                    continue
                if standing.roles.get(router) == Role.ACTIVE.value:
                    serving, is_open, order = standing.sites.get(service, AS_HEALTH_SAYS)
                    found[service] = Said(peer.name, serving, is_open, Order(order))
        return found

    def giving(self, to: Mapping[str, str]) -> None:
        """By router that is about to be given away, the director that is to have it: the others make room."""
        self._giving = to
        self.stands()

    def written(self, services: Collection[ServiceKey]) -> None:
        """The table was written to: whoever follows has to hear of it."""
        names = {self._services[key][0] for key in services if key in self._services}
        led = {name for name in names if self.agreement.leads(name)}
        if led and self._channel is not None:
            self._channel.tell(led)

    def _configure(self) -> None:
        own = self._own()
        self.agreement.configure(own.cluster, own.node)
        self._services = {
            service_key(service, front): (service.name, front)
            for service in own.cluster.services_of(own.node)
            for front in service.fronts
        }
        self._backed = {
            service.name: router.name
            for service in own.cluster.services_of(own.node)
            if service.backups and (router := own.cluster.router_of(service)) is not None
        }

    def _roles_matter(self) -> None:
        active = [report.router for report in self._own().roles if report.role is Role.ACTIVE]
        before = self._led()
        if changed := self.agreement.active(active):
            self._reweighed(changed)
        if self._channel is not None and (new := self._led() - before):
            self._channel.tell(new)

    def _led(self) -> set[str]:
        return {name for name, _ in self._services.values() if self.agreement.leads(name)}

    async def _talk(self, others: dict[str, tuple[Address, Address]], settings: Settings) -> None:
        from haman.director.channel import Channel  # asyncio-dgram: only for who has peers

        own = self._own()
        self.peers.configure(own.cluster.name, others, own.digest)
        self._channel = Channel(
            others,
            settings,
            self.peers,
            standing=self._standing,
            shares=self._shares,
            heard=self._heard,
            changed=self._peers_changed,
            record=self._record,
            credentials=lambda: self._own().credentials,
            asked=self._asked,
        )
        await self._channel.run()

    def _standing(self) -> Standing:
        own, number = self._own(), next(self._said)
        self._echo.said(number, time.monotonic())
        return Standing(
            cluster=own.cluster.name,
            node=own.node,
            life=self._life,
            number=number,
            config=own.digest,
            roles={report.router: report.role.value for report in own.roles},
            waiting=own.waiting if own.waiting is not None else dict.fromkeys(own.cluster.routers, "starting"),
            macs=macs.own(),
            sites=own.sites,
            giving=self._giving,
            hearing=own.hearing,
            expecting=own.expecting,
            connections=own.connections,
            arbiter=own.arbiter,
        )

    def _shares(self, services: Collection[str] | None) -> Iterator[Shares]:
        """Of the services that this node leads: all (None), or those of `services`."""
        own = self._own()
        led = [
            service
            for service in own.cluster.services_of(own.node)
            if self.agreement.leads(service.name) and (services is None or service.name in services)
        ]
        table = self._table({service.name for service in led}) if led else {}
        together: dict[str, Mapping[int, tuple[tuple[int, int], ...]]] = {}
        size = 0
        for service in led:
            together[service.name] = agreement.numbered(service, _in_table(service, table))
            size += len(service.servers) * len(service.fronts)
            if size >= TOGETHER:
                yield self._sealed(own, together)
                together, size = {}, 0
        if together:
            yield self._sealed(own, together)

    def _table(self, names: Collection[str]) -> Table:
        found: Table = {}
        for key, config in self._held().destinations.items():
            place = self._services.get(key.service)
            if place is not None and place[0] in names:
                found.setdefault(place, []).append((key, config.weight))
        return found

    def _sealed(self, own: Own, of: Mapping[str, Mapping[int, tuple[tuple[int, int], ...]]]) -> Shares:
        return Shares(
            cluster=own.cluster.name,
            node=own.node,
            life=self._life,
            number=next(self._said),
            config=own.digest,
            of=of,
        )

    def _heard(self, shares: Shares) -> None:
        """Believed by `peers`: it comes from a director of this cluster, and is news."""
        if shares.config == self._own().digest and (changed := self.agreement.hear(shares, time.monotonic())):
            self._reweighed(changed)

    def _peers_changed(self) -> None:
        if changed := self.agreement.look(time.monotonic()):
            self._reweighed(changed)
        self._met()
        own = self._own()
        covered = {
            router.name: tuple(self.peers.could_take(router.name)) for router in own.cluster.routers_of(own.node)
        }
        if covered != self._told_covered:
            self._told_covered = covered
            self._covered(covered)


def _companions(own: Own) -> tuple[dict[str, tuple[Address, Address]], Settings] | None:
    """By director our address and the other's, and how they are talked to."""
    directors, settings = own.cluster.directors, own.cluster.channel
    us = directors[own.node]
    pairs = {name: us.between(director) for name, director in directors.items() if name != own.node}
    others = {name: pair for name, pair in pairs.items() if pair is not None}
    return (others, settings) if settings is not None and others else None


Table = dict[tuple[str, int], list[tuple[DestinationKey, int]]]
"""By service and front port, what is there, with its weight."""


def _in_table(service: Service, table: Table) -> dict[int, agreement.Servers]:
    """By front port, the servers that are there. A destination that is no server's is somebody else's, and on its way
    out."""
    found = {}
    for front in service.fronts:
        names = {
            (server.address, service.target(server, front).port): server.name for server in service.servers.values()
        }
        there = table.get((service.name, front), [])
        found[front] = tuple(
            (names[key.address, key.port], weight) for key, weight in there if (key.address, key.port) in names
        )
    return found
