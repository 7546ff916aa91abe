"""Builds the lab kernel from Debian's source package: once per user and recipe, as an ordinary user, in minutes.

What goes into it is the recipe's business, whether one is needed is that of kernels.
"""

from __future__ import annotations

import contextlib
import fcntl
import os
import platform
import shutil
import subprocess
import tempfile
import time
from pathlib import Path
from typing import IO, TYPE_CHECKING, Final

from haman.errors import LabError
from haman.lab import recipe
from haman.lab.signals import unwinding
from haman.lab.supervise import group

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

TOOLS: Final = ("gcc", "make", "flex", "bison", "bc", "xz", "tar", "strip")
_DISK: Final = 2 * 1024**3
_STEPS: Final = 1500
"""Lines `make` prints, roughly: only for the progress shown."""


def cache() -> Path:
    """Where this user's kernels lie; not made by asking."""
    base = os.environ.get("XDG_CACHE_HOME") or Path("~/.cache").expanduser()
    return Path(base, "haman", "kernels")


def source_version() -> str | None:
    """The version of the installed source package; None when it is not installed."""
    if not recipe.TARBALL.exists():
        return None
    with contextlib.suppress(OSError):
        query = ["dpkg-query", "--show", "--showformat", "${Version}", recipe.PACKAGE]
        answer = subprocess.run(query, capture_output=True, text=True, check=False)
        if not answer.returncode and answer.stdout:
            return answer.stdout
    return None


def built() -> Path | None:
    """The kernel of the present recipe, if it has been built.

    With the source package removed since, any kernel whose name is the present recipe's for its own version counts.
    """
    version = source_version()
    if version:
        path = cache() / recipe.name(version, recipe.options())
        return path if os.access(path, os.X_OK) else None
    for path in sorted(cache().glob("linux-*-*"), reverse=True):
        of_file = path.name.removeprefix("linux-").rpartition("-")[0]
        if os.access(path, os.X_OK) and path.name == recipe.name(of_file, recipe.options()):
            return path
    return None


def obstacles() -> list[str]:
    """Everything that keeps a build from starting, in words; empty when nothing does."""
    found = []
    if platform.machine() != "x86_64":
        found.append(f"user-mode Linux exists for x86-64 only, this is {platform.machine()}")
    absent = [tool for tool in TOOLS if not shutil.which(tool)]
    if absent:
        found.append(f"not installed: {', '.join(absent)}")
    if source_version() is None:
        found.append(f"the Debian package {recipe.PACKAGE} is not installed")
    return found


def build(say: Callable[[str], None], accept: Callable[[Path], None]) -> Path:
    """Build the kernel unless it is there, and return its path in the cache.

    say: gets a line of progress now and then. accept: called with the new kernel before it counts; raises LabError
    when it is no good. Two builders at once: the second waits for the first one's kernel. On failure the whole log
    stays in the cache beside where the kernel would be.
    Errors: LabError.
    """
    if reasons := obstacles():
        raise LabError(f"the lab kernel cannot be built: {'; '.join(reasons)} (`make kernel` installs what is missing)")
    directory = cache()
    directory.mkdir(parents=True, exist_ok=True)
    with unwinding(), _alone(directory, say):
        if kernel := built():
            return kernel
        for stale in directory.glob(".build-*"):
            shutil.rmtree(stale)
        version = source_version()
        assert version is not None
        final = directory / recipe.name(version, recipe.options())
        if shutil.disk_usage(directory).free < _DISK:
            raise LabError(f"building the lab kernel needs 2 GiB in {directory}; set XDG_CACHE_HOME to a roomier place")
        with tempfile.TemporaryDirectory(prefix=".build-", dir=directory) as folder:
            log = Path(folder, "log")
            try:
                fresh = _compile(Path(folder), log, say)
                accept(fresh)
            except LabError as error:
                kept = log.replace(f"{final}.log")
                raise LabError(f"{error}\nthe whole log: {kept}") from error
            fresh.replace(final)
    return final


@contextlib.contextmanager
def _alone(directory: Path, say: Callable[[str], None]) -> Iterator[None]:
    with (directory / "lock").open("w") as lock:
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            say("another process builds the lab kernel: waiting for it")
            fcntl.flock(lock, fcntl.LOCK_EX)
        yield


def _compile(folder: Path, log: Path, say: Callable[[str], None]) -> Path:
    """Unpack, patch, configure, make, strip; returns the kernel, somewhere in the folder."""
    tree = folder / "tree"
    tree.mkdir()
    fragment = folder / "fragment"
    fragment.write_text("\n".join(recipe.options()) + "\n")
    kernel = folder / "linux-lab"
    make = ["make", "ARCH=um", f"--jobs={len(os.sched_getaffinity(0))}"]
    say("building the lab kernel (once; 5 to 20 minutes): unpacking the source")
    with log.open("wb") as sink:
        _step(["tar", "--extract", "--strip-components=1", "--file", recipe.TARBALL], tree, sink)
        for patch in recipe.PATCHES:
            file = tree / patch.file
            file.write_text(patch.apply(file.read_text()))
        _step([*make, "allnoconfig", f"KCONFIG_ALLCONFIG={fragment}"], tree, sink)
        if lost := recipe.missing(recipe.options(), (tree / ".config").read_text()):
            raise LabError("the kernel's configuration refused " + ", ".join(lost))
        _step([*make, "linux"], tree, sink, _progress(log, say))
        _step(["strip", "--output-file", kernel, tree / "linux"], tree, sink)
    return kernel


def _step(command: list[str | Path], tree: Path, sink: IO[bytes], tick: Callable[[], None] = lambda: None) -> None:
    """One command, its output to the log.

    Errors: LabError with the last lines of the log.
    """
    # A compiler that is killed leaves its temporary files: let them lie where everything is removed in the end.
    private = {"LC_ALL": "C", "KBUILD_BUILD_USER": "haman", "KBUILD_BUILD_HOST": "lab", "TMPDIR": str(tree.parent)}
    with group(command, cwd=tree, stdout=sink, env={**os.environ, **private}) as process:
        while True:
            with contextlib.suppress(subprocess.TimeoutExpired):
                code = process.wait(1.0)
                break
            tick()
    if code:
        last = Path(sink.name).read_text(errors="replace").splitlines()[-15:]
        raise LabError("\n".join([f"building the lab kernel failed at `{command[0]}`:", *last]))


def _progress(log: Path, say: Callable[[str], None]) -> Callable[[], None]:
    """Says how far the build is, every twenty seconds."""
    begun = told = time.monotonic()

    def tick() -> None:
        nonlocal told
        now = time.monotonic()
        if now - told < 20:
            return
        told = now
        share = min(log.read_bytes().count(b"\n") / _STEPS, 0.99)
        say(f"building the lab kernel: {share:.0%} after {now - begun:.0f} s")

    return tick
