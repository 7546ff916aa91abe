"""Directors: there are some, each is one machine, and says nothing about routers it has no part in."""

from __future__ import annotations

from typing import TYPE_CHECKING

from haman.config.mistakes import Finding
from haman.config.suggest import meant_or_known

if TYPE_CHECKING:
    from collections.abc import Iterator

    from haman.config.mistakes import Path
    from haman.config.view import View
    from haman.model.cluster import Address


def findings(view: View) -> Iterator[Finding]:
    for section, entry in (("directors", "lb1: {address: 10.0.0.1}"), ("routers", "public:")):
        if view.names.get(section) == frozenset():
            yield Finding((section,), "this is empty", f"write at least one, such as '{entry}'", at_key=True)
    yield from _addresses(view)
    yield from _host_names(view)
    yield from _overrides(view)
    if len(view.names.get("directors", ())) == 1:
        what = "there is only one director: nothing takes over when it fails"
        yield Finding(("directors",), what, "add a second one", at_key=True, warning=True)


def _addresses(view: View) -> Iterator[Finding]:
    first: dict[Address, str] = {}
    for name, director in view.file.directors.items():
        other = first.setdefault(director.address, name)
        if other != name:
            what = f"{director.address} is the address of director '{other}' already"
            yield Finding(("directors", name, "address"), what, "give each director its own", certain=True)


def _host_names(view: View) -> Iterator[Finding]:
    """A machine must find one director here, not two."""
    first: dict[str, str] = {}
    for name in view.file.directors:
        other = first.setdefault(name.lower(), name)
        if other != name:
            what = f"the name differs from that of director '{other}' only by case, as no host name does"
            yield Finding(("directors", name), what, "rename one of the two", at_key=True)
    for name, director in view.file.directors.items():
        for index, alias in enumerate(director.hostnames):
            other = first.setdefault(alias.lower(), name)
            if other != name:
                path: Path = ("directors", name, "hostnames", index)
                what = f"'{alias}' is a host name of director '{other}' already"
                yield Finding(path, what, "remove it from one", certain=True)


def _overrides(view: View) -> Iterator[Finding]:
    for name, director in view.file.directors.items():
        for router in director.routers:
            path: Path = ("directors", name, "routers", router)
            if view.lacks("routers", router):
                cure = meant_or_known(router, view.names["routers"], "routers")
                yield Finding(path, f"there is no router '{router}'", cure, at_key=True, certain=True)
            elif router in view.file.routers and name not in view.seats(router):
                what = f"director '{name}' takes no part in router '{router}'"
                cure = f"remove this, or add '{name}' to routers.{router}.directors"
                yield Finding(path, what, cure, at_key=True)
