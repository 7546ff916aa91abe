"""Commands of the operator's: run by their absolute path, and without a shell."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from haman.config.mistakes import Finding, quoted

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from haman.config.mistakes import Path

_SHELL = re.compile(r"[|<>;&`$*]|^~")
"""What a shell would act on, and haman hands to the program as it is."""

_SHELLS = ("sh", "bash", "dash", "ash", "zsh", "ksh")


def findings(path: Path, argv: Sequence[str], directory: str) -> Iterator[Finding]:
    """directory: where such programs usually lie, for the cure."""
    if not argv or not argv[0]:
        yield Finding(path, "there is no program", "write its absolute path")
    elif not argv[0].startswith("/"):
        what = f"{quoted(argv[0])} is not an absolute path"
        yield Finding(path, what, f"write {directory}{quoted(argv[0].rsplit('/', 1)[-1], '')}")
    else:
        strange = [word for word in argv if _SHELL.search(word)]
        if strange and argv[0].rsplit("/", 1)[-1] not in _SHELLS:
            what = f"no shell is involved: the program is given {quoted(strange[0])} as it stands here"
            yield Finding(path, what, "put it into a script if a shell is wanted", warning=True)
