from __future__ import annotations

import resource
from typing import TYPE_CHECKING

import pytest

from haman.probes.budget import Budget, budget_for

if TYPE_CHECKING:
    from collections.abc import Iterator


@pytest.fixture
def limits() -> Iterator[None]:
    before = resource.getrlimit(resource.RLIMIT_NOFILE)
    yield
    resource.setrlimit(resource.RLIMIT_NOFILE, before)


def test_take_and_give() -> None:
    budget = Budget(1)
    assert budget.take()
    assert not budget.take()
    budget.give()
    assert budget.take()


@pytest.mark.usefixtures("limits")
@pytest.mark.parametrize(
    ("soft", "checks", "capacity", "soft_after"),
    [
        (1024, 10, 16, 1024),
        (1024, 700, 700, 1024),
        (1024, 1000, 1000, 1256),
        (1024, 100_000, 4096, 4352),
    ],
)
def test_the_limit_is_raised_only_when_needed(soft: int, checks: int, capacity: int, soft_after: int) -> None:
    _, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    if hard != resource.RLIM_INFINITY and hard < 4352:
        pytest.skip("this machine's hard limit is lower than the test's numbers")
    resource.setrlimit(resource.RLIMIT_NOFILE, (soft, hard))
    assert budget_for(checks).capacity == capacity
    assert resource.getrlimit(resource.RLIMIT_NOFILE)[0] == soft_after
