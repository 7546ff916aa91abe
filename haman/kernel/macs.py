"""The MAC addresses that this machine's own packets bear: those of interfaces which have an address to send from."""

from __future__ import annotations

import fcntl
import socket
import struct
from pathlib import Path

_SIOCGIFADDR = 0x8915
_NONE = {"", "00:00:00:00:00:00"}
_LONGEST = 17
"""Characters of an Ethernet address; InfiniBand's is longer, and in no frame that a filter compares."""


def own() -> tuple[str, ...]:
    """In lower case, sorted. Interfaces without a global address (ports of a bridge, containers' ends) are left out: no
    packet of this machine's own leaves by them under their own name."""
    found = set()
    six = _with_ipv6()
    for directory in Path("/sys/class/net").glob("*"):
        try:
            mac = (directory / "address").read_text().strip().lower()
        except OSError:
            continue
        if mac not in _NONE and len(mac) == _LONGEST and (directory.name in six or _has_ipv4(directory.name)):
            found.add(mac)
    return tuple(sorted(found))


def _has_ipv4(name: str) -> bool:
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as asked:
        try:
            fcntl.ioctl(asked, _SIOCGIFADDR, struct.pack("256s", name.encode()[:15]))
        except OSError:
            return False
    return True


def _with_ipv6() -> set[str]:
    """Names of interfaces with a global IPv6 address."""
    try:
        lines = Path("/proc/thread-self/net/if_inet6").read_text().splitlines()
    except OSError:
        return set()
    return {fields[5] for fields in map(str.split, lines) if len(fields) > 5 and fields[3] == "00"}
