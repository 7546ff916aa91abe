"""Trackers and their uses: each watches one thing, each key fits that thing, each name leads somewhere."""

from __future__ import annotations

from typing import TYPE_CHECKING

from haman.config import tracked
from haman.config.mistakes import Finding
from haman.config.rules import commands
from haman.config.shape.trackers import KINDS, Track
from haman.config.suggest import listed, meant_or_known

if TYPE_CHECKING:
    from collections.abc import Iterator

    from haman.config.mistakes import Path
    from haman.config.shape.trackers import Tracker
    from haman.config.view import View
    from haman.model.addresses import Address

_BELONGS = {
    "arguments": ("process",),
    "quorum": ("process",),
    "user": ("script",),
    "dev": ("ping", "arp", "route"),
    "via": ("route",),
    "table": ("route",),
    "interval": ("ping", "arp", "script", "process", "file", "route"),
    "timeout": ("ping", "arp", "script"),
    "rise": ("ping", "arp", "script", "process", "file", "route", "service"),
    "fall": ("ping", "arp", "script", "process", "file", "route", "service"),
    "down_after": ("interface",),
    "up_after": ("interface",),
}
"""Which kinds a key says something about."""

_USE = ("tracker", "penalty", "weight", "reverse")
"""The keys of a use that are no keys of a tracker."""


def findings(view: View) -> Iterator[Finding]:
    for path, tracker in tracked.written(view.file):
        yield from _itself(view, path, tracker)
    for uses in tracked.lists(view.file):
        yield from _uses(view, uses)
    yield from _unused(view)


def _itself(view: View, path: Path, tracker: Tracker) -> Iterator[Finding]:
    kinds = tracked.kinds(tracker)
    if not kinds:
        yield Finding(path, "nothing says what is tracked", f"add one of {listed(KINDS)}", at_key=len(path) == 2)
        return
    if len(kinds) > 1:
        what = f"a tracker watches one thing, and here are '{kinds[0]}' and '{kinds[1]}'"
        yield Finding((*path, kinds[1]), what, "make two of it", at_key=True)
        return
    (kind,) = kinds
    for key, belongs in _BELONGS.items():
        if key in tracker.model_fields_set and kind not in belongs:
            what = f"'{key}' says nothing about a tracked {kind}"
            yield Finding((*path, key), what, f"remove it: it goes with {listed(belongs)}", at_key=True)
    if tracker.ping is not None:
        yield from nowhere((*path, "ping"), tracker.ping, tracker.dev)
    if tracker.script is not None:
        yield from commands.findings((*path, "script"), tracker.script, "/etc/haman/track/")
    if tracker.service is not None and view.lacks("services", tracker.service):
        cure = meant_or_known(tracker.service, view.names["services"], "services")
        yield Finding((*path, "service"), f"there is no service '{tracker.service}'", cure, certain=True)
    if tracker.via is not None and tracker.route is not None and tracker.via.version != tracker.route.version:
        what = f"{tracker.via} is IPv{tracker.via.version}, and the route to {tracker.route} is not"
        yield Finding((*path, "via"), what, "write a gateway of the route's own family")


def nowhere(path: Path, address: Address, dev: str | None) -> Iterator[Finding]:
    """A machine that is asked, and could be on any network."""
    if dev is None and address.version == 6 and address.is_link_local:
        what = f"{address} is a link-local address, which every network has for itself"
        yield Finding(path, what, "add 'dev' with the interface it is on")


def _uses(view: View, uses: tracked.Uses) -> Iterator[Finding]:
    seen: dict[str, Path] = {}
    for index, use in enumerate(uses.entries):
        path: Path = (*uses.path, index)
        if isinstance(use, str):
            yield from _reference(view, path, use)
        else:
            yield from _use(view, uses, path, use)
        yield from _in_circles(view, path, use)
        what = tracked.words(view.file, use)
        if what is not None and seen.setdefault(what, path) != path:
            yield Finding(path, f"{what} is tracked twice", "remove it once", certain=True)


