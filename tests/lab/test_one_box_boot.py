"""`haman lab up` and what comes after it, on a user-mode kernel, from outside: as a developer without root has it."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

from haman.lab.covers import PROJECT
from haman.lab.kernels import ready

pytestmark = pytest.mark.boots

EXAMPLE = PROJECT / "etc" / "examples" / "one-box.yaml"
LONG = 600.0


@pytest.fixture
def lab(tmp_path):
    """Runs `haman lab ...`; what it left running is ended."""
    assert ready(print, full=True), "no kernel: `make kernel` builds one first"
    environment = {**os.environ, "HAMAN_LAB_FOLDER": str(tmp_path / "lab"), "HAMAN_LAB_KERNEL": "lab"}

    def run(*words: str | Path, input: bytes = b"") -> tuple[int, str]:
        done = subprocess.run(
            [sys.executable, "-m", "haman", "lab", *words],
            env=environment,
            input=input,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            timeout=LONG,
            check=False,
        )
        return done.returncode, done.stdout.decode()

    yield run
    run("down")


def remains(folder: Path) -> list[str]:
    """Processes that know the folder by command line or environment, but for ours."""
    found = []
    for process in Path("/proc").iterdir():
        if process.name.isdigit() and int(process.name) != os.getpid():
            try:
                told = (process / "cmdline").read_bytes() + (process / "environ").read_bytes()
            except OSError:
                continue
            if os.fsencode(folder) in told:
                found.append(told.replace(b"\0", b" ").decode(errors="replace")[:200])
    return found


def test_a_cluster_is_kept_used_and_gone_without_trace(lab, tmp_path):
    status, said = lab("up", EXAMPLE, "--wait", "240")
    assert status == 0, said
    assert lab("up", EXAMPLE)[0] == 3
    status, said = lab("status", "--json")
    assert (status, json.loads(said)["serves"]) == (0, True)
    numbers = "".join(f"{number}\n" for number in range(100000))
    assert lab("on", "rs1", "cat", input=numbers.encode()) == (0, numbers)
    assert lab("on", "rs2", "sh", "-c", "hostname; exit 7") == (7, "rs2\n")
    assert lab("on", "rs3", "true") == (
        1,
        "haman lab on: there is no host rs3; there are lb1, lb2, rs1, rs2, router, client\n",
    )
    assert "haman run" not in lab("logs", "rs1")[1]
    assert "-> active" in lab("logs", "lb1", "lb2", "--last", "100")[1]
    assert lab("down")[0] == 0
    assert remains(tmp_path / "lab") == []
    assert not (tmp_path / "lab").exists()
    assert str(tmp_path) not in Path("/proc/self/mounts").read_text()


def test_a_keeper_that_was_killed_takes_all_with_it_and_down_removes_the_rest(lab, tmp_path):
    status, said = lab("up", EXAMPLE, "--wait", "0")
    assert status in (0, 3), said
    os.kill(int((tmp_path / "lab" / "keeper").read_text()), 9)
    status, said = lab("down")
    assert (status, said) == (0, "the cluster is gone, with all that belonged to it\n")
    assert remains(tmp_path / "lab") == []
    assert not (tmp_path / "lab").exists()
    assert lab("status") == (1, "haman lab status: no cluster is kept here; haman lab up FILE starts one\n")


def test_a_file_that_cannot_be_is_refused_before_anything_is_begun(lab, tmp_path):
    status, said = lab("up", EXAMPLE.with_name("outbound-gateway.yaml"))
    assert (status, "is a gateway" in said) == (2, True)
    assert lab("up", tmp_path / "none.yaml")[0] == 2
    assert not (tmp_path / "lab").exists()
