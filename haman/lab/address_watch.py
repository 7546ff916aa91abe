"""When an address left a host and when it came back, by the kernel's own notifications (rtnetlink)."""

from __future__ import annotations

import socket
import struct
import threading
import time
from typing import TYPE_CHECKING, NamedTuple, Self

from haman.lab.waiting import happens

if TYPE_CHECKING:
    from collections.abc import Iterator
    from types import TracebackType

    from haman.lab.hosts import Host

RTMGRP_IPV4_IFADDR = 0x10
RTM_NEWADDR, RTM_DELADDR = 20, 21
IFA_LOCAL = 2

_HEADER = struct.Struct("=IHHII")
_ADDRESS = struct.Struct("=BBBBi")
_ATTRIBUTE = struct.Struct("=HH")


class Change(NamedTuple):
    at: float
    added: bool
    address: str
    interface: str


class AddressWatch:
    """Notes every change of the host's IPv4 addresses while the block runs.

    A thread of its own reads, since netlink messages carry no time: the program that deletes an address is waited for
    meanwhile, and the address is often back before that program has ended.
    """

    def __init__(self, host: Host) -> None:
        self._socket = host.call(self._open)
        self._names = host.call(lambda: dict(socket.if_nameindex()))
        self._changes: list[Change] = []
        self._thread = threading.Thread(target=self._read, daemon=True)

    @staticmethod
    def _open() -> socket.socket:
        sock = socket.socket(socket.AF_NETLINK, socket.SOCK_RAW, socket.NETLINK_ROUTE)
        sock.bind((0, RTMGRP_IPV4_IFADDR))
        return sock

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._socket.close()

    def _read(self) -> None:
        while True:
            try:
                data = self._socket.recv(1 << 16)
            except OSError:
                return
            now = time.monotonic()
            self._changes.extend(
                Change(now, added, address, self._names.get(index, "")) for added, address, index in changes(data)
            )

    def absence(self, address: str, interface: str, within: float) -> float | None:
        """Wait until the address has left the interface and come back; returns for how long it was away, in seconds,
        or None when it did not come back within `within` seconds."""

        def away() -> float | None:
            mine = [change for change in self._changes if (change.address, change.interface) == (address, interface)]
            left = next((change.at for change in mine if not change.added), None)
            back = next((change.at for change in mine if change.added and left is not None and change.at >= left), None)
            return None if left is None or back is None else max(back - left, 1e-6)

        return happens(away, within, every=0.01)


def changes(data: bytes) -> Iterator[tuple[bool, str, int]]:
    """(added, address, interface index) of each RTM_NEWADDR and RTM_DELADDR in one datagram (rtnetlink(7))."""
    offset = 0
    while offset + _HEADER.size <= len(data):
        length, kind, _, _, _ = _HEADER.unpack_from(data, offset)
        if length < _HEADER.size:
            return
        if kind in (RTM_NEWADDR, RTM_DELADDR):
            family, _, _, _, index = _ADDRESS.unpack_from(data, offset + _HEADER.size)
            if family == socket.AF_INET:
                attributes = data[offset + _HEADER.size + _ADDRESS.size : offset + length]
                if address := _local(attributes):
                    yield kind == RTM_NEWADDR, address, index
        offset += (length + 3) & ~3


def _local(attributes: bytes) -> str | None:
    offset = 0
    while offset + _ATTRIBUTE.size <= len(attributes):
        length, kind = _ATTRIBUTE.unpack_from(attributes, offset)
        if kind == IFA_LOCAL:
            return socket.inet_ntoa(attributes[offset + 4 : offset + 8])
        offset += max(4, (length + 3) & ~3)
    return None
