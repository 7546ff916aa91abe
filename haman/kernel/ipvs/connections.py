"""The kernel's connection table, /proc/net/ip_vs_conn: every connection IPVS knows, ours and those of others."""

from __future__ import annotations

import errno
import socket
from functools import lru_cache
from ipaddress import IPv4Address, ip_address
from typing import TYPE_CHECKING

from haman.errors import KernelRefused
from haman.model.services import Protocol
from haman.plan.blast import Connection

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from haman.model.addresses import Address

TABLE = "/proc/thread-self/net/ip_vs_conn"
"""Of the calling thread, as a network namespace belongs to a thread."""

_PROTOCOLS = {protocol.name: protocol for protocol in Protocol}


def connections(path: str = TABLE) -> Iterator[Connection]:
    """A line at a time: there may be a million. Raises KernelRefused if the table cannot be read."""
    try:
        with open(path) as lines:
            next(lines, None)
            yield from parse(lines)
    except OSError as error:
        raise KernelRefused(f"read {path}", error.errno or errno.EIO) from error


def parse(lines: Iterable[str]) -> Iterator[Connection]:
    """ip_vs_conn_seq_show: protocol, client, its port, VIP, port, server, port, state, seconds left."""
    for line in lines:
        fields = line.split()
        if len(fields) < 8 or fields[0] not in _PROTOCOLS:
            continue
        yield Connection(
            _PROTOCOLS[fields[0]],
            _address(fields[3]),
            int(fields[4], 16),
            _address(fields[5]),
            int(fields[6], 16),
            fields[7],
        )


@lru_cache(maxsize=65536)
def _address(text: str) -> Address:
    """IPv4 as eight hexadecimal digits in network order, IPv6 as it is usually written, in full."""
    if len(text) == 8 and ":" not in text:
        return IPv4Address(socket.inet_ntoa(bytes.fromhex(text)))
    return ip_address(text)
