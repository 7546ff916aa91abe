from __future__ import annotations

import asyncio
import errno
import os
import pwd
import time
from ipaddress import IPv6Address
from typing import TYPE_CHECKING

import pytest
from hypothesis import given
from hypothesis import strategies as st

from haman.model.checks import ScriptProbe
from haman.probes import kinds
from haman.probes.equipment import Equipment
from haman.probes.outcome import Outcome
from haman.probes.question import Question
from haman.probes.script import command, judge
from haman.probes.scripts import Scripts
from tests.probes.support import ask, question
from tests.test_program import ROOT, is_running, wait_gone

if TYPE_CHECKING:
    from pathlib import Path

    from haman.probes.outcome import Result
    from haman.program import Run


OURSELVES = pwd.getpwuid(os.geteuid()).pw_name


def script(text: str, *, timeout: float = 5.0, dynamic: bool = False, user: str | None = OURSELVES) -> Question:
    return question(80, ScriptProbe(argv=("/bin/sh", "-c", text), dynamic=dynamic, user=user), timeout=timeout)


@pytest.mark.parametrize(
    ("text", "dynamic", "outcome", "words", "weight"),
    [
        ("exit 0", False, Outcome.GOOD_EXIT, "the program says healthy", None),
        ("echo all fine", False, Outcome.GOOD_EXIT, "the program says healthy: all fine", None),
        ("echo one; echo two; echo; exit 1", False, Outcome.BAD_EXIT, "exit status 1; two", None),
        ("exit 2", False, Outcome.BAD_EXIT, "exit status 2", None),
        ("exit 0", True, Outcome.GOOD_EXIT, "the program says healthy", None),
        ("exit 1", True, Outcome.BAD_EXIT, "exit status 1", None),
        ("exit 2", True, Outcome.GOOD_EXIT, "exit status 2, weight 0", 0),
        ("exit 255", True, Outcome.GOOD_EXIT, "exit status 255, weight 253", 253),
        ("kill -SEGV $$", True, Outcome.KILLED, "killed by SIGSEGV", None),
    ],
)
def test_exit_codes_as_keepalived_has_them(
    text: str, dynamic: bool, outcome: Outcome, words: str, weight: int | None
) -> None:
    result = asyncio.run(ask(script(text, dynamic=dynamic)))
    assert (result.outcome, result.weight) == (outcome, weight)
    assert words in result.words
    assert result.passed == (outcome is Outcome.GOOD_EXIT)


@given(st.integers(0, 255), st.booleans())
def test_every_exit_status(status: int, dynamic: bool) -> None:
    outcome, weight = judge(status, dynamic=dynamic)
    assert (outcome is Outcome.GOOD_EXIT) == (status == 0 or (dynamic and status != 1))
    assert weight == (status - 2 if dynamic and status > 1 else None)


def test_the_timeout_kills_the_whole_group_at_once(tmp_path: Path) -> None:
    pids = tmp_path / "pids"
    about = script(f"trap '' TERM; echo so far; sleep 60 & echo $$ $! > {pids}; wait; wait", timeout=0.3)

    async def scenario() -> Result:
        """The programs are gone before the equipment is closed, which would kill them too."""
        equipment = Equipment(asyncio.get_running_loop())
        answer: asyncio.Future[Result] = asyncio.get_running_loop().create_future()
        kinds.prober(equipment, about, answer.set_result).start()
        result = await answer
        async with asyncio.timeout(60):
            while any(is_running(int(pid)) for pid in pids.read_text().split()):
                await asyncio.sleep(0.01)
        equipment.close()
        return result

    result = asyncio.run(scenario())
    assert (result.outcome, result.words) == (
        Outcome.TIMEOUT_SCRIPT,
        "the program did not end within the timeout and was killed: 0.3 s; so far",
    )
    assert 0.3 <= result.latency < 1.0


