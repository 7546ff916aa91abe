"""Fresh tmpfs over directories of a read-only root, without hiding what must stay visible beneath them.

A project may be checked out under /tmp, and its interpreter may live there too: both have to be found at the same
place inside the laboratory as outside, whatever is laid over /tmp.
"""

from __future__ import annotations

import os
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Final

from haman.lab.syscalls import MS_BIND, MS_REC, mount

if TYPE_CHECKING:
    from collections.abc import Iterable


PROJECT: Final = Path(__file__).resolve().parents[2]


def essential() -> list[Path]:
    """What must stay visible wherever it lies: the project, the interpreter, where we are, the working folder."""
    work = os.environ.get("HAMAN_LAB_WORK")
    paths = [PROJECT, Path(sys.prefix), Path(sys.base_prefix), Path.cwd(), *([Path(work)] if work else [])]
    return [path for path in paths if path != Path("/")]


def beneath(directory: Path, paths: Iterable[Path]) -> list[Path]:
    """Those of `paths` that a mount on `directory` would hide, none inside another, in order."""
    hidden: list[Path] = []
    for path in sorted(set(paths)):
        if path != directory and path.is_relative_to(directory) and not any(path.is_relative_to(p) for p in hidden):
            hidden.append(path)
    return hidden


def cover(directory: Path, keep: Iterable[Path], mode: str = "0755") -> None:
    """Lay an empty tmpfs over `directory`, which must exist, and show those of `keep` again that lie beneath it."""
    handles = {path: os.open(path, os.O_PATH) for path in beneath(directory, keep) if path.is_dir()}
    mount("tmpfs", str(directory), "tmpfs", data=f"mode={mode}")
    for path, handle in handles.items():
        path.mkdir(parents=True, exist_ok=True)
        mount(f"/proc/self/fd/{handle}", str(path), flags=MS_BIND | MS_REC)
        os.close(handle)


def farm(directory: Path) -> None:
    """Make `directory` writable for this mount namespace: a tmpfs that has everything it had, by symbolic links."""
    original = Path("/run", f"original-{directory.name}")
    original.mkdir()
    mount(str(directory), str(original), flags=MS_BIND | MS_REC)
    mount("tmpfs", str(directory), "tmpfs", data="mode=0755")
    for entry in os.listdir(original):
        (directory / entry).symlink_to(original / entry)
