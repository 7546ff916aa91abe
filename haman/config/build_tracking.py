"""Trackers, their uses and sync groups of the checked file -> the model's. No judgement here either.

Interfaces go to the elector as they are; everything else becomes a tracker of the director and its use.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from haman.config import tracked
from haman.config.shape.trackers import Track
from haman.model import trackers as model

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from haman.config.shape.file import File
    from haman.config.shape.trackers import Tracker

INTERVAL = 1.0
"""Seconds; how often a tracker is looked at unless it says otherwise."""

TIMEOUT = 1.0
"""Seconds; the longest that a ping or ARP request waits unless the tracker says otherwise."""

RISE, FALL = 2, 3
"""For what goes over a network or through a program. What the kernel itself says is true at once."""


class Tracking:
    """What the file says about tracking, as the model has it."""

    def __init__(self, file: File) -> None:
        self._file = file
        self._names = _names(file)

    def interfaces(self, uses: Sequence[str | Track]) -> tuple[model.TrackedInterface, ...]:
        """Those of `uses` that are interfaces."""
        followed = _followed(self._file, uses)
        return tuple(_interface(use, tracker) for use, tracker in followed if tracker.interface is not None)

    def uses(self, uses: Sequence[str | Track]) -> tuple[model.Track, ...]:
        """All the others."""
        followed = _followed(self._file, uses)
        return tuple(
            _use(self._names[_key(self._file, use, tracker)], use)
            for use, tracker in followed
            if tracker.interface is None
        )

    def trackers(self) -> dict[str, model.Tracker]:
        """Every tracker by its name, those of `trackers` first."""
        file = self._file
        found = {name: _tracker(name, tracker) for name, tracker in file.trackers.items() if tracker.interface is None}
        for _, tracker, name in self._used():
            found.setdefault(name, _tracker(name, tracker))
        return found

    def groups(self) -> dict[str, model.Group]:
        return {
            name: model.Group(
                name=name,
                routers=tuple(group.routers),
                track=self.interfaces(group.track),
                watch=self.uses(group.track),
            )
            for name, group in self._file.groups.items()
        }

    def _used(self) -> Iterator[tuple[str | Track, Tracker, str]]:
        for uses in tracked.lists(self._file):
            for use, tracker in _followed(self._file, uses.entries):
                if tracker.interface is None:
                    yield use, tracker, self._names[_key(self._file, use, tracker)]


def _followed(file: File, entries: Sequence[str | Track]) -> Iterator[tuple[str | Track, Tracker]]:
    for use in entries:
        tracker = tracked.tracker_of(file, use)
        assert tracker is not None
        yield use, tracker


def _key(file: File, use: str | Track, tracker: Tracker) -> tuple[str, model.Tracker]:
    words = tracked.words(file, use) or ""
    return words, _tracker(words, tracker)


def _names(file: File) -> dict[tuple[str, model.Tracker], str]:
    """Trackers that are written into a use and alike in everything are one. Of several that watch the same thing in
    different ways each further one gets a number."""
    names: dict[tuple[str, model.Tracker], str] = {}
    for uses in tracked.lists(file):
        for use, tracker in _followed(file, uses.entries):
            if tracker.interface is None:
                key = _key(file, use, tracker)
                same = sum(words == key[0] for words, _ in names)
                names.setdefault(key, key[0] if not same else f"{key[0]} ({same + 1})")
    return names


def _use(name: str, use: str | Track) -> model.Track:
    if isinstance(use, str):
        return model.Track(tracker=name)
    return model.Track(tracker=name, penalty=use.penalty, weight=use.weight, reverse=use.reverse)


def _interface(use: str | Track, tracker: Tracker) -> model.TrackedInterface:
    assert tracker.interface is not None
    return model.TrackedInterface(
        interface=tracker.interface,
        penalty=use.penalty if isinstance(use, Track) else None,
        reverse=use.reverse if isinstance(use, Track) else False,
        down_after=tracker.down_after or 0.0,
        up_after=tracker.up_after or 0.0,
    )


def _tracker(name: str, tracker: Tracker) -> model.Tracker:
    asked = tracker.ping is not None or tracker.arp is not None or tracker.script is not None
    interval = tracker.interval if tracker.interval is not None else INTERVAL
    timeout = interval if tracker.script is not None else min(interval, TIMEOUT)
    return model.Tracker(
        name=name,
        watched=_watched(tracker),
        interval=interval,
        timeout=tracker.timeout if tracker.timeout is not None else timeout,
        rise=tracker.rise if tracker.rise is not None else (RISE if asked else 1),
        fall=tracker.fall if tracker.fall is not None else (FALL if asked else 1),
    )


def _watched(tracker: Tracker) -> model.Watched:
    if tracker.ping is not None:
        return model.PingWatch(address=tracker.ping, interface=tracker.dev)
    if tracker.arp is not None:
        return model.ArpWatch(address=tracker.arp, interface=tracker.dev)
    if tracker.script is not None:
        return model.ScriptWatch(argv=tuple(tracker.script), user=tracker.user)
    if tracker.file is not None:
        return model.FileWatch(path=tracker.file)
    if tracker.process is not None:
        return model.ProcessWatch(name=tracker.process, arguments=tuple(tracker.arguments), quorum=tracker.quorum or 1)
    if tracker.route is not None:
        return model.RouteWatch(
            destination=tracker.route, via=tracker.via, interface=tracker.dev, table=tracker.table or 254
        )
    assert tracker.service is not None
    return model.ServiceWatch(service=tracker.service)