@ROOT
def test_unless_it_is_written_root_is_not_whom_it_runs_as() -> None:
    for user, told in ((None, ("haman-hooks", "nobody")), ("root", ("root",))):
        result = asyncio.run(ask(script("id -un", user=user)))
        assert result.words.removeprefix("the program says healthy: ") in told


def test_what_it_leaves_behind_ends_with_it(tmp_path: Path) -> None:
    pid = tmp_path / "pid"
    result = asyncio.run(ask(script(f"sleep 60 & echo $! > {pid}")))
    assert result.outcome is Outcome.GOOD_EXIT
    wait_gone(int(pid.read_text()))


@pytest.mark.parametrize(
    ("program", "user", "words"),
    [
        ("/nowhere/check", None, "No such file or directory"),
        ("/etc/passwd", None, "Permission denied"),
        ("/etc", None, "Permission denied"),
        ("/bin/true", "no-such-user", "\"there is no user 'no-such-user'\""),
    ],
)
def test_what_cannot_be_started_is_a_failure(program: str, user: str | None, words: str) -> None:
    result = asyncio.run(ask(question(80, ScriptProbe(argv=(program,), user=user))))
    assert result.outcome is Outcome.NOT_STARTED
    assert (result.conclusive, result.passed) == (True, False)
    assert result.words == f"the program could not be started: {words}"


@ROOT
def test_nothing_runs_as_root_that_others_may_write(tmp_path: Path) -> None:
    check = tmp_path / "check"
    check.write_text("#!/bin/sh\nexit 0\n")
    check.chmod(0o777)
    about = question(80, ScriptProbe(argv=(str(check),), user="root"), timeout=5.0)

    async def scenario() -> list[Result]:
        loop = asyncio.get_running_loop()
        equipment = Equipment(loop)
        equipment.scripts = Scripts(1)
        results = []
        for mode in (0o777, 0o777, 0o755):
            check.chmod(mode)
            answer: asyncio.Future[Result] = loop.create_future()
            kinds.prober(equipment, about, answer.set_result).start()
            results.append(await answer)
        equipment.close()
        return results

    first, second, third = asyncio.run(scenario())
    words = f"the program could not be started: it would run as root, and others may write {check}"
    assert (first.outcome, first.words) == (second.outcome, second.words) == (Outcome.NOT_STARTED, words)
    assert third.outcome is Outcome.GOOD_EXIT


