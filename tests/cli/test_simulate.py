"""`haman simulate`: what it is asked for is looked at before anything is played."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from haman.cli import main

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
