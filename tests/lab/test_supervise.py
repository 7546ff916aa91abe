from __future__ import annotations

import os
import subprocess
import sys
import time

import pytest

from haman.errors import LabError
from haman.lab.supervise import as_lines, as_text, follow

ENVIRONMENT = {"PATH": os.environ["PATH"]}


def shell(script):
    return lambda descriptor: ["bash", "-c", f"exec 9>&{descriptor}; {script}"]


def test_the_two_streams_go_to_their_two_places():
    heard: list[str] = []
    last = follow(
        shell("echo kernel; echo result >&9; echo error >&2"), environment=ENVIRONMENT, timeout=20, output=heard.append
    )
    assert "".join(heard) == "result\n"
    assert last == ["kernel", "error"]


def test_only_the_last_hundred_lines_are_kept():
    last = follow(shell("seq 1 500"), environment=ENVIRONMENT, timeout=20, output=print)
    assert last[0] == "401"
    assert last[-1] == "500"


@pytest.mark.parametrize(
    "script", ["sleep 1000 & echo $! >&9; wait", "sleep 1000 & echo $! >&9; while :; do echo; done"]
)
def test_past_its_time_it_is_ended_with_all_it_started_silent_or_chatty(script):
    heard: list[str] = []
    with pytest.raises(LabError, match=r"still running after 0\.5 s"):
        follow(shell(script), environment=ENVIRONMENT, timeout=0.5, output=heard.append)
    assert gone(int("".join(heard)))


def test_when_we_are_killed_it_is_killed(tmp_path):
    pid = tmp_path / "pid"
    script = f"""
import os, subprocess
from haman.lab.supervise import group
with group(["bash", "-c", "echo $$ > {pid}; exec sleep 1000"]) as process:
    process.wait()
"""
    with subprocess.Popen([sys.executable, "-c", script]) as process:
        deadline = time.monotonic() + 20
        while not pid.exists() or not pid.read_text():
            assert time.monotonic() < deadline
        process.kill()
    assert gone(int(pid.read_text()))


def gone(pid: int) -> bool:
    """Whether a process ends within ten seconds; a zombie nobody reaps counts as ended."""
    deadline = time.monotonic() + 10
    while time.monotonic() < deadline:
        try:
            with open(f"/proc/{pid}/stat") as stat:
                if stat.read().rpartition(")")[2].split()[0] == "Z":
                    return True
        except OSError:
            return True
    return False


def test_text_never_gets_half_a_character():
    heard: list[str] = []
    take = as_text(heard.append)
    for byte in "naïve".encode():
        take(bytes([byte]))
    take(b"")
    assert heard == ["n", "a", "ï", "v", "e"]


def test_lines_come_whole_and_the_last_one_even_without_its_end():
    heard: list[str] = []
    take = as_lines(heard.append)
    for piece in (b"on", b"e\r\ntwo\nth", b"ree", b""):
        take(piece)
    assert heard == ["one", "two", "three"]
