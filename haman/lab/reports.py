"""What pytest's junit reports say: how many tests passed, which failed and why, how long they took."""

from __future__ import annotations

from dataclasses import dataclass, fields
from typing import TYPE_CHECKING
from xml.etree import ElementTree

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

LATE = "the time for tests was up"
"""Why a test was skipped that would have begun too late."""

UNMEASURED = "not measured on this machine"
"""How the reason begins of a test that says nothing of haman: what it measures with was not good enough."""

_LONGEST = 400
"""Characters of a failure's reason in the list of failures."""


@dataclass(frozen=True)
class Outcome:
    """Tests counted. broken: how many stages, or parts of one, failed otherwise than by a test. unsteady: those of the
    passed ones that had failed before. words: a line for each test that failed, was left out, or is unsteady."""

    passed: int = 0
    failed: int = 0
    skipped: int = 0
    broken: int = 0
    unsteady: int = 0
    words: tuple[str, ...] = ()

    def __add__(self, other: Outcome) -> Outcome:
        return Outcome(*(getattr(self, field.name) + getattr(other, field.name) for field in fields(self)))

    @property
    def good(self) -> bool:
        return not self.failed and not self.broken


@dataclass(frozen=True)
class Sitting:
    """One pytest that ran. tests: what it was told to run. status: its exit status. It, or the machine it ran in, may
    have died before it wrote its report, or after; end: why, as far as anybody said."""

    tests: tuple[str, ...]
    report: Path
    status: int
    end: str = ""

    @property
    def died(self) -> bool:
        return not self.report.exists()

    @property
    def afterwards(self) -> list[str]:
        """A line if all its tests ended, and only then its machine died: what they said holds."""
        what = " ".join(self.tests)
        return [f"unsteady: after all tests of {what}: {self.end}"] if self.end and not self.died else []


def counted(sitting: Sitting) -> Outcome:
    """A sitting that failed otherwise than by a test is broken."""
    tests = failed = skipped = 0
    report, status = sitting.report, sitting.status
    if report.exists():
        for suite in ElementTree.parse(report).iter("testsuite"):
            tests += int(suite.get("tests", 0))
            failed += int(suite.get("failures", 0)) + int(suite.get("errors", 0))
            skipped += int(suite.get("skipped", 0))
    late = sitting.afterwards
    words = (*(guilty(test, why) for test, why in failures(report).items()), *late, *left_out(report))
    broken = int(bool(status) and not failed and not late)
    return Outcome(tests - failed - skipped, failed, skipped, broken=broken, unsteady=len(late), words=words)


def guilty(test: str, why: str) -> str:
    """The line for a test that failed, as pytest writes it."""
    return f"FAILED {test} - {why}"


def failures(report: Path) -> dict[str, str]:
    """The tests that failed, as pytest names them, and the beginning of why in one line; none if there is no report."""
    return {
        _node(case): " ".join((bad.get("message") or "").split())[:_LONGEST]
        for case in _cases(report)
        for bad in (*case.findall("failure"), *case.findall("error"))
    }


def told(report: Path) -> dict[str, str]:
    """What pytest has to say of each test that failed, in full: where, what was expected, what the test printed."""
    found = {}
    for case in _cases(report):
        for bad in (*case.findall("failure"), *case.findall("error")):
            outputs = [case.findtext(name) or "" for name in ("system-out", "system-err")]
            found[_node(case)] = "\n".join((f"____ {_node(case)} ____", bad.text or "", *filter(None, outputs)))
    return found


def left_out(report: Path) -> list[str]:
    """A line for each test that was skipped because the time for tests was up."""
    return [
        f"left out: {_node(case)}: {LATE}"
        for case in _cases(report)
        for skip in case.findall("skipped")
        if LATE in (skip.get("message") or "")
    ]


def passed(report: Path) -> set[str]:
    """The tests that ran to a good end, as pytest names them; none if there is no report."""
    bad = ("failure", "error", "skipped")
    return {_node(case) for case in _cases(report) if all(case.find(each) is None for each in bad)}


def skipped(report: Path) -> set[str]:
    """The tests that were skipped, as pytest names them; none if there is no report."""
    return {_node(case) for case in _cases(report) if case.find("skipped") is not None}


def seconds(report: Path) -> Iterator[tuple[str, str, float]]:
    """Of every test its file, as pytest names it ("tests/kernel/test_x.py"), its name and how long it took."""
    for case in _cases(report):
        yield _module(case)[0], case.get("name", ""), float(case.get("time", 0))


def _module(case: ElementTree.Element) -> tuple[str, list[str]]:
    """The file of a testcase and the classes in it: its classname is both, with dots."""
    module = case.get("classname", "").split(".")
    last = next((at for at, word in enumerate(module) if word.startswith("test_")), len(module) - 1)
    return "/".join(module[: last + 1]) + ".py", module[last + 1 :]


def _node(case: ElementTree.Element) -> str:
    file, classes = _module(case)
    return "::".join((file, *classes, case.get("name", "")))


def _cases(report: Path) -> Iterator[ElementTree.Element]:
    if report.exists():
        yield from ElementTree.parse(report).iter("testcase")
