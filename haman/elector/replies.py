"""ARP replies and neighbour advertisements to this machine on one interface. No decision is taken here.

A filter in the kernel keeps everything else away, what is sent to everybody included: the elector is not woken by a
network's ordinary chatter, nor by its traffic.
"""

from __future__ import annotations

import socket
from typing import TYPE_CHECKING

from haman.elector.segment import drained
from haman.kernel.socket_filter import LOAD_BYTE, LOAD_HALF, PACKET_TYPE, all_of, attach
from haman.wire import arp, neighbours

if TYPE_CHECKING:
    from collections.abc import Iterator

    from haman.wire.neighbours import Answer

_LARGEST = 2048
_TO_US = 0  # PACKET_HOST
_OPERATION_AT, _REPLY = 20, 2  # of ARP behind 14 bytes of Ethernet
_NEXT_HEADER_AT, _ICMPV6 = 20, 58
_ICMPV6_TYPE_AT, _ADVERTISEMENT = 54, 136

_ARP = all_of((LOAD_BYTE, PACKET_TYPE, _TO_US), (LOAD_HALF, _OPERATION_AT, _REPLY))
_NDP = all_of(
    (LOAD_BYTE, PACKET_TYPE, _TO_US),
    (LOAD_BYTE, _NEXT_HEADER_AT, _ICMPV6),
    (LOAD_BYTE, _ICMPV6_TYPE_AT, _ADVERTISEMENT),
)


class PacketReplies:
    """Raises OSError when the interface does not exist or raw sockets are not allowed."""

    def __init__(self, interface: str, ethertype: int) -> None:
        self.interface = interface
        self._socket = socket.socket(socket.AF_PACKET, socket.SOCK_RAW | socket.SOCK_NONBLOCK | socket.SOCK_CLOEXEC, 0)
        try:
            attach(self._socket, _ARP if ethertype == arp.ETHERTYPE else _NDP)  # BEFORE anything can arrive
            self._socket.bind((interface, ethertype))
        except OSError:
            self.close()
            raise

    def fileno(self) -> int:
        return self._socket.fileno()

    def receive(self) -> Iterator[Answer | None]:
        """What waits in the socket, as `drained` has it; None for what is no answer."""
        return (neighbours.answer(frame) for frame in drained(lambda: self._socket.recv(_LARGEST)))

    def close(self) -> None:
        self._socket.close()
