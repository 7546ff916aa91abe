"""How each kind of thing is looked at, on the machine the tests run on."""

from __future__ import annotations

import asyncio
import os
import subprocess
import time
from ipaddress import IPv4Address, IPv4Network
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from haman.director.trackers import asked, files, processes, routing, services
from haman.director.trackers.bell import Bell
from haman.director.trackers.judge import Look
from haman.health.weights import State
from haman.model.trackers import (
    FileWatch,
    PingWatch,
    ProcessWatch,
    RouteWatch,
    ScriptWatch,
    ServiceWatch,
    Tracker,
    Watched,
)
from haman.probes.equipment import Equipment

if TYPE_CHECKING:
    from collections.abc import AsyncGenerator

SLOW = 60.0
"""An interval that no test waits for: what is seen sooner was told."""


def tracker(watched: Watched, interval: float = SLOW, timeout: float = 5.0) -> Tracker:
    return Tracker(name="t", watched=watched, interval=interval, timeout=timeout)


async def first(looks: AsyncGenerator[Look, None]) -> Look:
    try:
        return await anext(looks)
    finally:
        await looks.aclose()


# -- files ----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("0\n", Look(True, "FILE holds 0")),
        ("", Look(True, "FILE holds 0")),
        (" -17 \n", Look(False, "FILE holds -17", -17)),
        ("ten", Look(False, "FILE holds 'ten', which is no whole number; 5 still counts", 5)),
        ("1.5", Look(False, "FILE holds '1.5', which is no whole number; 5 still counts", 5)),
    ],
)
def test_what_a_file_says(tmp_path: Path, text: str, expected: Look) -> None:
    path = tmp_path / "f"
    path.write_text(text)
    found = files.read(str(path), 5)
    assert Look(found.passed, found.words.replace(str(path), "FILE"), found.number) == expected


def test_what_is_no_file(tmp_path: Path) -> None:
    assert files.read(str(tmp_path / "none"), 5) == Look(True, f"there is no {tmp_path}/none, which counts as 0")
    assert files.read(str(tmp_path), 5).number == 5
    os.mkfifo(tmp_path / "fifo")
    assert files.read(str(tmp_path / "fifo"), 5).number == 0  # and nobody hangs


def test_a_change_of_a_file_is_told(tmp_path: Path) -> None:
    path = tmp_path / "f"

    async def story() -> list[int]:
        seen = []
        looks = files.looks(tracker(FileWatch(path=str(path))), FileWatch(path=str(path)))
        async with asyncio.timeout(60):
            seen.append((await anext(looks)).number)
            path.write_text("3")
            seen.append((await anext(looks)).number)
            (tmp_path / "new").write_text("4")
            (tmp_path / "new").rename(path)
            seen.append((await _until(looks, 4)).number)
            path.unlink()
            seen.append((await _until(looks, 0)).number)
        await looks.aclose()
        return seen

    assert asyncio.run(story()) == [0, 3, 4, 0]


async def _until(looks: AsyncGenerator[Look, None], number: int) -> Look:
    """Another file of the directory rings too."""
    async for look in looks:
        if look.number == number:
            return look
    raise AssertionError


def test_a_directory_that_comes_later_is_found_by_the_interval(tmp_path: Path) -> None:
    path = tmp_path / "later" / "f"

    async def story() -> int:
        looks = files.looks(tracker(FileWatch(path=str(path)), interval=0.01), FileWatch(path=str(path)))
        async with asyncio.timeout(60):
            await anext(looks)
            path.parent.mkdir()
            path.write_text("7")
            found = await _until(looks, 7)
        await looks.aclose()
        return found.number

    assert asyncio.run(story()) == 7


# -- processes ------------------------------------------------------------------------------------------------------


def sleeper(*words: str) -> subprocess.Popen[bytes]:
    return subprocess.Popen(["sleep", *words])


def test_processes_are_counted_by_name_and_words() -> None:
    one = sleeper("3601.25")
    try:
        while Path(f"/proc/{one.pid}/comm").read_text() != "sleep\n":  # it has not been executed yet
            time.sleep(0.001)
        assert processes.find(ProcessWatch(name="sleep", arguments=("3601.25",))) == {one.pid}
        assert processes.find(ProcessWatch(name="sleep", arguments=("3601",))) == set()
        assert processes.find(ProcessWatch(name="slee")) == set()
        one.kill()
        os.waitid(os.P_PID, one.pid, os.WEXITED | os.WNOWAIT)
        assert processes.find(ProcessWatch(name="sleep", arguments=("3601.25",))) == set(), "a zombie runs no more"
    finally:
        one.kill()
        one.wait()


