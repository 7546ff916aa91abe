"""Routes and rules that follow a role: of one family in themselves, and no two in one place."""

from __future__ import annotations

from typing import TYPE_CHECKING

from haman.config import build_routing
from haman.config.mistakes import Finding

if TYPE_CHECKING:
    from collections.abc import Iterator

    from haman.config.mistakes import Path
    from haman.config.shape.routers import VirtualRoute, VirtualRule
    from haman.config.view import View


def findings(view: View) -> Iterator[Finding]:
    first: dict[object, Path] = {}
    for name, router in view.file.routers.items():
        for index, route in enumerate(router.routes):
            path: Path = ("routers", name, "routes", index)
            yield from _route(path, route)
            made = build_routing.route(route)
            if first.setdefault((made.destination, made.table, made.metric), path) != path:
                what = f"there is a route to {made.destination} with this table and metric already"
                yield Finding(path, what, "give it another 'metric', or remove one")
        for index, rule in enumerate(router.rules):
            path = ("routers", name, "rules", index)
            yield from _rule(path, rule)
            if first.setdefault(build_routing.rule(rule), path) != path:
                yield Finding(path, "this rule is here already", "remove it once")


def _route(path: Path, route: VirtualRoute) -> Iterator[Finding]:
    for key, address in (("via", route.via), ("source", route.source)):
        if address is not None and address.version != route.to.version:
            what = f"{address} is IPv{address.version}, and a route to {route.to} is not"
            yield Finding((*path, key), what, "write an address of the route's own family")


def _rule(path: Path, rule: VirtualRule) -> Iterator[Finding]:
    made = build_routing.rule(rule)
    if made.source is None and made.destination is None and not made.fwmark and not made.incoming:
        yield Finding(path, "this rule is for every packet", "say for which: 'source', 'to', 'fwmark' or 'dev'")
    if rule.source is not None and rule.to is not None and rule.source.version != rule.to.version:
        what = f"no packet goes from {rule.source} to {rule.to}: they are of two families"
        yield Finding((*path, "to"), what, "write both of one family")
