"""Who is elected together: a virtual router alone, or all routers of a sync group. What that means for one election.

A group has ONE state machine, that of its first router, which leads. The others follow: they cannot drift apart, since
there is nothing of theirs that could. Each lends its interface, VRID and addresses, and what is decided holds for all.

* Advertisements go out on every member's interface, with one priority. Heard is whatever arrives for any member, so a
  standby waits as long as one of the segments carries the active director's word: when the path between two directors
  fails on one segment only, the active one stays active on all. To take over the silent segment alone would put the two
  halves of one path through a firewall on two directors, which is worse than a segment that is partly out of reach.
* In the same way the better of two active directors wins on all segments when it is heard on one.
* A fault of one member is a fault of all; penalties add up. A goodbye is said on every interface, and the first word of
  a successor on any of them counts.
* Equal priorities are settled by address, and every segment has addresses of its own. So that all directors come to the
  same answer wherever they hear one another, each is known by one address only, that in the group's first router.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from haman.election.tracking import Tracking, combined

if TYPE_CHECKING:
    from collections.abc import Collection, Mapping, Sequence

    from haman.election.events import Assessed, Heard
    from haman.election.tracking import Surroundings
    from haman.model.elector import ElectorConfig, GroupConfig, RouterConfig
    from haman.model.trackers import Track, TrackedInterface


Place = tuple[str, int]
"""Interface and VRID: what an election's peers know it by."""


def place(router: RouterConfig) -> Place:
    return router.interface, router.vrid


@dataclass(frozen=True, slots=True)
class Together:
    """routers: the first one leads. group: None for a router alone."""

    routers: tuple[RouterConfig, ...]
    group: GroupConfig | None = None

    @property
    def leader(self) -> RouterConfig:
        return self.routers[0]

    @property
    def places(self) -> list[Place]:
        return [place(router) for router in self.routers]


def elections(config: ElectorConfig) -> dict[str, Together]:
    """Every election of this node, by the name of the router that leads it, in the order of the configuration."""
    by_name = {router.name: router for router in config.routers}
    group_of = {name: group for group in config.groups for name in group.routers}
    found: dict[str, Together] = {}
    for name, router in by_name.items():
        group = group_of.get(name)
        if group is None:
            found[name] = Together((router,))
        elif name == group.routers[0]:
            found[name] = Together(tuple(by_name[each] for each in group.routers), group)
    return found


class Watch:
    """What the surroundings mean for an election. It outlives a reload, so that patience with a link does too."""

    def __init__(self, together: Together) -> None:
        self._each: dict[tuple[str, str], Tracking] = {}
        self._common = Tracking(None, None, (), ())
        self.take(together)

    def take(self, together: Together) -> None:
        """Another configuration; what is known of routers that were in the last one is kept."""
        before, self._each = self._each, {}
        for router in together.routers:
            key = (router.name, router.interface)
            tracking = before.get(key) or Tracking(router.interface, router.name, router.track, router.watch)
            tracking.reconfigure(router.name, router.track, router.watch)
            self._each[key] = tracking
        self._common.reconfigure(None, *_common(together.group))
        self._grouped = together.group is not None

    @property
    def deadline(self) -> float | None:
        """When to ask again though nothing has happened."""
        found = self._common.deadline
        for each in self._each.values():
            if each.deadline is not None and (found is None or each.deadline < found):
                found = each.deadline
        return found

    def assess(self, seen: Surroundings, now: float) -> Assessed:
        members = [each.assess(seen, now) for each in self._each.values()]
        return combined(members, self._common.assess(seen, now)) if self._grouped else members[0]


def as_leader(event: Heard, group: GroupConfig | None, router: str) -> Heard:
    """An advertisement for member `router` as the leader's state machine is to see it: under the addresses that both
    sides have in the leader. Link-local ones are in no configuration, and settle no tie but on the leader's segment."""
    if group is None:
        return event
    source, own = group.aliases.get(str(event.source)), group.aliases.get(str(event.own))
    if source is not None and own is not None:
        return replace(event, source=source, own=own, leads=True)
    return replace(event, leads=event.leads and router == group.routers[0])


def waiting(together: Together, missing: Mapping[str, str]) -> str | None:
    """What keeps it from taking the role from a living peer: whatever keeps one of its routers. missing: by router."""
    words = (missing[router.name] for router in together.routers if router.name in missing)
    return "; ".join(dict.fromkeys(words)) or None


def eager(together: Together, missing: Mapping[str, str], eager: Collection[str]) -> bool:
    """Is each of its routers ready, or lacking what makes it no worse at serving? missing, eager: by router."""
    return all(router.name in eager for router in together.routers if router.name in missing)


def _common(group: GroupConfig | None) -> tuple[Sequence[TrackedInterface], Sequence[Track]]:
    return ((), ()) if group is None else (group.track, group.watch)
