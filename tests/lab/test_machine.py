"""The machine where no kernel is needed: what is asked of one, and what is made of its end.

The kernels are programs of a few lines, given the words a real one would be given.
"""

from __future__ import annotations

import contextlib
import json
import os
from pathlib import Path

import pytest

from haman.errors import LabError
from haman.lab import machine
from haman.lab.machine import Kernel, Machine, memory_folder


@pytest.fixture
def kernel(tmp_path):
    """Makes a kernel of a shell script, which finds its order's path as $order and the output's descriptor as $fd."""

    def make(script: str) -> Kernel:
        path = tmp_path / "linux"
        head = """#!/bin/bash
for word; do
    case $word in
        *init.py*) order=${word//\\"/}; order=${order/init.py/order.json} ;;
        con1=*) fd=${word##*:} ;;
    esac
done
status=${order%/*}/status.json
"""
        path.write_text(head + script)
        path.chmod(0o755)
        return Kernel("fake", "for a test", path)

    return make


def test_the_commands_output_and_status_come_back(kernel, tmp_path):
    heard: list[str] = []
    fake = kernel("""echo noise; echo hello >&$fd; echo '{"status": 7}' > $status""")
    assert Machine(fake).run(["true"], work=tmp_path, output=heard.append) == 7
    assert "".join(heard) == "hello\n"


def test_the_order_says_what_to_run_where_and_what_stays_in_sight(kernel, tmp_path):
    fake = kernel("""cat $order >&$fd; echo '{"status": 0}' > $status""")
    heard: list[str] = []
    Machine(fake).run(["ls", Path("/x")], work=tmp_path, environment={"A": "b"}, output=heard.append)
    order = json.loads("".join(heard))
    assert order["command"] == ["ls", "/x"]
    assert order["directory"] == str(Path.cwd())
    assert order["work"] == order["environment"]["HAMAN_LAB_WORK"] == str(tmp_path)
    assert order["booted"] is True
    assert str(machine.PROJECT) in order["keep"]
    assert order["environment"]["A"] == "b"
    assert order["environment"]["HAMAN_LAB_INSIDE"] == "fake"


def test_nothing_of_the_callers_environment_leaks_in(kernel, tmp_path, monkeypatch):
    monkeypatch.setenv("SECRET", "leaked")
    heard: list[str] = []
    fake = kernel("""env >&$fd; cat $order >&$fd; echo '{"status": 0}' > $status""")
    Machine(fake).run(["true"], work=tmp_path, output=heard.append)
    assert "leaked" not in "".join(heard)


def test_root_is_mounted_read_only_and_memory_is_as_asked(kernel, tmp_path):
    heard: list[str] = []
    fake = kernel("""echo "$@" >&$fd; echo '{"status": 0}' > $status""")
    Machine(fake, memory=700).run(["true"], work=tmp_path, output=heard.append)
    words = "".join(heard).split()
    assert {"rootfstype=hostfs", "rootflags=/", "ro", "mem=700M"} <= set(words)
    assert "rw" not in words
    (scratch,) = [word for word in words if word.startswith("uml_dir=")]
    assert Path(scratch.removeprefix("uml_dir=")).parent == tmp_path


def test_a_panic_is_an_error_that_begins_with_it_and_ends_with_the_last_words(kernel, tmp_path):
    fake = kernel(
        "echo booting; echo 'Kernel panic - not syncing: oh no'; echo ' [<606944ba>] do_exit+0x1/0x2'; exit 1"
    )
    with pytest.raises(LabError) as caught:
        Machine(fake).run(["true"], work=tmp_path)
    assert str(caught.value).splitlines() == [
        "the machine died: Kernel panic - not syncing: oh no",
        "booting",
        "Kernel panic - not syncing: oh no",
        " [<606944ba>] do_exit+0x1/0x2",
    ]


def test_a_machine_that_cannot_be_laid_out_says_why(kernel, tmp_path):
    fake = kernel("""echo '{"error": "no tmpfs"}' > $status""")
    with pytest.raises(LabError, match="could not be laid out: no tmpfs"):
        Machine(fake).run(["true"], work=tmp_path)


@pytest.mark.parametrize("script", ["""echo '{"status": 0}' > $status""", "exit 1", "sleep 1000"])
def test_however_it_ends_only_what_the_command_wrote_stays_in_the_working_folder(kernel, tmp_path, script):
    work = tmp_path / "work"
    work.mkdir()
    fake = kernel(f"echo mine > {work}/result; {script}")
    with contextlib.suppress(LabError):
        Machine(fake).run(["true"], work=work, timeout=1)
    assert [path.name for path in work.iterdir()] == ["result"]


def test_a_working_folder_of_its_own_is_removed(kernel):
    heard: list[str] = []
    fake = kernel("""echo $status >&$fd; echo '{"status": 0}' > $status""")
    Machine(fake).run(["true"], output=heard.append)
    assert not Path("".join(heard)).parent.parent.exists()


def folder(free: int, flags: int = 0):
    return os.statvfs_result((4096, 4096, 1 << 30, free // 4096, free // 4096, 1, 1, 1, flags, 255))


@pytest.mark.parametrize(
    ("state", "expected"),
    [
        (folder(600 << 20), "/dev/shm"),
        (folder(64 << 20), "/elsewhere"),
        (folder(600 << 20, os.ST_NOEXEC), "/elsewhere"),
    ],
)
def test_memory_lies_in_shared_memory_if_it_fits_and_may_be_executed(monkeypatch, state, expected):
    monkeypatch.setattr(os, "statvfs", lambda _: state)
    assert memory_folder(512, Path("/elsewhere")) == Path(expected)
