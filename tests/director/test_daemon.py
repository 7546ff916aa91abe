"""The director as a process, with the elector's part played by the test. No services here: IPVS is not touched."""

from __future__ import annotations

import getpass
import os
import re
import signal
import subprocess
import sys
import time
from typing import TYPE_CHECKING

import pytest

from haman.director.ask import ask
from haman.errors import Unreachable
from haman.model.elector import Configure, Goodbye, Happened, Heartbeat, Maintenance, Readiness, Roles, Stopping
from haman.model.transition import Role
from tests.director.support import Elector, change, report

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from haman.model.elector import Message

YAML = """
cluster: test
directors:
  lb1: {address: 192.0.2.1, priority: 150}
  lb2: {address: 192.0.2.2, priority: 100}
routers:
  public: {interface: hamantest0, vrid: 51, addresses: [192.0.2.100/24]}
"""


class Process:
    def __init__(self, directory: Path, text: str = YAML, node: str = "lb1") -> None:
        self.file = directory / "haman.yaml"
        self.file.write_text(text)
        self.elector = Elector()
        self.process = subprocess.Popen(
            [
                *(sys.executable, "-m", "haman.director", "--config", str(self.file), "--node", node),
                *("--link-fd", str(self.elector.theirs.fileno())),
            ],
            env={**os.environ, "HAMAN_RUN_DIR": str(directory / "run")},
            pass_fds=[self.elector.theirs.fileno()],
            stderr=subprocess.PIPE,
            text=True,
        )
        self.elector.theirs.close()
        self.elector.socket.settimeout(20)

    def end(self) -> tuple[int, str]:
        """Exit code and standard error, once it has ended by itself."""
        _, errors = self.process.communicate(timeout=20)
        return self.process.returncode, errors

    def started(self) -> list[Message]:
        """Messages up to the first Readiness."""
        got: list[Message] = []
        while not any(isinstance(message, Readiness) for message in got):
            more = self.elector.receive()
            assert more, "it ended instead of starting"
            got += more
        return got

    def answers(self) -> None:
        end = time.monotonic() + 20
        while time.monotonic() < end:
            try:
                ask("status")
                return
            except Unreachable:
                time.sleep(0.02)
        raise AssertionError("no control socket")


