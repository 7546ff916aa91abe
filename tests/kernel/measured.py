"""What a drill or a story says of haman only if what it measures with was good enough."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from haman.lab.reports import UNMEASURED
from haman.lab.results import Verdict

if TYPE_CHECKING:
    from haman.lab.results import Result


def verdict(result: Result) -> Verdict:
    """Held, missed or broken; a test without one of these fails with a reason that `haman.lab.checks` knows."""
    if result.verdict is Verdict.NOT_MEASURED:
        pytest.fail(f"{UNMEASURED}: {'; '.join(result.why)}", pytrace=False)
    return result.verdict
