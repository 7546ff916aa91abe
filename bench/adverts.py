"""Advertisements as another host on the segment receives them, each with the kernel's own time stamp.

The kernel stamps a frame when it arrives, so a reader may come as late as it likes: this one sleeps while the
measurement lasts and reads everything afterwards, and so takes no time from what is measured.
"""

from __future__ import annotations

import socket
import struct
import time
from itertools import pairwise
from typing import TYPE_CHECKING, Self

from haman.errors import LabError
from haman.kernel.buffers import enlarge

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence
    from types import TracebackType

    from haman.lab.hosts import Host

ETH_P_IP = 0x0800
VRRP = 112
SO_TIMESTAMPNS = 35
ROOM = 64 << 20
"""Bytes of frames that may wait: some ten thousand of the smallest."""

_TIMESPEC = struct.Struct("@qq")


class Ear:
    """Hears what arrives on a host's interface from now on; a context manager."""

    def __init__(self, host: Host, interface: str = "eth0") -> None:
        self._socket = host.call(self._open, interface)
        self._real_minus_monotonic = time.time() - time.monotonic()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._socket.close()

    def _open(self, interface: str) -> socket.socket:
        opened = socket.socket(socket.AF_PACKET, socket.SOCK_DGRAM, socket.htons(ETH_P_IP))
        opened.bind((interface, ETH_P_IP))
        enlarge(opened, socket.SO_RCVBUF, ROOM)
        opened.setsockopt(socket.SOL_SOCKET, SO_TIMESTAMPNS, 1)
        opened.setblocking(False)
        return opened

    def adverts(self, source: str) -> list[float]:
        """When each advertisement of this sender that has not been read yet arrived, monotonic seconds."""
        return [at for at, packet in self._drain() if packet[9] == VRRP and packet[12:16] == socket.inet_aton(source)]

    def first_advert(self, source: str, within: float) -> float:
        """When the first one arrived, waited for. Errors: LabError."""
        deadline = time.monotonic() + within
        while time.monotonic() < deadline:
            if heard := self.adverts(source):
                return heard[0]
            time.sleep(0.01)
        raise LabError(f"no advertisement from {source} within {within:g} s")

    def _drain(self) -> Iterable[tuple[float, bytes]]:
        while True:
            try:
                packet, control, _, _ = self._socket.recvmsg(128, socket.CMSG_SPACE(_TIMESPEC.size))
            except BlockingIOError:
                return
            for level, kind, data in control:
                if level == socket.SOL_SOCKET and kind == SO_TIMESTAMPNS:
                    seconds, nanoseconds = _TIMESPEC.unpack(data)
                    yield seconds + nanoseconds / 1e9 - self._real_minus_monotonic, packet


def lateness(arrivals: Sequence[float], interval: float) -> list[float]:
    """How much later than `interval` after its predecessor each advertisement came, seconds; negative if sooner.

    That is what counts for a standby: its patience begins anew with each one it hears.
    """
    return [later - earlier - interval for earlier, later in pairwise(arrivals)]