def test_the_end_of_a_process_is_told() -> None:
    one = sleeper("3602.25")
    watch = ProcessWatch(name="sleep", arguments=("3602.25",))

    async def story() -> tuple[Look, Look]:
        looks = processes.looks(tracker(watch), watch)
        async with asyncio.timeout(60):
            while not (before := processes.judged(watch, len(processes.find(watch)))).passed:
                await asyncio.sleep(0.001)
            before = await anext(looks)
            one.kill()
            after = await anext(looks)
        await looks.aclose()
        return before, after

    try:
        before, after = asyncio.run(story())
    finally:
        one.kill()
        one.wait()
    assert before == Look(True, "1 process of sleep 3602.25 run")
    assert after == Look(False, "0 processes of sleep 3602.25 run, at least 1 wanted")


def test_a_quorum() -> None:
    watch = ProcessWatch(name="nginx", quorum=2)
    assert processes.judged(watch, 2).passed
    assert processes.judged(watch, 1) == Look(False, "1 process of nginx run, at least 2 wanted")


# -- machines and programs ------------------------------------------------------------------------------------------


def look_once(watched: Watched, timeout: float = 5.0) -> Look:
    async def story() -> Look:
        equipment = Equipment(asyncio.get_running_loop())
        try:
            return await first(asked.looks(tracker(watched, timeout=timeout), equipment))
        finally:
            equipment.close()

    return asyncio.run(story())


def test_a_machine_that_answers() -> None:
    assert look_once(PingWatch(address=IPv4Address("127.0.0.1"))).passed


@pytest.mark.parametrize(("program", "passed"), [("exit 0", True), ("exit 1", False), ("exit 7", False)])
def test_a_script_by_its_exit_status(program: str, passed: bool) -> None:
    assert look_once(ScriptWatch(argv=("/bin/sh", "-c", program))).passed is passed


def test_a_script_that_hangs_is_a_failure() -> None:
    look = look_once(ScriptWatch(argv=("/bin/sleep", "60")), timeout=0.2)
    assert not look.passed
    assert "0.2 s" in look.words


def test_a_script_is_asked_again_and_again() -> None:
    async def story() -> list[bool]:
        equipment = Equipment(asyncio.get_running_loop())
        looks = asked.looks(tracker(ScriptWatch(argv=("/bin/true",)), interval=0.01), equipment)
        try:
            return [(await anext(looks)).passed for _ in range(3)]
        finally:
            await looks.aclose()
            equipment.close()

    assert asyncio.run(story()) == [True, True, True]


# -- routes ---------------------------------------------------------------------------------------------------------


def test_a_route_that_is_not_there() -> None:
    watch = RouteWatch(destination=IPv4Network("198.51.100.0/30"), via=IPv4Address("192.0.2.9"), table=4711)
    look = asyncio.run(first(routing.looks(tracker(watch), watch)))
    assert look == Look(False, "no route to 198.51.100.0/30 via 192.0.2.9 in table 4711")


# -- services -------------------------------------------------------------------------------------------------------


class Weighed:
    def __init__(self, state: State) -> None:
        self.state, self.why = state, f"it is {state.value}"


def test_a_service_counts_once_it_was_checked_and_when_the_bell_rings() -> None:
    states = [State.UNKNOWN, State.UP, State.DOWN, State.FLOOR]

    async def story() -> list[Look]:
        now = iter(states)
        with Bell() as bell:
            looks = services.looks(
                tracker(ServiceWatch(service="web")),
                ServiceWatch(service="web"),
                lambda name: Weighed(next(now)),  # type: ignore[arg-type,return-value]
                bell,
            )
            found = []
            async with asyncio.timeout(60):
                for _ in range(3):
                    bell.ring()
                    found.append(await anext(looks))
            await looks.aclose()
            return found

    assert asyncio.run(story()) == [Look(True, "it is up"), Look(False, "it is down"), Look(True, "it is floor")]
