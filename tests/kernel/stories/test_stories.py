"""Every story of `haman lab`: it holds as it is, and turns red with every fault it must notice planted."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from haman.lab import proofs, report
from haman.lab.results import Verdict
from haman.lab.stories.perform import perform
from haman.lab.stories.table import every
from tests.kernel.measured import verdict

PERFORMANCES = [pytest.param(each, marks=[] if each.sliced else [pytest.mark.release]) for each in every()]


@pytest.mark.parametrize("performance", PERFORMANCES, ids=str)
def test_a_story(performance):
    result = perform(performance, Path(os.environ["HAMAN_LAB_WORK"]), print)
    expected = Verdict.MISSED if performance.plant else Verdict.HELD
    assert verdict(result) is expected, "\n".join([proofs.reason(result), report.line(result), *report.details(result)])
