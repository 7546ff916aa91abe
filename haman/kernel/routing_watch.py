"""Who changed a route or rule of ours? What the kernel tells of them, heard as it happens.

Only that something is otherwise is of interest, not what: whoever hears it looks at the whole. A machine with a full
table of routes may change thousands a second, so a filter in the kernel lets only those through that bear our number;
rules do not change that often, and are looked at here.

Sources: include/uapi/linux/rtnetlink.h, fib_rules.h and filter.h of Linux 6.12; Documentation/networking/filter.rst.
"""

from __future__ import annotations

import errno
import socket
import struct
import sys
from typing import TYPE_CHECKING

from haman.errors import KernelUnavailable
from haman.kernel.netlink import NETLINK_ROUTE, attributes, messages
from haman.kernel.routing import PROTOCOL
from haman.kernel.socket_filter import ALL, IF_EQUAL, LOAD_BYTE, LOAD_HALF, NOTHING, RETURN, attach

if TYPE_CHECKING:
    from collections.abc import Callable

    from haman.kernel.socket_filter import Instruction

_NEWROUTE, _DELROUTE, _NEWRULE, _DELRULE = 24, 25, 32, 33
_HEADER, _MESSAGE = 16, 12  # struct nlmsghdr; struct rtmsg and fib_rule_hdr
_TYPE_AT, _PORT_AT, _PROTOCOL_AT = 4, 12, _HEADER + 5
_FRA_PROTOCOL = 21
_GROUPS = 0x40 | 0x80 | 0x400 | 1 << 18  # RTNLGRP_IPV4_ROUTE, IPV4_RULE, IPV6_ROUTE, IPV6_RULE
_PORT = struct.Struct("=I")


class RoutingWatch:
    """One socket for the loop to wait on. is_ours: by the port of who made a change, which need not be told."""

    def __init__(self, is_ours: Callable[[int], bool]) -> None:
        """Raises KernelUnavailable."""
        self._is_ours = is_ours
        try:
            self._socket = socket.socket(
                socket.AF_NETLINK, socket.SOCK_RAW | socket.SOCK_CLOEXEC | socket.SOCK_NONBLOCK, NETLINK_ROUTE
            )
            attach(self._socket, _only_ours())
            self._socket.bind((0, _GROUPS))
        except OSError as error:
            raise KernelUnavailable(f"no notifications of routes: {error.strerror}") from error

    def fileno(self) -> int:
        return self._socket.fileno()

    def close(self) -> None:
        self._socket.close()

    def changed(self) -> bool:
        """Reads whatever waits: has somebody else changed a route or rule of ours? Also when something was lost
        (ENOBUFS); the socket goes on after that, and the kernel says it once."""
        found = False
        while True:
            try:
                data = self._socket.recv(1 << 16)
            except BlockingIOError:
                return found
            except OSError as error:
                if error.errno != errno.ENOBUFS:
                    raise
                found = True
                continue
            for kind, _, _, start, end in messages(data, len(data)):
                found = found or (_is_one_of_ours(kind, data, start, end) and not self._is_ours(_port(data, start)))


def _is_one_of_ours(kind: int, data: bytes, start: int, end: int) -> bool:
    if kind in (_NEWROUTE, _DELROUTE):
        return data[start + 5] == PROTOCOL
    at = attributes(data, start + _MESSAGE, end).get(_FRA_PROTOCOL)
    return kind in (_NEWRULE, _DELRULE) and at is not None and data[at[0] : at[1]] == bytes([PROTOCOL])


def _port(data: bytes, start: int) -> int:
    return int(_PORT.unpack_from(data, start - _HEADER + _PORT_AT)[0])


def _only_ours() -> list[Instruction]:
    """Routes of ours, and all rules. The message type is in the host's byte order, and the filter reads in the
    network's."""
    new, gone = (int.from_bytes(kind.to_bytes(2, sys.byteorder), "big") for kind in (_NEWROUTE, _DELROUTE))
    return [
        (LOAD_HALF, 0, 0, _TYPE_AT),
        (IF_EQUAL, 1, 0, new),
        (IF_EQUAL, 0, 2, gone),
        (LOAD_BYTE, 0, 0, _PROTOCOL_AT),
        (IF_EQUAL, 0, 1, PROTOCOL),
        (RETURN, 0, 0, ALL),
        (RETURN, 0, 0, NOTHING),
    ]
