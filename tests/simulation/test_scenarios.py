"""Every defect that the simulation found, as a story with its trace below `---`: the invariants hold now, and what
happens is what is written. Run this module as a program to write the traces anew, and review the difference."""

from __future__ import annotations

from pathlib import Path

import pytest

from haman.simulation.play import play
from haman.simulation.story import parse

FILES = sorted((Path(__file__).parent / "scenarios").glob("*.txt"))
LINE = "---\n"


@pytest.mark.parametrize("file", FILES, ids=lambda file: file.stem)
def test_it_goes_as_it_is_written(file: Path) -> None:
    told, _, trace = file.read_text().partition(LINE)
    played = play(parse(told))
    assert played.violation is None, "\n".join([*played.trace, played.violation or ""])
    assert "\n".join(played.trace) + "\n" == trace


def rewrite() -> None:
    for file in FILES:
        told = file.read_text().partition(LINE)[0]
        file.write_text(told + LINE + "\n".join(play(parse(told)).trace) + "\n")


if __name__ == "__main__":
    rewrite()
