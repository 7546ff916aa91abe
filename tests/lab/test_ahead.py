"""The kernel is built beside what goes on, and its builder ends with it."""

from __future__ import annotations

import subprocess

import pytest

from haman.errors import LabError
from haman.lab import ahead


class Builder:
    """What is started instead of the real one."""

    def __init__(self, command):
        self.command = command
        self.ended = False

    def __enter__(self):
        return self

    def __exit__(self, *_):
        assert self.ended

    def terminate(self):
        self.ended = True


@pytest.fixture
def started(monkeypatch):
    """The builders started, and what was installed, on a machine without a kernel."""
    found = []
    monkeypatch.setattr(ahead.kernels, "ready", lambda say, full: None)
    monkeypatch.setattr(ahead.packages, "missing", list)
    monkeypatch.setattr(ahead.packages, "install", lambda names, say: found.append(names))
    monkeypatch.setattr(subprocess, "Popen", lambda command: found.append(Builder(command)) or found[-1])
    return found


def test_packages_first_then_a_builder_that_ends_with_the_block(started):
    with ahead.building(["peer"]):
        installed, builder = started
        assert installed == ["lab", "build", "peer"]
        assert builder.command[-4:] == ["-m", "haman.lab", "prepare", "--full"]
        assert not builder.ended
    assert builder.ended


def test_a_builder_ends_when_a_stage_is_interrupted(started):
    with pytest.raises(KeyboardInterrupt), ahead.building([]):
        raise KeyboardInterrupt
    assert started[-1].ended


def test_nothing_is_built_where_a_kernel_is(started, monkeypatch):
    monkeypatch.setattr(ahead.kernels, "ready", lambda say, full: object())
    with ahead.building(["peer"]):
        assert started == [[]]


def test_packages_that_cannot_be_installed_stop_no_stage(started, monkeypatch, capsys):
    def refused(names, say):
        raise LabError("no network")

    monkeypatch.setattr(ahead.packages, "install", refused)
    with ahead.building(["peer"]):
        pass
    assert "no network" in capsys.readouterr().err
