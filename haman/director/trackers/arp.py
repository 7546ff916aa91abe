"""A machine of a network that this one is on, asked by ARP: no packet filter of its hides it, and no routing helps."""

from __future__ import annotations

import asyncio
import fcntl
import os
import socket
import struct
from typing import TYPE_CHECKING

from haman.director.trackers.judge import Look
from haman.errors import KernelRefused
from haman.kernel import routes
from haman.kernel.netlink import NETLINK_ROUTE, Netlink
from haman.wire import arp

if TYPE_CHECKING:
    from collections.abc import AsyncGenerator
    from ipaddress import IPv4Address

    from haman.model.trackers import ArpWatch, Tracker

_SIOCGIFHWADDR, _SIOCGIFADDR = 0x8927, 0x8915


async def looks(tracker: Tracker, watch: ArpWatch) -> AsyncGenerator[Look, None]:
    """One each `interval`."""
    loop = asyncio.get_running_loop()
    netlink = Netlink(NETLINK_ROUTE)
    try:
        while True:
            begun = loop.time()
            yield await ask(netlink, watch, tracker.timeout)
            await asyncio.sleep(max(0.0, begun + tracker.interval - loop.time()))
    finally:
        netlink.close()


async def ask(netlink: Netlink, watch: ArpWatch, timeout: float) -> Look:
    """Every attempt has a socket of its own: interfaces come and go."""
    try:
        interface, sender = _from(netlink, watch)
    except (KernelRefused, OSError) as error:
        return Look(False, f"no way to ask {watch.address}: {_why(error)}")
    if interface is None:
        return Look(False, f"{watch.address} is on no network of this machine: ARP does not reach it")
    try:
        with socket.socket(socket.AF_PACKET, socket.SOCK_RAW | socket.SOCK_NONBLOCK | socket.SOCK_CLOEXEC, 0) as asked:
            asked.bind((interface, arp.ETHERTYPE))
            hardware = _ioctl(asked, _SIOCGIFHWADDR, interface)[18:24]
            asked.send(arp.request(hardware, sender, watch.address))
            async with asyncio.timeout(timeout):
                return await _answer(asked, watch.address, interface)
    except TimeoutError:
        return Look(False, f"no answer from {watch.address} on {interface} within {timeout:g} s")
    except OSError as error:
        return Look(False, f"{watch.address} could not be asked on {interface}: {_why(error)}")


async def _answer(asked: socket.socket, address: IPv4Address, interface: str) -> Look:
    loop = asyncio.get_running_loop()
    while True:
        frame = await loop.sock_recv(asked, 2048)
        if arp.replied(frame) == address:
            return Look(True, f"{address} answers on {interface}")


def _from(netlink: Netlink, watch: ArpWatch) -> tuple[str | None, IPv4Address]:
    """The interface and address to ask from."""
    if watch.interface is not None:
        with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as any_socket:
            own = _ioctl(any_socket, _SIOCGIFADDR, watch.interface)[20:24]
        return watch.interface, type(watch.address)(own)
    way = routes.way(netlink, watch.address)
    source = way.source
    if way.gateway is not None or not isinstance(source, type(watch.address)):
        return None, watch.address
    return way.interface, source


def _ioctl(asked: socket.socket, what: int, interface: str) -> bytes:
    return fcntl.ioctl(asked.fileno(), what, struct.pack("256s", interface.encode()[:15]))


def _why(error: KernelRefused | OSError) -> str:
    return os.strerror(error.errno or 0) if isinstance(error, KernelRefused) else str(error.strerror or error)
