"""Where a user's one cluster is kept: a folder, and a lock that is held as long as anything of its machine lives.

The lock is one open file, inherited by the keeper and by the machine's processes. It is free when the last of them has
gone, however they went: then all that can be left is the folder.
"""

from __future__ import annotations

import contextlib
import fcntl
import os
import shutil
import socket
import stat
from pathlib import Path
from typing import TYPE_CHECKING, Final

from haman.errors import LabError
from haman.lab.waiting import happens

if TYPE_CHECKING:
    from collections.abc import Iterator

VARIABLE: Final = "HAMAN_LAB_FOLDER"
"""Another folder, and so another cluster beside the first."""

SOCKET, LOCK, KEEPER, ENDED, LOG = "line", "lock", "keeper", "ended", "keeper.log"
"""In the folder: the callers' socket, the lock, the keeper's pid, why the machine is no more, what it said."""

_EVERY: Final = 0.05
_LOOKED: Final = 1.0
"""Seconds that a lock may be held by somebody who only looks whether it is."""


def where() -> Path:
    """The folder of this user, there or not."""
    if chosen := os.environ.get(VARIABLE):
        return Path(chosen).absolute()
    runtime = os.environ.get("XDG_RUNTIME_DIR")
    if runtime and os.access(runtime, os.W_OK):
        return Path(runtime) / "haman-lab"
    return Path("/tmp") / f"haman-lab-{os.getuid()}"


class Folder:
    """The folder as it is found. lock: the open lock file, -1 before `claim`."""

    def __init__(self, path: Path | None = None) -> None:
        self.path = path or where()
        self.lock = -1

    def claim(self) -> bool:
        """Make it ours, empty but for the lock; False when a cluster lives there. What a dead one left is removed.
        Errors: LabError."""
        while True:
            with contextlib.suppress(FileExistsError), _blamed(self.path):
                self.path.mkdir(mode=0o700, parents=True)
            self._ours()
            if not happens(self._locked, _LOOKED):
                return False
            if self._same():
                break
            self.release()
        for entry in self.path.iterdir():
            if entry.name != LOCK:
                shutil.rmtree(entry) if entry.is_dir() else entry.unlink()
        return True

    def exists(self) -> bool:
        return self.path.is_dir()

    def lives(self) -> bool:
        """Whether anything of a machine holds the lock."""
        if not (self.path / LOCK).exists():
            return False
        self._ours()
        if self._locked():
            self.release()
            return False
        return True

    def wait_dead(self, patience: float) -> bool:
        """Until the lock is free, at most `patience` seconds."""
        return happens(lambda: not self.lives(), patience, _EVERY)

    def remove(self) -> None:
        """With all that is in it. Errors: LabError when it is somebody else's."""
        self._ours()
        with _blamed(self.path):
            shutil.rmtree(self.path)

    def release(self) -> None:
        if self.lock >= 0:
            os.close(self.lock)
            self.lock = -1

    def keeper(self) -> int | None:
        """The keeper's pid, where one was noted."""
        with contextlib.suppress(OSError, ValueError):
            return int((self.path / KEEPER).read_text())
        return None

    def ended(self) -> str:
        """Why the machine is no more, empty when nobody noted it."""
        with contextlib.suppress(OSError):
            return (self.path / ENDED).read_text().strip()
        return ""

    def connect(self) -> socket.socket:
        """To the keeper. Errors: OSError."""
        caller = socket.socket(socket.AF_UNIX)
        try:
            with self._short() as path:
                caller.connect(path)
        except OSError:
            caller.close()
            raise
        return caller

    def listen(self) -> socket.socket:
        """For callers. Errors: OSError."""
        listener = socket.socket(socket.AF_UNIX)
        with self._short() as path:
            listener.bind(path)
        listener.listen(64)
        return listener

    @contextlib.contextmanager
    def _short(self) -> Iterator[str]:
        """The socket's path by way of a descriptor: a socket's name has 107 characters at most (unix(7))."""
        handle = os.open(self.path, os.O_PATH | os.O_DIRECTORY)
        try:
            yield f"/proc/self/fd/{handle}/{SOCKET}"
        finally:
            os.close(handle)

    def _ours(self) -> None:
        """Errors: LabError where somebody else made it, who could put anything there."""
        with _blamed(self.path):
            found = os.lstat(self.path)
        if not stat.S_ISDIR(found.st_mode) or found.st_uid != os.getuid():
            raise LabError(f"{self.path} is not a folder of yours; name another one with {VARIABLE}")

    def _locked(self) -> bool:
        """Whether the lock was free and is ours now."""
        with _blamed(self.path / LOCK):
            self.lock = os.open(self.path / LOCK, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
        try:
            fcntl.flock(self.lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            self.release()
            return False
        return True

    def _same(self) -> bool:
        """Whether the file we locked is still the one in the folder: `remove` may have come between."""
        with contextlib.suppress(OSError):
            return os.path.samestat(os.fstat(self.lock), os.stat(self.path / LOCK))
        return False


@contextlib.contextmanager
def _blamed(path: Path) -> Iterator[None]:
    try:
        yield
    except (FileExistsError, FileNotFoundError):
        raise
    except OSError as error:
        raise LabError(f"{path}: {error.strerror or error}; {VARIABLE} names another folder") from error
