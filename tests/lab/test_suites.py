from __future__ import annotations

from haman.lab.suites import durations, sittings


def test_the_longest_come_first_and_short_ones_sit_together():
    seconds = {"long": 90.0, "middle": 50.0, "short": 40.0, "tiny": 10.0}
    assert sittings(seconds, 100) == [["long"], ["middle", "short", "tiny"]]


def test_one_that_takes_longer_than_a_sitting_has_its_own():
    assert sittings({"a": 500.0, "b": 1.0}, 100) == [["a"], ["b"]]
    assert sittings({}, 100) == []


def test_equal_files_are_dealt_out_the_same_way_every_time():
    assert sittings({"b": 60.0, "a": 60.0, "c": 60.0}, 120) == [["a", "b"], ["c"]]


def test_durations_are_summed_by_file_with_classes_within_it(tmp_path):
    report = tmp_path / "junit.xml"
    report.write_text(
        '<testsuites><testsuite name="pytest" tests="3">'
        '<testcase classname="tests.kernel.test_a" name="one" time="1.5"/>'
        '<testcase classname="tests.kernel.test_a.TestThing" name="two" time="0.5"/>'
        '<testcase classname="tests.kernel.deep.test_b" name="three" time="0.25"/>'
        "</testsuite></testsuites>"
    )
    assert durations([report]) == {"tests/kernel/test_a.py": 2.0, "tests/kernel/deep/test_b.py": 0.25}


def test_stories_are_timed_one_by_one(tmp_path):
    report = tmp_path / "junit.xml"
    report.write_text(
        '<testsuite><testcase classname="tests.kernel.stories.test_stories" name="test_a_story[nat]" time="30"/>'
        '<testcase classname="tests.kernel.stories.test_stories" name="test_a_story[dr]" time="20"/></testsuite>'
    )
    file = "tests/kernel/stories/test_stories.py"
    assert durations([report]) == {f"{file}::test_a_story[nat]": 30.0, f"{file}::test_a_story[dr]": 20.0}
