"""The build around the compiler: a `make` of a few lines stands in for the kernel's, everything else is real."""

from __future__ import annotations

import os
import signal
import subprocess
import threading
import time
from pathlib import Path

import pytest

from haman.errors import LabError
from haman.lab import build, recipe
from haman.lab.recipe import Patch

VERSION = "6.12.1-1"

MAKE = """
words=$*
case $words in
    *allnoconfig*) cp "${words##*KCONFIG_ALLCONFIG=}" .config ;;
    *linux) grep -q 'better thing' file.c && cp /bin/true linux ;;
esac
"""


@pytest.fixture
def workshop(tmp_path, monkeypatch):
    """An empty cache, a source package of one file, and a make that turns it into /bin/true."""
    (tmp_path / "linux-source-6.12").mkdir()
    (tmp_path / "linux-source-6.12" / "file.c").write_text("a thing\n")
    tarball = tmp_path / "source.tar"
    subprocess.run(["tar", "-cf", tarball, "-C", tmp_path, "linux-source-6.12"], check=True)
    tools = tmp_path / "tools"
    tools.mkdir()
    monkeypatch.setenv("PATH", f"{tools}:{os.environ['PATH']}")
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    monkeypatch.setattr(recipe, "TARBALL", tarball)
    monkeypatch.setattr(recipe, "PATCHES", (Patch("file.c", "a thing", "a better thing", "to see it happen"),))
    monkeypatch.setattr(build, "TOOLS", ("make", "tar", "strip"))
    monkeypatch.setattr(build, "source_version", lambda: VERSION)

    def install(script: str, program: str = "make") -> None:
        (tools / program).write_text(f"#!/bin/bash\n{script}")
        (tools / program).chmod(0o755)

    install(MAKE)
    install('cp "$3" "$2"', "strip")
    return install


def quietly(line: str) -> None:
    del line


def accept_all(path) -> None:
    assert os.access(path, os.X_OK)


def left() -> list[str]:
    return sorted(path.name for path in build.cache().iterdir())


def test_it_is_built_once_and_only_the_kernel_and_the_lock_remain(workshop):
    path = build.build(quietly, accept_all)
    assert build.built() == path
    assert path.name.startswith("linux-6.12.1-1-")
    assert subprocess.run([path], check=False).returncode == 0
    assert left() == [path.name, "lock"]
    workshop("exit 1")
    assert build.build(quietly, accept_all) == path


def test_a_kernel_outlives_its_source_package(workshop, monkeypatch):
    path = build.build(quietly, accept_all)
    monkeypatch.setattr(build, "source_version", lambda: None)
    assert build.built() == path
    monkeypatch.setattr(recipe, "options", lambda: ("CONFIG_OTHER=y",))
    assert build.built() is None


def test_a_changed_recipe_is_built_anew_beside_the_old_kernel(workshop, monkeypatch):
    first = build.build(quietly, accept_all)
    monkeypatch.setattr(recipe, "options", lambda: ("CONFIG_OTHER=y",))
    assert build.built() is None
    second = build.build(quietly, accept_all)
    assert left() == sorted([first.name, second.name, "lock"])


def test_a_failed_build_keeps_its_log_and_shows_its_end(workshop):
    workshop("echo compiling; echo 'file.c: error: oh no' >&2; exit 2")
    with pytest.raises(LabError, match=r"failed at `make`:\ncompiling\nfile\.c: error: oh no\n.*\.log"):
        build.build(quietly, accept_all)
    assert [name.rpartition(".")[2] for name in left()] == ["log", "lock"]
    assert build.built() is None


def test_a_configuration_that_drops_a_setting_is_an_error_that_names_it(workshop):
    workshop("echo CONFIG_64BIT=y > .config")
    with pytest.raises(LabError, match=r"refused .*CONFIG_IP_VS=y"):
        build.build(quietly, accept_all)


def test_a_kernel_that_fails_its_trial_never_counts(workshop):
    def refuse(path) -> None:
        raise LabError("it panics")

    with pytest.raises(LabError, match="it panics"):
        build.build(quietly, refuse)
    assert build.built() is None


def test_what_a_killed_builder_left_is_swept_away(workshop):
    stale = build.cache() / ".build-stale"
    stale.mkdir(parents=True)
    build.build(quietly, accept_all)
    assert not stale.exists()


def test_two_builders_make_one_kernel(workshop, tmp_path):
    workshop(MAKE.replace("*linux)", f"*linux) echo once >> {tmp_path}/count; sleep 0.3;"))
    paths = []
    builders = [threading.Thread(target=lambda: paths.append(build.build(quietly, accept_all))) for _ in range(2)]
    for builder in builders:
        builder.start()
    for builder in builders:
        builder.join()
    assert len(set(paths)) == 1
    assert (tmp_path / "count").read_text() == "once\n"


def test_a_terminated_builder_ends_make_and_leaves_nothing(workshop, tmp_path, monkeypatch):
    scratch = tmp_path / "scratch"
    scratch.mkdir()
    monkeypatch.setenv("TMPDIR", str(scratch))
    workshop(MAKE.replace("*linux)", f"*linux) mktemp; echo $$ > {tmp_path}/pid; sleep 1000;"))
    child = os.fork()
    if not child:
        try:
            build.build(quietly, accept_all)
        except SystemExit as leaving:
            os._exit(leaving.code)
        finally:
            os._exit(99)
    deadline = time.monotonic() + 20
    while not (tmp_path / "pid").exists() or not (tmp_path / "pid").read_text():
        assert time.monotonic() < deadline
    os.kill(child, signal.SIGTERM)
    assert os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == 128 + signal.SIGTERM
    assert left() == ["lock"]
    assert list(scratch.iterdir()) == []
    make = Path("/proc", (tmp_path / "pid").read_text().strip(), "stat")
    assert not make.exists() or " Z " in make.read_text()


def test_obstacles_are_all_named_at_once(monkeypatch):
    monkeypatch.setattr(build.platform, "machine", lambda: "aarch64")
    monkeypatch.setattr(build.shutil, "which", lambda tool: None if tool in {"flex", "bc"} else tool)
    monkeypatch.setattr(build, "source_version", lambda: None)
    with pytest.raises(LabError, match=r"x86-64 only, this is aarch64; not installed: flex, bc; .*linux-source-6\.12"):
        build.build(quietly, accept_all)


def test_a_full_disk_is_seen_before_the_work(workshop, monkeypatch):
    monkeypatch.setattr(build.shutil, "disk_usage", lambda _: build.shutil._ntuple_diskusage(10, 10, 0))
    with pytest.raises(LabError, match="needs 2 GiB"):
        build.build(quietly, accept_all)


def test_the_cache_is_the_users_own(monkeypatch):
    monkeypatch.setenv("XDG_CACHE_HOME", "/elsewhere")
    assert str(build.cache()) == "/elsewhere/haman/kernels"
    monkeypatch.delenv("XDG_CACHE_HOME")
    monkeypatch.setenv("HOME", "/home/me")
    assert str(build.cache()) == "/home/me/.cache/haman/kernels"