@pytest.fixture
def directory(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("HAMAN_RUN_DIR", str(tmp_path / "run"))
    return tmp_path


@pytest.fixture
def director(directory: Path) -> Iterator[Process]:
    made = Process(directory)
    yield made
    made.elector.close()
    made.process.kill()
    made.process.communicate()


def test_it_introduces_itself_and_ends_at_once_when_told_to_alone(director: Process) -> None:
    messages = director.started()
    assert [type(message) for message in messages] == [Heartbeat, Maintenance, Configure, Readiness]
    beat, maintenance, configure, ready = messages
    assert maintenance == Maintenance(why=None)
    assert isinstance(beat, Heartbeat)
    assert beat.patience == 10.0
    assert isinstance(configure, Configure)
    assert (configure.config.node, configure.config.routers[0].priority) == ("lb1", 150)
    assert ready == Readiness(generation=1, waiting={})
    director.answers()
    began = time.monotonic()
    director.process.terminate()
    code, errors = director.end()
    assert code == 0
    assert time.monotonic() - began < 2
    assert "generation 1: this is director lb1 of cluster test: 1 routers, 0 services" in errors
    assert "Traceback" not in errors


def test_signals_for_the_whole_are_the_electors(director: Process) -> None:
    director.started()
    director.process.send_signal(signal.SIGINT)
    director.process.send_signal(signal.SIGHUP)
    director.answers()
    assert director.process.poll() is None


def test_a_wrong_configuration_ends_it_with_every_mistake(directory: Path) -> None:
    process = Process(directory, YAML.replace("vrid: 51", "vrid: 300").replace("192.0.2.100/24", "nonsense"))
    got = process.elector.receive()
    while not any(isinstance(message, Goodbye) for message in got):
        got += process.elector.receive()
    assert got[-1] == Goodbye(code=2)
    code, errors = process.end()
    assert code == 2
    lines = errors.splitlines()
    assert len(lines) == 2
    assert all(line.startswith(f"{process.file}:7:") for line in lines)
    process.elector.close()


def test_a_machine_that_is_no_director(directory: Path) -> None:
    process = Process(directory, node="lb3")
    code, errors = process.end()
    assert code == 2
    assert "lb3" in errors
    process.elector.close()


def test_the_electors_death_is_noticed_at_once(director: Process) -> None:
    director.started()
    began = time.monotonic()
    director.elector.close()
    code, errors = director.end()
    assert code == 1
    assert time.monotonic() - began < 3
    assert "running -> withdrawn: the elector ended without a word; removed no VIP" in errors


def test_the_electors_silence_is_noticed_after_its_patience(director: Process) -> None:
    director.started()
    director.answers()
    for _ in range(3):
        director.elector.beat(0.5)
        time.sleep(0.1)
    began = time.monotonic()
    code, errors = director.end()
    assert code == 1
    assert time.monotonic() - began > 0.3
    silent = re.search(r"running -> withdrawn: the elector was silent for ([0-9.]+) s", errors)
    assert silent, errors
    assert float(silent[1]) < 5  # on a machine that stands still; without a heartbeat it would wait for longer


def test_an_elector_that_dies_while_the_configuration_is_wrong(directory: Path) -> None:
    process = Process(directory, "nonsense")
    process.elector.close()
    code, errors = process.end()
    assert code == 2
    assert "withdrawn" in errors or "haman.yaml" in errors


def hooked(directory: Path, body: str) -> str:
    script = directory / "notify.sh"
    script.write_text(f"#!/bin/sh\n{body}\n")
    script.chmod(0o755)
    hook = f"{{on: [active, standby, fault, stop], run: {script}, timeout: 10s, user: {getpass.getuser()}}}"
    return YAML + f"hooks:\n  - {hook}\n"


def test_hooks_are_finished_before_the_orderly_end(directory: Path) -> None:
    told = directory / "told"
    process = Process(directory, hooked(directory, f'sleep 0.3; echo "$@" >> {told}'))
    process.started()
    process.elector.send(
        Happened(transition=change("standby", "active")),
        Roles(epoch=1, roles=(report(Role.ACTIVE),)),
        Happened(transition=change("active", "stopped")),
        Roles(epoch=2, roles=(report(Role.STOPPED),)),
        Stopping(),
    )
    code, errors = process.end()
    process.elector.close()
    assert code == 0, errors
    assert told.read_text().splitlines()[-1] == "INSTANCE public STOP 150"


def test_kill_9_loses_no_hook(directory: Path) -> None:
    """Killed while the hook runs; the next director gets only the present role, and runs it."""
    told, gate = directory / "told", directory / "gate"
    gate.touch()
    text = hooked(directory, f'while [ -e {gate} ]; do sleep 0.02; done; echo "$@" >> {told}')
    first = Process(directory, text)
    first.started()
    first.elector.send(Happened(transition=change("standby", "active")))
    first.answers()
    time.sleep(0.3)
    first.process.kill()
    first.end()
    first.elector.close()
    second = Process(directory, text)
    second.elector.send(Roles(epoch=3, roles=(report(Role.ACTIVE),)))
    second.started()
    gate.unlink()
    second.elector.send(Stopping())
    code, errors = second.end()
    second.elector.close()
    assert code == 0, errors
    assert "INSTANCE public MASTER 150" in told.read_text().splitlines()


def test_it_runs_at_ordinary_priority(director: Process) -> None:
    director.started()
    assert os.sched_getscheduler(director.process.pid) == os.SCHED_OTHER


def test_a_new_director_goes_on_with_what_ran_when_the_file_is_wrong(directory: Path) -> None:
    first = Process(directory)
    first.started()
    first.process.kill()
    first.end()
    first.elector.close()
    second = Process(directory, YAML + "colour: red\n")
    second.elector.send(Roles(epoch=3, roles=(report(Role.ACTIVE),)))
    messages = second.started()
    assert any(isinstance(message, Configure) for message in messages)
    second.answers()
    status = ask("status")
    assert status["config"]["last_reload"]["ok"] is False
    assert status["config"]["changed_since"] is True
    assert f"{second.file}:8:1: colour" in status["problems"][0]
    second.elector.send(Stopping())
    second.end()
    second.elector.close()
    assert (directory / "run/running.yaml").stat().st_mode & 0o777 == 0o600


def test_a_first_director_does_not(directory: Path) -> None:
    first = Process(directory)
    first.started()
    first.process.kill()
    first.end()
    first.elector.close()
    second = Process(directory, YAML + "colour: red\n")
    code, _ = second.end()
    second.elector.close()
    assert code == 2
