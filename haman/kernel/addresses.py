"""Addresses and links: dumps and notifications over pyroute2, of which this is the one home, changes over our own
netlink, because a takeover waits for them: some ten microseconds for an address, where the library takes a quarter
of a millisecond.

The library is imported when `open` is called, not before: it is the heaviest import of the elector, and the director
is started first. Dumps and notifications have a socket each, as one that overflowed (ENOBUFS) is of no use any more.
"""

from __future__ import annotations

import asyncio
import errno
import importlib
import socket
import struct
from dataclasses import dataclass
from ipaddress import IPv6Address, ip_address
from typing import TYPE_CHECKING, Any

from haman.errors import KernelRefused
from haman.kernel.netlink import CREATE, EXCLUSIVE, NETLINK_ROUTE, Netlink, Request, attribute
from haman.kernel.refusal import Refusal
from haman.model.kernel import AddressConfig, AddressKey, AddressState, Kernel
from haman.plan.ops import Add

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Awaitable, Callable, Sequence

    from haman.plan.ops import Op

_IFF_UP, _IFF_RUNNING, _IFF_LOWER_UP = 0x1, 0x40, 0x10000
_NLM_F_DUMP_INTR = 0x10
_RTM_NEWADDR, _RTM_DELADDR = 20, 21
_IFA_ADDRESS, _IFA_LOCAL, _IFA_LABEL, _IFA_CACHEINFO = 1, 2, 3, 6
_IFA_F_NODAD, _IFA_F_DADFAILED, _IFA_F_TENTATIVE = 0x02, 0x08, 0x40
_FOR_EVER = 0xFFFFFFFF
_ADDRESS = struct.Struct("=BBBBI")  # family, prefix length, flags, scope, index of the device
_LIFETIMES = struct.Struct("=IIII")  # preferred, valid, created, changed
_RTMGRP_LINK, _RTMGRP_IPV4_IFADDR, _RTMGRP_IPV6_IFADDR = 0x1, 0x10, 0x100

_HINTS = {errno.EACCES: " (IPv6 is switched off on that device: net/ipv6/conf/.../disable_ipv6)"}

TOGETHER = 32
"""Changes in one call of the kernel, about half a millisecond of them: who has more gives way to the loop between."""

ATTEMPTS = 5
"""How often a dump that the kernel calls inconsistent is begun anew."""


@dataclass(frozen=True, slots=True)
class AddressAdded:
    """It is new, or its state is."""

    key: AddressKey
    config: AddressConfig


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
        self._changes = Netlink(NETLINK_ROUTE)
        self._dumps = self._library.AsyncIPRoute()
        await self._dumps.setup_endpoint()

    async def close(self) -> None:
        self._changes.close()
        self._dumps.close()

    def is_ours(self, port: int) -> bool:
        """Whether a notification that bears this port is about a change made here: those are known already, and with
        many they arrive when other changes have followed. (About IPv6 the kernel does not say who it was.)"""
        return port != 0 and port == self._changes.port

    async def snapshot(self) -> Kernel:
        """All addresses of all devices; nothing else is filled in. Raises KernelRefused."""
        found: dict[AddressKey, AddressConfig] = {}
        for number, message in enumerate(await self._dump(self._dumps.addr)):
            key = _key(message)
            if key is not None:
                found[key] = _config(message)
            if number % TOGETHER == 0:
                await asyncio.sleep(0)
        return Kernel(addresses=found)

    async def links(self) -> dict[str, bool]:
        """Every link by name, with whether it is up, has carrier and may carry traffic (RFC 2863's operational
        state: false while, say, 802.1X has not let it in). Raises KernelRefused."""
        wanted = _IFF_UP | _IFF_RUNNING | _IFF_LOWER_UP
        found = await self._dump(self._dumps.link)
        return {str(message.get("IFLA_IFNAME")): message["flags"] & wanted == wanted for message in found}

    async def _dump(self, command: Callable[[str], Awaitable[AsyncIterator[Any]]]) -> list[Any]:
        """A dump that the kernel calls inconsistent is begun anew; a few times, as notifications mend the rest."""
        for _ in range(ATTEMPTS):
            try:
                found = []
                async for message in await command("dump"):
                    found.append(message)
                    await asyncio.sleep(0)  # decoding one takes a tenth of a millisecond
            except self._library.NetlinkError as error:
                raise KernelRefused("dump addresses and links", error.code) from error
            if not any(message["header"]["flags"] & _NLM_F_DUMP_INTR for message in found):
                break
        return found

    async def apply(self, ops: Sequence[Op]) -> list[Refusal]:
        """Adds and removes, in order; the first TOGETHER are in the kernel before this coroutine gives way. What is
        already as asked counts as done. Operations on anything but addresses are passed over."""
        refusals: list[Refusal] = []
        changes = [op for op in ops if isinstance(op.key, AddressKey)]
        for start in range(0, len(changes), TOGETHER):
            if start:
                await asyncio.sleep(0)
            asked = []
            for op in changes[start : start + TOGETHER]:
                assert isinstance(op.key, AddressKey)
                try:
                    asked.append((op, _request(op, op.key, socket.if_nametoindex(op.key.device))))
                except OSError:
                    if isinstance(op, Add):
                        refusals.append(Refusal(op, KernelRefused(str(op), errno.ENODEV)))
            refusals += self._execute(asked)
        return refusals

    def _execute(self, batch: Sequence[tuple[Op, Request]]) -> list[Refusal]:
        try:
            refused = self._changes.execute([request for _, request in batch])
        except KernelRefused as error:  # nobody knows what became of them; a snapshot tells
            return [Refusal(op, KernelRefused(str(op), error.errno)) for op, _ in batch]
        coded = [(batch[index][0], code) for index, code in sorted(refused.items())]
        return [
            Refusal(op, KernelRefused(f"{op}{_HINTS.get(code, '')}", code))
            for op, code in coded
            if code != (errno.EEXIST if isinstance(op, Add) else errno.EADDRNOTAVAIL)
        ]


