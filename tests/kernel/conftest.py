"""Kernel tests run as root inside the laboratory's machine: `make kernel`, or one file alone by
`python -m haman.lab run -- .venv/bin/python -m pytest tests/kernel/test_hosts.py`.
"""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from haman.lab.hosts import Network

HERE = Path(__file__).parent


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Everything beside this file is a kernel test; outside a laboratory it says so instead of touching the host."""
    for item in items:
        if item.path.is_relative_to(HERE):
            item.add_marker(pytest.mark.kernel)
            if "HAMAN_LAB_INSIDE" not in os.environ:
                item.add_marker(pytest.mark.skip(reason="runs inside the laboratory: make kernel"))


@pytest.fixture
def network():
    """Hosts and segments that are gone after the test."""
    with Network() as network:
        yield network
