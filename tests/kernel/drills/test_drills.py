"""Every drill of `haman lab failover` on a real kernel: all limits hold."""

from __future__ import annotations

import pytest

from haman.lab import report
from haman.lab.results import Verdict
from haman.lab.session import Task, tasks
from tests.kernel.measured import verdict


def name(task: Task) -> str:
    return f"{task.drill.name}-{task.variant.advert}"


TASKS = [pytest.param(task, marks=[] if task.sliced else [pytest.mark.release], id=name(task)) for task in tasks()]


@pytest.mark.parametrize("task", TASKS)
def test_the_limits_hold(session, task):
    result = session.do(task)
    assert verdict(result) is Verdict.HELD, report.line(result)
