"""The project's tests, in the stages of `make test`: `python -m haman.lab.checks [STAGE...]`; all of STAGES without.

Every stage runs even if one before it failed; the last line sums up and ends as pytest's does, `N passed, N failed`.
A stage that breaks, or cannot run, counts as one failed test: nothing is left out in silence.
"""

from __future__ import annotations

import subprocess
import sys
import tempfile
from dataclasses import astuple, dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Final
from xml.etree import ElementTree

from haman.errors import LabError
from haman.lab import suites
from haman.lab.covers import PROJECT
from haman.lab.prepare import prepare
from haman.lab.signals import unwinding

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence


@dataclass(frozen=True)
class Outcome:
    """Tests counted; broken: how many stages, or parts of one, failed otherwise than by a test."""

    passed: int = 0
    failed: int = 0
    skipped: int = 0
    broken: int = 0

    def __add__(self, other: Outcome) -> Outcome:
        return Outcome(*(mine + its for mine, its in zip(astuple(self), astuple(other), strict=True)))

    @property
    def good(self) -> bool:
        return not self.failed and not self.broken


def counted(report: Path, status: int) -> Outcome:
    """From the junit report and the exit status of one pytest, which may have died before it wrote one."""
    tests = failed = skipped = 0
    if report.exists():
        for suite in ElementTree.parse(report).iter("testsuite"):
            tests += int(suite.get("tests", 0))
            failed += int(suite.get("failures", 0)) + int(suite.get("errors", 0))
            skipped += int(suite.get("skipped", 0))
    return Outcome(tests - failed - skipped, failed, skipped, broken=int(bool(status) and not failed))


def summary(outcomes: dict[str, Outcome]) -> str:
    """The last line."""
    whole = sum(outcomes.values(), Outcome())
    words = [f"{name} {'ok' if outcome.good else 'failed'}" for name, outcome in outcomes.items()]
    if whole.skipped:
        words.append(f"{whole.skipped} skipped")
    failed = whole.failed + whole.broken
    return f"{', '.join(words)}: {whole.passed} passed" + (f", {failed} failed" if failed else "")


def _commands(*commands: Sequence[str]) -> Callable[[Path], Outcome]:
    """A stage that is a list of programs of the virtual environment."""

    def stage(_results: Path) -> Outcome:
        programs = Path(sys.executable).parent
        statuses = [
            subprocess.run([programs / command[0], *command[1:]], cwd=PROJECT, check=False).returncode
            for command in commands
        ]
        return Outcome(broken=sum(map(bool, statuses)))

    return stage


def _pytest(results: Path, marks: str) -> Outcome:
    """The tests of these marks that run on the host."""
    report = results / "junit.xml"
    command = [sys.executable, "-m", "pytest", "-m", marks, f"--junitxml={report}"]
    return counted(report, subprocess.run(command, cwd=PROJECT, check=False).returncode)


def _unit(results: Path) -> Outcome:
    return _pytest(results, "not kernel and not boots")


def _inside(results: Path, *, drills: bool = False) -> Outcome:
    kernel = prepare(full=True)
    print(f"kernel: {kernel.name} ({kernel.why})", flush=True)
    return sum((counted(report, status) for report, status in suites.run(results, drills=drills)), Outcome())


def _kernel(results: Path) -> Outcome:
    return _inside(results) + _pytest(results, "boots")


def _drills(results: Path) -> Outcome:
    return _inside(results, drills=True)


STAGES: Final[dict[str, Callable[[Path], Outcome]]] = {
    "style": _commands(["ruff", "check", "haman", "tests"], ["ruff", "format", "--check", "haman", "tests"]),
    "types": _commands(["mypy", "haman"]),
    "layers": _commands(["lint-imports"]),
    "unit": _unit,
    "kernel": _kernel,
}

BY_NAME: Final[dict[str, Callable[[Path], Outcome]]] = {"drills": _drills}
"""Stages that run only when they are named: the drills want a quiet machine, and take half an hour."""


def main(names: Sequence[str]) -> int:
    stages = STAGES | BY_NAME
    if unknown := [name for name in names if name not in stages]:
        print(f"no such stage: {', '.join(unknown)}; there are {', '.join(stages)}", file=sys.stderr)
        return 2
    build = PROJECT / "build"
    build.mkdir(exist_ok=True)
    outcomes: dict[str, Outcome] = {}
    for name in names or STAGES:
        print(f"--- {name}", flush=True)
        with unwinding(), tempfile.TemporaryDirectory(prefix=f"{name}-", dir=build) as results:
            try:
                outcomes[name] = stages[name](Path(results))
            except LabError as error:
                print(f"{name}: did not run: {error}", flush=True)
                outcomes[name] = Outcome(broken=1)
    print(summary(outcomes))
    return int(not all(outcome.good for outcome in outcomes.values()))


if __name__ == "__main__":
    try:
        sys.exit(main(sys.argv[1:]))
    except KeyboardInterrupt:
        sys.exit(130)
