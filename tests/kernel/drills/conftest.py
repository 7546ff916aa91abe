"""The drills' session for tests: with patience, as nobody looks whether the machine is quiet."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from haman.lab.session import Session

ATTEMPTS = 6
"""A drill that stays "not measured" fails its test, so a busy machine gets many chances to be quiet once; and as many
again when the test is heard once more."""


@pytest.fixture(scope="module")
def session():
    """One session for all tests of a file: clusters are reused as in `haman lab failover`."""
    with Session(Path(os.environ["HAMAN_LAB_WORK"]), print, attempts=ATTEMPTS) as session:
        yield session
