"""The Debian packages haman's set-up takes: which of them are missing, and their installation.

The one place that calls apt. Runs before there is a virtual environment, so it imports the standard library only:
`python3 -m haman.lab.packages GROUP...` installs what is missing of these groups of packages.txt.
"""

from __future__ import annotations

import glob
import os
import shutil
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Final

from haman.errors import LabError

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

LIST: Final = Path(__file__).with_name("packages.txt")
_PATH: Final = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"


@dataclass(frozen=True)
class Package:
    """proof: a program, or a path (shell pattern), that is there when the package is, on Debian or elsewhere."""

    group: str
    name: str
    proof: str
    why: str

    def present(self) -> bool:
        if self.proof.startswith("/"):
            return bool(glob.glob(self.proof))
        return shutil.which(self.proof, path=_PATH) is not None


def parse(text: str) -> list[Package]:
    """packages.txt: four fields a line, the last one free text; # begins a comment line."""
    rows = (line.split(maxsplit=3) for line in text.splitlines() if line.strip() and not line.startswith("#"))
    return [Package(*row) for row in rows]


def missing(groups: Iterable[str]) -> list[Package]:
    """What is not here of these groups."""
    wanted = set(groups)
    return [package for package in parse(LIST.read_text()) if package.group in wanted and not package.present()]


def named(names: Iterable[str]) -> list[Package]:
    """What is not here of the packages with these names."""
    wanted = set(names)
    return [package for package in parse(LIST.read_text()) if package.name in wanted and not package.present()]


def install(packages: Iterable[Package], say: Callable[[str], None]) -> None:
    """Install them with apt, through sudo when we are not root. Asks for nothing but sudo's password.

    Errors: LabError naming the command to run by hand.
    """
    names = [package.name for package in packages]
    if not names:
        return
    for package in packages:
        say(f"missing: {package.name} ({package.why})")
    command = ["apt-get", "install", "--yes", "--no-install-recommends", *names]
    if not shutil.which("apt-get"):
        raise LabError(f"this is not a Debian system; install what Debian calls {', '.join(names)}")
    root: list[str] = []
    if os.geteuid():
        if not shutil.which("sudo"):
            raise LabError(f"as root, run: {' '.join(command)}")
        root = ["sudo"]
    update = [*root, "apt-get", "update"]
    quiet = [*root, "env", "DEBIAN_FRONTEND=noninteractive", *command]
    listed = bool(glob.glob("/var/lib/apt/lists/*_Packages*"))
    if listed and _succeeds(quiet):
        return
    # No lists, or they name versions the archive has replaced since.
    if not _succeeds(update) or not _succeeds(quiet):
        raise LabError(f"this failed: {' '.join(quiet)}")


def _succeeds(command: list[str]) -> bool:
    return not subprocess.run(command, check=False).returncode


def main(groups: list[str]) -> int:
    try:
        install(missing(groups), lambda line: print(line, file=sys.stderr))
    except LabError as error:
        print(error, file=sys.stderr)
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
