"""What the relay gives up before it takes the first byte of a stranger's: its user, its rights, its privileges.

It needs none: its sockets are opened by the director, and a connection to another site is anybody's right.
"""

from __future__ import annotations

import ctypes
import os
import pwd
from pathlib import Path

_PR_SET_NO_NEW_PRIVS = 38
_NOBODY = 65534


def descend(user: str = "nobody") -> None:
    """Be that user, without any capability, and without a way to get one; and worth as much to the kernel when memory
    runs out as any program, and not as the elector. Raises OSError."""
    if os.geteuid() == 0:
        try:
            entry = pwd.getpwnam(user)
            uid, gid = entry.pw_uid, entry.pw_gid
        except KeyError:
            uid = gid = _NOBODY
        os.setgroups([])
        os.setresgid(gid, gid, gid)
        os.setresuid(uid, uid, uid)  # the kernel takes all capabilities with it (capabilities(7))
    libc = ctypes.CDLL(None, use_errno=True)
    if libc.prctl(_PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) != 0:
        number = ctypes.get_errno()
        raise OSError(number, os.strerror(number))


def be_ordinary() -> None:
    """BEFORE `descend`, which makes /proc/self root's."""
    try:
        Path("/proc/self/oom_score_adj").write_text("0")
    except OSError:
        return
