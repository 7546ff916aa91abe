"""Gratuitous ARP and unsolicited neighbour advertisements: telling the neighbours that a VIP lives here now.

One round at once, and one after each of the router's `repeat` times: a switch port that was still learning, a
neighbour that was busy, and the old active's last answers during its linger all lose the first round. A round of a
thousand addresses takes longer than an advertisement may be late, so it is sent in parts, with the loop's other work
between them.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from haman.wire import neighbours

if TYPE_CHECKING:
    import asyncio
    from collections.abc import Callable, Iterator

    from haman.elector.machine import Port
    from haman.model.elector import RouterConfig

PART = 0.0003
"""Seconds of one turn of the loop: as many frames as can be sent in it, some thirty."""


class Announcer:
    """`count(router, frames)` is told what was sent, `still(router)` asked before each later round."""

    def __init__(
        self,
        loop: asyncio.AbstractEventLoop,
        port: Port,
        count: Callable[[str, int], None],
        still: Callable[[str], bool],
    ) -> None:
        self._loop = loop
        self._port = port
        self._count = count
        self._still = still
        self._timers: dict[str, list[asyncio.Handle]] = {}

    def announce(self, router: RouterConfig, done: Callable[[], None] = lambda: None) -> None:
        """done: called when the first round is out, for few addresses before this returns. Call it AFTER the addresses
        are on the NIC."""
        self.cancel(router.name)
        copies = [number * router.announce.spacing for number in range(1, router.announce.count)]
        rounds = [0.0, *router.announce.repeat]
        later = [start + copy for start in rounds for copy in [0.0, *copies]][1:]
        self._timers[router.name] = [self._loop.call_later(after, self._again, router) for after in later]
        self._go_on(router, self._frames(router), done)

    def cancel(self, router: str) -> None:
        for timer in self._timers.pop(router, ()):
            timer.cancel()

    def close(self) -> None:
        for router in list(self._timers):
            self.cancel(router)
        self._port.close()

    def _again(self, router: RouterConfig) -> None:
        self._go_on(router, self._frames(router), lambda: None)

    def _go_on(self, router: RouterConfig, frames: Iterator[tuple[str, int, bytes]], done: Callable[[], None]) -> None:
        """One part of a round; a router that does not hold the addresses any more is not spoken for."""
        if not self._still(router.name):
            return
        sent, until = 0, self._loop.time() + PART
        for device, ethertype, frame in frames:
            sent += self._port.send(device, ethertype, frame)
            if self._loop.time() >= until:
                self._timers[router.name].append(self._loop.call_soon(self._go_on, router, frames, done))
                break
        else:
            done()
        self._count(router.name, sent)

    def _frames(self, router: RouterConfig) -> Iterator[tuple[str, int, bytes]]:
        """Device, Ethernet type and frame for each address."""
        devices = {address.device for address in router.addresses}
        hardware = {device: self._port.hardware(device) for device in devices}
        six = any(address.ip.version == 6 for address in router.addresses)
        forwards = {device: self._port.forwards(device) for device in devices} if six else {}
        for address in router.addresses:
            mac = hardware[address.device]
            if mac is None:
                continue
            router_flag = forwards.get(address.device, False)
            frame = neighbours.announcement(mac, address.ip, router=router_flag)
            yield address.device, neighbours.ethertype(address.ip), frame
