"""Interfaces: every director of a router has one for it, and it is one that others can hear.

Whether an interface is there at all no file can tell that is the same on all directors.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from haman.config import tracked
from haman.config.mistakes import Finding
from haman.config.shape.around import Sync

if TYPE_CHECKING:
    from collections.abc import Iterator

    from haman.config.mistakes import Path
    from haman.config.view import View

LOOPBACK = "lo"


def findings(view: View) -> Iterator[Finding]:
    for name in view.file.routers:
        missing = [seat.director for seat in view.seats(name).values() if seat.interface is None]
        if missing:
            what = f"no interface is given for director '{missing[0]}'"
            cure = f"add 'interface: eth0' here, or under directors.{missing[0]}.routers.{name}"
            yield Finding(("routers", name), what, cure, at_key=True)
    for interface, path in _written(view):
        if interface == LOOPBACK:
            cure = "name the interface that the network is on; what a standby keeps on lo is said by standby_address"
            yield Finding(path, "no other machine hears what is sent on lo", cure, certain=True)


def _written(view: View) -> Iterator[tuple[str | None, Path]]:
    """Every interface name of the file, with its place."""
    for name, router in view.file.routers.items():
        yield router.interface, ("routers", name, "interface")
        yield from ((vip.dev, (*vip.path[:-1], "dev")) for vip in view.vips_of(name))
    for director, entry in view.file.directors.items():
        for name, override in entry.routers.items():
            yield override.interface, ("directors", director, "routers", name, "interface")
    for name, router in view.file.routers.items():
        for index, route in enumerate(router.routes):
            yield route.dev, ("routers", name, "routes", index, "dev")
    for place, tracker in tracked.written(view.file):
        yield tracker.interface, (*place, "interface")
    if isinstance(view.file.sync, Sync):
        yield view.file.sync.interface, ("sync", "interface")
        for director, interface in view.file.sync.interfaces.items():
            yield interface, ("sync", "interfaces", director)