def _in_circles(view: View, path: Path, use: str | Track) -> Iterator[Finding]:
    """What falls silent with a director must not be a fault of those that are to take over from it."""
    tracker = tracked.tracker_of(view.file, use)
    costly = isinstance(use, Track) and (use.penalty is not None or use.reverse)
    if tracker is None or costly or view.broken & {"directors", "routers"}:
        return
    kind, address = ("ping", tracker.ping) if tracker.ping is not None else ("arp", tracker.arp)
    if address is None:
        return
    if (router := view.router_by_vip.get(address)) is not None:
        what = f"{address} is a VIP of router '{router}': while nobody has it, this router is in fault everywhere"
        yield Finding(_where(path, use, kind), what, "write the address of another machine, such as the gateway")
    elif (director := view.director_by_address.get(address)) is not None and _others(view, path, director):
        what = f"{address} is director '{director}': when it dies, no other one takes over, as that is a fault there"
        cure = "write the address of a machine that is no director, or add a 'penalty'"
        yield Finding(_where(path, use, kind), what, cure)


def _where(path: Path, use: str | Track, kind: str) -> Path:
    return path if isinstance(use, str) else (*path, kind if use.tracker is None else "tracker")


def _others(view: View, path: Path, director: str) -> bool:
    """Whether others than this director take part where the use stands, and it too."""
    section, name = str(path[0]), str(path[1])
    routers = [name] if section == "routers" else view.file.groups[name].routers
    seats = {seat for router in routers if router in view.file.routers for seat in view.seats(router)}
    return director in seats and len(seats) > 1


def _reference(view: View, path: Path, name: str) -> Iterator[Finding]:
    if view.lacks("trackers", name):
        cure = meant_or_known(name, view.names["trackers"], "trackers")
        cure += "" if cure.endswith("?") else f"; an interface is written {{interface: {name}}}"
        yield Finding(path, f"there is no tracker '{name}'", cure, certain=True)


def _use(view: View, uses: tracked.Uses, path: Path, use: Track) -> Iterator[Finding]:
    if use.tracker is not None:
        yield from _reference(view, (*path, "tracker"), use.tracker)
        for key in sorted(use.model_fields_set - {*_USE}):
            what = f"'{key}' stands beside the name of a tracker"
            yield Finding((*path, key), what, f"write it into trackers.{use.tracker}", at_key=True)
    tracker = tracked.tracker_of(view.file, use)
    if use.penalty is not None and use.weight is not None:
        what = "a bad tracker lowers the priority by its 'penalty', or by its number times 'weight'"
        yield Finding((*path, "weight"), what, "remove one of the two", at_key=True)
    elif use.weight is not None and tracker is not None and tracker.file is None:
        yield Finding((*path, "weight"), "only a file has a number", "write 'penalty' instead", at_key=True)
    if tracker is not None and tracker.interface is not None and tracker.interface in uses.own:
        yield from _own(path, use, tracker)


def _own(path: Path, use: Track, tracker: Tracker) -> Iterator[Finding]:
    """The router's own interface is tracked anyway; what can be said about it is how patient that is."""
    rest = "the router's own interface is always tracked, and losing it is a fault"
    place = (*path, "tracker" if use.tracker is not None else "interface")
    if use.penalty is not None or use.reverse:
        yield Finding(place, rest, "remove 'penalty' and 'reverse': no other director can hear this one without it")
    elif tracker.down_after is None and tracker.up_after is None:
        yield Finding(place, rest, "remove it", warning=True)


def _unused(view: View) -> Iterator[Finding]:
    if view.broken & {"routers", "groups"}:
        return
    used = {name for uses in tracked.lists(view.file) for use in uses.entries if (name := tracked.named(use))}
    for name in view.file.trackers:
        if name not in used:
            what = "no router or group uses this tracker"
            yield Finding(("trackers", name), what, "name it in a 'track', or remove it", at_key=True, warning=True)
