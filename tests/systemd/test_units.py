"""What holds for every unit: systemd itself finds nothing to say about it."""

from __future__ import annotations

import subprocess
from pathlib import Path

import pytest

UNITS = Path(__file__).parents[2] / "systemd"

EXPOSURE = {"haman.service": 36, "haman-realserver.service": 30}
"""Tenths; 3.4 and 2.7 when they were written: the rest is what they do for a living, network administration and raw
sockets."""


@pytest.fixture(params=EXPOSURE)
def unit(request, tmp_path: Path) -> Path:
    """With a program that is there in haman's place, as systemd looks for it."""
    file = tmp_path / request.param
    file.write_text((UNITS / request.param).read_text().replace("/usr/bin/haman", "/bin/true"))
    return file


def test_none_is_forgotten() -> None:
    assert {path.name for path in UNITS.glob("*.service")} == EXPOSURE.keys()


def test_systemd_has_nothing_to_say_about_it(unit: Path) -> None:
    said = subprocess.run(["systemd-analyze", "verify", unit], capture_output=True, text=True, check=False)
    assert (said.stdout + said.stderr, said.returncode) == ("", 0)


def test_exposure(unit: Path) -> None:
    command = ["systemd-analyze", "security", "--offline=true", f"--threshold={EXPOSURE[unit.name]}", unit]
    said = subprocess.run(command, capture_output=True, text=True, check=False)
    assert said.returncode == 0, said.stdout + said.stderr
