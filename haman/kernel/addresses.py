"""Addresses and links, over pyroute2: the one home of that library.

It is imported when `open` is called, not before: it is the heaviest import of the elector, and the director is
started first. Commands, dumps and notifications have a socket each: two dumps at once on one socket are refused
(EBUSY), and a socket that overflowed (ENOBUFS) is of no use any more.
"""

from __future__ import annotations

import errno
import importlib
import socket
from dataclasses import dataclass
from ipaddress import IPv6Address, ip_address
from typing import TYPE_CHECKING, Any

from haman.errors import KernelRefused
from haman.kernel.refusal import Refusal
from haman.model.kernel import AddressConfig, AddressKey, Kernel
from haman.plan.ops import Add, Remove

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Sequence

    from haman.plan.ops import Op

_IFF_UP, _IFF_LOWER_UP = 0x1, 0x10000
_IFA_F_NODAD = 0x02
_FOR_EVER = 0xFFFFFFFF
_RTMGRP_LINK, _RTMGRP_IPV4_IFADDR, _RTMGRP_IPV6_IFADDR = 0x1, 0x10, 0x100


@dataclass(frozen=True, slots=True)
class AddressAdded:
    key: AddressKey


@dataclass(frozen=True, slots=True)
class AddressRemoved:
    key: AddressKey


@dataclass(frozen=True, slots=True)
class LinkChanged:
    """Something about a link is new: came, went, was renamed, up, down, carrier. Read `Addresses.links`."""

    name: str


@dataclass(frozen=True, slots=True)
class Lost:
    """Notifications were lost; the socket is a new one. Dump again."""


Event = AddressAdded | AddressRemoved | LinkChanged | Lost


class Addresses:
    """Of all devices of this network namespace. Not for two tasks at once."""

    async def open(self) -> None:
        """Loads pyroute2 and opens the sockets."""
        self._library = importlib.import_module("pyroute2")
        self._commands = await _ready(self._library.AsyncIPRoute())
        self._dumps = await _ready(self._library.AsyncIPRoute())

    async def close(self) -> None:
        await self._commands.close()
        await self._dumps.close()

    async def snapshot(self) -> Kernel:
        """All addresses of all devices; nothing else is filled in."""
        found: dict[AddressKey, AddressConfig] = {}
        async for message in await self._dumps.addr("dump"):
            key = _key(message)
            if key is not None:
                found[key] = AddressConfig()
        return Kernel(addresses=found)

    async def links(self) -> dict[str, bool]:
        """Every link by name, with whether it is up and has carrier."""
        wanted = _IFF_UP | _IFF_LOWER_UP
        found = {}
        async for message in await self._dumps.link("dump"):
            found[str(message.get("IFLA_IFNAME"))] = message["flags"] & wanted == wanted
        return found

    async def apply(self, ops: Sequence[Op]) -> list[Refusal]:
        """Adds and removes, in order. What is already as asked counts as done."""
        refusals = []
        for op in ops:
            if isinstance(op.key, AddressKey):
                error = await self._one(op, op.key)
                if error is not None:
                    refusals.append(Refusal(op, error))
        return refusals

    async def _one(self, op: Op, key: AddressKey) -> KernelRefused | None:
        try:
            index = socket.if_nametoindex(key.device)
        except OSError:
            return None if isinstance(op, Remove) else KernelRefused(str(op), errno.ENODEV)
        command, done = ("add", errno.EEXIST) if isinstance(op, Add) else ("del", errno.EADDRNOTAVAIL)
        settings: dict[str, Any] = {"index": index, "address": str(key.ip), "prefixlen": key.prefix}
        if isinstance(op, Add) and isinstance(key.ip, IPv6Address):
            # A VIP must answer at once, also while a peer still has it, and must never be chosen as source.
            settings |= {"flags": _IFA_F_NODAD, "preferred": 0, "valid": _FOR_EVER}
        try:
            await self._commands.addr(command, **settings)
        except self._library.NetlinkError as error:
            return None if error.code == done else KernelRefused(str(op), error.code)
        return None


class Watch:
    """`async for event in Watch()`: for ever, and over lost notifications."""

    def __aiter__(self) -> AsyncIterator[Event]:
        return self._events()

    async def _events(self) -> AsyncIterator[Event]:
        library = importlib.import_module("pyroute2")
        while True:
            async with library.AsyncIPRoute() as listener:
                await listener.bind(_RTMGRP_LINK | _RTMGRP_IPV4_IFADDR | _RTMGRP_IPV6_IFADDR)
                yield Lost()  # what happened before the socket listened is not known either
                try:
                    while True:
                        async for message in listener.get():  # it ends with each datagram
                            event = _event(message)
                            if event is not None:
                                yield event
                except OSError as error:
                    if error.errno != errno.ENOBUFS:
                        raise


async def _ready(library_socket: Any) -> Any:
    await library_socket.setup_endpoint()
    return library_socket


def _event(message: Any) -> Event | None:
    match message["event"]:
        case "RTM_NEWADDR" | "RTM_DELADDR" as kind:
            key = _key(message)
            if key is None:
                return None
            return AddressAdded(key) if kind == "RTM_NEWADDR" else AddressRemoved(key)
        case "RTM_NEWLINK" | "RTM_DELLINK":
            return LinkChanged(str(message.get("IFLA_IFNAME")))
    return None


def _key(message: Any) -> AddressKey | None:
    """None for an address whose device is gone by now."""
    text = message.get("IFA_LOCAL") or message.get("IFA_ADDRESS")
    if text is None:
        return None
    try:
        device = socket.if_indextoname(message["index"])
    except OSError:
        return None
    return AddressKey(device, ip_address(text), message["prefixlen"])
