"""haman's unit: what it promises is what the code does."""

from __future__ import annotations

import ctypes
import re
import subprocess
import sys
from pathlib import Path

import pytest

from haman.cli import VERBS
from haman.elector import realtime

ROOT = Path(__file__).parents[2]
UNIT = (ROOT / "systemd/haman.service").read_text()
PAGE = (ROOT / "docs/explanation/security.md").read_text()
SETTINGS = [line.split("=", 1) for line in UNIT.splitlines() if "=" in line and not line.startswith("#")]


def test_it_calls_verbs_that_there_are() -> None:
    called = re.findall(r"^Exec\w+=-?/usr/bin/haman (\w+)", UNIT, re.MULTILINE)
    assert called == ["run", "reload", "release"]
    assert set(called) <= VERBS.keys()


def test_the_real_time_limit_is_what_the_elector_asks_for() -> None:
    assert f"LimitRTPRIO={realtime.PRIORITY}\n" in UNIT


@pytest.mark.parametrize("name", sorted({name for name, _ in SETTINGS}))
def test_every_setting_of_the_sandbox_is_explained(name: str) -> None:
    if re.match(r"Protect|Private|Restrict|SystemCall|Memory|Lock|NoNew|Capab|Limit|OOM|Keyring|UMask", name):
        assert f"`{name}" in PAGE, name


def test_every_capability_is_explained() -> None:
    (granted,) = (value.split() for name, value in SETTINGS if name == "CapabilityBoundingSet")
    assert granted == ["CAP_NET_ADMIN", "CAP_NET_RAW", "CAP_NET_BIND_SERVICE", "CAP_SETUID", "CAP_SETGID", "CAP_KILL"]
    assert all(f"`{each}`" in PAGE for each in granted)


def test_nothing_here_needs_memory_that_is_writable_and_executable() -> None:
    """MemoryDenyWriteExecute: the same by prctl(2), PR_SET_MDWE, where the kernel has it."""
    code = """
import ctypes, sys
if ctypes.CDLL(None).prctl(65, 1, 0, 0, 0) != 0:
    sys.exit(77)
import haman.director.daemon, haman.observe.web, haman.elector.process, haman.doctor.scene, pyroute2, rich.console
from haman import config
from haman.elector import realtime
realtime.prepare()
print(config.load("etc/haman.yaml").name)
"""
    said = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False, cwd=ROOT)
    if said.returncode == 77:
        pytest.skip("this kernel is older than 6.3")
    assert (said.returncode, said.stdout) == (0, "web\n"), said.stderr


def test_prctl_is_what_it_is_taken_for() -> None:
    assert ctypes.CDLL(None).prctl(66, 0, 0, 0, 0) in (-1, 0, 1)  # PR_GET_MDWE