@pytest.mark.parametrize(
    ("code", "outcome"),
    [
        (errno.EAGAIN, Outcome.NO_RESOURCES),
        (errno.ENOMEM, Outcome.NO_RESOURCES),
        (errno.EMFILE, Outcome.NO_DESCRIPTORS),
    ],
)
def test_a_machine_that_lacks_something_for_the_moment_says_nothing_about_the_server(
    code: int, outcome: Outcome, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fork(*words: object) -> None:
        raise OSError(code, os.strerror(code))

    monkeypatch.setattr("haman.program._start", fork)
    result = asyncio.run(ask(script("exit 0")))
    assert (result.outcome, result.conclusive) == (outcome, False)


def test_whom_it_is_asked_about() -> None:
    probe = ScriptProbe(
        argv=("/bin/sh", "-c", 'echo "$HAMAN_ADDRESS $HAMAN_PORT $HAMAN_TIMEOUT" $0', "{address}:{port}")
    )
    result = asyncio.run(ask(question(8080, probe, timeout=5.0)))
    assert result.detail == "127.0.0.1 8080 5 127.0.0.1:8080"


def test_words_of_the_command() -> None:
    probe = ScriptProbe(argv=("/x/{port}", "-H", "{address}", "-p{port}", "{else}"))
    about = Question(IPv6Address("2001:db8::1"), 443, probe, 1.0, 1.0, 1.0, 0.0)
    argv, environment = command(about, probe)
    assert argv == ("/x/{port}", "-H", "2001:db8::1", "-p443", "{else}")
    assert environment == {"HAMAN_ADDRESS": "2001:db8::1", "HAMAN_PORT": "443", "HAMAN_TIMEOUT": "1"}


def test_a_program_about_nobody() -> None:
    probe = ScriptProbe(argv=("/bin/sh", "-c", 'echo "${HAMAN_ADDRESS-none}"', "{address}"))
    result = asyncio.run(ask(Question(None, 0, probe, 5.0, 1.0, 1.0, 0.0)))
    assert (result.outcome, result.detail) == (Outcome.GOOD_EXIT, "none")


@ROOT
def test_it_has_no_privileges_no_descriptors_and_an_ordinary_scheduling_class() -> None:
    """Field 41 of proc(5) stat is the scheduling policy, 0 the ordinary one; the director's parent runs in FIFO.
    Descriptor 3 is that of ls itself, which has what the shell was given."""
    with open("/dev/null") as held:
        os.dup2(held.fileno(), 77)
        text = "echo $(id -un) $(ls /proc/self/fd) policy $(cut -d' ' -f41 /proc/$$/stat)"
        result = asyncio.run(ask(script(text, user="nobody")))
        os.close(77)
    assert result.detail == "nobody 0 1 2 3 policy 0"


def test_so_many_at_a_time_and_the_others_wait_without_losing_time() -> None:
    """Eight programs of 0.2 s, two places, each with a timeout of 0.6 s: all end well."""

    async def scenario() -> list[Result]:
        loop = asyncio.get_running_loop()
        equipment = Equipment(loop)
        equipment.scripts = Scripts(most=2)
        answers: list[asyncio.Future[Result]] = [loop.create_future() for _ in range(8)]
        for answer in answers:
            kinds.prober(equipment, script("sleep 0.2", timeout=0.6), answer.set_result).start()
        assert len(equipment.scripts._running) == 2
        results = await asyncio.gather(*answers)
        equipment.close()
        return list(results)

    begun = time.monotonic()
    results = asyncio.run(scenario())
    assert time.monotonic() - begun >= 0.8
    assert [result.outcome for result in results] == [Outcome.GOOD_EXIT] * 8


def test_thousands_that_cannot_be_started_are_told_one_by_one() -> None:
    async def scenario() -> int:
        equipment = Equipment(asyncio.get_running_loop())
        equipment.scripts = Scripts(most=1)
        results: list[Result] = []
        probe = ScriptProbe(argv=("/nowhere/check",), user="no-such-user")
        places = equipment.scripts
        held = places._free
        places._free = 0
        for _ in range(3000):
            kinds.prober(equipment, question(80, probe), results.append).start()
        places._free = held
        places._next()
        equipment.close()
        return len(results)

    assert asyncio.run(scenario()) == 3000


def test_abandoned_in_line_it_is_never_started() -> None:
    async def scenario() -> None:
        equipment = Equipment(asyncio.get_running_loop())
        equipment.scripts = Scripts(most=0)
        results: list[Result] = []
        prober = kinds.prober(equipment, script("exit 0"), results.append)
        prober.start()
        prober.abandon()
        prober.abandon()
        assert not equipment.scripts._waiting
        equipment.close()
        assert results == []

    asyncio.run(scenario())


def test_closing_takes_running_programs_along(tmp_path: Path) -> None:
    pid = tmp_path / "pid"

    async def scenario() -> None:
        equipment = Equipment(asyncio.get_running_loop())
        results: list[Result] = []
        prober = kinds.prober(
            equipment, script(f"echo $$ > {pid}.new; mv {pid}.new {pid}; sleep 60; exit"), results.append
        )
        prober.start()
        runs: set[Run] = equipment.scripts._running
        assert len(runs) == 1
        async with asyncio.timeout(60):
            while not pid.exists():
                await asyncio.sleep(0.01)
        prober.abandon()
        equipment.close()
        assert results == []

    asyncio.run(scenario())
    wait_gone(int(pid.read_text()))
