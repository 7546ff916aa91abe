from __future__ import annotations

import contextlib

import pytest

from haman.errors import LabError
from haman.lab import checks
from haman.lab.checks import heard_again, main, summary
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


def test_what_there_was_no_time_for_is_named_though_others_are_heard_again(tmp_path):
    first = tmp_path / "first.xml"
    first.write_text(LATE_JUNIT.replace("kernel.", ""))
    outcome = heard_again(tmp_path, lambda _: [Sitting((), first, 1)], lambda _, folder: report(folder, ["two"], {}))
    assert outcome.good
    assert outcome.words == ("unsteady: tests/test_a.py::two: bad", LEFT_OUT.replace("kernel/", ""))


def test_the_last_line_ends_as_pytests_does():
    good = {"style": Outcome(), "unit": Outcome(passed=7, skipped=1), "kernel": Outcome(passed=5)}
    assert summary(good) == "style ok, unit ok, kernel ok, 1 skipped: 12 passed"
    bad = {"style": Outcome(broken=1), "unit": Outcome(passed=7, failed=2)}
    assert summary(bad) == "style failed, unit failed: 7 passed, 3 failed"


def test_unsteady_tests_stand_in_the_last_line():
    outcomes = {"kernel": Outcome(passed=5, unsteady=2), "drills": Outcome(passed=1, unsteady=1)}
    assert summary(outcomes) == "kernel ok, drills ok, 3 unsteady: 6 passed"


def report(folder, good, bad):
    """As pytest leaves it. bad: the tests that fail, and why."""
    folder.mkdir(parents=True, exist_ok=True)
    cases = [f'<testcase classname="tests.test_a" name="{name}"/>' for name in good]
    cases += [
        f'<testcase classname="tests.test_a" name="{name}"><failure message="{why}&#10;more"/></testcase>'
        for name, why in bad.items()
    ]
    counts = f'tests="{len(cases)}" failures="{len(bad)}" errors="0" skipped="0"'
    file = folder / "junit.xml"
    file.write_text(f"<testsuites><testsuite {counts}>{''.join(cases)}</testsuite></testsuites>")
    return [Sitting(tuple(good), file, int(bool(bad)))]


def never(*_):
    raise AssertionError("nothing was to be heard again")


def test_what_passes_at_once_is_not_heard_again(tmp_path):
    assert heard_again(tmp_path, lambda folder: report(folder, ["one"], {}), never) == Outcome(passed=1)


def test_a_test_that_passes_alone_passed_and_is_named(tmp_path, capsys):
    asked = []

    def again(tests, folder):
        asked.extend(tests)
        return report(folder, ["two"], {})

    outcome = heard_again(tmp_path, lambda folder: report(folder, ["one"], {"two": "too late"}), again)
    words = ("unsteady: tests/test_a.py::two: too late more",)
    assert outcome == Outcome(passed=2, unsteady=1, words=words)
    assert asked == ["tests/test_a.py::two"]
    assert "heard again, alone: tests/test_a.py::two" in capsys.readouterr().out


def test_a_test_that_fails_alone_as_well_failed(tmp_path):
    outcome = heard_again(
        tmp_path,
        lambda folder: report(folder, ["one"], {"two": "once", "three": "once"}),
        lambda _, folder: report(folder, ["three"], {"two": "twice"}),
    )
    words = ("FAILED tests/test_a.py::two - twice more", "unsteady: tests/test_a.py::three: once more")
    assert outcome == Outcome(passed=2, failed=1, unsteady=1, words=words)


def test_what_cannot_be_measured_in_any_hearing_has_neither_passed_nor_failed(tmp_path):
    many = {f"drill_{number}": "not measured on this machine: it stood still" for number in range(20)}
    outcome = heard_again(
        tmp_path,
        lambda folder: report(folder, ["one"], many),
        lambda _, folder: report(folder, [*many][2:], {name: many[name] for name in [*many][:2]}),
    )
    assert (outcome.passed, outcome.failed, outcome.skipped, outcome.unsteady) == (19, 0, 2, 18)
    assert outcome.good
    assert "not measured: tests/test_a.py::drill_0: not measured on this machine: it stood still more" in outcome.words


