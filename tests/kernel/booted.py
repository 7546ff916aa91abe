"""A machine of the laboratory with a systemd that is process 1, in namespaces of its own on one of the hosts."""

from __future__ import annotations

import contextlib
import os
import signal
from pathlib import Path
from typing import TYPE_CHECKING

from haman.lab.waiting import until

if TYPE_CHECKING:
    from haman.lab.hosts import Host

PATIENCE = 90.0

TARGET = """
[Unit]
DefaultDependencies=no
AllowIsolate=yes
"""


class Booted:
    """A host with a running systemd. script: for the shell, with the folder `work` as its argument; it ends by
    becoming systemd. unit: the one that is asked about."""

    def __init__(self, host: Host, work: Path, script: str, unit: str) -> None:
        self.host = host
        self.work = work
        self.unit = unit
        unshare = ["unshare", "--pid", "--mount", "--cgroup", "--fork", "--kill-child", "--mount-proc"]
        self.process = host.spawn(*unshare, "sh", "-c", script, "boot", str(work), log=work / "boot.log")
        until("systemd to be process 1", self.pid, PATIENCE)
        until("systemd to answer", lambda: self("systemctl", "show", "--property=Version", check=False), PATIENCE)

    def pid(self, inner: str = "1") -> int:
        """The process that inside has this number, as this test sees it; 0 if there is none."""
        for pid in self.host.processes():
            with contextlib.suppress(OSError):
                status = Path(f"/proc/{pid}/status").read_text()
                (numbers,) = (line.split()[1:] for line in status.splitlines() if line.startswith("NSpid:"))
                if len(numbers) > 1 and numbers[-1] == inner and "sh\n" not in status.splitlines(keepends=True)[0]:
                    return pid
        return 0

    def __call__(self, *argv: str, check: bool = True, timeout: float = PATIENCE) -> str:
        inside = ["nsenter", "--target", str(self.pid()), "--mount", "--pid"]
        done = self.host.run(*inside, *argv, check=check, timeout=timeout)
        return "" if done.returncode and not check else done.stdout

    def show(self, name: str) -> str:
        return self("systemctl", "show", f"--property={name}", "--value", self.unit).strip()

    def log(self) -> str:
        return self("cat", "/run/lab/log", check=False)

    def off(self) -> None:
        """The plug is pulled; idempotent."""
        if pid := self.pid():
            with contextlib.suppress(ProcessLookupError):
                os.kill(pid, signal.SIGKILL)
        self.process.kill()
