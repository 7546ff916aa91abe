"""All the set-up a laboratory takes on this machine: Debian packages, then a kernel, with as little as will do."""

from __future__ import annotations

from typing import TYPE_CHECKING

from haman.lab import kernels, packages

if TYPE_CHECKING:
    from collections.abc import Callable

    from haman.lab.machine import Kernel


def prepare(say: Callable[[str], None] = kernels.tell, *, full: bool = False) -> Kernel:
    """Install what is missing, build what must be built; quick when there is nothing to do.

    Root (through sudo) is asked for only to install packages. full: as for kernels.find.
    Errors: LabError.
    """
    packages.install(packages.missing(["lab"]), say)
    return kernels.ready(say, full=full) or (None if full else _prebuilt(say)) or _built(say)


def _prebuilt(say: Callable[[str], None]) -> Kernel | None:
    """Debian's ready-made kernel, if it was not here before and is of use."""
    absent = packages.missing(["prebuilt"])
    if not absent:
        return None
    if why := kernels.prebuilt_obstacle():
        say(f"not tried: Debian's user-mode-linux: {why}")
        return None
    packages.install(absent, say)
    return kernels.ready(say, full=False)


def _built(say: Callable[[str], None]) -> Kernel:
    packages.install(packages.missing(["build"]), say)
    return kernels.built(say)
