"""Checks: each asks one thing, of something that has a port, and is found by its name."""

from __future__ import annotations

from typing import TYPE_CHECKING

from haman.config.forms.numbers import spoken
from haman.config.mistakes import Finding
from haman.config.rules import probes
from haman.config.shape.checks import KINDS
from haman.config.suggest import listed, meant_or_known

if TYPE_CHECKING:
    from collections.abc import Iterator

    from haman.config.mistakes import Path
    from haman.config.shape.checks import Check
    from haman.config.view import View


def findings(view: View) -> Iterator[Finding]:
    for path, check in view.checks():
        yield from _itself(path, check)
    yield from _references(view)
    yield from _ports(view)


def _itself(path: Path, check: Check) -> Iterator[Finding]:
    kinds = [kind for kind in KINDS if getattr(check, kind) is not None]
    for extra in kinds[1:]:
        what = f"a check asks one thing, and here are both '{kinds[0]}' and '{extra}'"
        yield Finding((*path, extra), what, "remove one of them", at_key=True)
    if not kinds:
        yield Finding(path, "nothing says what is asked", f"add {listed(KINDS)}, such as 'tcp: {{}}'", at_key=True)
    if check.ping is not None and check.port is not None:
        yield Finding((*path, "port"), "a ping has no port", "remove the key", at_key=True)
    if check.script is not None and check.source is not None:
        what = "a program opens its own sockets, and nobody can tell it from where"
        yield Finding((*path, "source"), what, "remove the key", at_key=True)
    if check.source is not None and check.source.interface is None and check.source.mark is None:
        yield Finding((*path, "source"), "nothing is said here", "add 'interface' or 'mark', or remove it", at_key=True)
    if check.fast_interval is not None and check.fast_interval > check.interval:
        what = f"in doubt a server would be asked less often than otherwise, every {spoken(check.interval)}"
        yield Finding((*path, "fast_interval"), what, f"write at most {spoken(check.interval)}")
    yield from probes.findings(path, check)


def _references(view: View) -> Iterator[Finding]:
    used = set()
    for name, service in view.file.services.items():
        if isinstance(service.check, str):
            used.add(service.check)
            if view.lacks("checks", service.check):
                cure = meant_or_known(service.check, view.names["checks"], "checks")
                yield Finding(("services", name, "check"), f"there is no check '{service.check}'", cure, certain=True)
        used |= {backup.check for backup in service.backup or () if isinstance(backup.check, str)}
    for name in view.file.checks:
        if name not in used and "services" not in view.broken:
            what = "no service uses this check"
            yield Finding(("checks", name), what, "name it in a service, or remove it", at_key=True, warning=True)


def _ports(view: View) -> Iterator[Finding]:
    """A firewall mark keeps the client's port, which a check cannot know."""
    for name, service in view.file.services.items():
        check = view.check_of(service)
        if service.fwmark is None or check is None or check.port is not None or check.ping is not None:
            continue
        for server_name, server in service.servers.items():
            if server.port is None:
                path: Path = ("services", name, "check")
                what = f"a firewall mark has no port, so the check cannot know where to ask server '{server_name}'"
                yield Finding(path, what, "give the check a 'port'")
                break
