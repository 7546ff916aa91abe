"""The socket that announcements leave by: whole Ethernet frames, and what has to be known of a device to make them."""

from __future__ import annotations

import fcntl
import socket
import struct

from haman.kernel import sysctls
from haman.model.kernel import SysctlKey

_SIOCGIFHWADDR = 0x8927


class PacketPort:
    """Raises PermissionError where raw sockets are not allowed."""

    def __init__(self) -> None:
        self._socket = socket.socket(socket.AF_PACKET, socket.SOCK_RAW, 0)
        self._socket.setblocking(False)

    def send(self, device: str, ethertype: int, frame: bytes) -> int:
        """How many frames went out: one or none."""
        try:
            self._socket.sendto(frame, (device, ethertype))
        except OSError:
            return 0  # a full queue or a link that went down: the next round is the cure, the count shows it
        return 1

    def hardware(self, device: str) -> bytes | None:
        """The MAC now: bonds and virtual machines change theirs. By ioctl, since /sys may show another namespace."""
        request = struct.pack("256s", device.encode()[:15])
        try:
            return fcntl.ioctl(self._socket.fileno(), _SIOCGIFHWADDR, request)[18:24]
        except OSError:
            return None

    def forwards(self, device: str) -> bool:
        """Does this node route IPv6 from there? A neighbour advertisement has to say so (RFC 4861, section 4.4)."""
        key = SysctlKey(f"net/ipv6/conf/{device}/forwarding")
        return any(config.value == "1" for config in sysctls.read([key]).values())

    def close(self) -> None:
        self._socket.close()
