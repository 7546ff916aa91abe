"""What is new in a configuration, in words: for the answer of `haman reload`, the log and the history. Pure."""

from __future__ import annotations

from dataclasses import dataclass, fields, replace
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from haman.director.loading import Loaded
    from haman.model.routers import Router
    from haman.model.services import Server, Service

NAMED = 5
"""So many names are given of each kind of change."""

_PARTS = {
    "name": "the cluster's name",
    "directors": "the directors",
    "sync": "connection synchronisation",
    "timeouts": "the IPVS timeouts",
    "hooks": "the hooks",
    "metrics": "the metrics listener",
    "control_group": "the control socket's group",
    "log_format": "the log's format",
    "log_level": "the log's level",
}
"""Settings of the whole cluster, by field; one that is not here is called as its field is."""


@dataclass(frozen=True, slots=True)
class Difference:
    """added, removed, changed: names by noun (`router`, `service`, `server`). renamed: routers, new name -> old; all
    else that is new about them is among `changed`. others: settings of the whole cluster."""

    added: Mapping[str, tuple[str, ...]]
    removed: Mapping[str, tuple[str, ...]]
    changed: Mapping[str, tuple[str, ...]]
    others: tuple[str, ...]
    renamed: Mapping[str, str]

    def __bool__(self) -> bool:
        return any((self.added, self.removed, self.changed, self.others, self.renamed))

    def lines(self) -> list[str]:
        """One per kind of change; empty for none."""
        found = []
        for verb, by_noun in (("new", self.added), ("gone", self.removed), ("changed", self.changed)):
            found += [f"{verb}: {_some(noun, names)}" for noun, names in by_noun.items()]
        found += [f"renamed: router {old} is {new} now" for new, old in self.renamed.items()]
        return [*found, *(f"changed: {words}" for words in self.others)]

    def plain(self) -> dict[str, Any]:
        """As JSON."""
        return {
            "added": {noun: list(names) for noun, names in self.added.items()},
            "removed": {noun: list(names) for noun, names in self.removed.items()},
            "changed": {noun: list(names) for noun, names in self.changed.items()},
            "others": list(self.others),
            "renamed": {"router": dict(self.renamed)} if self.renamed else {},
        }


def between(old: Loaded, new: Loaded) -> Difference:
    before, after = old.cluster, new.cluster
    added: dict[str, tuple[str, ...]] = {}
    removed: dict[str, tuple[str, ...]] = {}
    changed: dict[str, tuple[str, ...]] = {}
    touched = [
        name
        for name in {**before.services, **after.services}
        if before.services.get(name) is not after.services.get(name)
    ]
    renamed = _renamed(old, new)
    nouns: tuple[tuple[str, Mapping[str, Any], Mapping[str, Any]], ...] = (
        ("router", _called(before.routers, renamed), after.routers),
        ("service", before.services, after.services),
        ("server", _servers(before.services, touched), _servers(after.services, touched)),
    )
    for noun, was, now in nouns:
        for kind, names in (
            (added, [name for name in now if name not in was]),
            (removed, [name for name in was if name not in now]),
            (changed, [name for name in now if name in was and now[name] is not was[name] and now[name] != was[name]]),
        ):
            if names:
                kind[noun] = tuple(names)
    # Gone, though another one has its name now.
    replaced = tuple(name for name in before.routers if name in renamed and name not in renamed.values())
    if replaced:
        removed["router"] = (*removed.get("router", ()), *replaced)
    others = [
        _PARTS.get(field.name, field.name.replace("_", " "))
        for field in fields(after)
        if field.name not in ("routers", "services") and getattr(before, field.name) != getattr(after, field.name)
    ]
    if old.credentials != new.credentials and before.authentication == after.authentication:
        others.append("the secret in a key's file")
    if old.node != new.node:
        others.append(f"this director is {new.node}, was {old.node}")
    return Difference(added, removed, changed, tuple(others), renamed)


def _renamed(old: Loaded, new: Loaded) -> dict[str, str]:
    """New name -> old, of routers that this node knows by the same interface and VRID."""
    before = {router.place_on(old.node): router.name for router in old.cluster.routers_of(old.node)}
    after = {router.name: router.place_on(new.node) for router in new.cluster.routers_of(new.node)}
    same = {name: before[place] for name, place in after.items() if place in before}
    return {name: was for name, was in same.items() if name != was}


def _called(routers: Mapping[str, Router], renamed: Mapping[str, str]) -> dict[str, Router]:
    """By the names they have now."""
    now = {old: new for new, old in renamed.items()}
    return {
        now.get(name, name): replace(router, name=now[name]) if name in now else router
        for name, router in routers.items()
        if name in now or name not in renamed
    }


def _servers(services: Mapping[str, Service], names: Iterable[str]) -> dict[str, Server]:
    """The servers of these services, as `web/rs1`."""
    found = {}
    for name in names:
        for server in services[name].servers.values() if name in services else ():
            found[f"{name}/{server.name}"] = server
    return found


def _some(noun: str, names: tuple[str, ...]) -> str:
    if len(names) == 1:
        return f"{noun} {names[0]}"
    more = f" and {len(names) - NAMED:,} more" if len(names) > NAMED else ""
    return f"{len(names):,} {noun}s: {', '.join(names[:NAMED])}{more}"
