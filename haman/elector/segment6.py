"""VRRP over IPv6 on one interface: one raw socket that hears everybody and speaks. No decision is taken here.

A raw IPv6 socket gives a packet without its header; source, destination and hop limit come beside it (RFC 3542). The
source of what is sent is asked for with each packet, so that it is one the interface has: the kernel refuses any other.
Checksums are haman's own (the kernel would drop a wrong one before anybody could count it).
"""

from __future__ import annotations

import errno
import socket
import struct
from ipaddress import IPv6Address
from typing import TYPE_CHECKING

from haman.elector.segment import PRIORITY_CONTROL, RECEIVE_BUFFER, drained, is_there
from haman.kernel.buffers import enlarge
from haman.wire.advertisement import GROUPS
from haman.wire.packet import PRECEDENCE, PROTOCOL_VRRP, TTL, Packet

if TYPE_CHECKING:
    from collections.abc import Iterator

_IPV6_MULTICAST_ALL = 29
_LARGEST = 8192  # bytes: 8 and 255 addresses of VRRP, and room to see that there was more
_PACKET_INFO = struct.Struct("=16si")
_HOP_LIMIT = struct.Struct("=i")
_ANCILLARY = socket.CMSG_SPACE(_PACKET_INFO.size) + socket.CMSG_SPACE(_HOP_LIMIT.size)


class Segment6:
    """Raises OSError when the interface or its IPv6 does not exist, or raw sockets are not allowed."""

    def __init__(self, interface: str) -> None:
        self.interface = interface
        self.index = socket.if_nametoindex(interface)
        membership = GROUPS[6].packed + struct.pack("=i", self.index)
        self._socket = socket.socket(socket.AF_INET6, socket.SOCK_RAW, PROTOCOL_VRRP)
        try:
            self._socket.setblocking(False)
            self._socket.setsockopt(socket.SOL_SOCKET, socket.SO_BINDTODEVICE, interface.encode() + b"\0")
            enlarge(self._socket, socket.SO_RCVBUF, RECEIVE_BUFFER)
            self._socket.setsockopt(socket.SOL_SOCKET, socket.SO_PRIORITY, PRIORITY_CONTROL)
            for option, value in (
                (socket.IPV6_RECVPKTINFO, 1),
                (socket.IPV6_RECVHOPLIMIT, 1),
                # Without this a socket hears the groups that any other program has joined on any interface.
                (_IPV6_MULTICAST_ALL, 0),
                (socket.IPV6_MULTICAST_IF, self.index),
                (socket.IPV6_MULTICAST_LOOP, 0),
                (socket.IPV6_MULTICAST_HOPS, TTL),
                (socket.IPV6_UNICAST_HOPS, TTL),
                (socket.IPV6_TCLASS, PRECEDENCE),
            ):
                self._socket.setsockopt(socket.IPPROTO_IPV6, option, value)
            self._socket.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_JOIN_GROUP, membership)
        except OSError:
            self.close()
            raise

    def alive(self) -> bool:
        return is_there(self.interface, self.index)

    def fileno(self) -> int:
        return self._socket.fileno()

    def receive(self) -> Iterator[Packet | None]:
        """What waits in the socket, as `drained` has it. None for a packet that came without what should come beside
        it."""
        for payload, beside, _, sender in drained(lambda: self._socket.recvmsg(_LARGEST, _ANCILLARY)):
            yield _packet(payload, beside, sender[0])

    def send(self, packet: Packet) -> int:
        """Returns 0 or the errno: a link that is down is no exception, it is news."""
        source = [(socket.IPPROTO_IPV6, socket.IPV6_PKTINFO, _PACKET_INFO.pack(packet.source.packed, self.index))]
        try:
            self._socket.sendmsg([packet.payload], source, 0, (str(packet.destination), 0, 0, self._scope(packet)))
        except OSError as error:
            return error.errno or errno.EIO
        return 0

    def _scope(self, packet: Packet) -> int:
        return self.index if packet.destination.is_link_local or packet.destination.is_multicast else 0

    def close(self) -> None:
        self._socket.close()


def _packet(payload: bytes, beside: list[tuple[int, int, bytes]], sender: str) -> Packet | None:
    destination = hop_limit = None
    for level, kind, data in beside:
        if level == socket.IPPROTO_IPV6 and kind == socket.IPV6_PKTINFO:
            destination = IPv6Address(_PACKET_INFO.unpack(data[: _PACKET_INFO.size])[0])
        elif level == socket.IPPROTO_IPV6 and kind == socket.IPV6_HOPLIMIT:
            (hop_limit,) = _HOP_LIMIT.unpack(data[: _HOP_LIMIT.size])
    if destination is None or hop_limit is None:
        return None
    return Packet(IPv6Address(sender.partition("%")[0]), destination, hop_limit, payload)
