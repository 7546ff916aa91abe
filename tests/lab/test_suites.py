from __future__ import annotations

from haman.lab.suites import durations, share_out


def test_files_are_shared_out_so_that_the_machines_end_together():
    seconds = {"long": 9.0, "middle": 5.0, "short": 4.0, "tiny": 1.0}
    assert share_out(seconds, 2) == [["long", "tiny"], ["middle", "short"]]


def test_no_machine_is_started_for_nothing():
    assert share_out({"a": 1.0}, 4) == [["a"]]
    assert share_out({}, 4) == []


def test_equal_files_are_shared_out_the_same_way_every_time():
    assert share_out({"b": 1.0, "a": 1.0, "c": 1.0}, 2) == [["a", "c"], ["b"]]


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
