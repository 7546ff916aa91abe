"""Settings below /proc/sys, read and written directly: files of this network namespace, a few microseconds each."""

from __future__ import annotations

import errno
from pathlib import Path
from typing import TYPE_CHECKING

from haman.errors import KernelRefused
from haman.kernel.refusal import Refusal
from haman.model.kernel import SysctlConfig, SysctlKey

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from haman.plan.ops import Op

ROOT = Path("/proc/sys")

_HINTS = {
    errno.ENOENT: " (this kernel has no such setting; those below net/ipv4/vs come with the module ip_vs)",
    errno.EROFS: " (/proc/sys is read-only here, as in a container that may not change it)",
    errno.EACCES: " (not ours to set: root is needed, and in a container its right to this setting)",
    errno.EPERM: " (not ours to set: root is needed, and in a container its right to this setting)",
    errno.EINVAL: " (the kernel does not take this value)",
}


def read(keys: Iterable[SysctlKey]) -> dict[SysctlKey, SysctlConfig]:
    """What is set now, white space normalised. A setting this kernel does not have is left out."""
    found = {}
    for key in keys:
        try:
            text = (ROOT / key.path).read_text()
        except OSError:
            continue
        found[key] = SysctlConfig(" ".join(text.split()))
    return found


def apply(ops: Sequence[Op]) -> list[Refusal]:
    """Writes the values of Set and Add, in order; a Remove has no meaning for a setting and does nothing."""
    refusals = []
    for op in ops:
        config = getattr(op, "config", None)
        if not isinstance(op.key, SysctlKey) or not isinstance(config, SysctlConfig):
            continue
        try:
            (ROOT / op.key.path).write_text(config.value)
        except OSError as error:
            code = error.errno or errno.EIO
            what = f"set /proc/sys/{op.key.path} to {config.value!r}{_HINTS.get(code, '')}"
            refusals.append(Refusal(op, KernelRefused(what, code)))
    return refusals
