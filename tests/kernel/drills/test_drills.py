"""Every drill of `haman lab failover` on a real kernel: all limits hold."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from haman.lab import report
from haman.lab.results import Verdict
from haman.lab.session import Session, Task, tasks


@pytest.fixture(scope="module")
def session():
    """One session for all: clusters are reused as in `haman lab failover`."""
    with Session(Path(os.environ["HAMAN_LAB_WORK"]), print) as session:
        yield session


def name(task: Task) -> str:
    return f"{task.drill.name}-{task.variant.advert}"


@pytest.mark.parametrize("task", tasks(), ids=name)
def test_the_limits_hold(session, task):
    result = session.do(task)
    assert result.verdict is Verdict.HELD, report.line(result)
