"""One command run to its end under a kernel with IPVS, over this machine's own files, read-only.

Knows how to boot, watch and end a machine; what kernel is none of its business (kernels), nor what runs (hosts).
"""

from __future__ import annotations

import codecs
import contextlib
import json
import os
import selectors
import signal
import subprocess
import sys
import tempfile
import time
from collections import deque
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from haman.errors import LabError
from haman.lab.processors import reserved_processor

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping, Sequence

    from haman.lab.kernels import Kernel

PROJECT = Path(__file__).resolve().parents[2]


def _print(text: str) -> None:
    sys.stdout.write(text)
    sys.stdout.flush()


@dataclass(frozen=True)
class Machine:
    """A kernel and how much memory it gets (MiB, taken as it is used)."""

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

        work: an existing folder that is writable inside, at the same path; everything else of the host's files is
        read-only, and /tmp, /run, /dev/shm are empty. The command finds it as HAMAN_LAB_WORK. Without one a
        temporary folder is used and removed.
        timeout: seconds. environment: added to (or over) the machine's own.
        output: gets the command's standard output and error as they come, not line by line.
        Errors: LabError when the machine does not come up, panics, or outlives its timeout.
        """
        with contextlib.ExitStack() as stack:
            stack.enter_context(_terminated_as_exit())
            if work is None:
                work = Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="haman-lab-")))
            private = Path(stack.enter_context(tempfile.TemporaryDirectory(prefix=".machine-", dir=work)))
            order = self._order([str(word) for word in command], work.resolve(), private.resolve(), environment or {})
            (private / "order.json").write_text(json.dumps(order))
            noise = self._boot(private, timeout, output)
            return _answer(private / "status.json", noise)

    def _order(self, command: list[str], work: Path, private: Path, environment: Mapping[str, str]) -> dict[str, Any]:
        booted = self.kernel.path is not None
        path = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"
        return {
            "kind": "machine" if booted else "namespaces",
            "command": command,
            "directory": str(Path.cwd()),
            "work": str(work),
            "status": str(private / "status.json"),
            "root": str(PROJECT),
            "keep": [str(PROJECT), str(Path.cwd()), sys.prefix, sys.base_prefix],
            "console": "/dev/tty1" if booted else "",
            "environment": {
                "PATH": f"{Path(sys.executable).parent}:{path}",
                "HOME": "/tmp/root",
                "USER": "root",
                "LANG": "C.UTF-8",
                "TERM": "dumb",
                "NO_COLOR": "1",
                "PYTHONDONTWRITEBYTECODE": "1",
                "HAMAN_LAB_WORK": str(work),
                "HAMAN_LAB_INSIDE": self.kernel.name,
                **environment,
            },
        }

    def _command(self, private: Path, output: int) -> list[str]:
        init = [sys.executable, "-I", "-S", str(Path(__file__).with_name("init.py")), str(private / "order.json")]
        if self.kernel.path is None:
            return ["unshare", "--net", "--mount", "--uts", "--pid", "--fork", "--kill-child", "--", *init]
        return [
            str(self.kernel.path),
            f"mem={self.memory}M",
            f"uml_dir={private}",
            "rootfstype=hostfs",
            "rootflags=/",
            "ro",
            "con=null",
            "con0=null,fd:1",
            f"con1=null,fd:{output}",
            "quiet",
            "panic=-1",
            f'init="{init[0]}"',
            "--",
            *(f'"{word}"' for word in init[1:]),
        ]

    def _boot(self, private: Path, timeout: float, output: Callable[[str], None]) -> list[str]:
        """Run the machine until it halts. Returns the last lines the kernel itself said."""
        deadline = time.monotonic() + timeout
        reader, writer = os.pipe()
        noise: deque[str] = deque(maxlen=40)
        with reserved_processor() as processor, contextlib.ExitStack() as stack:
            stack.callback(os.close, reader)
            booted = self.kernel.path is not None
            place = ["taskset", "--cpu-list", str(processor)] if booted and processor is not None else []
            process = subprocess.Popen(
                ["setpriv", "--pdeathsig", "KILL", *place, *self._command(private, writer)],
                stdin=subprocess.DEVNULL,
                stdout=subprocess.PIPE if booted else writer,
                stderr=subprocess.STDOUT,
                pass_fds=[writer],
                start_new_session=True,
            )
            os.close(writer)
            stack.callback(_end, process)
            with selectors.DefaultSelector() as selector:
                selector.register(reader, selectors.EVENT_READ, _text(output))
                if process.stdout:
                    selector.register(process.stdout, selectors.EVENT_READ, _lines(noise))
                while selector.get_map():
                    ready = selector.select(deadline - time.monotonic())
                    if not ready:
                        raise LabError(f"the machine was still running after {timeout:g} s and was ended")
                    for key, _ in ready:
                        data = os.read(key.fd, 65536)
                        key.data(data)
                        if not data:
                            selector.unregister(key.fd)
        return list(noise)


def _end(process: subprocess.Popen[bytes]) -> None:
    """The machine and all it started: its processes share its group, and no exit is waited for in vain."""
    with contextlib.suppress(ProcessLookupError):
        os.killpg(process.pid, signal.SIGKILL)
    process.wait()
    if process.stdout:
        process.stdout.close()


def _text(output: Callable[[str], None]) -> Callable[[bytes], None]:
    decoder = codecs.getincrementaldecoder("utf-8")("replace")

    def take(data: bytes) -> None:
        if text := decoder.decode(data, final=not data):
            output(text)

    return take


def _lines(noise: deque[str]) -> Callable[[bytes], None]:
    rest = b""

    def take(data: bytes) -> None:
        nonlocal rest
        *lines, rest = (rest + data).split(b"\n")
        noise.extend(line.decode("utf-8", "replace").rstrip() for line in lines)

    return take


def _answer(path: Path, noise: Sequence[str]) -> int:
    try:
        answer = json.loads(path.read_text())
    except FileNotFoundError:
        raise LabError("the machine died; its kernel's last words:\n" + "\n".join(noise)) from None
    if "error" in answer:
        raise LabError(f"the machine could not be laid out: {answer['error']}")
    return int(answer["status"])


@contextlib.contextmanager
def _terminated_as_exit() -> Iterator[None]:
    """SIGTERM and SIGHUP unwind like Ctrl-C while the machine runs, so that everything is cleaned up."""

    def leave(number: int, _frame: object) -> None:
        raise SystemExit(128 + number)

    try:
        before = {number: signal.signal(number, leave) for number in (signal.SIGTERM, signal.SIGHUP)}
    except ValueError:  # not the main thread: whoever owns it owns the signals
        yield
        return
    try:
        yield
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)
