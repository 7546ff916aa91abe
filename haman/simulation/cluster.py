"""The clusters of stories: directors, and the virtual routers they play. From it comes each elector's configuration.

Shapes: `one` (an IPv4 address), `dual` (and an IPv6 one, elected together), `group` (two routers on two segments, a
sync group), `two` (two routers on one segment, each its own election).
"""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from functools import cached_property
from ipaddress import IPv4Address, ip_interface
from typing import TYPE_CHECKING

from haman.model.arbiter import TRACKER, Arbitration
from haman.model.confirmation import Confirm
from haman.model.elector import ElectorConfig, GroupConfig, RouterConfig
from haman.model.routers import Announce, Preempt, StandbyAddress, VirtualAddress
from haman.model.trackers import Track

if TYPE_CHECKING:
    from collections.abc import Mapping

    from haman.model.addresses import Address

SHAPES = ("one", "dual", "group", "two")
SEGMENTS = ("eth0", "eth1")
ARBITER = "gateway"
"""The machine that is asked for an arbiter, where a story has one: it can be cut off like a director."""

SERVICE = "service"
"""The tracker that every router watches: `fault` and `clear` are its verdicts."""

ROUNDS = (1.0, 5.0, 10.0)
"""When neighbours are told again, in intervals since the takeover."""

ATTEMPTS = 4
"""How often a neighbour that does not answer is told: at 0, 1, 3 and 7 intervals, and given up at 15."""


@dataclass(frozen=True, kw_only=True)
class Setup:
    """What a story says of its cluster. priorities: by director. preempt: seconds of delay, None: off. strict: who does
    not reach the arbiter is not active at all."""

    priorities: Mapping[str, int]
    shape: str = "one"
    interval: float = 0.1
    preempt: float | None = None
    version: int = 3
    unicast: bool = False
    loopback: bool = True
    linger: float = 0.05
    arbiter: bool = False
    strict: bool = False
    drift: Mapping[str, float] = field(default_factory=dict)
    """By director, how much faster its clock runs (0.001: a millisecond in a second)."""

    @cached_property
    def directors(self) -> tuple[str, ...]:
        return tuple(self.priorities)

    @cached_property
    def routers(self) -> tuple[str, ...]:
        return {"one": ("public",), "dual": ("public",), "group": ("public", "inside"), "two": ("public", "other")}[
            self.shape
        ]

    @cached_property
    def elections(self) -> tuple[tuple[str, ...], ...]:
        """The routers of each, the leader first."""
        return (self.routers,) if self.shape == "group" else tuple((name,) for name in self.routers)

    def segment_of(self, router: str) -> str:
        return "eth1" if router == "inside" else "eth0"


def number(setup: Setup, director: str) -> int:
    return setup.directors.index(director) + 1


def source(setup: Setup, director: str, segment: str) -> IPv4Address:
    return IPv4Address(f"10.0.{SEGMENTS.index(segment)}.{number(setup, director)}")


def vips(setup: Setup, router: str) -> tuple[VirtualAddress, ...]:
    device = setup.segment_of(router)
    last = 100 + setup.routers.index(router)
    found = [VirtualAddress(interface=ip_interface(f"10.0.{SEGMENTS.index(device)}.{last}/24"), device=device)]
    if setup.shape == "dual":
        found.append(VirtualAddress(interface=ip_interface(f"2001:db8::{last}/64"), device=device))
    return tuple(found)


def slice_of(setup: Setup, director: str, generation: int) -> ElectorConfig:
    """The configuration of one director's elector. In shape `two` the priorities of the second router are the other
    way round, so that each director has a role to lose."""
    routers = tuple(_router(setup, director, name) for name in setup.routers)
    groups: tuple[GroupConfig, ...] = ()
    if setup.shape == "group":
        aliases: dict[str, Address] = {
            str(source(setup, each, segment)): source(setup, each, "eth0")
            for each in setup.directors
            for segment in SEGMENTS
        }
        groups = (GroupConfig(name="both", routers=setup.routers, aliases=aliases),)
    # With each router an election of its own, one gate of IPVS could not serve both.
    opens = setup.routers if len(setup.elections) == 1 else ()
    return ElectorConfig(generation=generation, node=director, routers=routers, groups=groups, opens=opens)


def _router(setup: Setup, director: str, name: str) -> RouterConfig:
    segment = setup.segment_of(name)
    mine = source(setup, director, segment)
    priority = setup.priorities[director]
    if name == "other":
        lowest, highest = min(setup.priorities.values()), max(setup.priorities.values())
        priority = lowest + highest - priority
    peers = tuple(source(setup, each, segment) for each in setup.directors if each != director)
    config = RouterConfig(
        name=name,
        vrid=51 + setup.routers.index(name),
        priority=priority,
        interface=segment,
        source=mine,
        advert_interval=setup.interval,
        addresses=vips(setup, name),
        version=setup.version,
        peers=peers if setup.unicast else (),
        preempt=Preempt(allowed=setup.preempt is not None, after=setup.preempt or 0.0),
        watch=(Track(tracker=SERVICE), *((Track(tracker=TRACKER),) if setup.strict else ())),
        confirm=Confirm(attempts=ATTEMPTS, pause=setup.interval),
        announce=Announce(count=1, repeat=tuple(each * setup.interval for each in ROUNDS)),
        linger=setup.linger,
        arbiter=Arbitration(strict=setup.strict) if setup.arbiter else None,
    )
    return config if setup.loopback else replace(config, standby_address=StandbyAddress.NOWHERE)
