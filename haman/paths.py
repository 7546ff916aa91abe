"""Where haman keeps what it needs at run time: the one place that knows.

`/run/haman` lives as long as the machine runs, which is what is wanted: what a reboot clears (addresses, IPVS)
is what the files there describe. HAMAN_RUN_DIR moves the whole directory, so that several directors can live on
one machine (the laboratory, tests).

`/var/lib/haman` is for the little that outlives a reboot. HAMAN_STATE_DIR moves it; where only the run directory was
moved it lies in there.
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


def history_directory() -> Path:
    """The last transitions (observe.archive)."""
    return run_directory() / "history"


def hooks_told() -> Path:
    """What hooks were last told of each object (director.told)."""
    return run_directory() / "hooks.json"


def known_frames() -> Path:
    """The MAC addresses that other directors told (director.frames)."""
    return run_directory() / "frames.json"


def running_configuration() -> Path:
    """The text of the configuration that was taken up last (director.loading)."""
    return run_directory() / "running.yaml"


def state_directory() -> Path:
    """What outlives a reboot; who writes into it makes it (mode 0755)."""
    moved = os.environ.get("HAMAN_RUN_DIR")
    return Path(os.environ.get("HAMAN_STATE_DIR") or (f"{moved}/state" if moved else "/var/lib/haman"))


def orders() -> Path:
    """What the operator has told this node by command (director.orders)."""
    return state_directory() / "orders.json"