@pytest.mark.parametrize(
    "order", [("too late", "not measured on this machine"), ("not measured on this machine", "late")]
)
def test_what_was_wrong_once_is_not_excused_by_a_bad_machine(tmp_path, order):
    first, second = order
    outcome = heard_again(
        tmp_path,
        lambda folder: report(folder, ["one"], {"two": first}),
        lambda _, folder: report(folder, [], {"two": second}),
    )
    assert (outcome.failed, outcome.good) == (1, False)


def test_a_second_hearing_that_does_not_come_about_acquits_nobody(tmp_path):
    outcome = heard_again(
        tmp_path,
        lambda folder: report(folder, ["one"], {"two": "once"}),
        lambda _, folder: [Sitting((), folder / "none", 4)],
    )
    assert (outcome.passed, outcome.failed, outcome.good) == (1, 1, False)


def test_of_many_failures_none_is_heard_again_and_each_is_told(tmp_path, capsys):
    bad = {f"test_{number}": "broken" for number in range(9)}
    outcome = heard_again(tmp_path, lambda folder: report(folder, [], bad), never)
    assert (outcome.failed, len(outcome.words)) == (9, 9)
    assert capsys.readouterr().out.count("____ tests/test_a.py::test_") == 9


def test_what_a_pytest_that_died_was_told_to_run_is_run_again_and_it_is_said(tmp_path):
    def died(folder):
        return [*report(folder / "1", ["one"], {}), Sitting(("tests/test_b.py",), folder / "none", 137)]

    outcome = heard_again(tmp_path, died, lambda tests, folder: report(folder, ["two", "three"], {}))
    words = ("unsteady: pytest died (status 137) over tests/test_b.py",)
    assert outcome == Outcome(passed=3, unsteady=1, words=words)


def test_why_it_died_is_said_where_it_is_known(tmp_path):
    dead = [Sitting(("tests/test_b.py",), tmp_path / "none", 1, "the machine died: panic")]
    outcome = heard_again(tmp_path, lambda _: dead, lambda tests, folder: report(folder, ["two"], {}))
    assert outcome.words == ("unsteady: pytest died (the machine died: panic) over tests/test_b.py",)


def test_what_fails_after_its_pytest_died_is_heard_once_more_as_everybody_is(tmp_path):
    hearings = [
        ["tests/test_b.py"],
        ["tests/test_a.py::two", "tests/test_a.py::three"],
    ]

    def again(tests, folder):
        assert list(tests) == hearings.pop(0)
        if hearings:
            return report(folder, ["one"], {"two": "once", "three": "once"})
        return report(folder, ["two"], {"three": "twice"})

    dead = [Sitting(("tests/test_b.py",), tmp_path / "none", 137)]
    outcome = heard_again(tmp_path, lambda _: dead, again)
    assert not hearings
    assert (outcome.passed, outcome.failed, outcome.unsteady) == (2, 1, 2)
    assert outcome.words == (
        "FAILED tests/test_a.py::three - twice more",
        "unsteady: tests/test_a.py::two: once more",
        "unsteady: pytest died (status 137) over tests/test_b.py",
    )


def test_a_pytest_that_dies_twice_failed(tmp_path):
    def died(folder):
        return [Sitting(("tests/test_b.py",), folder / "none", 137)]

    assert heard_again(tmp_path, died, lambda _, folder: died(folder)).good is False


def test_many_that_died_are_no_accident(tmp_path):
    dead = [Sitting(("tests/test_b.py",), tmp_path / "none", 137)] * 3
    assert heard_again(tmp_path, lambda _: dead, never) == Outcome(broken=3)


def test_a_pytest_that_failed_otherwise_is_not_heard_again(tmp_path):
    empty = tmp_path / "junit.xml"
    empty.write_text("<testsuites/>")
    assert heard_again(tmp_path, lambda _: [Sitting((), empty, 5)], never) == Outcome(broken=1)


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
