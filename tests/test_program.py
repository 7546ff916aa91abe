from __future__ import annotations

import asyncio
import contextlib
import errno
import getpass
import os
import signal
import time
from typing import TYPE_CHECKING, Any
from unittest import mock

import pytest

from haman import program
from haman.program import Ended

if TYPE_CHECKING:
    from pathlib import Path

ROOT = pytest.mark.skipif(os.geteuid() != 0, reason="only root can become another user")


def shell(script: str, **changes: Any) -> tuple[Ended, list[str]]:
    """Run a shell script as the program. The output's lines come second."""
    lines: list[str] = []
    settings: dict[str, Any] = {"environment": {}, "stdin": b"", "timeout": 10.0, "user": None} | changes
    ended = asyncio.run(program.run(["/bin/sh", "-c", script], output=lines.append, **settings))
    return ended, lines


def is_running(pid: int) -> bool:
    """A zombie does not run any more."""
    try:
        with open(f"/proc/{pid}/stat") as stat:
            return stat.read().rsplit(")", 1)[1].split()[0] != "Z"
    except FileNotFoundError:
        return False


def wait_gone(pid: int) -> None:
    end = time.monotonic() + 5
    while is_running(pid):
        assert time.monotonic() < end, f"process {pid} still runs"
        time.sleep(0.01)


def test_exit_status_output_and_input() -> None:
    ended, lines = shell("cat; echo to-stderr >&2; exit 3", stdin=b'{"a": 1}\nsecond\n')
    assert (ended.result, ended.status) == ("exit", 3)
    assert lines == ['{"a": 1}', "second", "to-stderr"]
    assert ended.words.startswith("ran 0.")


def test_arguments_are_not_read_by_a_shell() -> None:
    lines: list[str] = []
    argv = ["/bin/echo", "$HOME; ls", "*"]
    run = program.run(argv, environment={}, stdin=b"", timeout=10.0, user=None, output=lines.append)
    assert asyncio.run(run).status == 0
    assert lines == ["$HOME; ls *"]


def test_the_environment_is_ours_alone() -> None:
    os.environ["HAMAN_TEST_SECRET"] = "inherited"
    try:
        _, lines = shell("env | sort", environment={"HAMAN_ROLE": "active"})
    finally:
        del os.environ["HAMAN_TEST_SECRET"]
    names = {line.split("=")[0] for line in lines}
    assert names - {"PWD", "_", "SHLVL", "OLDPWD"} == {"PATH", "LANG", "HAMAN_ROLE"}


def test_own_session_working_directory_and_no_descriptors() -> None:
    with open("/dev/null") as held:
        os.set_inheritable(held.fileno(), True)
        _, lines = shell('cut -d" " -f1,5,6 /proc/$$/stat; pwd; ls /proc/$$/fd')
    pid, group, session = lines[0].split()
    assert pid == group == session
    assert lines[1] == "/"
    assert lines[2:] == ["0", "1", "2"]


def test_killed_by_a_signal() -> None:
    ended, _ = shell("kill -SEGV $$")
    assert (ended.result, ended.status) == ("signal", -signal.SIGSEGV)
    assert ended.words.startswith("killed by SIGSEGV after 0.")


def test_timeout_kills_the_whole_group(tmp_path: Path) -> None:
    pids = tmp_path / "pids"
    ended, _ = shell(f"sleep 60 & echo $$ $! > {pids}; wait", timeout=0.3)
    assert (ended.result, ended.status) == ("timeout", -signal.SIGTERM)
    assert ended.words == "did not end within 0.3 s: its process group was killed"
    assert 0.3 <= ended.seconds < 2.0
    for pid in map(int, pids.read_text().split()):
        wait_gone(pid)


def test_who_ignores_sigterm_is_killed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(program, "GRACE", 0.2)
    pids = tmp_path / "pids"
    ended, _ = shell(f"trap '' TERM; sleep 60 & echo $$ $! > {pids}; wait; wait", timeout=0.2)
    assert (ended.result, ended.status) == ("timeout", -signal.SIGKILL)
    for pid in map(int, pids.read_text().split()):
        wait_gone(pid)


def test_who_outlives_its_leader_after_a_timeout_is_killed(tmp_path: Path) -> None:
    """The leader obeys SIGTERM at once, its child does not."""
    pid = tmp_path / "pid"
    ended, _ = shell(f"(trap '' TERM; exec sleep 60) & echo $! > {pid}; wait", timeout=0.3)
    assert (ended.result, ended.status) == ("timeout", -signal.SIGTERM)
    wait_gone(int(pid.read_text()))


def test_killed_by_a_signal_without_a_name() -> None:
    ended, _ = shell("kill -40 $$")
    assert (ended.result, ended.status) == ("signal", -40)
    assert ended.words.startswith("killed by signal 40 after 0.")


def test_closed_it_is_gone_and_tells_nobody(tmp_path: Path) -> None:
    pid = tmp_path / "pid"

    async def scenario() -> None:
        told: list[Ended] = []
        argv = ["/bin/sh", "-c", f"echo $$ > {pid}.new; mv {pid}.new {pid}; sleep 60; exit"]
        run = program.Run(argv, environment={}, stdin=b"", user=None, output=print, ended=told.append)
        run.start()
        async with asyncio.timeout(60):
            while not pid.exists():
                await asyncio.sleep(0.01)
        run.close()
        assert not is_running(int(pid.read_text())), "reaped before close returns"
        run.close()
        assert told == []

    asyncio.run(scenario())


