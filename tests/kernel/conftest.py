"""Kernel tests run as root inside the laboratory's machine: `make kernel`, or one file alone by
`python -m haman.lab run -- .venv/bin/python -m pytest tests/kernel/test_hosts.py`.
"""

from __future__ import annotations

import os
import time
from pathlib import Path

import pytest

from haman.lab.hosts import Network
from haman.lab.reports import LATE
from haman.lab.suites import UNTIL

HERE = Path(__file__).parent


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Everything beside this file is a kernel test; outside a laboratory it says so instead of touching the host."""
    for item in items:
        if item.path.is_relative_to(HERE):
            item.add_marker(pytest.mark.kernel)
            if "HAMAN_LAB_INSIDE" not in os.environ:
                item.add_marker(pytest.mark.skip(reason="runs inside the laboratory: make kernel"))


@pytest.hookimpl(tryfirst=True)
def pytest_runtest_setup(item: pytest.Item) -> None:
    """A machine that is too slow for all tests leaves out the last ones, and says which."""
    if time.time() > float(os.environ.get(UNTIL) or "inf"):
        pytest.skip(LATE)


@pytest.fixture
def network():
    """Hosts and segments that are gone after the test."""
    with Network() as network:
        yield network
