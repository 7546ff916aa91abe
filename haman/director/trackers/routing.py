"""A route: the kernel says that something about routes has changed, and the table says what."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING

from haman.director.trackers.bell import Bell
from haman.director.trackers.judge import Look
from haman.errors import KernelRefused
from haman.kernel import routes
from haman.kernel.netlink import NETLINK_ROUTE, Netlink

if TYPE_CHECKING:
    import socket
    from collections.abc import AsyncGenerator

    from haman.model.trackers import RouteWatch, Tracker

REST = 10
"""Between two looks passes so many times what a look takes: a large table that never stands still is not all we do."""


async def looks(tracker: Tracker, watch: RouteWatch) -> AsyncGenerator[Look, None]:
    """At once after a change, and every `interval`, since a link that goes takes its routes along without a word."""
    loop = asyncio.get_running_loop()
    netlink = Netlink(NETLINK_ROUTE)
    with Bell() as bell, routes.watch() as changes:
        bell.listen(changes.fileno(), lambda: _drain(changes))
        try:
            while True:
                begun = loop.time()
                try:
                    there = await asyncio.to_thread(routes.present, netlink, watch)
                    yield Look(there, f"{'a' if there else 'no'} route to {described(watch)}")
                except KernelRefused as error:
                    yield Look(False, str(error))
                took = loop.time() - begun
                await bell.wait(max(tracker.interval, REST * took))
                await asyncio.sleep(begun + (1 + REST) * took - loop.time())
        finally:
            bell.ignore(changes.fileno())
            netlink.close()


def described(watch: RouteWatch) -> str:
    words = [str(watch.destination)]
    words += [f"via {watch.via}"] if watch.via is not None else []
    words += [f"dev {watch.interface}"] if watch.interface is not None else []
    words += [f"in table {watch.table}"] if watch.table != 254 else []
    return " ".join(words)


def _drain(changes: socket.socket) -> None:
    """What was lost (ENOBUFS) is no loss: any message means "look again"."""
    while True:
        try:
            changes.recv(1 << 16)
        except BlockingIOError:
            return
        except OSError:
            continue
