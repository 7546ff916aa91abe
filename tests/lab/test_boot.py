"""The machine with its real kernel, seen from the host: what goes in, what comes out, what is left."""

from __future__ import annotations

import contextlib
import os
import signal
import subprocess
import sys
import tempfile
import threading
import time
from pathlib import Path

import pytest

from haman.errors import LabError
from haman.lab.covers import PROJECT
from haman.lab.kernels import ready
from haman.lab.machine import Machine

pytestmark = pytest.mark.boots


@pytest.fixture(scope="module")
def machine():
    kernel = ready(print, full=True)
    assert kernel, "no kernel: `make kernel` builds one first"
    return Machine(kernel)


@pytest.fixture
def shell(machine, tmp_path):
    """Runs a script inside; gives its exit status and output."""

    def run(script: str, **options) -> tuple[int, str]:
        heard: list[str] = []
        options.setdefault("work", tmp_path)
        status = machine.run(["bash", "-c", script], output=heard.append, timeout=60, **options)
        return status, "".join(heard)

    return run


@pytest.fixture
def temporary(tmp_path, monkeypatch):
    """A folder in which everything temporary must be gone in the end."""
    monkeypatch.setenv("TMPDIR", str(tmp_path))
    monkeypatch.setattr(tempfile, "tempdir", None)
    return tmp_path


def test_root_is_inside_with_ipvs_and_a_network_of_its_own(shell):
    assert shell("id -u; hostname; test -e /proc/net/ip_vs && echo ipvs; cat /sys/class/net/lo/operstate") == (
        0,
        "0\nlab\nipvs\nunknown\n",
    )


@pytest.mark.parametrize(("script", "status"), [("exit 7", 7), ("kill -9 $$", 137), ("no-such-program", 127)])
def test_the_exit_status_is_the_commands(shell, script, status):
    assert shell(script)[0] == status


def test_output_is_passed_byte_for_byte_however_much(shell):
    assert shell("seq 1 100000; printf 'no end\\ttab é'")[1] == (
        "".join(f"{number}\n" for number in range(1, 100001)) + "no end\ttab é"
    )


def test_output_comes_while_the_command_runs(machine):
    times: list[float] = []
    machine.run(
        ["bash", "-c", "echo first; sleep 1; echo last"], output=lambda _: times.append(time.monotonic()), timeout=60
    )
    assert times[-1] - times[0] > 0.5


def test_only_the_working_folder_of_the_hosts_files_can_be_written(shell, tmp_path):
    status, said = shell(f"touch /{{etc,usr,var}}/x {PROJECT}/x {sys.prefix}/x; echo result > $HAMAN_LAB_WORK/result")
    assert said.count("Read-only file system") == 5
    assert (tmp_path / "result").read_text() == "result\n"
    assert status == 0


def test_scratch_folders_are_empty_and_writable(shell):
    script = "cd /tmp; ls -A $HOME; for f in /tmp /var/tmp /run /dev/shm $HOME; do touch $f/x || exit; done"
    assert shell(script) == (0, "")


def test_where_we_are_stays_in_sight_even_in_a_folder_that_is_emptied(machine, tmp_path, monkeypatch):
    (tmp_path / "here").mkdir()
    (tmp_path / "here" / "file").write_text("seen\n")
    monkeypatch.chdir(tmp_path / "here")
    heard: list[str] = []
    assert machine.run(["bash", "-c", "pwd; cat file; touch file"], output=heard.append, timeout=60) == 1
    assert "".join(heard).splitlines() == [
        str(tmp_path / "here"),
        "seen",
        "touch: cannot touch 'file': Read-only file system",
    ]


def test_the_project_and_its_interpreter_are_where_they_are_outside(shell):
    script = f"pwd; {sys.executable} -c 'import haman, pyroute2; print(haman.__file__)'"
    assert shell(script) == (0, f"{Path.cwd()}\n{PROJECT}/haman/__init__.py\n")


KILL_INIT = r"""
import re
with open("/proc/1/maps") as maps, open("/proc/1/mem", "r+b", buffering=0) as memory:
    for line in maps:
        if found := re.match(r"(\w+)-(\w+) r-xp .*libc", line):
            start, end = (int(number, 16) for number in found.groups())
            memory.seek(start)
            memory.write(bytes(end - start))
"""
"""Wipes out the C library under the first process, which the kernel does not survive."""


def test_a_panic_is_an_error_that_says_so(machine, tmp_path):
    with pytest.raises(LabError, match="the machine died: Kernel panic - not syncing: Attempted to kill init!"):
        machine.run([sys.executable, "-c", KILL_INIT], work=tmp_path, timeout=60)
    assert list(tmp_path.iterdir()) == []


def test_past_its_time_it_is_ended(machine, temporary):
    with pytest.raises(LabError, match="still running after 2 s"):
        machine.run(["sleep", "1000"], timeout=2)
    assert list(temporary.iterdir()) == []


def test_two_run_side_by_side(machine):
    heard: list[str] = []

    def meet(mine: str, other: str, work: Path) -> None:
        script = f"touch {work}/{mine}; until [ -e {work}/{other} ]; do sleep 0.1; done; echo met"
        machine.run(["bash", "-c", script], work=work, output=heard.append, timeout=60)

    with tempfile.TemporaryDirectory() as folder:
        machines = [threading.Thread(target=meet, args=(*names, Path(folder))) for names in (("a", "b"), ("b", "a"))]
        for thread in machines:
            thread.start()
        for thread in machines:
            thread.join()
    assert "".join(heard) == "met\nmet\n"


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_asked_to_end_it_leaves_no_process_and_no_file(temporary, number):
    command = [sys.executable, "-m", "haman.lab", "run", "--full", "--", "bash", "-c", "echo up; sleep 1000"]
    with subprocess.Popen(command, stdout=subprocess.PIPE, cwd=PROJECT) as process:
        assert process.stdout is not None
        assert process.stdout.readline() == b"up\n"
        session = children(process.pid)
        assert session
        process.send_signal(number)
        assert process.wait(20) in (128 + number, -number)
    assert list(temporary.iterdir()) == []
    assert not any(alive(pid) for pid in session)


def children(parent: int) -> list[int]:
    return [int(pid) for pid in Path(f"/proc/{parent}/task/{parent}/children").read_text().split()]


def alive(pid: int) -> bool:
    with contextlib.suppress(OSError):
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] != "Z"
    return False


def test_no_machine_leaves_anything_in_the_users_home(machine, monkeypatch, tmp_path):
    monkeypatch.setenv("HOME", str(tmp_path))
    machine.run(["true"], timeout=60)
    assert os.listdir(tmp_path) == []
