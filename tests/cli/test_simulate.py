"""`haman simulate`: what it is asked for is looked at before anything is played."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from haman.cli import main
from haman.simulation import fate, runs
from haman.simulation.play import Played

if TYPE_CHECKING:
    from pathlib import Path


@pytest.mark.parametrize(
    ("option", "words"),
    [
        (["--runs", "-1"], "argument --runs: -1 is too few: write 1 or more"),
        (["--jobs", "0"], "argument --jobs: 0 is too few: write 1 or more"),
        (["--for", "nan"], "argument --for: nan is no time: write a number of seconds"),
        (["--for", "0"], "argument --for: 0 is no time: write a number of seconds"),
    ],
)
def test_numbers_of_which_nothing_comes(option: list[str], words: str, capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as ended:
        main(["simulate", "--seed", "1", "--runs", "1", *option])
    assert ended.value.code == 2
    assert words in capsys.readouterr().err


def test_a_story_that_is_no_text(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    file = tmp_path / "story"
    file.write_bytes(b"\xff\xfe\x00")
    assert main(["simulate", "--story", str(file)]) == 2
    assert capsys.readouterr().err == f"{file}: it is no text\n"


def test_runs_go_on_after_a_violation_and_after_what_is_raised(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    def played(story: int) -> Played:
        if story == 8:
            raise KeyError("lb3")
        return Played(10, "one active: a and b" if story == 7 else None, None, (f"trace of {story}",), 20.0)

    monkeypatch.setattr(fate, "story", lambda seed: seed)
    monkeypatch.setattr(runs, "play", played)
    assert main(["simulate", "--seed", "6", "--failovers", "30", "--keep-going"]) == 3
    told = capsys.readouterr()
    assert told.err == "seed 7: one active: a and b\nseed 8: raised KeyError('lb3')\n"
    assert "30 failovers in 4 runs" in told.out
    assert "\nseed 7: one active: a and b\ntrace of 7\n" in told.out
    assert "KeyError: 'lb3'\nall of it: haman simulate --seed 8;" in told.out
    assert main(["simulate", "--seed", "6", "--failovers", "30"]) == 3
    assert "20 failovers in 2 runs" in capsys.readouterr().out
