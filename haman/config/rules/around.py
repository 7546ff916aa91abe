"""Connection sync and hooks: where they run, and for whom."""

from __future__ import annotations

from ipaddress import ip_address
from typing import TYPE_CHECKING

from haman.config.mistakes import Finding
from haman.config.rules import commands
from haman.config.shape.around import Sync
from haman.config.suggest import listed, meant_or_known
from haman.config.sync import closes, interface_for, wanted
from haman.model.cluster import HookEvent

if TYPE_CHECKING:
    from collections.abc import Iterator

    from haman.config.mistakes import Path
    from haman.config.shape.around import Hook
    from haman.config.view import View

_ROLES = {HookEvent.ACTIVE, HookEvent.STANDBY, HookEvent.FAULT, HookEvent.STOP}
_OF_ROUTERS = _ROLES | {
    HookEvent.RIVAL,
    HookEvent.SPLIT_BRAIN,
    HookEvent.TAKEOVER_CONFIRMED,
    HookEvent.TAKEOVER_UNCONFIRMED,
    HookEvent.SECOND_OWNER,
}
_EVENTS = {
    "routers": _OF_ROUTERS,
    "groups": _ROLES,
    "services": set(HookEvent) - _OF_ROUTERS,
}
"""By the key that names objects, the events that can be about them."""


def findings(view: View) -> Iterator[Finding]:
    yield from _sync(view)
    yield from _metrics(view)
    for index, hook in enumerate(view.file.hooks):
        yield from _hook(view, ("hooks", index), hook)


def _sync(view: View) -> Iterator[Finding]:
    sync = view.file.sync
    if isinstance(sync, Sync):
        for name in sync.interfaces:
            if view.lacks("directors", name):
                cure = meant_or_known(name, view.names["directors"], "directors")
                path: Path = ("sync", "interfaces", name)
                yield Finding(path, f"there is no director '{name}'", cure, at_key=True, certain=True)
    if closes(view.file):
        yield from _closed(view)
    if not wanted(view.file) or view.broken & {"directors", "routers"}:
        return
    for name in view.file.directors:
        if interface_for(view, name) is None:
            what = f"nothing says over which interface director '{name}' synchronises connections"
            cure = f"add 'sync: {{interfaces: {{{name}: eth0}}}}', or 'sync: false'"
            yield Finding(("sync",) if sync is not None else ("directors", name), what, cure, at_key=True)


def _metrics(view: View) -> Iterator[Finding]:
    if view.file.metrics is None or len(view.file.directors) < 2:
        return
    listen = view.file.metrics.listen
    address = ip_address(listen.host)
    if (director := view.director_by_address.get(address)) is not None:
        every = f"0.0.0.0:{listen.port}" if address.version == 4 else f"'[::]:{listen.port}'"
        what = f"only director '{director}' has {listen.host}, so no other one can listen there"
        cure = f"write an address that all of them have, such as {every}"
        yield Finding(("metrics", "listen"), what, cure, warning=True)


def _closed(view: View) -> Iterator[Finding]:
    """One switch for the whole machine: it must be open wherever packets come from clients, and nowhere else."""
    path: Path = ("sync", "backup_only")
    file = view.file
    if not view.names.get("services") and "services" not in view.broken:
        yield Finding(path, "there is no service that could be balanced", "remove it", at_key=True)
    if len(file.directors) < 2 and "directors" not in view.broken:
        yield Finding(path, "there is one director, so there is no standby", "remove it", at_key=True)
    together = {name for group in file.groups.values() for name in group.routers}
    apart = [name for name in file.routers if name not in together]
    elections = len(file.groups) + len(apart)
    if elections > 1 and not view.broken & {"routers", "groups"}:
        what = (
            f"this opens or closes all of IPVS on a machine, and there are {elections} elections here, so one machine"
            " can be active in one of them and standby in another"
        )
        cure = "put all routers into one group, or let the scheduler or the marks do it: see docs/how-to/two-box.md"
        yield Finding(path, what, cure, at_key=True)


def _hook(view: View, path: Path, hook: Hook) -> Iterator[Finding]:
    yield from commands.findings((*path, "run"), hook.run, "/etc/haman/hooks/")
    yield from _about(view, path, hook)
    for index, event in enumerate(hook.on):
        if event in hook.on[:index]:
            yield Finding((*path, "on", index), f"'{event.value}' is here twice", "remove it once")


def _about(view: View, path: Path, hook: Hook) -> Iterator[Finding]:
    for key, names in (("routers", hook.routers), ("groups", hook.groups), ("services", hook.services)):
        for index, name in enumerate(names or []):
            if view.lacks(key, name):
                cure = meant_or_known(name, view.names[key], key)
                yield Finding((*path, key, index), f"there is no {key[:-1]} '{name}'", cure, certain=True)
        events = _EVENTS[key]
        if names and not events & set(hook.on):
            what = f"no event under 'on' is about {key}, so these are looked at by nobody"
            cure = f"remove it, or add {listed(event.value for event in HookEvent if event in events)}"
            yield Finding((*path, key), what, cure, warning=True, at_key=True)
