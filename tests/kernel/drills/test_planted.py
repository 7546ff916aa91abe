"""Every drill with every fault that it must notice planted: its line turns red."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from haman.lab import report
from haman.lab.plants import PLANTS
from haman.lab.results import Verdict
from haman.lab.session import Session, Task, tasks


@pytest.fixture(scope="module")
def session():
    with Session(Path(os.environ["HAMAN_LAB_WORK"]), print) as session:
        yield session


def name(task: Task) -> str:
    return f"{task.plant}-{task.drill.name}"


PLANTED = sorted((task for plant in PLANTS for task in tasks(plant=plant)), key=lambda task: task.variant.plant)


@pytest.mark.parametrize("task", PLANTED, ids=name)
def test_the_line_turns_red(session, task):
    result = session.do(task)
    assert result.verdict is Verdict.MISSED, report.line(result)
