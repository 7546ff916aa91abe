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
from typing import TYPE_CHECKING, Final

from haman.errors import LabError
from haman.lab.covers import PROJECT, essential
from haman.lab.processors import reserved
from haman.lab.signals import unwinding
from haman.lab.supervise import follow

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

    from haman.lab.init import Order

_INIT: Final = """\
import sys
sys.path.insert(0, {project!r})
from haman.lab.init import main
main({order!r})
"""
"""The isolated interpreter knows no project; all it is told is in here."""

_LINE: Final = "/dev/tty2"
"""What a user-mode kernel makes of a descriptor that goes both ways: its second console."""

_PATH: Final = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"


def _print(text: str) -> None:
    sys.stdout.write(text)
    sys.stdout.flush()


@dataclass(frozen=True)
class Kernel:
    """name: `host`, `lab`, `debian`, or `given` (by path). why: one sentence for people.

    path: of a user-mode kernel; None is the host's own. modules: where its modules lie, None when it has none.
    """

    name: str
    why: str
    path: Path | None = None
    modules: Path | None = None


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
        line: int | None = None,
        held: Sequence[int] = (),
        writable: Sequence[Path] = (),
    ) -> int:
        """Run `command` as root in the current directory; returns its exit status (128 + signal if one killed it).

        work: an existing folder that is writable inside, at the same path, and known there as HAMAN_LAB_WORK; all
        else of the host's files is read-only, and /tmp, /var/tmp, /run and /dev/shm are empty and of memory.
        Without one, a temporary folder is used and removed.
        timeout: seconds. environment: added to (or over) the machine's own, which takes nothing from the caller's.
        output: gets the command's standard output and error as they come, not line by line.
        line: one end of a socket pair; the command finds the way to the other end under HAMAN_LAB_LINE, as the path of
        a terminal or the number of a descriptor. held: descriptors that stay open as long as anything of the machine
        lives. writable: further folders that are writable inside.
        Errors: LabError when the machine does not come up, panics, or outlives its timeout.
        """
        compileall.compile_dir(PROJECT / "haman", quiet=2)
        with unwinding(), contextlib.ExitStack() as stack:
            if work is None:
                work = Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="haman-lab-")))
            work = work.resolve()
            private = Path(stack.enter_context(tempfile.TemporaryDirectory(prefix=".machine-", dir=work)))
            order = self._order([str(word) for word in command], work, private, environment or {})
            order["writable"] += [str(path) for path in writable]
            if line is not None:
                order["environment"]["HAMAN_LAB_LINE"] = _LINE if order["booted"] else str(line)
            processor = stack.enter_context(reserved()) if self.kernel.path else None

            def start(descriptor: int) -> list[str]:
                return self._boot(private, order, descriptor, line, processor)

            said = follow(
                start,
                environment={"PATH": _PATH, "TMPDIR": str(memory_folder(self.memory, private))},
                timeout=timeout,
                output=output,
                descriptors=[*held, *([] if line is None else [line])],
            )
            return _answer(private / "status.json", said)

    def _order(self, command: list[str], work: Path, private: Path, environment: Mapping[str, str]) -> Order:
        """Everything init is told but where the output goes, which is known last."""
        return {
            "booted": self.kernel.path is not None,
            "modules": str(self.kernel.modules or ""),
            "command": command,
            "directory": str(Path.cwd()),
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
            "work": str(work),
            "writable": [],
            "keep": [str(path) for path in essential()],
            "output": "/dev/tty1",
            "status": str(private / "status.json"),
        }

    def _boot(self, private: Path, order: Order, descriptor: int, line: int | None, processor: int | None) -> list[str]:
        """The words that start the machine, the command's output going to `descriptor`, and the files they need."""
        if not order["booted"]:
            order = {**order, "output": str(descriptor)}
        (private / "order.json").write_text(json.dumps(order))
        (private / "init.py").write_text(_INIT.format(project=str(PROJECT), order=str(private / "order.json")))
        init = [sys.executable, "-I", "-S", str(private / "init.py")]
        if self.kernel.path is None:
            return ["unshare", "--net", "--mount", "--uts", "--pid", "--fork", "--kill-child", "--", *init]
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
            *([] if line is None else [f"con2=fd:{line}"]),
            f'init="{init[0]}"',
            "--",
            *(f'"{word}"' for word in init[1:]),
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
