"""A place with its own network, mounts and host name, held open by one thread that lives in it.

Linux namespaces belong to threads, not processes. A thread that has unshared its own can start programs (vfork
takes the namespaces of the calling thread) and run any Python there, a socket opened in it stays in that network
for ever: a place costs no process, no helper program and no second `exec`.
"""

from __future__ import annotations

import os
import socket
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import TYPE_CHECKING, ParamSpec, TypeVar

from haman.lab.covers import cover, essential
from haman.lab.syscalls import (
    CLONE_FS,
    CLONE_NEWNET,
    CLONE_NEWNS,
    CLONE_NEWUTS,
    MS_PRIVATE,
    MS_REC,
    mount,
    unshare,
)

if TYPE_CHECKING:
    from collections.abc import Callable

P = ParamSpec("P")
T = TypeVar("T")


class Place:
    """Own network and mount namespace (empty /run of its own, /sys of its own network) and host name.

    network: the descriptor of the network namespace, for `ip link ... netns /proc/PID/fd/N` and the like.
    Needs root. The namespaces end with `close()`, or later, with the last process or socket in them.
    """

    def __init__(self, name: str) -> None:
        self.name = name
        self._thread = ThreadPoolExecutor(max_workers=1, thread_name_prefix=f"lab-{name}")
        self.network = self.call(self._settle)
        self.inode = os.fstat(self.network).st_ino

    def _settle(self) -> int:
        unshare(CLONE_FS | CLONE_NEWNS | CLONE_NEWUTS | CLONE_NEWNET)
        mount("none", "/", flags=MS_REC | MS_PRIVATE)
        mount("sysfs", "/sys", "sysfs")
        cover(Path("/run"), essential())
        for directory in ("haman", "lock", "netns"):
            Path("/run", directory).mkdir()
        socket.sethostname(self.name)
        return os.open("/proc/thread-self/ns/net", os.O_RDONLY | os.O_CLOEXEC)

    def call(self, function: Callable[P, T], *args: P.args, **kwargs: P.kwargs) -> T:
        """Run `function` in this place and return what it returns. It must not wait for another call here."""
        return self._thread.submit(function, *args, **kwargs).result()

    def close(self) -> None:
        """Leave: idempotent."""
        if self.network >= 0:
            self._thread.shutdown()
            os.close(self.network)
            self.network = -1
