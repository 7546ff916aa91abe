"""Which kernel the laboratory runs on, and why that one.

In order: the host's own, if it has IPVS and we are root; the lab kernel, once built; Debian's ready-made user-mode
kernel, if it is installed and proves itself here; the lab kernel, built now. HAMAN_LAB_KERNEL narrows that to one of
`host`, `lab`, `debian`, or gives the path of a user-mode kernel.
"""

from __future__ import annotations

import contextlib
import os
import subprocess
import sys
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING, Final

from haman.errors import LabError
from haman.lab import build, trial
from haman.lab.machine import Kernel

if TYPE_CHECKING:
    from collections.abc import Callable

PREBUILT: Final = Path("/usr/bin/linux.uml")
MODULES: Final = Path("/usr/lib/uml/modules")


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
    return _built_from(build.build(say, lambda path: trial.prove(_built_from(path))))


def ready(say: Callable[[str], None], *, full: bool) -> Kernel | None:
    """As find, but None where find would build. say: gets the reasons against candidates that look good."""
    choice = os.environ.get("HAMAN_LAB_KERNEL", "")
    if "/" in choice:
        return _given(Path(choice))
    for name, candidate in (("host", _host), ("lab", _lab), ("debian", _debian)):
        wanted = choice == name if choice else not (full and name == "debian")
        if wanted and (kernel := candidate(say)):
            return kernel
    if choice not in ("", "lab"):
        raise LabError(f"HAMAN_LAB_KERNEL={choice}: there is no such kernel here that can be used")
    return None


def _given(path: Path) -> Kernel:
    if not os.access(path, os.X_OK):
        raise LabError(f"HAMAN_LAB_KERNEL: {path} is not a program that can be run")
    return Kernel("given", "HAMAN_LAB_KERNEL names it", path.resolve())


def _host(say: Callable[[str], None]) -> Kernel | None:
    kernel = Kernel("host", "this machine's own has IPVS, and we are root")
    # Inside a machine of the laboratory's the kernel has stood its trial: it is not to be done again on a busy day.
    return kernel if _has_ipvs() and ("HAMAN_LAB_INSIDE" in os.environ or _proven(kernel, say)) else None


def _has_ipvs() -> bool:
    """Whether root is here and finds IPVS in the running kernel; loads its module where that is all it takes."""
    if os.geteuid():
        return False
    table = Path("/proc/net/ip_vs")
    with contextlib.suppress(OSError):
        if not table.exists():
            subprocess.run(["modprobe", "--quiet", "ip_vs"], check=False, capture_output=True)
    return table.exists()


def _lab(_say: Callable[[str], None]) -> Kernel | None:
    path = build.built()
    return _built_from(path) if path else None


def _built_from(path: Path) -> Kernel:
    return Kernel("lab", f"built from {path.name.removeprefix('linux-')}", path)


def _debian(say: Callable[[str], None]) -> Kernel | None:
    kernel = Kernel("debian", "its user-mode-linux, until the lab kernel is built", PREBUILT, MODULES)
    return kernel if PREBUILT.exists() and not prebuilt_obstacle() and _proven(kernel, say) else None


def prebuilt_obstacle() -> str:
    """Why Debian's user-mode kernel cannot run on this processor, or nothing.

    With AMX the processor's state outgrows what that kernel saves of it, and it panics at its first process.
    """
    return "it cannot run on a processor with AMX" if " amx_tile" in _processor() else ""


def _processor() -> str:
    return Path("/proc/cpuinfo").read_text()


@cache
def _proven(kernel: Kernel, say: Callable[[str], None]) -> bool:
    try:
        trial.prove(kernel)
    except LabError as error:
        first, *_ = str(error).splitlines()
        say(f"not used: {kernel.name} kernel ({kernel.why}): {first}")
        return False
    return True
