"""What the lab kernel is made of, and the name that a change of any ingredient changes.

Pure: reads its own package data, builds nothing (build), looks nowhere else.
"""

from __future__ import annotations

import hashlib
from dataclasses import astuple, dataclass
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING, Final

from haman.errors import LabError

if TYPE_CHECKING:
    from collections.abc import Iterable

PACKAGE: Final = "linux-source-6.12"
TARBALL: Final = Path("/usr/src", f"{PACKAGE}.tar.xz")
FRAGMENT: Final = Path(__file__).with_name("lab-kernel.config")


@dataclass(frozen=True)
class Patch:
    """One replacement in one file of the source tree; `old` occurs there exactly once. why: for the reader."""

    file: str
    old: str
    new: str
    why: str

    def apply(self, text: str) -> str:
        """Errors: LabError when `old` is not there exactly once: the source is not the one this was written for."""
        if (count := text.count(self.old)) != 1:
            raise LabError(f"{self.file}: expected {self.old!r} once, found it {count} times")
        return text.replace(self.old, self.new)


PATCHES: Final = (
    Patch(
        "arch/x86/um/user-offsets.c",
        "DEFINE_LONGS(HOST_FP_SIZE, 2696);",
        "DEFINE_LONGS(HOST_FP_SIZE, 16384);",
        "The state of a CPU with AMX is 11 KiB; ptrace refuses to set less than all of it, and the kernel panics.",
    ),
    Patch(
        "arch/um/Kconfig",
        "config HZ\n\tint\n\tdefault 100\n",
        "config HZ\n\tint\n\tdefault 250\n",
        "As Debian's own kernels: what the kernel times in ticks (connection sync, neighbours) goes the same pace.",
    ),
    Patch(
        "arch/um/kernel/tlb.c",
        "\tfor_each_vma(vmi, vma)\n\t\tum_tlb_mark_sync(",
        "\tfor_each_vma(vmi, vma)\n\t\tif (!xa_is_zero(vma))\n\t\t\tum_tlb_mark_sync(",
        "A program that is killed while it forks leaves a child whose map of memory ends in an entry that is no area"
        " (XA_ZERO_ENTRY); it is flushed all the same, and the kernel panics at address 0x40e.",
    ),
)


@cache
def options() -> tuple[str, ...]:
    """The lines of the configuration fragment that set something, as they must stand in the finished .config."""
    return tuple(settings(FRAGMENT.read_text().splitlines()))


def settings(lines: Iterable[str]) -> list[str]:
    """`CONFIG_...=...` lines; comments and blank lines left out. Errors: LabError for any other line."""
    found = []
    for number, line in enumerate(lines, 1):
        stripped = line.strip()
        if not stripped or stripped.startswith("#"):
            continue
        if not stripped.startswith("CONFIG_") or "=" not in stripped:
            raise LabError(f"{FRAGMENT.name}:{number}: neither a comment nor a setting: {stripped}")
        found.append(stripped)
    return found


def missing(wanted: Iterable[str], config: str) -> list[str]:
    """Those of `wanted` that a finished .config (its text) does not hold."""
    held = set(config.splitlines())
    return [setting for setting in wanted if setting not in held]


def name(source_version: str, wanted: Iterable[str], patches: Iterable[Patch] = PATCHES) -> str:
    """The kernel's file name: readable version, and a digest of everything that goes into it."""
    ingredients = repr((source_version, sorted(wanted), [astuple(patch)[:3] for patch in patches]))
    return f"linux-{source_version}-{hashlib.sha256(ingredients.encode()).hexdigest()[:12]}"
