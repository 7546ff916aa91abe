from __future__ import annotations

from pathlib import Path

import pytest

from haman.errors import LabError
from haman.lab import kernels, packages
from haman.lab.machine import Kernel
from haman.lab.packages import Package
from haman.lab.prepare import prepare

LAB = Kernel("lab", "built", Path("/cache/linux"))
DEBIAN = Kernel("debian", "ready-made", Path("/usr/bin/linux.uml"))


@pytest.fixture
def here(monkeypatch):
    """A machine on which nothing is installed; records what is done to it."""

    class Here:
        def __init__(self):
            self.done: list[str] = []
            self.installed: set[str] = set()
            self.found: Kernel | None = None
            self.prebuilt: Kernel | None = DEBIAN
            self.obstacle = ""

        def missing(self, groups):
            return [Package(group, group, "", "") for group in groups if group not in self.installed]

        def install(self, absent, say):
            self.done += [f"install {package.group}" for package in absent]
            self.installed |= {package.group for package in absent}

        def ready(self, say, *, full):
            return self.found or (self.prebuilt if "prebuilt" in self.installed and not full else None)

        def built(self, say):
            self.done.append("build")
            return LAB

    here = Here()
    monkeypatch.setattr(packages, "missing", here.missing)
    monkeypatch.setattr(packages, "install", here.install)
    monkeypatch.setattr(kernels, "ready", here.ready)
    monkeypatch.setattr(kernels, "built", here.built)
    monkeypatch.setattr(kernels, "prebuilt_obstacle", lambda: here.obstacle)
    return here


def quietly(line: str) -> None:
    del line


def test_where_a_kernel_is_found_only_the_laboratorys_programs_are_installed(here):
    here.found = LAB
    assert prepare(quietly) == LAB
    assert here.done == ["install lab"]


def test_a_first_run_takes_debians_kernel_if_it_proves_itself(here):
    assert prepare(quietly) == DEBIAN
    assert here.done == ["install lab", "install prebuilt"]


def test_and_builds_if_it_does_not(here):
    here.prebuilt = None
    assert prepare(quietly) == LAB
    assert here.done == ["install lab", "install prebuilt", "install build", "build"]


def test_debians_kernel_is_not_installed_where_it_cannot_run(here):
    here.obstacle = "it cannot run here"
    said: list[str] = []
    assert prepare(said.append) == LAB
    assert here.done == ["install lab", "install build", "build"]
    assert said == ["not tried: Debian's user-mode-linux: it cannot run here"]


def test_debians_kernel_that_failed_before_is_not_tried_twice(here):
    here.installed = {"lab", "prebuilt"}
    here.prebuilt = None
    assert prepare(quietly) == LAB
    assert here.done == ["install build", "build"]


def test_tests_always_get_the_lab_kernel(here):
    assert prepare(quietly, full=True) == LAB
    assert here.done == ["install lab", "install build", "build"]


def test_what_goes_wrong_is_passed_on(here, monkeypatch):
    def fail(absent, say):
        raise LabError("as root, run: apt-get install")

    monkeypatch.setattr(packages, "install", fail)
    with pytest.raises(LabError, match="as root, run"):
        prepare(quietly)
