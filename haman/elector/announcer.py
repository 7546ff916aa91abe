"""Gratuitous ARP: telling the neighbours that a VIP lives here now.

One round at once, and one after each of the router's `repeat` times: a switch port that was still learning, a
neighbour that was busy, and the old active's last answers during its linger all lose the first round.
"""

from __future__ import annotations

import fcntl
import socket
import struct
from ipaddress import IPv4Address
from typing import TYPE_CHECKING

from haman.wire import arp

if TYPE_CHECKING:
    import asyncio
    from collections.abc import Callable

    from haman.model.elector import RouterConfig

_SIOCGIFHWADDR = 0x8927


class Announcer:
    """`count(router, frames)` is told what was sent, `still(router)` asked before each later round."""

    def __init__(
        self, loop: asyncio.AbstractEventLoop, count: Callable[[str, int], None], still: Callable[[str], bool]
    ) -> None:
        self._loop = loop
        self._count = count
        self._still = still
        self._socket = socket.socket(socket.AF_PACKET, socket.SOCK_RAW, 0)
        self._socket.setblocking(False)
        self._timers: dict[str, list[asyncio.TimerHandle]] = {}

    def announce(self, router: RouterConfig) -> None:
        """The first round is out when this returns. Call it AFTER the addresses are on the NIC."""
        self.cancel(router.name)
        self._round(router)
        copies = [number * router.announce.spacing for number in range(1, router.announce.count)]
        rounds = [0.0, *router.announce.repeat]
        later = [start + copy for start in rounds for copy in [0.0, *copies]][1:]
        self._timers[router.name] = [self._loop.call_later(after, self._again, router) for after in later]

    def cancel(self, router: str) -> None:
        for timer in self._timers.pop(router, ()):
            timer.cancel()

    def close(self) -> None:
        for router in list(self._timers):
            self.cancel(router)
        self._socket.close()

    def _again(self, router: RouterConfig) -> None:
        if self._still(router.name):
            self._round(router)

    def _round(self, router: RouterConfig) -> None:
        hardware = {device: self._hardware(device) for device in {address.device for address in router.addresses}}
        sent = 0
        for address in router.addresses:
            mac = hardware[address.device]
            if mac is not None and isinstance(address.ip, IPv4Address):
                sent += self._send(address.device, arp.gratuitous(mac, address.ip))
        self._count(router.name, sent)

    def _send(self, device: str, frame: bytes) -> int:
        try:
            self._socket.sendto(frame, (device, arp.ETHERTYPE))
        except OSError:
            return 0  # a full queue or a link that went down: the next round is the cure, the count shows it
        return 1

    def _hardware(self, device: str) -> bytes | None:
        """The MAC now: bonds and virtual machines change theirs. By ioctl, since /sys may show another namespace."""
        request = struct.pack("256s", device.encode()[:15])
        try:
            return fcntl.ioctl(self._socket.fileno(), _SIOCGIFHWADDR, request)[18:24]
        except OSError:
            return None
