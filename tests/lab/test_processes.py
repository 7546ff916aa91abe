from __future__ import annotations

import os
import subprocess

import pytest

from haman.errors import LabError
from haman.lab.processes import end_all, in_network


@pytest.fixture
def sleepers():
    with subprocess.Popen(["sleep", "1000"]) as first, subprocess.Popen(["sleep", "1000"]) as second:
        yield first, second
        for process in (first, second):
            process.kill()


def test_what_appears_while_the_others_are_killed_is_killed_too(sleepers):
    first, second = sleepers
    found = [[second.pid], [first.pid]]
    end_all(lambda: found.pop() if found else [])
    assert (first.wait(), second.wait()) == (-9, -9)


def test_one_that_ended_by_itself_is_no_error():
    with subprocess.Popen(["true"]) as gone:
        gone.wait()
    found = [[gone.pid]]
    end_all(lambda: found.pop() if found else [])


def test_what_cannot_be_killed_is_an_error_that_names_it():
    with subprocess.Popen(["true"]) as gone:
        gone.wait()
    with pytest.raises(LabError, match=rf"cannot be killed: \[{gone.pid}\]"):
        end_all(lambda: [gone.pid], patience=0.05)


def test_processes_are_found_by_their_network():
    mine = os.stat("/proc/self/ns/net").st_ino
    assert os.getpid() in in_network(mine)
    assert in_network(1) == []
