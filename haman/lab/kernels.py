"""Which kernel the laboratory runs on, and why that one."""

from __future__ import annotations

import os
from dataclasses import dataclass
from pathlib import Path

from haman.errors import LabError


@dataclass(frozen=True)
class Kernel:
    """name: for people. path: of a user-mode kernel, or None for the host's own. why: one sentence."""

    name: str
    path: Path | None
    why: str


def find() -> Kernel:
    """The kernel to use. Errors: LabError when none can be had."""
    if "HAMAN_LAB_KERNEL" not in os.environ:
        raise LabError("set HAMAN_LAB_KERNEL to a user-mode kernel with IPVS")
    return Kernel("lab", Path(os.environ["HAMAN_LAB_KERNEL"]), "HAMAN_LAB_KERNEL says so")
