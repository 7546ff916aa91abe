"""`haman doctor` as a story asks it."""

from __future__ import annotations

import json
import sys
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from pathlib import Path

    from haman.lab.hosts import Host

HAMAN = (sys.executable, "-m", "haman")
TAKES = 120.0
"""Seconds a verb may take: half a second, but on a starved machine no error comes of patience."""


def findings(host: Host, file: Path, *, hints: bool = False, director: str = "") -> list[str]:
    """What it says is wrong with this real server, or with this director; with hints, what may be."""
    who = ["--node", director] if director else ["--realserver"]
    said = host.run(*HAMAN, "doctor", "--config", file, *who, "--json", check=False, timeout=TAKES).stdout
    return [each["what"] for each in json.loads(said)["findings"] if hints or each["problem"]]
