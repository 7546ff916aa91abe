"""Kernel tests: shared out over machines that run side by side, each with a pytest of its own inside."""

from __future__ import annotations

import asyncio
import json
import os
import sys
from typing import TYPE_CHECKING, Final
from xml.etree import ElementTree

from haman.lab.covers import PROJECT
from haman.lab.signals import unwinding

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence
    from pathlib import Path

FOLDER: Final = PROJECT / "tests" / "kernel"
DRILLS: Final = FOLDER / "drills"
"""Drills hold limits of milliseconds, so they have the machine for themselves: one kernel, nothing beside it."""
_TIMES: Final = PROJECT / "build" / "kernel-tests.json"
"""How long each file took last time, seconds: only to share them out evenly."""
_MOST: Final = 4
"""Machines at once: each takes a processor of its own and up to 1.5 GiB of memory."""


def share_out(seconds: Mapping[str, float], parts: int) -> list[list[str]]:
    """Files into at most `parts` lists that take about equally long; the longest file goes first, none is empty."""
    lists: list[list[str]] = [[] for _ in range(parts)]
    loads = [0.0] * parts
    for file in sorted(seconds, key=lambda file: (-seconds[file], file)):
        least = loads.index(min(loads))
        lists[least].append(file)
        loads[least] += seconds[file]
    return [files for files in lists if files]


def durations(reports: Iterable[Path]) -> dict[str, float]:
    """Seconds by test file ("tests/kernel/test_x.py") from junit reports."""
    found: dict[str, float] = {}
    for report in reports:
        for case in ElementTree.parse(report).iter("testcase"):
            module = case.get("classname", "").split(".")
            last = next((at for at, word in enumerate(module) if word.startswith("test_")), len(module) - 1)
            file = "/".join(module[: last + 1]) + ".py"
            found[file] = found.get(file, 0.0) + float(case.get("time", 0))
    return found


async def _machine(number: int, files: Sequence[str], work: Path) -> int:
    """One machine with one pytest inside, its lines marked with its number. Returns pytest's exit status."""
    runner = [sys.executable, "-m", "haman.lab", "run", "--full", "--work", str(work), "--"]
    # The project's folder is read-only inside, so what pytest and hypothesis would remember there goes nowhere.
    python = ["env", "HYPOTHESIS_STORAGE_DIRECTORY=/tmp/hypothesis", sys.executable]
    pytest = [*python, "-m", "pytest", "-vv", "-p", "no:cacheprovider", "-m", "kernel", f"--junitxml={work}/junit.xml"]
    process = await asyncio.create_subprocess_exec(
        *runner, *pytest, *files, stdout=asyncio.subprocess.PIPE, stderr=asyncio.subprocess.STDOUT, limit=1 << 20
    )
    assert process.stdout is not None
    try:
        async for line in process.stdout:
            print(f"{number}| {line.decode(errors='replace').rstrip()}", flush=True)
        return await process.wait()
    finally:
        if process.returncode is None:
            process.terminate()
            await process.wait()


async def _all(shares: Sequence[Sequence[str]], works: Sequence[Path]) -> list[int]:
    async with asyncio.TaskGroup() as group:
        tasks = [
            group.create_task(_machine(number, files, work))
            for number, (files, work) in enumerate(zip(shares, works, strict=True), 1)
        ]
    return [task.result() for task in tasks]


def run(results: Path, *, drills: bool = False) -> list[tuple[Path, int]]:
    """Run all kernel tests, or all drills; returns for each machine its junit report and its pytest's exit status.

    results: an existing, empty folder for what the machines leave.
    """
    known: dict[str, float] = json.loads(_TIMES.read_text()) if _TIMES.exists() else {}
    usual = sum(known.values()) / len(known) if known else 1.0
    paths = [path for path in sorted(FOLDER.rglob("test_*.py")) if path.is_relative_to(DRILLS) is drills]
    files = [str(path.relative_to(PROJECT)) for path in paths]
    machines = 1 if drills else min(_MOST, len(os.sched_getaffinity(0)))
    shares = share_out({file: known.get(file, usual) for file in files}, machines)
    works = [results / f"machine-{number}" for number in range(len(shares))]
    for work in works:
        work.mkdir()
    with unwinding():
        statuses = asyncio.run(_all(shares, works))
    reports = [work / "junit.xml" for work in works]
    _TIMES.write_text(json.dumps({**known, **durations(report for report in reports if report.exists())}))
    return list(zip(reports, statuses, strict=True))
