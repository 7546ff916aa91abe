"""A new configuration meets running elections: which of them goes on as what?

An election that is going on is a VRID on an interface: that is what its peers hear. So a router that is renamed, or
swaps its VRID with another, finds its own election under that pair, and the addresses follow the names by plan and
diff. A sync group's election is known by the pair of each of its routers: it goes on when another of them comes to
lead, and when the group is dissolved it goes on as several. A router whose VRID or interface nobody here had before
takes its election along by its name: it goes on in its role, and still listens to the old place until the new one is
heard, because its peers are reconfigured one after the other. What is left was begun anew, or leaves.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from haman.election.group import Place


@dataclass(frozen=True, slots=True)
class Succession:
    """All by the name of the router that leads. goes_on: new name -> the name it ran under; two new ones may go on as
    the halves of one. leaves: names that are in the new configuration no more. moved: those that took their election to
    another place -> the place it had. Names that are in none of them start."""

    goes_on: Mapping[str, str]
    leaves: tuple[str, ...]
    moved: Mapping[str, Place]


def match(running: Mapping[str, Sequence[Place]], wanted: Mapping[str, Sequence[Place]]) -> Succession:
    """The places of each election, that of the router that leads first, by its name; `running` by the name it runs
    under. No place is twice in one of them."""
    leaders = {places[0]: name for name, places in running.items()}
    members = {place: name for name, places in running.items() for place in places}
    goes_on = {name: leaders[places[0]] for name, places in wanted.items() if places[0] in leaders}
    taken = set(goes_on.values())
    for name, places in wanted.items():
        if name not in goes_on:
            free = (members[place] for place in places if place in members and members[place] not in taken)
            old = next(free, members.get(places[0]))
            if old is not None:
                goes_on[name] = old
                taken.add(old)
    moved = {}
    for name in wanted:
        if name not in goes_on and name in running and name not in taken:
            goes_on[name] = name
            moved[name] = running[name][0]
            taken.add(name)
    return Succession(goes_on, tuple(name for name in running if name not in taken), moved)
