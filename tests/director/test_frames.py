"""By which MAC addresses the other directors are known: written, told, and remembered over a restart."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

import pytest

from haman import paths
from haman.director.frames import Frames
from tests.director.support import cluster

if TYPE_CHECKING:
    from pathlib import Path

ONE, TWO = "02:00:00:00:00:01", "02:00:00:00:00:02"


@pytest.fixture(autouse=True)
def run_directory(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HAMAN_RUN_DIR", str(tmp_path / "run"))


def test_what_was_told_is_known_and_outlives_the_process() -> None:
    frames = Frames()
    assert frames.known(cluster()) == {}
    assert frames.take("lb2", [TWO, ONE])
    assert not frames.take("lb2", [ONE, TWO])  # the same
    assert not frames.take("lb2", [])  # an older haman tells none
    assert not frames.take("lb1", [])
    assert Frames().known(cluster()) == {"lb2": (ONE, TWO)}
    assert frames.take("lb2", [TWO])
    assert Frames().known(cluster()) == {"lb2": (TWO,)}


def test_what_is_written_counts_and_who_is_no_director_any_more_does_not() -> None:
    frames = Frames()
    frames.take("lb2", [TWO])
    frames.take("lb9", [ONE])
    written = cluster()
    directors = {**written.directors, "lb2": replace(written.directors["lb2"], macs=(ONE,))}
    assert frames.known(replace(written, directors=directors)) == {"lb2": (ONE,)}


@pytest.mark.parametrize("content", ["", "[]", "{", '{"lb2": 1}'])
def test_a_file_that_cannot_be_read_is_no_file(content: str) -> None:
    paths.known_frames().parent.mkdir(parents=True)
    paths.known_frames().write_text(content)
    assert Frames().known(cluster()) == {}