def test_what_a_swept_program_leaves_behind_is_killed(tmp_path: Path) -> None:
    pid = tmp_path / "pid"

    async def scenario() -> Ended:
        over: asyncio.Future[Ended] = asyncio.get_running_loop().create_future()
        argv = ["/bin/sh", "-c", f"sleep 60 & echo $! > {pid}"]
        program.Run(argv, environment={}, stdin=b"", user=None, output=print, ended=over.set_result, sweep=True).start()
        return await over

    assert asyncio.run(scenario()).status == 0
    wait_gone(int(pid.read_text()))


def test_a_descendant_that_holds_the_output_open_is_not_waited_for(tmp_path: Path) -> None:
    pid = tmp_path / "pid"
    ended, lines = shell(f"yes & echo $! > {pid}; sleep 0.2; exit 0")
    assert ended.result == "exit"
    assert ended.seconds < 5
    assert lines[-1].endswith("more lines dropped)")
    wait_gone(int(pid.read_text()))  # by SIGPIPE


def test_output_is_bounded() -> None:
    ended, lines = shell(
        "i=0; while [ $i -lt 300 ]; do echo line $i; i=$((i+1)); done; head -c 5000 /dev/zero | tr '\\0' x"
    )
    assert ended.result == "exit"
    assert lines[0] == "line 0"
    assert lines[99] == "line 99"
    assert lines[100:] == ["(201 more lines dropped)"]


def test_a_long_line_is_cut_and_control_signs_are_not_passed_on() -> None:
    _, lines = shell("head -c 5000 /dev/zero | tr '\\0' x; echo; printf 'a\\033[2Jb\\n'")
    assert [len(lines[0]), lines[1]] == [1000, "a?[2Jb"]


@pytest.mark.parametrize(
    ("argv", "user", "words"),
    [
        (["/nowhere/to/be/found"], None, "could not be started: No such file or directory"),
        (["/etc/passwd"], None, "could not be started: Permission denied"),
        (["/bin/true"], "no-such-user", "could not be started: \"there is no user 'no-such-user'\""),
    ],
)
def test_not_started(argv: list[str], user: str | None, words: str) -> None:
    run = program.run(argv, environment={}, stdin=b"", timeout=10.0, user=user, output=print)
    assert asyncio.run(run) == Ended("not_started", program.NOT_STARTED, 0.0, words)


def test_a_program_that_cannot_be_followed_is_not_started(monkeypatch: pytest.MonkeyPatch) -> None:
    """The machine may run out of descriptors between its start and the one that tells of its end."""
    follow = mock.Mock(side_effect=OSError(errno.ENFILE, "Too many open files in system"))
    monkeypatch.setattr(os, "pidfd_open", follow)
    before = set(os.listdir("/proc/self/fd"))
    ended, _ = shell("exec sleep 100")
    assert (ended.result, ended.code) == ("not_started", errno.ENFILE)
    assert ended.words == "could not be started: Too many open files in system"
    assert set(os.listdir("/proc/self/fd")) <= before
    with pytest.raises(ProcessLookupError):
        os.kill(follow.call_args.args[0], 0)


@ROOT
def test_privileges_are_dropped_with_all_groups() -> None:
    ended, lines = shell("id -un; id -gn; id -Gn; echo $HOME $USER; cat /etc/shadow", user="nobody")
    assert lines[:4] == ["nobody", "nogroup", "nogroup", "/nonexistent nobody"]
    assert ended.status != 0, "the shadow file was readable"


def test_the_own_user_needs_no_privilege() -> None:
    if os.geteuid() != 0:
        pytest.skip("setgroups needs root, even to the same groups")
    ended, lines = shell("id -un", user=getpass.getuser())
    assert (ended.status, lines) == (0, [getpass.getuser()])


def test_cancelled_it_takes_the_program_along(tmp_path: Path) -> None:
    pid = tmp_path / "pid"

    async def scenario() -> None:
        async with asyncio.TaskGroup() as tasks:
            task = tasks.create_task(
                program.run(
                    ["/bin/sh", "-c", f"echo $$ > {pid}.new; mv {pid}.new {pid}; sleep 60; exit"],
                    environment={},
                    stdin=b"",
                    timeout=60.0,
                    user=None,
                    output=print,
                )
            )
            async with asyncio.timeout(60):
                while not pid.exists():
                    await asyncio.sleep(0.01)
            task.cancel()
            with contextlib.suppress(asyncio.CancelledError):
                await task

    begun = time.monotonic()
    asyncio.run(scenario())
    assert time.monotonic() - begun < 4
    wait_gone(int(pid.read_text()))


def test_cancelled_in_the_grace_of_a_timeout_it_takes_the_program_along(tmp_path: Path) -> None:
    pid, asked = tmp_path / "pid", tmp_path / "asked"
    stubborn = f"trap 'echo > {asked}' TERM; echo $$ > {pid}; while :; do sleep 0.05; done"

    async def scenario() -> None:
        run = program.run(["/bin/sh", "-c", stubborn], environment={}, stdin=b"", timeout=1.0, user=None, output=print)
        async with asyncio.TaskGroup() as tasks:
            task = tasks.create_task(run)
            async with asyncio.timeout(60):
                while not asked.exists():
                    await asyncio.sleep(0.01)
            task.cancel()

    asyncio.run(scenario())
    wait_gone(int(pid.read_text()))
