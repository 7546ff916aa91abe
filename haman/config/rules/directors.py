"""Directors: there are some, each is one machine, and says nothing about routers it has no part in."""

from __future__ import annotations

from typing import TYPE_CHECKING

from haman.config.mistakes import Finding
from haman.config.suggest import meant_or_known

if TYPE_CHECKING:
    from collections.abc import Iterator

    from haman.config.mistakes import Path
    from haman.config.shape.routers import Director, RouterOverride
    from haman.config.view import View
    from haman.model.addresses import Address


def findings(view: View) -> Iterator[Finding]:
    for section, entry in (("directors", "lb1: {address: 10.0.0.1}"), ("routers", "public:")):
        if view.names.get(section) == frozenset():
            yield Finding((section,), "this is empty", f"write at least one, such as '{entry}'", at_key=True)
    yield from _addresses(view)
    yield from _host_names(view)
    yield from _overrides(view)
    yield from _channel(view)
    if len(view.names.get("directors", ())) == 1:
        what = "there is only one director: nothing takes over when it fails"
        yield Finding(("directors",), what, "add a second one", at_key=True, warning=True)


def _addresses(view: View) -> Iterator[Finding]:
    first: dict[Address, str] = {}
    for name, director in view.file.directors.items():
        for key, address in (("address", director.address), ("address6", director.address6)):
            other = first.setdefault(address, name) if address is not None else name
            if other != name:
                what = f"{address} is the address of director '{other}' already"
                yield Finding(("directors", name, key), what, "give each director its own", certain=True)
        below: Path = ("directors", name)
        yield from _two_of_one_family(below, director)
        for router, override in director.routers.items():
            yield from _two_of_one_family((*below, "routers", router), override)


def _channel(view: View) -> Iterator[Finding]:
    """Each two directors need addresses of one family to talk to each other. Said once for each director."""
    if view.file.channel is False:
        return
    having = {
        name: {address.version for address in (director.address, director.address6) if address is not None}
        for name, director in view.file.directors.items()
    }
    for index, (name, families) in enumerate(having.items()):
        apart = [other for other in list(having)[:index] if not families & having[other]]
        if apart:
            other = apart[0]
            ours, theirs = (" and ".join(f"IPv{version}" for version in sorted(having[each])) for each in (name, other))
            what = f"this is an {ours} address, and director '{other}' has only an {theirs} one: the directors' channel"
            what = f"{what} has no way between them"
            one = name if 4 in families else other
            cure = f"add 'address6' to directors.{one}, or write 'channel: false' to do without it"
            yield Finding(("directors", name, "address"), what, cure)


def _two_of_one_family(path: Path, entry: Director | RouterOverride) -> Iterator[Finding]:
    if entry.address is not None and entry.address.version == 6 and entry.address6 is not None:
        what = f"'address' is an IPv6 address already, {entry.address}"
        yield Finding((*path, "address6"), what, "remove it, or write an IPv4 one as 'address'", at_key=True)


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
