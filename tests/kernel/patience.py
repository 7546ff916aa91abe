"""Waiting for what should come true, and showing what the programs wrote when it does not."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING

import pytest

from haman.lab.waiting import happens

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable
    from pathlib import Path

LAST = 3000
"""Characters of a log that are shown."""


def until(
    condition: Callable[[], object],
    within: float = 60.0,
    *,
    what: str = "",
    logs: Iterable[Path] = (),
    every: float = 0.01,
) -> float:
    """Seconds it took. Fails, with the ends of the logs, when it has not come true within so many."""
    begin = time.monotonic()
    if not happens(condition, within, every):
        ends = [f"-- {log.name}\n{log.read_text()[-LAST:]}" for log in logs if log.exists()]
        pytest.fail("\n".join((f"{what or 'did not come true'}: not within {within:g} s", *ends)))
    return time.monotonic() - begin
