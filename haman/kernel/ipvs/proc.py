"""A cheap look at the table: IPVS notifies nobody of changes, so somebody has to look twice a second.

/proc/net/ip_vs shows services and destinations with scheduler, weight and method. It does not show scheduler flags,
thresholds, tunnels, persistence engines, an IPv6 service's one-packet flag and the sync daemons: a change in one of
these alone is found by a full dump only.
"""

from __future__ import annotations

import errno
import hashlib
import os

from haman.errors import KernelRefused

TABLE = "/proc/thread-self/net/ip_vs"
"""Of the calling thread, as a network namespace belongs to a thread; /proc/net is the main thread's."""
_CHUNK = 1 << 20


def digest(path: str = TABLE) -> bytes:
    """16 bytes that change whenever the table as shown there does, in its content or its order; traffic does not
    change them. Raises KernelRefused if the table cannot be read."""
    lines = _read(path).split(b"\n")
    seen = hashlib.blake2b(digest_size=16)
    # The two last columns of a destination count its connections.
    seen.update(b"\n".join([line.rsplit(None, 2)[0] if line.startswith(b"  -> ") else line for line in lines]))
    return seen.digest()


def _read(path: str) -> bytes:
    try:
        opened = os.open(path, os.O_RDONLY | os.O_CLOEXEC)
        try:
            parts = []
            while part := os.read(opened, _CHUNK):
                parts.append(part)
            return b"".join(parts)
        finally:
            os.close(opened)
    except OSError as error:
        raise KernelRefused(f"read {path}", error.errno or errno.EIO) from error
