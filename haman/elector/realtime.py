"""Keeping the elector on time on a busy machine: scheduling class, memory, garbage collection.

Each of these needs a privilege or a limit that a container may withhold; then the elector runs on without it, and
says so, since lateness is then bounded by the machine's load and nothing else.
"""

from __future__ import annotations

import ctypes
import gc
import os
import sys

PRIORITY = 50
"""Among the real-time priorities 1..99: above ordinary programs, below the kernel's own interrupt threads (50 and up
win over equal priority by coming first, so a director with many cores loses nothing)."""

SWITCH = 0.0005
"""Seconds a thread may keep the interpreter while the loop waits for it; Python's own 5 ms are too many."""

_MCL_CURRENT, _MCL_FUTURE = 1, 2


def prepare() -> list[str]:
    """Everything the system allows. Returns what it refused, in words.

    Call it once all modules are loaded and BEFORE the first router speaks: a start at real-time priority holds up
    everybody else on its processor for as long as Python takes."""
    sys.setswitchinterval(SWITCH)
    freeze()
    refused = []
    libc = ctypes.CDLL(None, use_errno=True)
    if libc.mlockall(_MCL_CURRENT | _MCL_FUTURE) != 0:
        reason = os.strerror(ctypes.get_errno())
        refused.append(f"memory not locked ({reason}); needs CAP_IPC_LOCK or LimitMEMLOCK")
    try:
        # Children (director, hooks) must not inherit the class: a looping hook would own the core.
        os.sched_setscheduler(0, os.SCHED_FIFO | os.SCHED_RESET_ON_FORK, os.sched_param(PRIORITY))
    except OSError as error:
        refused.append(f"no real-time scheduling ({error.strerror}); needs CAP_SYS_NICE or LimitRTPRIO")
    return refused


def freeze() -> None:
    """What exists now is never walked by the collector again."""
    gc.collect()
    freeze_again()
    # A look at everything that lives takes a tenth of a second once there is a configuration of many addresses. Few
    # things here are cycles, and those are young: the first two generations find them.
    gc.set_threshold(700, 10, 1 << 30)


def freeze_again() -> None:
    """Called when a configuration was taken: it lives as long as it is the current one, and holds no cycles."""
    gc.freeze()
