"""Connection sync and hooks: where they run, and for whom."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from haman.config.mistakes import Finding, quoted
from haman.config.shape.around import Sync
from haman.config.suggest import meant_or_known
from haman.config.sync import interface_for, wanted

if TYPE_CHECKING:
    from collections.abc import Iterator

    from haman.config.mistakes import Path
    from haman.config.shape.around import Hook
    from haman.config.view import View

_SHELL = re.compile(r"[|<>;&`$*]|^~")
"""What a shell would act on, and haman hands to the program as it is."""


def findings(view: View) -> Iterator[Finding]:
    yield from _sync(view)
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
    if not wanted(view.file) or view.broken & {"directors", "routers"}:
        return
    for name in view.file.directors:
        if interface_for(view, name) is None:
            what = f"nothing says over which interface director '{name}' synchronises connections"
            cure = f"add 'sync: {{interfaces: {{{name}: eth0}}}}', or 'sync: false'"
            yield Finding(("sync",) if sync is not None else ("directors", name), what, cure, at_key=True)


def _hook(view: View, path: Path, hook: Hook) -> Iterator[Finding]:
    if not hook.run or not hook.run[0]:
        yield Finding((*path, "run"), "there is no program", "write its absolute path")
    elif not hook.run[0].startswith("/"):
        what = f"{quoted(hook.run[0])} is not an absolute path"
        yield Finding((*path, "run"), what, f"write /etc/haman/hooks/{quoted(hook.run[0].rsplit('/', 1)[-1], '')}")
    else:
        strange = [word for word in hook.run if _SHELL.search(word)]
        shell = hook.run[0].rsplit("/", 1)[-1] in ("sh", "bash", "dash", "ash", "zsh", "ksh")
        if strange and not shell:
            what = f"no shell is involved: the program is given {quoted(strange[0])} as it stands here"
            yield Finding((*path, "run"), what, "put it into a script if a shell is wanted", warning=True)
    for index, name in enumerate(hook.routers or []):
        if view.lacks("routers", name):
            cure = meant_or_known(name, view.names["routers"], "routers")
            yield Finding((*path, "routers", index), f"there is no router '{name}'", cure, certain=True)
    for index, event in enumerate(hook.on):
        if event in hook.on[:index]:
            yield Finding((*path, "on", index), f"'{event.value}' is here twice", "remove it once")