def _request(op: Op, key: AddressKey, index: int) -> Request:
    """The rtnetlink message; see linux/if_addr.h. Scope 0: global, also on `lo`."""
    ipv6 = isinstance(key.ip, IPv6Address)
    body = (
        _ADDRESS.pack(socket.AF_INET6 if ipv6 else socket.AF_INET, key.prefix, _IFA_F_NODAD if ipv6 else 0, 0, index)
        + attribute(_IFA_LOCAL, key.ip.packed)
        + attribute(_IFA_ADDRESS, key.ip.packed)
    )
    if not isinstance(op, Add):
        return Request(_RTM_DELADDR, 0, body)
    if ipv6:
        # A VIP must answer at once, also while a peer still has it, and must never be chosen as source.
        body += attribute(_IFA_CACHEINFO, _LIFETIMES.pack(0, _FOR_EVER, 0, 0))
    if isinstance(op.config, AddressConfig) and op.config.label:
        body += attribute(_IFA_LABEL, op.config.label.encode() + b"\0")
    return Request(_RTM_NEWADDR, CREATE | EXCLUSIVE, body)


class Watch:
    """`async for event in Watch()`: for ever, and over lost notifications. is_ours: by the port of who made a change,
    which need not be told."""

    def __init__(self, is_ours: Callable[[int], bool] = lambda port: False) -> None:
        self._is_ours = is_ours

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
                            if event is not None and not self._is_ours(message["header"]["pid"]):
                                yield event
                except OSError as error:
                    if error.errno != errno.ENOBUFS:
                        raise


def _event(message: Any) -> Event | None:
    match message["event"]:
        case "RTM_NEWADDR" | "RTM_DELADDR" as kind:
            key = _key(message)
            if key is None:
                return None
            return AddressAdded(key, _config(message)) if kind == "RTM_NEWADDR" else AddressRemoved(key)
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


def _config(message: Any) -> AddressConfig:
    """An address whose check failed is both: `dadfailed tentative`."""
    flags = message.get("IFA_FLAGS") or message["flags"]
    if flags & _IFA_F_DADFAILED:
        return AddressConfig(AddressState.DUPLICATE)
    label = str(message.get("IFA_LABEL") or "")
    state = AddressState.TENTATIVE if flags & _IFA_F_TENTATIVE else AddressState.USABLE
    return AddressConfig(state, label if ":" in label else "")  # else it is the device's own name
