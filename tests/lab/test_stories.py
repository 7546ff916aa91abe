"""Stories as far as they can be looked at without a kernel: their table, their words, what a scene notes."""

from __future__ import annotations

from types import SimpleNamespace

import pytest

from haman.cli import VERBS
from haman.lab import packages, report
from haman.lab.choice import ALL, FAILOVER, STORY
from haman.lab.drills.table import TABLE
from haman.lab.plants import PLANTS
from haman.lab.results import Limit, Result, Verdict
from haman.lab.stories.directors import EXAMPLES
from haman.lab.stories.pulse import EVERY, Pulse
from haman.lab.stories.scene import Over, Scene
from haman.lab.stories.table import STORIES, every
from haman.lab.suites import RELEASE, SLICE, stories
from tests.kernel.stories import test_stories

NAMES = (ALL, FAILOVER, STORY)


@pytest.mark.parametrize("story", STORIES, ids=lambda story: story.name)
def test_what_a_story_names_is_there(story):
    assert story.examples
    assert [name for name in story.examples if not (EXAMPLES / name).exists()] == []
    known = {package.name for package in packages.parse(packages.LIST.read_text())}
    assert set(story.packages) <= known


def test_names_are_unique_and_faults_mean_one_thing():
    names = [story.name for story in STORIES] + [entry.drill.name for entry in TABLE]
    assert len(set(names)) == len(names)
    assert not {f"lab {name}" for name in (*names, *NAMES)} & VERBS.keys(), "haman lab NAME plays it"
    words = {}
    for story in STORIES:
        for plant, text in story.plants.items():
            expected = PLANTS[plant].words if plant in PLANTS else text
            assert words.setdefault(plant, expected) == text


@pytest.mark.parametrize("story", STORIES, ids=lambda story: story.name)
def test_the_reference_has_a_row_for_each_story_with_its_files_and_faults(story):
    lines = (EXAMPLES.parents[1] / "docs" / "reference" / "drills.md").read_text().splitlines()
    (row,) = [line for line in lines if line.startswith(f"| `{story.name}` |")]
    assert [name for name in (*story.examples, *story.plants) if f"`{name}`" not in row] == []


def test_every_story_has_a_fault_that_it_must_notice():
    assert [story.name for story in STORIES if not story.plants] == []


def test_the_runner_names_the_tests_as_pytest_does():
    (marked,) = test_stories.test_a_story.pytestmark
    assert [case.values[0] for case in marked.args[1]] == every()
    assert next(iter(stories(SLICE))).endswith(f"tests/kernel/stories/test_stories.py::test_a_story[{every()[0]}]")


def test_the_slice_has_all_stories_but_two_and_a_release_those_and_the_faults():
    sliced, rest = stories(SLICE), stories(RELEASE)
    assert len(sliced) == len(STORIES) - 2
    assert {name.rpartition("[")[2] for name in rest} >= {"two-box-marks]", "two-box-backup-only]"}
    assert len({*sliced, *rest}) == len(sliced) + len(rest) == len(every())
    for case, performance in zip(test_stories.PERFORMANCES, every(), strict=True):
        assert bool(case.marks) is any(name.endswith(f"[{performance}]") for name in rest)


@pytest.fixture
def scene(tmp_path):
    return Scene(None, tmp_path, lambda words: None)  # type: ignore[arg-type]


def test_what_is_said_in_an_act_is_noted_with_it(scene):
    with scene.act("the cable is cut"):
        scene.until("lb2 answers", lambda: "lb2")
        scene.at_most("lost", 3, 4)
    assert scene.limits == [
        Limit(name="lb2 answers", bound=1, measured=1, unit="yes", at_least=True, act="the cable is cut"),
        Limit(name="lost", bound=3, measured=4, act="the cable is cut"),
    ]


def test_an_act_that_notices_a_planted_fault_is_the_last_one(tmp_path):
    scene = Scene(None, tmp_path, lambda words: None, "no-channel")  # type: ignore[arg-type]
    with scene.act("all is well"):
        scene.proved("it serves", held=True)

    def cut():
        with scene.act("the cable is cut"):
            scene.at_most("lost", 3, 4)
            scene.at_most("failed", 0, 0)

    with pytest.raises(Over):
        cut()
    assert [limit.held for limit in scene.limits] == [True, False, True]


def test_what_never_comes_true_is_missed_and_ends_the_story(scene):
    with pytest.raises(Over):
        scene.until("lb2 answers", lambda: "", within=0.05)
    assert [limit.held for limit in scene.limits] == [False]


def test_a_pulse_notices_that_nothing_could_run(monkeypatch):
    clock = iter([0.0, 0.0, EVERY, EVERY, 5.0, 5.0])
    monkeypatch.setattr("haman.lab.stories.pulse.time", SimpleNamespace(monotonic=lambda: next(clock)))
    pulse = Pulse()
    beats = iter([False, False, True])
    monkeypatch.setattr(pulse._over, "wait", lambda timeout: next(beats))
    pulse._beat()
    assert pulse.latest == pytest.approx(5.0 - 2 * EVERY)


def test_a_story_reads_as_sentences():
    limits = (
        Limit(name="lb2 answers", bound=1, measured=1, unit="yes", at_least=True, act="the cable is cut"),
        Limit(name="lost", bound=3, measured=4, act="the cable is cut"),
        Limit(name="lb1 answers", bound=1, measured=0, unit="yes", at_least=True, act="it is healed"),
    )
    result = Result(
        drill="two", title="two of them", advert_interval=0, limits=limits, examples=("two.yaml",), seconds=12.2
    )
    assert Result.from_json(result.to_json()) == result
    assert result.verdict is Verdict.MISSED
    assert [report.line(result), *report.details(result)] == [
        "two: two of them".ljust(72) + "  missed        1 of 3 proved in 12 s",
        "runs etc/examples/two.yaml",
        "the cable is cut",
        "  lb2 answers",
        "  MISSED: lost: 4 (at most 3)",
        "it is healed",
        "  MISSED: lb1 answers",
    ]
    assert report.summary([result]) == "1 story: 1 missed"
