"""A cheap look at the table: IPVS notifies nobody of changes, so somebody has to look twice a second. And the cheapest
count of connections there is: the kernel keeps one for each server, so it takes as long as there are servers, however
many connections. (The list of them, /proc/net/ip_vs_conn, is walked from its start for each page that is read.)

/proc/net/ip_vs shows services and destinations with scheduler, weight and method. It does not show scheduler flags,
thresholds, tunnels, persistence engines, an IPv6 service's one-packet flag and the sync daemons: a change in one of
these alone is found by a full dump only.
"""

from __future__ import annotations

import errno
import hashlib
import os
import socket
from functools import lru_cache
from ipaddress import IPv4Address, ip_address
from typing import TYPE_CHECKING

from haman.errors import KernelRefused
from haman.model.kernel import ServiceKey
from haman.model.services import Protocol
from haman.model.standing import Connections

if TYPE_CHECKING:
    from collections.abc import Iterable

    from haman.model.addresses import Address

TABLE = "/proc/thread-self/net/ip_vs"
"""Of the calling thread, as a network namespace belongs to a thread; /proc/net is the main thread's."""
_CHUNK = 1 << 20


def digest(path: str = TABLE) -> bytes:
    """16 bytes that change whenever the table as shown there does, in its content or its order; traffic does not
    change them. Raises KernelRefused if the table cannot be read."""
    lines = _read(path).split(b"\n")
    seen = hashlib.blake2b(digest_size=16)
    # The two last columns of a destination count its connections.
    seen.update(b"\n".join([line.rsplit(None, 2)[0] if line.startswith(b"  -> ") else line for line in lines]))
    return seen.digest()


def connections(path: str = TABLE) -> dict[ServiceKey, Connections]:
    """By service, how many connections its servers in the table have. Raises KernelRefused if the table cannot be
    read."""
    return count(_read(path).decode().splitlines())


def count(lines: Iterable[str]) -> dict[ServiceKey, Connections]:
    """ip_vs_info_seq_show: a service (protocol, address:port, or FWM, mark; scheduler), then its destinations (`->`,
    address:port, method, weight, active, inactive). A mark's family is that of its destinations."""
    found: dict[ServiceKey, Connections] = {}
    protocol = place = ""
    for line in lines:
        fields = line.split()
        if len(fields) == 6 and fields[0] == "->" and protocol:
            key = _service(protocol, place, fields[1].startswith("["))
            if key is not None:
                found[key] = found.get(key, Connections(0, 0)) + Connections(int(fields[4]), int(fields[5]))
        elif len(fields) >= 3:
            protocol, place = (fields[0], fields[1]) if fields[0] in _KINDS else ("", "")
    return found


_KINDS = {"FWM"} | {protocol.name for protocol in Protocol}


@lru_cache(maxsize=65536)
def _service(protocol: str, place: str, ipv6: bool) -> ServiceKey | None:
    try:
        if protocol == "FWM":
            return ServiceKey.marked(int(place, 16), ipv6=ipv6)
        host, _, port = place.rpartition(":")
        return ServiceKey.at(Protocol[protocol], _address(host), int(port, 16))
    except ValueError:
        return None


def _address(text: str) -> Address:
    """IPv4 as eight hexadecimal digits in network order, IPv6 in brackets."""
    if text.startswith("["):
        return ip_address(text.strip("[]"))
    return IPv4Address(socket.inet_ntoa(bytes.fromhex(text)))


def _read(path: str) -> bytes:
    try:
        opened = os.open(path, os.O_RDONLY | os.O_CLOEXEC)
        try:
            parts = []
            while part := os.read(opened, _CHUNK):
                parts.append(part)
            return b"".join(parts)
        finally:
            os.close(opened)
    except OSError as error:
        raise KernelRefused(f"read {path}", error.errno or errno.EIO) from error
