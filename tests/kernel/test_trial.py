"""The trial a kernel goes through, on a kernel that passes, and told that it does not."""

from __future__ import annotations

from haman.lab import trial


def test_the_kernel_of_the_tests_passes(capsys):
    assert trial.main() == 0
    assert capsys.readouterr().out == ""


def test_a_coarse_clock_fails_it(capsys, monkeypatch):
    monkeypatch.setattr(trial, "millisecond", lambda: 0.01)
    assert trial.main() == 1
    assert capsys.readouterr().out == "a sleep of 1 ms takes 10.0 ms here: too coarse for a 1 kHz client\n"


def test_a_missing_table_fails_it(capsys, monkeypatch):
    monkeypatch.setattr(trial, "TABLE", "/proc/thread-self/net/no_such_table")
    assert trial.main() == 1
    assert capsys.readouterr().out.startswith("no cluster can be built on this kernel: host: /proc/thread-self")
