"""Which kernel the laboratory runs on, and why that one.

In order: what HAMAN_LAB_KERNEL says; the host's own, if it has IPVS and we are root; the lab kernel, once built;
Debian's ready-made user-mode kernel, if it is installed and proves itself here; the lab kernel, built now.
"""

from __future__ import annotations

import contextlib
import os
import subprocess
import sys
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING, Final

from haman.errors import LabError
from haman.lab import build, trial

if TYPE_CHECKING:
    from collections.abc import Callable

PREBUILT: Final = Path("/usr/bin/linux.uml")
MODULES: Final = Path("/usr/lib/uml/modules")


@dataclass(frozen=True)
class Kernel:
    """name: `host`, `lab`, `debian`, or `given` (by path). why: one sentence for people.

    path: of a user-mode kernel; None is the host's own. modules: where its modules lie, None when it has none.
    """

    name: str
    why: str
    path: Path | None = None
    modules: Path | None = None


def tell(line: str) -> None:
    """Progress, for people: standard output is the command's own."""
    print(line, file=sys.stderr, flush=True)


def find(say: Callable[[str], None] = tell, *, full: bool = False) -> Kernel:
    """The kernel to use, building it if need be.

    say: gets lines of progress. full: nftables and everything else of the lab kernel is needed, so Debian's
    ready-made one will not do.
    Errors: LabError naming what was tried and why it would not do.
    """
    return ready(say, full=full) or built(say)


def built(say: Callable[[str], None]) -> Kernel:
    """The lab kernel, built unless it is there. Errors: LabError."""
    return _lab(build.build(say, lambda path: trial.prove(_lab(path))))


def ready(say: Callable[[str], None], *, full: bool) -> Kernel | None:
    """As find, but None where find would build. say: gets the reasons against candidates that look good."""
    if choice := os.environ.get("HAMAN_LAB_KERNEL"):
        return _given(Path(choice))
    if _has_ipvs():
        host = Kernel("host", "this machine's own kernel has IPVS, and we are root")
        if _proven(host, say):
            return host
    if path := build.built():
        return _lab(path)
    if not full and PREBUILT.exists() and not prebuilt_obstacle():
        prebuilt = Kernel("debian", "Debian's user-mode-linux, until the lab kernel is built", PREBUILT, MODULES)
        if _proven(prebuilt, say):
            return prebuilt
    return None


def _given(path: Path) -> Kernel:
    if not os.access(path, os.X_OK):
        raise LabError(f"HAMAN_LAB_KERNEL: {path} is not a kernel that can be run")
    return Kernel("given", "HAMAN_LAB_KERNEL names it", path.resolve())


def _lab(path: Path) -> Kernel:
    return Kernel("lab", f"built from {path.name.removeprefix('linux-')}", path)


def _has_ipvs() -> bool:
    """Whether root is here and finds IPVS in the running kernel; loads its module where that is all it takes."""
    if os.geteuid():
        return False
    table = Path("/proc/net/ip_vs")
    with contextlib.suppress(OSError):
        if not table.exists():
            subprocess.run(["modprobe", "--quiet", "ip_vs"], check=False, capture_output=True)
    return table.exists()


def prebuilt_obstacle() -> str:
    """Why Debian's user-mode kernel cannot run on this processor, or nothing.

    With AMX the processor's state outgrows what that kernel saves of it, and it panics at its first process.
    """
    processor = Path("/proc/cpuinfo").read_text()
    return "it cannot run on a processor with AMX" if " amx_tile" in processor else ""


@cache
def _proven(kernel: Kernel, say: Callable[[str], None]) -> bool:
    try:
        trial.prove(kernel)
    except LabError as error:
        first, *_ = str(error).splitlines()
        say(f"not used: {kernel.name} kernel ({kernel.why}): {first}")
        return False
    return True
