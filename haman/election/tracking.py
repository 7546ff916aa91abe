"""What a virtual router's surroundings mean for it: a fault, a penalty, or nothing.

Rule 1: what is seen comes in as a value, and so does the time; the one thing kept is since when an interface has been
otherwise than it counts, for its `down_after` and `up_after`.
Rule 2: what the director has never judged yet counts as bad. But such a fault is `pending`: nothing is known to be
wrong, and an address that an earlier life left on the NIC is not taken away for it.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from haman.election.events import Assessed
from haman.model.trackers import HEAVIEST, Standing

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

    from haman.model.trackers import Track, TrackedInterface, Verdict


@dataclass(frozen=True, slots=True)
class Surroundings:
    """carrier: every interface that exists, with whether it is up and has carrier. unsourced: routers that lack an
    address to advertise from, and what is missing, in words. verdicts: by tracker name."""

    carrier: Mapping[str, bool] = field(default_factory=dict)
    unsourced: Mapping[str, str] = field(default_factory=dict)
    verdicts: Mapping[str, Verdict] = field(default_factory=dict)


@dataclass(slots=True)
class _Link:
    """up: what counts. since: when it began to be otherwise; None while it is not."""

    up: bool
    since: float | None = None


@dataclass(frozen=True, slots=True)
class _Finding:
    """What one use of a tracker costs. A penalty below zero is a bonus."""

    fault: str = ""
    penalty: int = 0
    pending: bool = False


class Tracking:
    """Of one router, or of a group beside its members (which has no interface and no name here)."""

    def __init__(
        self,
        interface: str | None,
        router: str | None,
        track: Sequence[TrackedInterface],
        watch: Sequence[Track],
    ) -> None:
        self._interface = interface
        self._router = router
        self._track = track
        self._watch = watch
        self._links: dict[str, _Link] = {}
        self.deadline: float | None = None

    def reconfigure(
        self,
        router: str | None,
        track: Sequence[TrackedInterface],
        watch: Sequence[Track],
    ) -> None:
        """The interface stays, and what was seen of links so far still counts."""
        self._router, self._track, self._watch = router, track, watch

    def assess(self, seen: Surroundings, now: float) -> Assessed:
        """Afterwards `deadline` is when to ask again even if nothing happens; None: never.

        A router's own interface is always tracked: without it nobody hears us, and we hear nobody.
        """
        self.deadline = None
        own = self._interface
        patience = {tracked.interface: tracked for tracked in self._track}
        if own is not None and not self._settled(own, patience.get(own), seen.carrier, now):
            return Assessed(_carrier(own, seen.carrier), deaf=True)
        findings = [
            *self._own(seen),
            *(self._link(tracked, seen, now) for tracked in self._track if tracked.interface != own),
            *(_watched(track, seen.verdicts.get(track.tracker)) for track in self._watch),
        ]
        faults = [finding for finding in findings if finding.fault]
        return Assessed(
            "; ".join(finding.fault for finding in faults) or None,
            sum(finding.penalty for finding in findings),
            pending=bool(faults) and all(finding.pending for finding in faults),
        )

    def _own(self, seen: Surroundings) -> Iterator[_Finding]:
        if self._router is not None and self._router in seen.unsourced:
            yield _Finding(seen.unsourced[self._router])

    def _link(self, tracked: TrackedInterface, seen: Surroundings, now: float) -> _Finding:
        up = self._settled(tracked.interface, tracked, seen.carrier, now)
        if up is not tracked.reverse:
            return _Finding()
        if tracked.penalty is not None:
            return _Finding(penalty=tracked.penalty)
        name = tracked.interface
        return _Finding(f"interface {name} has carrier, and must not" if up else _carrier(name, seen.carrier))

    def _settled(self, name: str, patience: TrackedInterface | None, carrier: Mapping[str, bool], now: float) -> bool:
        """Whether it counts as up: a change counts once it has lasted. What is seen first counts at once."""
        there = carrier.get(name, False)
        link = self._links.setdefault(name, _Link(there))
        if there is link.up:
            link.since = None
            return there
        if link.since is None:
            link.since = now
        wait = 0.0 if patience is None else patience.up_after if there else patience.down_after
        if now >= link.since + wait:
            link.up, link.since = there, None
            return there
        until = link.since + wait
        self.deadline = until if self.deadline is None else min(self.deadline, until)
        return link.up


def combined(members: Sequence[Assessed], common: Assessed) -> Assessed:
    """Of a group: of its members, and of what they track in common. A fault of one is a fault of all, penalties add up.
    Deaf is only a group that nobody can hear on any of its interfaces."""
    everything = [*members, common]
    faults = [each for each in everything if each.fault is not None]
    return Assessed(
        "; ".join(dict.fromkeys(each.fault for each in faults if each.fault is not None)) or None,
        sum(each.penalty for each in everything),
        deaf=all(each.deaf for each in members),
        pending=bool(faults) and all(each.pending for each in faults),
    )


def _watched(track: Track, verdict: Verdict | None) -> _Finding:
    if verdict is None:
        fault = "" if track.penalty is not None or track.weight is not None else f"{track.tracker}: not judged yet"
        return _Finding(fault, track.penalty or 0, pending=True)
    if track.weight is not None:
        share = verdict.number * track.weight * (-1 if track.reverse else 1)
        words = f"{track.tracker}: {verdict.number} times {track.weight} is below {-HEAVIEST}"
        return _Finding(words if share < -HEAVIEST else "", -max(-HEAVIEST, min(HEAVIEST, share)))
    if (verdict.standing is Standing.DOWN) is track.reverse:
        return _Finding()
    if track.penalty is not None:
        return _Finding(penalty=track.penalty)
    return _Finding(f"{track.tracker}: {verdict.why}")


def _carrier(interface: str, carrier: Mapping[str, bool]) -> str:
    return f"interface {interface} " + ("has no carrier" if interface in carrier else "does not exist")
