from __future__ import annotations

import sys
from pathlib import Path

from haman.lab.covers import PROJECT, beneath, essential


def paths(*names):
    return [Path(name) for name in names]


def test_only_what_the_mount_would_hide_is_shown_again():
    assert beneath(Path("/tmp"), paths("/tmp/a/project", "/home/me", "/tmpfoo", "/tmp")) == paths("/tmp/a/project")


def test_what_lies_in_something_shown_is_shown_with_it():
    assert beneath(Path("/tmp"), paths("/tmp/a/.venv", "/tmp/a", "/tmp/ab")) == paths("/tmp/a", "/tmp/ab")


def test_project_interpreter_and_working_folder_stay_in_sight(monkeypatch):
    monkeypatch.setenv("HAMAN_LAB_WORK", "/somewhere/work")
    assert {PROJECT, Path(sys.prefix), Path(sys.base_prefix), Path("/somewhere/work")} <= set(essential())


def test_the_root_is_never_shown_again_in_itself(monkeypatch):
    monkeypatch.chdir("/")
    assert Path("/") not in essential()
