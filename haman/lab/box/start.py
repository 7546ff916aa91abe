"""`haman lab up` and `down` as far as processes and files go: the keeper begun, asked when it can be, and ended."""

from __future__ import annotations

import contextlib
import os
import signal
import subprocess
import sys
import time
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

from haman.errors import LabError
from haman.lab.box import order
from haman.lab.box.client import Call, NoLab
from haman.lab.box.folder import LOG, Folder

if TYPE_CHECKING:
    from collections.abc import Callable

    from haman.lab.box.order import Order
    from haman.lab.machine import Kernel

COME: Final = 120.0
"""Seconds until a keeper can be asked, and until a machine in trouble says so: one, but not on a starved machine."""

GOOD: Final = 60.0
"""Seconds for an end in good order; then the keeper is told to end its machine, at last it is killed."""

WORDS: Final = 12
"""Lines of a keeper's log that go into an error."""


def up(wanted: Order, kernel: Kernel, folder: Folder, patience: float, tell: Callable[[str], None]) -> dict[str, Any]:
    """Have a keeper keep this cluster in the claimed folder; returns its condition when it serves, or what it is after
    `patience` seconds. tell: gets what happens, in words.

    Errors: LabError when there is no cluster; nothing of it is left then, nor on any other exception.
    """
    filled = replace(
        wanted,
        kernel=kernel.name,
        why=kernel.why,
        path=str(kernel.path or ""),
        modules=str(kernel.modules or ""),
        since=time.time(),
    )
    try:
        filled.write(folder.path)
        keeper = _keeper(folder)
        folder.release()
        question = {"ask": "ready", "patience": patience}
        with _first(keeper, folder, question, tell) as call:
            condition: dict[str, Any] = call.answer()
    except LabError as error:
        words = _last_words(folder)
        down(folder)
        raise LabError(f"{error}{words}") from None
    except BaseException:
        down(folder)
        raise
    return condition


def _keeper(folder: Folder) -> subprocess.Popen[bytes]:
    """In a session of its own: no terminal's end is its end. The lock goes with it."""
    with (folder.path / LOG).open("wb") as log:
        return subprocess.Popen(
            [sys.executable, "-m", "haman.lab.box.keeper", str(folder.path), str(folder.lock)],
            stdin=subprocess.DEVNULL,
            stdout=log,
            stderr=subprocess.STDOUT,
            start_new_session=True,
            pass_fds=[folder.lock],
        )


def _first(
    keeper: subprocess.Popen[bytes], folder: Folder, question: dict[str, Any], tell: Callable[[str], None]
) -> Call:
    """The first question, as soon as there is somebody to take it. Errors: LabError."""
    deadline = time.monotonic() + COME
    while True:
        with contextlib.suppress(NoLab):
            return Call(question, folder=folder, said=tell)
        if keeper.poll() is not None:
            raise LabError(folder.ended() or f"the keeper ended with status {keeper.returncode}")
        if time.monotonic() > deadline:
            raise LabError(f"the keeper cannot be asked after {COME:g} s")
        time.sleep(0.05)


def _last_words(folder: Folder) -> str:
    """The end of the keeper's log, where it wrote anything."""
    with contextlib.suppress(OSError):
        lines = (folder.path / LOG).read_text(errors="replace").splitlines()[-WORDS:]
        return "\n".join(["", *lines]) if lines else ""
    return ""


def down(folder: Folder) -> bool:
    """End the cluster and remove all there is of it; False when there was none. Errors: LabError when it cannot be."""
    folder.release()
    if not folder.exists():
        return False
    if folder.lives():
        _end(folder)
    with contextlib.suppress(FileNotFoundError):  # somebody else may be doing the same
        folder.remove()
    return True


def _end(folder: Folder) -> None:
    with contextlib.suppress(LabError), Call({"ask": "end"}, folder=folder, patience=GOOD) as call:
        call.answer()
        if folder.wait_dead(GOOD):
            return
    for number in (signal.SIGTERM, signal.SIGKILL):
        pid = _keeper_of(folder)
        if pid is not None:
            with contextlib.suppress(ProcessLookupError):
                os.kill(pid, number)
        if folder.wait_dead(GOOD):
            return
    raise LabError(f"something still holds {folder.path}/lock: fuser -v {folder.path}/lock names it")


def _keeper_of(folder: Folder) -> int | None:
    """Its pid, if that is still the keeper's: numbers are given again."""
    pid = folder.keeper()
    with contextlib.suppress(OSError):
        words = Path(f"/proc/{pid}/cmdline").read_bytes().split(b"\0")
        if b"haman.lab.box.keeper" in words and os.fsencode(folder.path) in words:
            return pid
    return None


def kept(folder: Folder) -> Order:
    """What is kept there. Errors: LabError."""
    try:
        return order.read(folder.path)
    except (OSError, ValueError, TypeError):
        raise LabError("a cluster is just being started, or ended") from None
