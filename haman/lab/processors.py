"""A processor of its own for each machine that runs here.

A user-mode kernel and its processes take turns over ptrace and never run at once; kept on one processor a system
call costs 12 us, left to wander over two of them 28 us (both measured), because each turn then wakes another core.
"""

from __future__ import annotations

import contextlib
import os
import socket
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterator


@contextlib.contextmanager
def reserved() -> Iterator[int | None]:
    """The number of a processor that no other machine holds; None when all are taken.

    The reservation is an abstract socket name: seen by every user, gone with its holder, and no file is left.
    """
    for number in sorted(os.sched_getaffinity(0), reverse=True):
        holder = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
        with holder:
            try:
                holder.bind(f"\0haman-lab-processor-{number}")
            except OSError:
                continue
            yield number
            return
    yield None
