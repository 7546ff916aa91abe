"""How results look. The golden text is what a person reads: review it when it changes.

`python -m tests.lab.test_report` writes it anew.
"""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from haman.lab import report
from haman.lab.results import Limit, Result

DATA = Path(__file__).parent / "data"
GOLDEN = DATA / "report.txt"


def results() -> list[Result]:
    return [Result.from_json(data) for data in json.loads((DATA / "results.json").read_text())]


def text() -> str:
    lines = [report.header()]
    for result in results():
        lines.append(report.line(result))
        lines.extend("    " + detail for detail in report.details(result))
    return "\n".join([*lines, report.summary(results())]) + "\n"


def test_the_report_reads_as_it_always_did():
    assert text() == GOLDEN.read_text()


@pytest.mark.parametrize(
    ("seconds", "words"),
    [(0.0, "0.0 ms"), (0.0024, "2.4 ms"), (0.01, "10 ms"), (0.3645, "364 ms"), (3.6121, "3,612 ms")],
)
def test_durations(seconds, words):
    assert report.duration(seconds) == words


@pytest.mark.parametrize(("seconds", "words"), [(1.0, "1 s"), (0.1, "100 ms"), (0.01, "10 ms")])
def test_intervals(seconds, words):
    assert report.interval(seconds) == words


def test_a_missed_limit_says_so_without_colour():
    missed = Limit(name="gap", bound=0.411, measured=0.62, unit="ms")
    assert report.limit_text(missed) == "gap 620 ms <= 411 ms MISSED"


def test_json_has_the_exit_code_and_every_verdict():
    data = json.loads(report.as_json(results(), kernel="lab"))
    assert (data["kernel"], data["exit_code"]) == ("lab", 1)
    assert [each["verdict"] for each in data["results"]] == ["held", "missed", "not measured", "broken"]


def test_colour_is_only_added():
    from rich.text import Text

    for result in results():
        assert Text.from_markup(report.styled(result)).plain == report.line(result)


if __name__ == "__main__":
    GOLDEN.write_text(text())
