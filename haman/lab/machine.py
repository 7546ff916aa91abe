"""One command run to its end under a kernel with IPVS, over this machine's own files, read-only.

Which kernel is the business of kernels, what the first process inside does that of init, what runs there nobody's.
"""

from __future__ import annotations

import compileall
import contextlib
import json
import os
import sys
import tempfile
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

from haman.errors import LabError
from haman.lab.covers import PROJECT, essential
from haman.lab.processors import reserved
from haman.lab.signals import unwinding
from haman.lab.supervise import follow

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

    from haman.lab.kernels import Kernel

_PATH: Final = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"


def _print(text: str) -> None:
    sys.stdout.write(text)
    sys.stdout.flush()


@dataclass(frozen=True)
class Machine:
    """A kernel, and how much memory it gets at most, MiB: taken from the host only as it is used."""

    kernel: Kernel
    memory: int = 1536

    def run(
        self,
        command: Sequence[str | Path],
        *,
        work: Path | None = None,
        timeout: float = 600.0,
        environment: Mapping[str, str] | None = None,
        output: Callable[[str], None] = _print,
    ) -> int:
        """Run `command` as root in the current directory; returns its exit status (128 + signal if one killed it).

        work: an existing folder that is writable inside, at the same path, and known there as HAMAN_LAB_WORK; all
        else of the host's files is read-only, and /tmp, /var/tmp, /run and /dev/shm are empty and of memory.
        Without one, a temporary folder is used and removed.
        timeout: seconds. environment: added to (or over) the machine's own, which takes nothing from the caller's.
        output: gets the command's standard output and error as they come, not line by line.
        Errors: LabError when the machine does not come up, panics, or outlives its timeout.
        """
        compileall.compile_dir(PROJECT / "haman", quiet=2)
        with unwinding(), contextlib.ExitStack() as stack:
            if work is None:
                work = Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="haman-lab-")))
            work = work.resolve()
            private = Path(stack.enter_context(tempfile.TemporaryDirectory(prefix=".machine-", dir=work)))
            order = self._order([str(word) for word in command], work, private, environment or {})
            (private / "order.json").write_text(json.dumps(order))
            processor = stack.enter_context(reserved()) if self.kernel.path else None
            said = follow(
                lambda descriptor: self._command(private, descriptor, processor),
                environment={"PATH": _PATH, "TMPDIR": str(memory_folder(self.memory, private))},
                timeout=timeout,
                output=output,
            )
            return _answer(private / "status.json", said)

    def _order(self, command: list[str], work: Path, private: Path, environment: Mapping[str, str]) -> dict[str, Any]:
        """What init is told; init's docstring lists the keys."""
        return {
            "booted": self.kernel.path is not None,
            "modules": str(self.kernel.modules or ""),
            "command": command,
            "directory": str(Path.cwd()),
            "work": str(work),
            "status": str(private / "status.json"),
            "root": str(PROJECT),
            "keep": [str(path) for path in essential()],
            "environment": {
                "PATH": f"{Path(sys.executable).parent}:{_PATH}",
                "HOME": "/tmp/root",
                "USER": "root",
                "LANG": "C.UTF-8",
                "TERM": "dumb",
                "NO_COLOR": "1",
                "PYTHONDONTWRITEBYTECODE": "1",
                "HAMAN_LAB_INSIDE": self.kernel.name,
                "HAMAN_LAB_WORK": str(work),
                **environment,
            },
        }

    def _command(self, private: Path, descriptor: int, processor: int | None) -> list[str]:
        """The words that start the machine, the command's output going to `descriptor`."""
        init = [
            sys.executable, "-I", "-S", str(Path(__file__).with_name("init.py")), str(private / "order.json"),
        ]  # fmt: skip
        if self.kernel.path is None:
            spaces = ["unshare", "--net", "--mount", "--uts", "--pid", "--fork", "--kill-child"]
            return [*spaces, "--", *init, str(descriptor)]
        pinned = [] if processor is None else ["taskset", "--cpu-list", str(processor)]
        return [
            *pinned,
            str(self.kernel.path),
            f"mem={self.memory}M",
            f"uml_dir={private}",
            "rootfstype=hostfs",
            "rootflags=/",
            "ro",
            "quiet",
            "panic=-1",
            "con=null",
            "con0=null,fd:1",
            f"con1=null,fd:{descriptor}",
            f'init="{init[0]}"',
            "--",
            *(f'"{word}"' for word in [*init[1:], "/dev/tty1"]),
        ]


def memory_folder(memory: int, otherwise: Path) -> Path:
    """Where a user-mode kernel may keep its memory (MiB), which is a file mapped executable, unlinked at once.

    /dev/shm where it is large enough and not mounted noexec (in containers it is often neither); else `otherwise`.
    """
    shared = Path("/dev/shm")
    with contextlib.suppress(OSError):
        state = os.statvfs(shared)
        if state.f_bavail * state.f_frsize >= memory << 20 and not state.f_flag & os.ST_NOEXEC:
            return shared
    return otherwise


def _answer(path: Path, said: Sequence[str]) -> int:
    try:
        answer = json.loads(path.read_text())
    except FileNotFoundError:
        why = next((line for line in said if "panic" in line), "it halted before its command ended")
        raise LabError("\n".join([f"the machine died: {why}", *said])) from None
    if "error" in answer:
        raise LabError(f"the machine could not be laid out: {answer['error']}")
    return int(answer["status"])
