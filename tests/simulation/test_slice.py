"""Two thousand failovers of fresh seeds, and every invariant holds. Which seeds is printed, and of one that shows a
violation the failure says how to play it again: it becomes a story in `scenarios`. HAMAN_SEED=7 plays those from 7
on."""

from __future__ import annotations

import os
import secrets
from typing import TYPE_CHECKING

from haman.simulation import runs

if TYPE_CHECKING:
    import pytest

FAILOVERS = 2_000


def test_two_thousand_failovers(capsys: pytest.CaptureFixture[str]) -> None:
    wanted = os.environ.get("HAMAN_SEED")
    first = secrets.randbelow(10**9) if wanted is None else int(wanted)
    with capsys.disabled():
        print(f"\nsimulated from seed {first} on: ", end="", flush=True)
    report = runs.run(first, None, failovers=FAILOVERS, jobs=os.cpu_count() or 1)
    with capsys.disabled():
        print(report, flush=True)
    assert not report.violated, "\n".join(
        [f"seed {seed}: {words}; play it again: haman simulate --seed {seed}" for seed, words in report.violated]
    )
    assert report.failovers >= FAILOVERS
