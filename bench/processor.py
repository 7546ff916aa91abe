"""CPU time and memory of a process, as the kernel counts them."""

from __future__ import annotations

import os
import time
from pathlib import Path

_PROCESS_CLOCK = 2
"""CPUCLOCK_SCHED of include/linux/posix-timers_types.h: what clock_getcpuclockid(3) makes of a pid."""


def cpu_seconds(pid: int) -> float:
    """CPU time of the whole process so far, user and system, in the scheduler's own resolution; children not included.

    Not from /proc/PID/stat: there it is counted in ticks of 10 ms, and work that begins at a timer is over before
    the next one.
    """
    return time.clock_gettime(~pid << 3 | _PROCESS_CLOCK)


def memory(pid: int) -> tuple[float, float]:
    """MiB: the process's resident set, and its proportional share of it (pages shared with others divided by them)."""
    fields = {}
    for line in Path(f"/proc/{pid}/smaps_rollup").read_text().splitlines()[1:]:
        name, value, *_ = line.split()
        fields[name] = int(value) / 1024
    return fields["Rss:"], fields["Pss:"]


def family(pid: int) -> list[int]:
    """The process and all its descendants, parents first."""
    parents: dict[int, list[int]] = {}
    for entry in os.listdir("/proc"):
        if entry.isdigit():
            try:
                stat = Path("/proc", entry, "stat").read_text()
            except OSError:
                continue  # it has just ended
            parents.setdefault(int(stat.rpartition(")")[2].split()[1]), []).append(int(entry))
    found = [pid]
    for each in found:
        found += sorted(parents.get(each, []))
    return found


def command_line(pid: int) -> list[str]:
    return Path(f"/proc/{pid}/cmdline").read_text().split("\0")[:-1]
