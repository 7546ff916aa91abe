"""Every drill with every fault that it must notice planted: its line turns red."""

from __future__ import annotations

import pytest

from haman.lab import report
from haman.lab.drills.table import TABLE
from haman.lab.results import Verdict
from haman.lab.session import Task, tasks
from tests.kernel.measured import verdict


def name(task: Task) -> str:
    return f"{task.plant}-{task.drill.name}"


SLICED = {"empty-table", "no-announcement"}
"""Faults planted in every change's tests, in the first drill that must notice them."""
PLANTS = sorted({plant for entry in TABLE for plant in entry.drill.plants})
PLANTED = sorted(
    (
        pytest.param(task, marks=[] if plant in SLICED and not at else [pytest.mark.release], id=name(task))
        for plant in PLANTS
        for at, task in enumerate(tasks(plant=plant))
    ),
    key=lambda case: case.values[0].variant.plant,
)


@pytest.mark.parametrize("task", PLANTED)
def test_the_line_turns_red(session, task):
    result = session.do(task)
    assert verdict(result) is Verdict.MISSED, report.line(result)
