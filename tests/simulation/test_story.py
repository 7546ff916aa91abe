"""A seed is a story, a story is text, and the same story gives the same trace."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

from haman.simulation import fate
from haman.simulation.play import play
from haman.simulation.story import BadStory, parse, text

GROUP = Path(__file__).parent / "scenarios" / "held_as_a_group.txt"


@pytest.mark.parametrize("seed", range(8))
def test_a_story_survives_its_text(seed: int) -> None:
    told = fate.story(seed)
    assert parse(text(told)) == told


def test_a_seed_gives_the_same_run() -> None:
    first, second = play(fate.story(7)), play(fate.story(7))
    assert first == second
    assert first.failovers > 0
    assert len(first.trace) > 100


def test_the_same_run_in_every_process() -> None:
    """Sets of strings are in another order in each."""
    told = {_told(GROUP, hashing) for hashing in ("1", "2", "3")}
    assert len(told) == 1
    assert told.pop().count("held: ") == 4


def _told(story: Path, hashing: str) -> str:
    command = [sys.executable, "-m", "haman", "simulate", "--story", str(story)]
    environment = {**os.environ, "PYTHONHASHSEED": hashing}
    return subprocess.run(command, env=environment, capture_output=True, text=True, check=True).stdout


@pytest.mark.parametrize(
    ("wrong", "words"),
    [
        ("directors lb1 100\nat 1 start\n", "the last line must be: at SECONDS end"),
        ("interval 1\nat 1 end\n", "settings: 'directors'"),
        ("directors lb1 100\ncolour blue\nat 1 end\n", "settings: unknown: colour"),
        ("directors lb1 100\nat once start\nat 1 end\n", "line 2: could not convert string to float: 'once'"),
        ("directors lb1 100\nshape round\nat 1 end\n", "settings: shape is one of one, dual, group, two"),
        ("directors lb1 100\npreempt never\nat 1 end\n", "settings: preempt is one of on, off, after SECONDS"),
        ("directors lb1 100\ntransport bus\nat 1 end\n", "settings: transport is one of multicast, unicast"),
        ("interval 1\ndirectors lb1 100\nstandby lo\nat 1 end\n", "settings: standby is one of loopback, nowhere"),
    ],
)
def test_what_cannot_be_read_is_said(wrong: str, words: str) -> None:
    with pytest.raises(BadStory) as refused:
        parse(wrong)
    assert str(refused.value) == words


@pytest.mark.parametrize("deed", ["jump lb1", "kill lb9", "reload lb1 priority=high"])
def test_a_deed_that_makes_no_sense_is_refused(deed: str) -> None:
    with pytest.raises(BadStory):
        play(parse(f"directors lb1 100, lb2 50\nat 0 start\nat 1 {deed}\nat 2 end\n"))
