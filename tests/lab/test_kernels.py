from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from haman.errors import LabError
from haman.lab import build, kernels, trial
from haman.lab.kernels import find, prebuilt_obstacle, ready

if TYPE_CHECKING:
    from haman.lab.machine import Kernel

LAB = Path("/cache/linux-6.12-abc")


@pytest.fixture
def here(monkeypatch, tmp_path):
    """A machine with nothing; the setters give it something."""

    class Here:
        def __init__(self):
            self.said: list[str] = []
            self.tried: list[str] = []
            self.no_good: dict[str, str] = {}

        def say(self, line: str) -> None:
            self.said.append(line)

        def prove(self, kernel: Kernel) -> None:
            self.tried.append(kernel.name)
            if kernel.name in self.no_good:
                raise LabError(self.no_good[kernel.name])

        def own_ipvs(self) -> None:
            monkeypatch.setattr(kernels, "_has_ipvs", lambda: True)

        def lab_built(self) -> None:
            monkeypatch.setattr(build, "built", lambda: LAB)

        def prebuilt(self) -> None:
            (tmp_path / "linux.uml").touch()

        def processor(self, flags: str) -> None:
            monkeypatch.setattr(kernels, "_processor", lambda: flags)

        def choice(self, value: str) -> None:
            monkeypatch.setenv("HAMAN_LAB_KERNEL", value)

    here = Here()
    monkeypatch.delenv("HAMAN_LAB_KERNEL", raising=False)
    monkeypatch.setattr(kernels, "PREBUILT", tmp_path / "linux.uml")
    monkeypatch.setattr(kernels, "_has_ipvs", lambda: False)
    monkeypatch.setattr(build, "built", lambda: None)
    monkeypatch.setattr(trial, "prove", here.prove)
    here.processor("flags : fpu avx512f")

    def built(say, accept):
        say("building")
        accept(LAB)
        return LAB

    monkeypatch.setattr(build, "build", built)
    return here


def name(kernel: Kernel | None) -> str | None:
    return kernel and kernel.name


def test_the_hosts_own_comes_first(here):
    here.own_ipvs()
    here.lab_built()
    here.prebuilt()
    found = find(here.say)
    assert (found.name, found.path) == ("host", None)


def test_then_the_lab_kernel_that_is_built(here):
    here.lab_built()
    here.prebuilt()
    found = find(here.say)
    assert (found.name, found.path) == ("lab", LAB)
    assert here.tried == []


def test_then_debians_if_it_proves_itself(here):
    here.prebuilt()
    assert find(here.say).name == "debian"
    assert here.tried == ["debian"]


def test_debians_is_no_answer_where_everything_is_needed(here):
    here.prebuilt()
    assert find(here.say, full=True).name == "lab"
    assert "building" in here.said


def test_with_nothing_at_all_it_is_built_and_must_prove_itself(here):
    assert find(here.say).path == LAB
    assert here.tried == ["lab"]


def test_a_fresh_lab_kernel_that_fails_its_trial_is_an_error(here):
    here.no_good["lab"] = "panic"
    with pytest.raises(LabError, match="panic"):
        find(here.say)


def test_what_failed_its_trial_is_passed_over_and_told(here):
    here.own_ipvs()
    here.prebuilt()
    here.no_good = {"host": "no bridge\nmore", "debian": "too coarse"}
    assert find(here.say).name == "lab"
    assert [line.rpartition(": ")[2] for line in here.said[:2]] == ["no bridge", "too coarse"]


def test_ready_never_builds(here):
    assert ready(here.say, full=False) is None
    assert here.said == []


def test_with_amx_debians_is_not_even_tried(here):
    here.prebuilt()
    here.processor("flags : fpu amx_tile avx512f")
    assert prebuilt_obstacle() == "it cannot run on a processor with AMX"
    assert ready(here.say, full=False) is None
    assert here.tried == []


def test_a_path_is_taken_as_it_is(here, tmp_path):
    kernel = tmp_path / "linux"
    kernel.touch(mode=0o755)
    here.own_ipvs()
    here.choice(str(kernel))
    assert find(here.say).path == kernel


def test_a_path_to_nothing_is_an_error(here):
    here.choice("/no/such/kernel")
    with pytest.raises(LabError, match="HAMAN_LAB_KERNEL: /no/such/kernel"):
        find(here.say)


def test_a_word_narrows_the_choice(here):
    here.own_ipvs()
    here.lab_built()
    here.prebuilt()
    here.choice("debian")
    assert name(ready(here.say, full=True)) == "debian"
    here.choice("lab")
    assert name(ready(here.say, full=True)) == "lab"


@pytest.mark.parametrize("word", ["host", "debian", "nonsense"])
def test_a_word_for_what_is_not_here_is_an_error_and_nothing_is_built(here, word):
    here.choice(word)
    with pytest.raises(LabError, match=f"HAMAN_LAB_KERNEL={word}"):
        find(here.say)
