"""The project's tests, in stages: `python -m haman.lab.checks [STAGE...]`; those of `make test` if none is named, and
`rest` besides before a release.

Every stage runs even if one before it failed; the last line sums up and ends as pytest's does, `N passed, N failed`.
A stage that breaks, or cannot run, counts as one failed test: nothing is left out in silence.
"""

from __future__ import annotations

import contextlib
import subprocess
import sys
import tempfile
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Final

from haman.errors import LabError
from haman.lab import ahead, packages, suites
from haman.lab.covers import PROJECT
from haman.lab.hearings import heard_again
from haman.lab.prepare import prepare
from haman.lab.reports import Outcome, Sitting
from haman.lab.signals import unwinding

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence


def summary(outcomes: dict[str, Outcome]) -> str:
    """The last line."""
    whole = sum(outcomes.values(), Outcome())
    words = [f"{name} {'ok' if outcome.good else 'failed'}" for name, outcome in outcomes.items()]
    if whole.unsteady:
        words.append(f"{whole.unsteady} unsteady")
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


def _pytest(results: Path, *what: str) -> list[Sitting]:
    """One pytest on the host. what: to run, as pytest is told it."""
    results.mkdir(parents=True, exist_ok=True)
    report = results / "junit.xml"
    command = [sys.executable, "-m", "pytest", *suites.OPTIONS, f"--junitxml={report}", *what]
    return [Sitting(what, report, subprocess.run(command, cwd=PROJECT, check=False).returncode)]


def _on_host(results: Path, marks: str) -> Outcome:
    """The tests of these marks that run on the host."""
    return heard_again(
        results,
        lambda folder: _pytest(folder, "-m", marks),
        lambda tests, folder: _pytest(folder, *tests),
    )


def _unit(results: Path) -> Outcome:
    packages.install(packages.missing(["test"]), print)
    return _on_host(results, "not kernel and not boots")


def _inside(results: Path, marks: str = suites.SLICE, *, drills: bool = False) -> Outcome:
    packages.install(packages.missing(["peer", "test"]), print)
    kernel = prepare(full=True)
    print(f"kernel: {kernel.name} ({kernel.why})", flush=True)
    return heard_again(results, partial(suites.run, marks, drills=drills), partial(suites.alone, marks))


def _kernel(results: Path) -> Outcome:
    return _inside(results / "inside") + _on_host(results / "boots", "boots")


def _drills(results: Path) -> Outcome:
    return _inside(results, drills=True)


def _rest(results: Path) -> Outcome:
    """The drills and faults that the slice of every change leaves out."""
    folders = [results / name for name in ("stories", "drills")]
    for folder in folders:
        folder.mkdir()
    return _inside(folders[0], suites.RELEASE) + _inside(folders[1], suites.RELEASE, drills=True)


STAGES: Final[dict[str, Callable[[Path], Outcome]]] = {
    "style": _commands(["ruff", "check", "haman", "tests"], ["ruff", "format", "--check", "haman", "tests"]),
    "types": _commands(["mypy", "haman"]),
    "layers": _commands(["lint-imports"]),
    "unit": _unit,
    "kernel": _kernel,
    "drills": _drills,
    "rest": _rest,
}

IN_A_MACHINE: Final = frozenset({"kernel", "drills", "rest"})
"""Stages that need the lab's kernel."""

BEFORE_A_RELEASE: Final = frozenset({"rest"})
"""Stages that run only when they are named."""


def _stage(name: str, build: Path) -> Outcome:
    with tempfile.TemporaryDirectory(prefix=f"{name}-", dir=build) as results:
        try:
            return STAGES[name](Path(results))
        except LabError as error:
            print(f"{name}: did not run: {error}", flush=True)
            return Outcome(broken=1)


def main(names: Sequence[str]) -> int:
    if unknown := [name for name in names if name not in STAGES]:
        print(f"no such stage: {', '.join(unknown)}; there are {', '.join(STAGES)}", file=sys.stderr)
        return 2
    build = PROJECT / "build"
    build.mkdir(exist_ok=True)
    wanted = names or [each for each in STAGES if each not in BEFORE_A_RELEASE]
    outcomes: dict[str, Outcome] = {}
    with unwinding(), contextlib.ExitStack() as beside:
        if len(wanted) > 1 and not IN_A_MACHINE.isdisjoint(wanted):
            beside.enter_context(ahead.building(["peer", "test"]))
        for name in wanted:
            print(f"--- {name}", flush=True)
            outcomes[name] = _stage(name, build)
    for outcome in outcomes.values():
        print("\n".join(outcome.words), end="\n" if outcome.words else "")
    print(summary(outcomes))
    return int(not all(outcome.good for outcome in outcomes.values()))


if __name__ == "__main__":
    try:
        sys.exit(main(sys.argv[1:]))
    except KeyboardInterrupt:
        sys.exit(130)
