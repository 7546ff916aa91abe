from __future__ import annotations

import contextlib

import pytest

from haman.errors import LabError
from haman.lab import checks
from haman.lab.checks import main, summary
from haman.lab.reports import Outcome, Sitting, counted

JUNIT = '<testsuites><testsuite tests="10" failures="2" errors="1" skipped="3"/></testsuites>'


def test_a_report_is_counted_errors_as_failures(tmp_path):
    report = tmp_path / "junit.xml"
    report.write_text(JUNIT)
    assert counted(Sitting((), report, 1)) == Outcome(passed=4, failed=3, skipped=3)


def test_a_pytest_that_died_before_its_report_is_a_failure(tmp_path):
    assert counted(Sitting((), tmp_path / "junit.xml", 137)) == Outcome(broken=1)


def test_a_pytest_that_failed_without_a_failing_test_is_a_failure(tmp_path):
    report = tmp_path / "junit.xml"
    report.write_text('<testsuites><testsuite tests="0" failures="0" errors="0" skipped="0"/></testsuites>')
    assert counted(Sitting((), report, 5)) == Outcome(broken=1)


LATE_JUNIT = (
    '<testsuites><testsuite tests="3" failures="1" errors="0" skipped="1">'
    '<testcase classname="tests.kernel.test_a" name="one"/>'
    '<testcase classname="tests.kernel.test_a" name="two"><failure message="bad"/></testcase>'
    '<testcase classname="tests.kernel.test_a" name="three"><skipped message="the time for tests was up"/></testcase>'
    "</testsuite></testsuites>"
)
LEFT_OUT = "left out: tests/kernel/test_a.py::three: the time for tests was up"


def test_what_there_was_no_time_for_is_named(tmp_path):
    late = tmp_path / "junit.xml"
    late.write_text(LATE_JUNIT)
    outcome = counted(Sitting((), late, 1))
    assert (outcome.passed, outcome.failed, outcome.skipped) == (1, 1, 1)
    assert outcome.words == ("FAILED tests/kernel/test_a.py::two - bad", LEFT_OUT)


def test_the_last_line_ends_as_pytests_does():
    good = {"style": Outcome(), "unit": Outcome(passed=7, skipped=1), "kernel": Outcome(passed=5)}
    assert summary(good) == "style ok, unit ok, kernel ok, 1 skipped: 12 passed"
    bad = {"style": Outcome(broken=1), "unit": Outcome(passed=7, failed=2)}
    assert summary(bad) == "style failed, unit failed: 7 passed, 3 failed"


def test_unsteady_tests_stand_in_the_last_line():
    outcomes = {"kernel": Outcome(passed=5, unsteady=2), "drills": Outcome(passed=1, unsteady=1)}
    assert summary(outcomes) == "kernel ok, drills ok, 3 unsteady: 6 passed"


@pytest.fixture
def only(monkeypatch):
    """Stages to run instead of the real ones; answers with what was begun beside them."""

    def replace(**fakes):
        begun = []
        monkeypatch.setattr(checks, "STAGES", fakes)
        monkeypatch.setattr(checks.ahead, "building", lambda groups: contextlib.nullcontext(begun.append(groups)))
        return begun

    return replace


def test_all_stages_run_and_one_failure_is_the_exit_status(only, capsys):
    only(first=lambda _: Outcome(failed=1), second=lambda _: Outcome(passed=3))
    assert main([]) == 1
    assert capsys.readouterr().out.splitlines()[-1] == "first failed, second ok: 3 passed, 1 failed"


def test_one_stage_alone(only, capsys):
    only(first=lambda _: Outcome(failed=1), second=lambda _: Outcome(passed=3))
    assert main(["second"]) == 0
    assert capsys.readouterr().out == "--- second\nsecond ok: 3 passed\n"


def test_a_stage_without_its_kernel_is_a_failure_that_says_why(only, capsys):
    def without(_):
        raise LabError("no kernel far and wide")

    only(kernel=without)
    assert main([]) == 1
    assert capsys.readouterr().out.splitlines()[1:] == [
        "kernel: did not run: no kernel far and wide",
        "kernel failed: 0 passed, 1 failed",
    ]


@pytest.mark.parametrize(
    ("wanted", "times"), [(["unit", "kernel"], 1), (["unit"], 0), (["kernel"], 0), (["style", "unit"], 0)]
)
def test_the_kernel_is_built_beside_stages_that_need_none(only, wanted, times):
    begun = only(style=lambda _: Outcome(), unit=lambda _: Outcome(), kernel=lambda _: Outcome())
    assert main(wanted) == 0
    assert begun == [["peer", "test"]] * times


def test_an_unknown_stage_is_wrong_input(capsys):
    assert main(["styel"]) == 2
    assert "no such stage: styel" in capsys.readouterr().err


def test_failures_and_their_reasons_are_said_again_at_the_end(only, capsys):
    only(first=lambda _: Outcome(failed=1, words=("FAILED a - b",)), second=lambda _: Outcome(passed=3))
    assert main([]) == 1
    assert capsys.readouterr().out.splitlines()[-2:] == ["FAILED a - b", "first failed, second ok: 3 passed, 1 failed"]
