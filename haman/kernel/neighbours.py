"""The kernel's neighbour table: who is known on an interface, by which hardware address, and how lately.

Sources: include/uapi/linux/neighbour.h of Linux 6.12; a dump with a strict header is filtered by interface (5.0).
"""

from __future__ import annotations

import socket
import struct
from ipaddress import ip_address

from haman.errors import KernelRefused
from haman.kernel.netlink import NETLINK_ROUTE, DumpInterrupted, Netlink, Request, attribute, attributes
from haman.model.confirmation import Neighbour

_RTM_GETNEIGH = 30
_NDA_DST, _NDA_LLADDR, _NDA_IFINDEX = 1, 2, 8
_REACHABLE, _STALE, _DELAY, _PROBE, _PERMANENT = 0x02, 0x04, 0x08, 0x10, 0x80
_FRESH = _REACHABLE | _DELAY | _PROBE
_KNOWN = _FRESH | _STALE | _PERMANENT
_MESSAGE = struct.Struct("=BxxxiHBB")  # family, index of the device, state, flags, type
_INDEX = struct.Struct("=I")
_ETHERNET = 6

LIMIT = 256
"""Entries of one IP version that are looked at: below a millisecond's work. The kernel begins to throw old ones away at
half as many (gc_thresh1)."""


class Neighbours:
    """Opens its socket when it is first used."""

    def __init__(self) -> None:
        self._netlink: Netlink | None = None

    def of(self, device: str) -> tuple[Neighbour, ...]:
        """Those of both IP versions with an Ethernet address; of a table that changes meanwhile, what was seen of it.

        Raises KernelRefused, KernelUnavailable.
        """
        try:
            index = socket.if_nametoindex(device)
        except OSError as error:
            raise KernelRefused(f"look for neighbours on {device}", error.errno or 0) from error
        if self._netlink is None:
            self._netlink = Netlink(NETLINK_ROUTE, strict=True)
        return tuple(each for family in (socket.AF_INET, socket.AF_INET6) for each in self._of(family, index))

    def _of(self, family: int, index: int) -> list[Neighbour]:
        assert self._netlink is not None
        body = _MESSAGE.pack(family, 0, 0, 0, 0) + attribute(_NDA_IFINDEX, _INDEX.pack(index))
        dump = self._netlink.dump(Request(_RTM_GETNEIGH, 0, body))
        found: list[Neighbour] = []
        looked = 0
        try:
            for buffer, spans in dump:
                for start, end in spans:
                    looked += 1
                    neighbour = _neighbour(buffer, start, end, index)
                    if neighbour is not None:
                        found.append(neighbour)
                    if looked == LIMIT:
                        return found
        except DumpInterrupted:
            pass
        finally:
            dump.close()
        return found


def _neighbour(buffer: bytearray, start: int, end: int, index: int) -> Neighbour | None:
    """None for one that is not known by hardware address, or of another interface (before Linux 5.0)."""
    _, device, state, _, _ = _MESSAGE.unpack_from(buffer, start)
    if device != index or not state & _KNOWN:
        return None
    there = attributes(buffer, start + _MESSAGE.size, end)
    if _NDA_DST not in there or _NDA_LLADDR not in there:
        return None
    hardware = bytes(buffer[slice(*there[_NDA_LLADDR])])
    if len(hardware) != _ETHERNET:
        return None
    address = ip_address(bytes(buffer[slice(*there[_NDA_DST])]))
    return Neighbour(address=address, hardware=hardware, fresh=bool(state & _FRESH))
