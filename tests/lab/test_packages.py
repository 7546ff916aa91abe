from __future__ import annotations

import subprocess

import pytest

from haman.errors import LabError
from haman.lab import packages
from haman.lab.packages import LIST, Package, install, main, missing, parse

GIT = Package("lab", "git", "git", "to clone")


@pytest.fixture
def apt(monkeypatch):
    """What would have been run, and the exit statuses to give back, 0 when none is left."""
    calls: list[list[str]] = []
    statuses: list[int] = []

    def run(command, **_):
        calls.append(command)
        return subprocess.CompletedProcess(command, statuses.pop(0) if statuses else 0)

    monkeypatch.setattr(packages.subprocess, "run", run)
    monkeypatch.setattr(packages.shutil, "which", lambda program, **_: f"/usr/bin/{program}")
    monkeypatch.setattr(packages.glob, "glob", lambda _: ["lists"])
    monkeypatch.setattr(packages.os, "geteuid", lambda: 0)
    return calls, statuses


def test_the_list_has_a_word_why_for_every_package():
    listed = parse(LIST.read_text())
    assert {package.group for package in listed} == {"venv", "lab", "prebuilt", "build", "peer", "test"}
    assert all(package.why for package in listed)


def test_a_line_is_group_package_proof_and_reason():
    assert parse("# words\n\nlab git git  to clone\n") == [GIT]


def test_a_program_or_a_path_proves_a_package(tmp_path):
    (tmp_path / "here-3.11").touch()
    assert Package("lab", "bash", "bash", "").present()
    assert not Package("lab", "x", "no-such-program", "").present()
    assert Package("lab", "x", f"{tmp_path}/here-*", "").present()
    assert not Package("lab", "x", f"{tmp_path}/there-*", "").present()


def test_missing_looks_only_at_the_groups_asked_for(monkeypatch):
    monkeypatch.setattr(Package, "present", lambda self: self.name == "iproute2")
    assert {package.group for package in missing(["lab"])} == {"lab"}
    assert "iproute2" not in [package.name for package in missing(["lab"])]


def test_root_installs_in_one_go_without_being_asked_anything(apt):
    calls, _ = apt
    install([GIT], lambda _: None)
    assert calls == [
        ["env", "DEBIAN_FRONTEND=noninteractive", "apt-get", "install", "--yes", "--no-install-recommends", "git"]
    ]


def test_with_nothing_missing_nothing_runs(apt):
    calls, _ = apt
    install([], lambda _: None)
    assert calls == []


def test_an_ordinary_user_goes_through_sudo(apt, monkeypatch):
    calls, _ = apt
    monkeypatch.setattr(packages.os, "geteuid", lambda: 1000)
    install([GIT], lambda _: None)
    assert calls[0][:3] == ["sudo", "env", "DEBIAN_FRONTEND=noninteractive"]


def test_without_sudo_the_command_for_root_is_named(apt, monkeypatch):
    monkeypatch.setattr(packages.os, "geteuid", lambda: 1000)
    monkeypatch.setattr(packages.shutil, "which", lambda program, **_: None if program == "sudo" else program)
    with pytest.raises(LabError, match=r"as root, run: apt-get install .* git"):
        install([GIT], lambda _: None)


def test_elsewhere_than_on_debian_the_packages_are_named(apt, monkeypatch):
    monkeypatch.setattr(packages.shutil, "which", lambda *_, **__: None)
    with pytest.raises(LabError, match=r"not a Debian system; .* git"):
        install([GIT], lambda _: None)


def test_empty_package_lists_are_fetched_first(apt, monkeypatch):
    calls, _ = apt
    monkeypatch.setattr(packages.glob, "glob", lambda _: [])
    install([GIT], lambda _: None)
    assert calls[0] == ["apt-get", "update"]
    assert len(calls) == 2


def test_stale_package_lists_are_fetched_and_the_installation_tried_again(apt):
    calls, statuses = apt
    statuses += [100, 0, 0]
    install([GIT], lambda _: None)
    assert [command[-1] for command in calls] == ["git", "update", "git"]


def test_a_second_failure_is_an_error_that_names_the_command(apt):
    _, statuses = apt
    statuses += [100, 0, 100]
    with pytest.raises(LabError, match=r"failed: .*apt-get install .* git"):
        install([GIT], lambda _: None)


def test_run_alone_it_says_why_and_fails(monkeypatch, capsys):
    monkeypatch.setattr(packages, "missing", lambda _: [GIT])
    monkeypatch.setattr(packages.shutil, "which", lambda *_, **__: None)
    assert main(["lab"]) == 1
    assert "missing: git (to clone)" in capsys.readouterr().err
