"""Where haman keeps what it needs at run time: the one place that knows.

`/run/haman` lives as long as the machine runs, which is what is wanted: what a reboot clears (addresses, IPVS)
is what the files there describe. HAMAN_RUN_DIR moves the whole directory, so that several directors can live on
one machine (the laboratory, tests).
"""

from __future__ import annotations

import os
from pathlib import Path


def run_directory() -> Path:
    """The directory itself; who writes into it makes it (mode 0755)."""
    return Path(os.environ.get("HAMAN_RUN_DIR") or "/run/haman")


def control_socket() -> Path:
    """The director's control socket: `haman status` and its kin ask there."""
    return run_directory() / "control.sock"


def owned_directory() -> Path:
    """What we made in the kernel (kernel.remembered)."""
    return run_directory() / "owned"


def hooks_told() -> Path:
    """The role each router's hooks were last run for (director.hooks)."""
    return run_directory() / "hooks.json"
