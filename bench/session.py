"""The frame around a measurement: `python -m bench.NAME` goes into a machine, measures there, comes back with numbers.

The same module runs twice. Outside it starts the laboratory's machine with itself as the command; inside, where
HAMAN_LAB_INSIDE is set, it measures and writes a Measurement into the working folder. Outside then adds what only it
can know (how busy the real machine was), prints the table and keeps the numbers in build/bench.
"""

from __future__ import annotations

import argparse
import json
import os
import platform
import subprocess
import sys
import tempfile
import time
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Final

from bench import tables
from bench.figures import Measurement
from haman.errors import LabError
from haman.lab import packages
from haman.lab.covers import PROJECT
from haman.lab.kernels import tell
from haman.lab.machine import Kernel, Machine
from haman.lab.prepare import prepare

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

RESULTS: Final = PROJECT / "build" / "bench"
HOST: Final = Kernel("host", "its own scheduler and processors")
"""The host's kernel, whatever it has: for what needs real scheduling and no IPVS. Takes root."""

BUSY: Final = 0.15
"""Processors in use by others beyond which a run's absolute numbers are not worth keeping."""


def inside() -> str | None:
    """The kernel's name when this process runs in the laboratory's machine: `host` or another."""
    return os.environ.get("HAMAN_LAB_INSIDE")


def main(
    name: str, measure: Callable[[Path], Measurement], *, timeout: float, memory: int = 1536, own_kernel: bool = False
) -> int:
    """Run the measurement of the module `bench.NAME`. Returns the exit status, also when a goal is missed: 0.

    measure: called inside, with the working folder. timeout: seconds for all of it. memory: MiB.
    own_kernel: it runs on the host's kernel first, then in the lab's; it can ask `inside` where it is.
    """
    if inside():
        measurement = measure(Path(os.environ["HAMAN_LAB_WORK"]))
        Path(os.environ["HAMAN_LAB_WORK"], "measurement.json").write_text(json.dumps(measurement.to_json()))
        return 0
    parser = argparse.ArgumentParser(prog=f"python -m bench.{name}")
    if own_kernel:
        parser.add_argument("--only", choices=["host", "lab"], help="on one of the two kernels")
    only = getattr(parser.parse_args(), "only", None)
    try:
        packages.install(packages.missing(["peer"]), tell)
        if own_kernel and only != "lab":
            _run(name, HOST, timeout, memory)
        if only != "host":
            _run(name, prepare(full=True), timeout, memory)
    except LabError as error:
        print(f"bench.{name}: {error}", file=sys.stderr)
        return 1
    return 0


def _run(name: str, kernel: Kernel, timeout: float, memory: int) -> None:
    """One machine; Errors: LabError."""
    if kernel.path is None and os.geteuid():
        tell(f"bench.{name}: not on the host's own kernel: that takes root")
        return
    before, begun = busy(), time.monotonic()
    with tempfile.TemporaryDirectory(prefix="haman-bench-") as folder:
        command = [sys.executable, "-m", f"bench.{name}"]
        status = Machine(kernel, memory).run(command, work=Path(folder), timeout=timeout)
        report = Path(folder, "measurement.json")
        if status or not report.exists():
            raise LabError(f"on the {kernel.name} kernel it ended with status {status}")
        measurement = Measurement.from_json(json.loads(report.read_text()))
    seconds = time.monotonic() - begun
    measurement = replace(measurement, conditions={**measurement.conditions, **_conditions(before, seconds)})
    print(tables.plain(measurement), flush=True)
    RESULTS.mkdir(parents=True, exist_ok=True)
    (RESULTS / f"{measurement.name}.json").write_text(json.dumps(measurement.to_json(), indent=1) + "\n")


def _conditions(before: float, seconds: float) -> dict[str, str]:
    others = max(before, busy())
    warning = " (TOO MANY: repeat it when the machine is quiet)" if others > BUSY else ""
    return {
        "others kept busy": f"{others:.2f} of {os.cpu_count()} processors{warning}",
        "took": f"{seconds:.0f} s",
        "on": datetime.now(UTC).strftime("%Y-%m-%d"),
    }


def busy(over: float = 1.0) -> float:
    """How many of the real machine's processors are in use now, while we ourselves do nothing for `over` seconds."""

    def taken() -> int:
        user, nice, system, _, _, irq, softirq, steal = map(int, Path("/proc/stat").read_text().split()[1:9])
        return user + nice + system + irq + softirq + steal

    before = taken()
    time.sleep(over)
    return (taken() - before) / os.sysconf("SC_CLK_TCK") / over


def versions(*programs: str) -> dict[str, str]:
    """What it ran with: the kernel as it calls itself inside, Python, and of each program its Debian version."""
    found = {"kernel": f"{platform.release()}{'' if inside() == 'host' else ' in user mode'}"}
    found["Python"] = platform.python_version()
    for program in programs:
        command = ["dpkg-query", "--show", "--showformat", "${Version}", program]
        answer = subprocess.run(command, capture_output=True, text=True, check=False)
        found[program] = answer.stdout.strip() or "of unknown version"
    return found


def say(words: Sequence[str] | str) -> None:
    """A line of progress, from inside."""
    print(words if isinstance(words, str) else " ".join(words), flush=True)
