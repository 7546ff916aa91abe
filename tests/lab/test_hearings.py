from __future__ import annotations

import pytest

from haman.lab.hearings import MOST_HEARD_AGAIN, heard_again
from haman.lab.reports import Outcome, Sitting


def report(folder, good, bad):
    """As pytest leaves it. bad: the tests that fail, and why."""
    folder.mkdir(parents=True, exist_ok=True)
    cases = [f'<testcase classname="tests.test_a" name="{name}"/>' for name in good]
    cases += [
        f'<testcase classname="tests.test_a" name="{name}">'
        f'<failure message="{why}&#10;more">where {why} stands</failure></testcase>'
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
    bad = {f"test_{number}": "broken" for number in range(MOST_HEARD_AGAIN + 1)}
    outcome = heard_again(tmp_path, lambda folder: report(folder, [], bad), never)
    assert outcome.failed == len(outcome.words) == len(bad)
    assert capsys.readouterr().out.count("____ tests/test_a.py::test_") == len(bad)


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
    dead = [Sitting(("tests/test_b.py",), tmp_path / "none", 137)] * 4
    assert heard_again(tmp_path, lambda _: dead, never) == Outcome(broken=4)


def test_a_machine_that_dies_after_its_tests_is_named_and_spoils_nothing(tmp_path):
    def first(folder, bad):
        (sat,) = report(folder, ["one"], bad)
        return [Sitting(sat.tests, sat.report, 1, "the machine died: panic")]

    words = "unsteady: after all tests of one: the machine died: panic"
    assert heard_again(tmp_path, lambda folder: first(folder, {}), never) == Outcome(
        passed=1, unsteady=1, words=(words,)
    )
    outcome = heard_again(
        tmp_path, lambda folder: first(folder, {"two": "once"}), lambda _, folder: report(folder, ["two"], {})
    )
    assert outcome == Outcome(passed=2, unsteady=2, words=("unsteady: tests/test_a.py::two: once more", words))


def test_a_pytest_that_failed_otherwise_is_not_heard_again(tmp_path):
    empty = tmp_path / "junit.xml"
    empty.write_text("<testsuites/>")
    assert heard_again(tmp_path, lambda _: [Sitting((), empty, 5)], never) == Outcome(broken=1)


def test_what_there_was_no_time_for_is_named_though_others_are_heard_again(tmp_path):
    late = "the time for tests was up"

    def first(folder):
        sat = report(folder, ["one"], {"two": "bad"})
        text = sat[0].report.read_text()
        skipped = f'<testcase classname="tests.test_a" name="three"><skipped message="{late}"/></testcase></testsuite>'
        sat[0].report.write_text(text.replace("</testsuite>", skipped))
        return sat

    outcome = heard_again(tmp_path, first, lambda _, folder: report(folder, ["two"], {}))
    assert outcome.good
    assert outcome.words == ("unsteady: tests/test_a.py::two: bad more", f"left out: tests/test_a.py::three: {late}")


def test_what_fails_twice_has_a_last_chance(tmp_path):
    hearings = [{"two": "twice", "three": "twice"}, {"three": "a third time"}]

    def again(tests, folder):
        bad = hearings.pop(0)
        assert list(tests) == ["tests/test_a.py::two", "tests/test_a.py::three"]
        return report(folder, [test for test in ("two", "three") if test not in bad], bad)

    outcome = heard_again(tmp_path, lambda folder: report(folder, ["one"], {"two": "once", "three": "once"}), again)
    assert not hearings
    assert (outcome.passed, outcome.failed) == (2, 1)
    assert outcome.words == (
        "FAILED tests/test_a.py::three - a third time more",
        "unsteady: tests/test_a.py::two: once more",
    )


def test_only_what_failed_in_the_end_is_told(tmp_path, capsys):
    heard_again(
        tmp_path,
        lambda folder: report(folder, [], {"two": "once", "three": "once"}),
        lambda _, folder: report(folder, ["three"], {"two": "again"}),
    )
    told = capsys.readouterr().out
    assert "____ tests/test_a.py::two ____\nwhere again stands" in told
    assert "where once stands" not in told
