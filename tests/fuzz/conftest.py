"""How many inputs there were, and from which seed, at the end of the output: even when all is well."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import pytest

    from tests.fuzz.run import Count

SEED = int(os.environ.get("HAMAN_FUZZ_SEED", "9568"))
"""The same for everybody: a change is judged by inputs that all was well with before it. Fresh ones: `make fuzz`."""
COUNTS: dict[str, Count] = {}


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter) -> None:
    if COUNTS:
        whole = sum(count.inputs for count in COUNTS.values())
        words = ", ".join(f"{name} {count.inputs} ({count.taken} taken)" for name, count in COUNTS.items())
        terminalreporter.write_line(f"fuzz: {whole} inputs, HAMAN_FUZZ_SEED={SEED}: {words}")
