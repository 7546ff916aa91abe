"""Trackers of the file with their references followed: what each `track` entry watches. Nothing here judges.

Used by the rules and by `build`, so that both see the same. A tracker that is written into a `track` list has no name
of its own and is called after what it watches, with a blank in it: "ping 10.0.0.254" is nobody else's name.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from haman.config.shape.trackers import KINDS, Track, Tracker

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from haman.config.mistakes import Path
    from haman.config.shape.file import File


@dataclass(frozen=True, slots=True)
class Uses:
    """One `track` list, where it stands, and which interfaces are tracked there anyway."""

    path: Path
    entries: Sequence[str | Track]
    own: frozenset[str] = frozenset()


def lists(file: File) -> Iterator[Uses]:
    """Every `track` of the file."""
    for name, router in file.routers.items():
        own = {router.interface} if router.interface is not None else set()
        yield Uses(("routers", name, "track"), router.track, frozenset(own))
    for name, group in file.groups.items():
        members = (file.routers.get(router) for router in group.routers)
        own = {member.interface for member in members if member is not None and member.interface is not None}
        yield Uses(("groups", name, "track"), group.track, frozenset(own))


def written(file: File) -> Iterator[tuple[Path, Tracker]]:
    """Every tracker with its place, named or written into a use."""
    for name, tracker in file.trackers.items():
        yield ("trackers", name), tracker
    for uses in lists(file):
        for index, use in enumerate(uses.entries):
            if isinstance(use, Track) and use.tracker is None:
                yield (*uses.path, index), use


def named(use: str | Track) -> str | None:
    """The name that a use refers to; None if the tracker is written there."""
    return use if isinstance(use, str) else use.tracker


def tracker_of(file: File, use: str | Track) -> Tracker | None:
    """What is used; None if it names one that does not exist."""
    if isinstance(use, Track) and use.tracker is None:
        return use
    return file.trackers.get(named(use) or "")


def kinds(tracker: Tracker) -> list[str]:
    """The keys that say what is watched: one in a right file."""
    return [kind for kind in KINDS if getattr(tracker, kind) is not None]


def words(file: File, use: str | Track) -> str | None:
    """What a use watches, in words: a tracker's name, or "ping 10.0.0.254"; None if it is not known. A tracker that is
    nothing but an interface is that interface, since the elector knows it by no other name."""
    tracker = tracker_of(file, use)
    if tracker is None or len(kinds(tracker)) != 1:
        return None
    if tracker.interface is not None:
        return f"interface {tracker.interface}"
    return named(use) or f"{kinds(tracker)[0]} {_object(tracker)}"


def _object(tracker: Tracker) -> str:
    (kind,) = kinds(tracker)
    value = getattr(tracker, kind)
    parts = list(value) if kind == "script" else [str(value), *tracker.arguments]
    parts += [f"via {tracker.via}"] if tracker.via is not None else []
    parts += [f"dev {tracker.dev}"] if tracker.dev is not None else []
    parts += [f"table {tracker.table}"] if tracker.table is not None else []
    return " ".join(parts)
