"""VRRP on one interface: a raw socket to hear everybody, one to speak. No decision is taken here.

Receiving is bound to the interface and joined to the group there; sending brings its own IP header, so that the
source is the configured one and the socket hears nothing (IPPROTO_RAW receives nothing, raw(7)).
"""

from __future__ import annotations

import errno
import socket
import struct
from typing import TYPE_CHECKING

from haman.wire.ipv4 import PROTOCOL_VRRP
from haman.wire.vrrp import GROUP

if TYPE_CHECKING:
    from collections.abc import Iterator
    from ipaddress import IPv4Address

_IP_MULTICAST_ALL = 49
_LARGEST = 2048  # bytes: 20 of IP header, 8 and 255 addresses of VRRP, and room to see that there was more
_RECEIVE_BUFFER = 1 << 20
_PRIORITY_CONTROL = 7
_DRAIN_LIMIT = 256


class Segment:
    """Raises OSError when the interface does not exist or raw sockets are not allowed."""

    def __init__(self, interface: str) -> None:
        self.interface = interface
        self.index = socket.if_nametoindex(interface)
        name = interface.encode() + b"\0"
        membership = struct.pack("=4s4si", GROUP.packed, b"\0" * 4, self.index)
        self._receiver = socket.socket(socket.AF_INET, socket.SOCK_RAW, PROTOCOL_VRRP)
        self._sender = socket.socket(socket.AF_INET, socket.SOCK_RAW, socket.IPPROTO_RAW)
        try:
            self._receiver.setblocking(False)
            self._receiver.setsockopt(socket.SOL_SOCKET, socket.SO_BINDTODEVICE, name)
            self._receiver.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, _RECEIVE_BUFFER)
            self._receiver.setsockopt(socket.IPPROTO_IP, socket.IP_ADD_MEMBERSHIP, membership)
            # Without this a socket hears the groups that any other program has joined on any interface.
            self._receiver.setsockopt(socket.IPPROTO_IP, _IP_MULTICAST_ALL, 0)
            self._sender.setblocking(False)
            self._sender.setsockopt(socket.SOL_SOCKET, socket.SO_BINDTODEVICE, name)
            self._sender.setsockopt(socket.SOL_SOCKET, socket.SO_PRIORITY, _PRIORITY_CONTROL)
            self._sender.setsockopt(socket.IPPROTO_IP, socket.IP_MULTICAST_IF, membership)
            self._sender.setsockopt(socket.IPPROTO_IP, socket.IP_MULTICAST_LOOP, 0)
        except OSError:
            self.close()
            raise

    def alive(self) -> bool:
        """Is the interface still the one these sockets are bound to, or was it made anew under its name?"""
        try:
            return socket.if_nametoindex(self.interface) == self.index
        except OSError:
            return False

    def fileno(self) -> int:
        return self._receiver.fileno()

    def receive(self) -> Iterator[bytes]:
        """What waits in the socket, IP header included; at most as many as keep the loop responsive in a flood."""
        for _ in range(_DRAIN_LIMIT):
            try:
                yield self._receiver.recv(_LARGEST)
            except BlockingIOError:
                return
            except OSError as error:
                if error.errno in (errno.ENETDOWN, errno.ENODEV, errno.ENXIO):
                    return  # the link watcher tells the same, with its name
                raise

    def send(self, packet: bytes, destination: IPv4Address) -> int:
        """One whole IP packet. Returns 0 or the errno: a link that is down is no exception, it is news."""
        try:
            self._sender.sendto(packet, (str(destination), 0))
        except OSError as error:
            return error.errno or errno.EIO
        return 0

    def close(self) -> None:
        self._receiver.close()
        self._sender.close()
