"""Sync groups: there is one election for all members, so they agree on everything that it depends on."""

from __future__ import annotations

from typing import TYPE_CHECKING

from haman.config.forms.numbers import spoken
from haman.config.mistakes import Finding
from haman.config.shape.routers import PreemptAfter
from haman.config.suggest import meant_or_known

if TYPE_CHECKING:
    from collections.abc import Iterator

    from haman.config.mistakes import Path
    from haman.config.shape.routers import Router
    from haman.config.view import View


def findings(view: View) -> Iterator[Finding]:
    group_of: dict[str, str] = {}
    for name, group in view.file.groups.items():
        for index, router in enumerate(group.routers):
            path: Path = ("groups", name, "routers", index)
            other = group_of.setdefault(router, name)
            if view.lacks("routers", router):
                cure = meant_or_known(router, view.names["routers"], "routers")
                yield Finding(path, f"there is no router '{router}'", cure, certain=True)
            elif router in group.routers[:index]:
                yield Finding(path, f"router '{router}' is named twice", "remove it once", certain=True)
            elif other != name:
                what = f"router '{router}' is in group '{other}' already"
                yield Finding(path, what, "put all that belong together into one group", certain=True)
        if len(set(group.routers)) == 1:
            what = "a group of one router binds it to nothing"
            yield Finding(("groups", name, "routers"), what, "name the others that go with it", at_key=True)
        yield from _agreement(view, name, [router for router in group.routers if router in view.file.routers])


def _agreement(view: View, name: str, members: list[str]) -> Iterator[Finding]:
    if not members or view.broken & {"directors", "routers"}:
        return
    first, *others = members
    for other in dict.fromkeys(others):
        if other == first:
            continue
        place: Path = ("groups", name, "routers")
        ours, theirs = view.seats(first), view.seats(other)
        if ours.keys() != theirs.keys():
            what = f"routers '{first}' and '{other}' have different directors, and a group has one election"
            yield Finding(place, what, "give both the same 'directors'", at_key=True)
            continue
        for director, seat in ours.items():
            if seat.priority != theirs[director].priority:
                what = f"director '{director}' has priority {seat.priority} in '{first}' and"
                what += f" {theirs[director].priority} in '{other}', and a group has one"
                yield Finding(place, what, f"set it once, at directors.{director}.priority", at_key=True)
        for key, text in _shared(view.file.routers[first]).items():
            its = _shared(view.file.routers[other])[key]
            if text != its:
                what = f"'{first}' and '{other}' differ in '{key}' ({text} and {its}), and a group has one"
                yield Finding(("routers", other, key), what, f"write {key}: {text} in both")


def _shared(router: Router) -> dict[str, str]:
    """What the one election of a group takes from its members, as it is written."""
    preempt = router.preempt
    after = f"{{after: {spoken(preempt.after)}}}" if isinstance(preempt, PreemptAfter) else str(preempt).lower()
    return {"advert_interval": spoken(router.advert_interval), "preempt": after, "linger": spoken(router.linger)}
