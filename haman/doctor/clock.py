"""Time: the election needs none, but whoever compares two directors' logs does, and so do certificates."""

from __future__ import annotations

import ctypes
import struct
from typing import TYPE_CHECKING

from haman.doctor.finding import Finding

if TYPE_CHECKING:
    from collections.abc import Iterator

    from haman.doctor.scene import Scene

_UNSYNCHRONISED = 0x40
_TIMEX = struct.Struct("=I4xqqqqi")  # modes, offset, freq, maxerror (us), esterror, status: adjtimex(2) on 64 bits


def examine(_: Scene) -> Iterator[Finding]:
    read = _kernel()
    if read is None:
        return
    status, error = read
    if status & _UNSYNCHRONISED:
        yield Finding(
            what="this machine's clock is not synchronised",
            evidence=f"adjtimex: status 0x{status:x}, maximum error {error / 1_000_000:.3g} s",
            consequence="logs and histories of the directors cannot be laid side by side; checks may find certificates "
            "expired or not valid yet. Elections do not use this clock",
            fix="install and start chrony or systemd-timesyncd",
            problem=False,
        )


def _kernel() -> tuple[int, int] | None:
    """Status bits, and the maximum error in microseconds."""
    buffer = ctypes.create_string_buffer(512)
    try:
        if ctypes.CDLL(None).adjtimex(buffer) < 0:
            return None
    except AttributeError:
        return None
    _, _, _, error, _, status = _TIMEX.unpack_from(buffer.raw)
    return status, error
