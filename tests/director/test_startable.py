"""Programs that this machine could not start are named before one is needed."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING

import pytest

from haman import accounts, config
from haman.director.startable import findings, obstacle
from tests.test_program import ROOT

if TYPE_CHECKING:
    from pathlib import Path

CONFIG = """\
cluster: web
directors:
  lb1: {address: 10.0.0.1, priority: 150}
  lb2: {address: 10.0.0.2, priority: 100}
routers: {public: {interface: eth0, vrid: 51, addresses: [10.0.0.100/24], track: [load]}}
trackers: {load: {script: DIR/tracker}}
checks:
  front: {script: {run: DIR/check}}
  unused: {script: {run: DIR/unused}}
  fine: {script: {run: /bin/true}}
services:
  web: {address: 10.0.0.100, port: 80, check: front, servers: {rs1: {address: 10.0.0.11}, rs2: {address: 10.0.0.12}}}
  mail: {address: 10.0.0.100, port: 25, check: fine, servers: {rs1: {address: 10.0.0.11}}}
hooks: [{on: [active], run: DIR/hook}]
"""


def test_each_program_that_is_needed_here_is_named_once(tmp_path: Path) -> None:
    file = tmp_path / "haman.yaml"
    file.write_text(CONFIG.replace("DIR", str(tmp_path)))
    cluster = config.load(file)
    why = "cannot be started here: no such file or directory"
    assert list(findings(cluster, "lb1")) == [
        f"check front: {tmp_path}/check {why}",
        f"tracker load: {tmp_path}/tracker {why}",
        f"hook: {tmp_path}/hook {why}",
    ]
    for name in ("check", "tracker", "hook"):
        (tmp_path / name).write_text("#!/bin/sh\n")
        (tmp_path / name).chmod(0o755)
    # pytest keeps its directories to itself, and programs without `user` run as nobody
    assert [words for words in findings(cluster, "lb1") if "no right to enter" not in words] == []


@pytest.mark.skipif(os.geteuid() != 0, reason="only root runs hooks as somebody else")
@pytest.mark.parametrize(
    ("user", "why"),
    [
        ("", "user nobody has no right to enter {}"),
        (", user: root", "it would run as root, and {} belongs to user 65534"),
    ],
)
def test_a_hook_is_looked_at_as_the_user_it_runs_as(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, user: str, why: str
) -> None:
    monkeypatch.setattr(accounts, "OWN", "no-such-user")
    file, program = tmp_path / "haman.yaml", tmp_path / "tell.sh"
    program.write_text("#!/bin/sh\n")
    program.chmod(0o755)
    if user:
        os.chown(program, 65534, 65534)
    written = f"hooks: [{{on: [active], run: {program}{user}}}]\n"
    file.write_text(CONFIG[: CONFIG.index("checks:")].replace(", track: [load]", "").replace("DIR", "") + written)
    closed = next(each for each in reversed(tmp_path.parents) if not each.stat().st_mode & 0o001)
    (words,) = (each for each in findings(config.load(file), "lb1") if each.startswith("hook"))
    assert words == f"hook: {program} cannot be started here: {why.format(program if user else closed)}"


@pytest.mark.parametrize(
    ("content", "mode", "user", "why"),
    [
        ("#!/bin/sh\n", 0o755, None, None),
        ("#!/bin/sh\n", 0o644, None, "it is not executable (chmod +x {})"),
        ("#!/opt/lost/python -u\n", 0o755, None, "its interpreter /opt/lost/python does not exist"),
        ("#!\n", 0o755, None, None),
        ("#!/bin/sh\n", 0o755, "no-such-user", "there is no user 'no-such-user'"),
        ("\x7fELF", 0o755, None, None),
    ],
)
def test_what_stands_in_the_way(tmp_path: Path, content: str, mode: int, user: str | None, why: str | None) -> None:
    program = tmp_path / "program"
    program.write_text(content)
    program.chmod(mode)
    assert obstacle(str(program), user) == (None if why is None else why.format(program))


@ROOT
@pytest.mark.parametrize("user", ["root", None])
def test_what_runs_as_root_is_roots_alone(tmp_path: Path, user: str | None) -> None:
    """Also where no user is written, and it would run as whoever asks."""
    program = tmp_path / "program"
    program.write_text("#!/bin/sh\n")
    program.chmod(0o755)
    assert obstacle(str(program), user) is None
    program.chmod(0o777)
    assert obstacle(str(program), user) == f"it would run as root, and others may write {program}"


def test_a_directory_is_no_program_and_its_user_must_reach_it(tmp_path: Path) -> None:
    assert obstacle(str(tmp_path), None) == "it is no file"
    closed = tmp_path / "closed"
    closed.mkdir(mode=0o700)
    program = closed / "program"
    program.write_text("#!/bin/sh\n")
    program.chmod(0o755)
    for each in (tmp_path, *tmp_path.parents):
        if not each.stat().st_mode & 0o001:
            closed = each  # pytest keeps its directories to itself
    assert obstacle(str(program), "nobody") == f"user nobody has no right to enter {closed}"
