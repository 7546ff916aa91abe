"""What directors tell each other about themselves, beside VRRP. `wire.standing` turns it into datagrams."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Mapping


@dataclass(frozen=True, slots=True)
class Connections:
    """How many a table holds, as the kernel counts them for each server: established (TCP and SCTP, from the first
    packet to the first FIN) and others (those that end, and all of UDP, used or not). One that is bound to no server
    of the table is counted nowhere."""

    established: int
    others: int

    def __add__(self, other: Connections) -> Connections:
        return Connections(self.established + other.established, self.others + other.others)


@dataclass(frozen=True, slots=True, kw_only=True)
class Standing:
    """One director, as it stands when it says so.

    life: when its director process began (wall clock, nanoseconds); number: counts what it said in this life. Together
    they only grow, so what was said before, or is played back by somebody, is known by them.
    config: digest of the cluster as it reads its file. roles: by router, a Role's value.
    waiting: by router that it could not take over, what is missing. macs: what the frames it sends bear.
    sites: by service, which site serves where it is active, and why it may stay so: see failover.choice; those that
    are not named are served locally, as health says.
    hearing: those of `waiting` that lack nothing but connections of the active director to hear of.
    giving: by router that it is about to give away, the director that is to have it.
    arbiter: does it reach the arbiter; None: there is none, or it has not looked yet.
    expecting: those of the routers it is about to be given whose connections it is prepared to send back to the giver
    as long as it does not know them; None from a haman that is too old to say so.
    connections: by router whose services it synchronises, what its table holds; a router that is not named was not
    counted.
    """

    cluster: str
    node: str
    life: int
    number: int
    config: str
    roles: Mapping[str, str] = field(default_factory=dict)
    waiting: Mapping[str, str] = field(default_factory=dict)
    macs: tuple[str, ...] = ()
    sites: Mapping[str, tuple[int, bool, str]] = field(default_factory=dict)
    hearing: tuple[str, ...] = ()
    giving: Mapping[str, str] = field(default_factory=dict)
    expecting: tuple[str, ...] | None = ()
    connections: Mapping[str, Connections] = field(default_factory=dict)
    arbiter: bool | None = None

    def could_take(self, router: str) -> bool:
        """Would it serve this router at once, with its table loaded and its servers checked?"""
        return self.roles.get(router) in {"standby", "active"} and router not in self.waiting

    def could_take_soon(self, router: str) -> bool:
        """The same, or once it has heard the connections."""
        return self.could_take(router) or (self.roles.get(router) == "standby" and router in self.hearing)


@dataclass(frozen=True, slots=True, kw_only=True)
class Shares:
    """What an active director's table holds of services whose scheduler computes the server, for those who must
    compute the same one.

    life, number, config: as in a Standing, counted on together with them. of: by service, then by front port, the
    servers in the table, each as (its number among the sorted names of all, weight), in the order they were added:
    Maglev hashing gives the places that two servers want to the one that was added first.
    """

    cluster: str
    node: str
    life: int
    number: int
    config: str
    of: Mapping[str, Mapping[int, tuple[tuple[int, int], ...]]] = field(default_factory=dict)
