"""VRRP over IPv4 on one interface: a raw socket to hear everybody, one to speak. No decision is taken here.

Receiving is bound to the interface and joined to the group there; sending brings its own IP header, so that the
source is the configured one and the socket hears nothing (IPPROTO_RAW receives nothing, raw(7)).
"""

from __future__ import annotations

import errno
import socket
import struct
from typing import TYPE_CHECKING, TypeVar

from haman.kernel.buffers import enlarge
from haman.wire import ipv4
from haman.wire.advertisement import GROUPS
from haman.wire.packet import PROTOCOL_VRRP, Packet

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

T = TypeVar("T")

_IP_MULTICAST_ALL = 49
_LARGEST = 2048  # bytes: 20 of IP header, 8 and 255 addresses of VRRP, and room to see that there was more

RECEIVE_BUFFER = 1 << 20
"""Bytes: 10,000 packets a second may wait for a quarter of one. What does not fit is lost, a peer's advertisements
among it; most systems' own limit is a fifth of this."""
PRIORITY_CONTROL = 7
DRAIN_LIMIT = 256
LOST_INTERFACE = (errno.ENETDOWN, errno.ENODEV, errno.ENXIO)


def is_there(interface: str, index: int) -> bool:
    """Is the interface still the one that had this index, or was it made anew under its name?"""
    try:
        return socket.if_nametoindex(interface) == index
    except OSError:
        return False


def drained(receive: Callable[[], T]) -> Iterator[T]:
    """What `receive` gets from a socket that does not block; at most as many as keep the loop responsive in a flood."""
    for _ in range(DRAIN_LIMIT):
        try:
            received = receive()
        except BlockingIOError:
            return
        except OSError as error:
            if error.errno in LOST_INTERFACE:
                return  # the link watcher tells the same, with its name
            raise
        yield received


class Segment:
    """Raises OSError when the interface does not exist or raw sockets are not allowed."""

    def __init__(self, interface: str) -> None:
        self.interface = interface
        self.index = socket.if_nametoindex(interface)
        name = interface.encode() + b"\0"
        membership = struct.pack("=4s4si", GROUPS[4].packed, b"\0" * 4, self.index)
        self._receiver = socket.socket(socket.AF_INET, socket.SOCK_RAW, PROTOCOL_VRRP)
        self._sender = socket.socket(socket.AF_INET, socket.SOCK_RAW, socket.IPPROTO_RAW)
        try:
            self._receiver.setblocking(False)
            self._receiver.setsockopt(socket.SOL_SOCKET, socket.SO_BINDTODEVICE, name)
            enlarge(self._receiver, socket.SO_RCVBUF, RECEIVE_BUFFER)
            self._receiver.setsockopt(socket.IPPROTO_IP, socket.IP_ADD_MEMBERSHIP, membership)
            # Without this a socket hears the groups that any other program has joined on any interface.
            self._receiver.setsockopt(socket.IPPROTO_IP, _IP_MULTICAST_ALL, 0)
            self._sender.setblocking(False)
            self._sender.setsockopt(socket.SOL_SOCKET, socket.SO_BINDTODEVICE, name)
            self._sender.setsockopt(socket.SOL_SOCKET, socket.SO_PRIORITY, PRIORITY_CONTROL)
            self._sender.setsockopt(socket.IPPROTO_IP, socket.IP_MULTICAST_IF, membership)
            self._sender.setsockopt(socket.IPPROTO_IP, socket.IP_MULTICAST_LOOP, 0)
        except OSError:
            self.close()
            raise

    def alive(self) -> bool:
        return is_there(self.interface, self.index)

    def fileno(self) -> int:
        return self._receiver.fileno()

    def receive(self) -> Iterator[Packet | None]:
        """What waits in the socket, as `drained` has it; None for what has no whole IPv4 header."""
        return (ipv4.split(data) for data in drained(lambda: self._receiver.recv(_LARGEST)))

    def send(self, packet: Packet) -> int:
        """Returns 0 or the errno: a link that is down is no exception, it is news."""
        try:
            self._sender.sendto(ipv4.wrap(packet), (str(packet.destination), 0))
        except OSError as error:
            return error.errno or errno.EIO
        return 0

    def close(self) -> None:
        self._receiver.close()
        self._sender.close()
