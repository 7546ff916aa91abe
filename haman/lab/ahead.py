"""The lab's kernel, built beside tests that need none: what would take minutes by itself costs few then."""

from __future__ import annotations

import contextlib
import subprocess
import sys
from typing import TYPE_CHECKING, Final

from haman.errors import LabError
from haman.lab import kernels, packages

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

_NICENESS: Final = 10
"""The tests beside it come first."""


@contextlib.contextmanager
def building(groups: Iterable[str]) -> Iterator[None]:
    """While inside, the kernel is being built unless there is one; whoever prepares it too waits for this one.

    groups: of Debian's packages, that will be installed while it is built: they are installed before, as apt serves
    one at a time. Whatever fails here says so, and is tried again by whoever needs it. A build that is not done at the
    end is ended.
    """
    try:
        wanted = kernels.ready(kernels.tell, full=True) is None
        packages.install(packages.missing(["lab", "build", *groups]) if wanted else [], kernels.tell)
    except LabError as error:
        kernels.tell(str(error))
        wanted = False
    if not wanted:
        yield
        return
    command = ["nice", "-n", str(_NICENESS), sys.executable, "-m", "haman.lab", "prepare", "--full"]
    with subprocess.Popen(command) as builder:
        try:
            yield
        finally:
            builder.terminate()
