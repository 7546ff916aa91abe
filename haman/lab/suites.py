"""Kernel tests, in sittings: each a freshly booted machine with one pytest inside, some machines side by side.

A machine lives for a few minutes only: a user-mode kernel that has run hundreds of programs may die of what has
gathered on it, and takes with it the results of what it ran.
"""

from __future__ import annotations

import asyncio
import json
import os
import sys
from typing import TYPE_CHECKING, Final

from haman.lab.covers import PROJECT
from haman.lab.reports import Sitting, seconds
from haman.lab.signals import unwinding
from haman.lab.stories.table import every

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence
    from pathlib import Path

FOLDER: Final = PROJECT / "tests" / "kernel"
DRILLS: Final = FOLDER / "drills"
"""Drills hold limits of milliseconds, so they have the machine for themselves: one kernel, nothing beside it."""
STORIES: Final = FOLDER / "stories"
"""Stories mostly wait for what must come true, so they run beside others, and are dealt out one by one."""
SLICE: Final = "kernel and not release"
"""What every change is tested with, as pytest selects it."""
RELEASE: Final = "kernel and release"
"""What is left for a release: drills, and stories and drills that must turn red."""
UNTIL: Final = "HAMAN_TEST_UNTIL"
"""In the environment: seconds since the epoch after which a kernel test is left out, and says so; empty: never."""
_GRACE: Final = 900.0
"""Seconds longer for tests that are heard again: one that is not failed."""
_TIMES: Final = PROJECT / "build" / "kernel-tests.json"
"""How long each file, or single story, took last time, seconds: only to deal them out evenly."""
_FILE: Final = 30.0
"""Seconds a file takes that was never run."""
_MOST: Final = 4
"""Machines at once: each takes a processor of its own and up to 1.5 GiB of memory."""

OPTIONS: Final = (
    *("-o", "faulthandler_timeout=900", "-o", "faulthandler_exit_on_timeout=true"),
    *("--no-summary", "-o", "junit_logging=all", "-o", "junit_log_passing_tests=false"),
)
"""For pytest: after so many seconds a test says where it hangs, and all ends (a story may be played three times); and
nothing about tests that fail but in the report, as they are heard again."""

_LONG: Final = 120.0
"""Seconds that a sitting takes, more or less."""

_ENDS: Final = ("the machine died", "still running after")
"""How the line begins that says why a machine did not live until its command ended."""


def sittings(files: Mapping[str, float], most: float = _LONG) -> list[list[str]]:
    """Files, with the seconds they take, in the order in which machines take them on: the longest first, so that all
    machines end at about the same time; and as many together as take no longer than `most`."""
    found: list[list[str]] = []
    taken = most
    for file in sorted(files, key=lambda file: (-files[file], file)):
        if taken + files[file] > most:
            found.append([])
            taken = 0.0
        found[-1].append(file)
        taken += files[file]
    return found


def durations(reports: Iterable[Path]) -> dict[str, float]:
    """Seconds by test file ("tests/kernel/test_x.py") from junit reports; by test ("...test_stories.py::test_a[b]") for
    stories."""
    found: dict[str, float] = {}
    for report in reports:
        for file, name, taken in seconds(report):
            key = f"{file}::{name}" if (PROJECT / file).is_relative_to(STORIES) else file
            found[key] = found.get(key, 0.0) + taken
    return found


def stories(marks: str) -> dict[str, float]:
    """The tests of all stories that are so marked (SLICE, RELEASE), as pytest names them, and the seconds they take."""
    file = (STORIES / "test_stories.py").relative_to(PROJECT)
    return {f"{file}::test_a_story[{each}]": each.story.takes for each in every() if each.sliced is (marks == SLICE)}


async def _machine(number: int, files: Sequence[str], marks: str, work: Path, until: str) -> Sitting:
    """One machine with one pytest inside, its lines marked with its number. until: for UNTIL."""
    runner = [sys.executable, "-m", "haman.lab", "run", "--full", "--work", str(work), "--"]
    # The project's folder is read-only inside, so what pytest and hypothesis would remember there goes nowhere.
    python = ["env", "HYPOTHESIS_STORAGE_DIRECTORY=/tmp/hypothesis", f"{UNTIL}={until}", sys.executable]
    pytest = [*python, "-m", "pytest", "-vv", "--no-header", "-p", "no:cacheprovider", *OPTIONS, "-m", marks]
    pytest.append(f"--junitxml={work}/junit.xml")
    process = await asyncio.create_subprocess_exec(
        *runner, *pytest, *files, stdout=asyncio.subprocess.PIPE, stderr=asyncio.subprocess.STDOUT, limit=1 << 20
    )
    assert process.stdout is not None
    end = ""
    try:
        async for line in process.stdout:
            text = line.decode(errors="replace").rstrip()
            print(f"{number}| {text}", flush=True)
            if text.startswith(_ENDS):
                end = text
        return Sitting(tuple(files), work / "junit.xml", await process.wait(), end)
    finally:
        if process.returncode is None:
            process.terminate()
            await process.wait()


async def _all(
    tests: Sequence[Sequence[str]], marks: str, machines: int, results: Path, until: str = ""
) -> list[Sitting]:
    waiting = list(enumerate(tests))
    done: list[Sitting] = []

    async def work(number: int) -> None:
        while waiting:
            at, files = waiting.pop(0)
            folder = results / f"sitting-{at}"
            folder.mkdir(parents=True)
            done.append(await _machine(number, files, marks, folder, until))

    async with asyncio.TaskGroup() as group:
        for number in range(1, machines + 1):
            group.create_task(work(number))
    return done


def _files(marks: str, *, drills: bool) -> list[str]:
    """The files of tests, but for the stories'."""
    paths = [path for path in sorted(FOLDER.rglob("test_*.py")) if path.is_relative_to(DRILLS) is drills]
    if marks == RELEASE and not drills:
        return []
    return [str(path.relative_to(PROJECT)) for path in paths if not path.is_relative_to(STORIES)]


def run(marks: str, results: Path, *, drills: bool = False) -> list[Sitting]:
    """Run all kernel tests so marked (SLICE, RELEASE), or all drills; after the moment in UNTIL none is begun any more.
    results: an existing, empty folder for what the machines leave."""
    known: dict[str, float] = json.loads(_TIMES.read_text()) if _TIMES.exists() else {}
    files = {file: known.get(file, _FILE) for file in _files(marks, drills=drills)}
    if not drills:
        files |= {test: known.get(test, usual) for test, usual in stories(marks).items()}
    machines = 1 if drills else min(_MOST, len(os.sched_getaffinity(0)))
    with unwinding():
        done = asyncio.run(_all(sittings(files), marks, machines, results, os.environ.get(UNTIL, "")))
    _TIMES.write_text(json.dumps({**known, **durations(each.report for each in done)}))
    return done


def alone(marks: str, tests: Sequence[str], results: Path) -> list[Sitting]:
    """The same for these tests only, _GRACE longer, on one machine with nothing beside it."""
    until = os.environ.get(UNTIL, "")
    with unwinding():
        return asyncio.run(_all([tests], marks, 1, results, until and str(float(until) + _GRACE)))
