"""The few Linux system calls the laboratory needs and Python 3.11 does not have: mounts and namespaces.

Only thin wrappers belong here; each raises OSError naming the call and its operand.
"""

from __future__ import annotations

import ctypes
import os
from typing import Final

CLONE_FS: Final = 0x00000200
CLONE_NEWNS: Final = 0x00020000
CLONE_NEWUTS: Final = 0x04000000
CLONE_NEWPID: Final = 0x20000000
CLONE_NEWNET: Final = 0x40000000

MS_RDONLY: Final = 1
MS_REMOUNT: Final = 32
MS_BIND: Final = 4096
MS_REC: Final = 16384
MS_PRIVATE: Final = 1 << 18

_MOUNT_SETATTR: Final = 442  # the same number on every architecture: it came after the numbers were unified
_AT_FDCWD: Final = -100
_AT_RECURSIVE: Final = 0x8000
_MOUNT_ATTR_RDONLY: Final = 1

_RB_POWER_OFF: Final = 0x4321FEDC

_libc = ctypes.CDLL(None, use_errno=True)


def _check(result: int, call: str) -> None:
    if result < 0:
        number = ctypes.get_errno()
        raise OSError(number, f"{call}: {os.strerror(number)}")


def mount(source: str, target: str, kind: str | None = None, flags: int = 0, data: str | None = None) -> None:
    """mount(2)."""
    result = _libc.mount(
        os.fsencode(source),
        os.fsencode(target),
        kind.encode() if kind else None,
        ctypes.c_ulong(flags),
        os.fsencode(data) if data is not None else None,
    )
    _check(result, f"mount {kind or source} on {target}")


def set_read_only(target: str, read_only: bool, *, recursive: bool) -> None:
    """mount_setattr(2): the mount at `target`, and with `recursive` all below it, read-only or not. Linux 5.12."""
    attributes = (ctypes.c_uint64 * 4)(
        _MOUNT_ATTR_RDONLY if read_only else 0,
        0 if read_only else _MOUNT_ATTR_RDONLY,
        0,
        0,
    )
    result = _libc.syscall(
        ctypes.c_long(_MOUNT_SETATTR),
        ctypes.c_int(_AT_FDCWD),
        os.fsencode(target),
        ctypes.c_uint(_AT_RECURSIVE if recursive else 0),
        ctypes.byref(attributes),
        ctypes.c_size_t(ctypes.sizeof(attributes)),
    )
    _check(result, f"mount_setattr {target}")


def unshare(flags: int) -> None:
    """unshare(2), for the calling thread."""
    _check(_libc.unshare(ctypes.c_int(flags)), f"unshare {flags:#x}")


def power_off() -> None:
    """reboot(2): end this machine now; the caller has synced. Never returns on success."""
    _check(_libc.reboot(ctypes.c_int(_RB_POWER_OFF)), "power off")
