"""What the director may do: it begins with what the elector has, and gives up what it has no use for.

A capability given up in this way does not come back (capabilities(7)), so what a later configuration may need and this
one does not is not kept for it: the director is started anew then. Started by hand as root, programs it runs as
root get all of root's back from the kernel; under the unit they do not (NoNewPrivileges).
"""

from __future__ import annotations

import ctypes
import os
import struct
from pathlib import Path
from typing import TYPE_CHECKING

from haman.model.checks import PingProbe
from haman.model.trackers import ArpWatch, PingWatch

if TYPE_CHECKING:
    from haman.model.cluster import Cluster

CAPABILITIES = {
    "CAP_CHOWN": 0,
    "CAP_DAC_OVERRIDE": 1,
    "CAP_KILL": 5,
    "CAP_SETGID": 6,
    "CAP_SETUID": 7,
    "CAP_NET_BIND_SERVICE": 10,
    "CAP_NET_ADMIN": 12,
    "CAP_NET_RAW": 13,
    "CAP_IPC_LOCK": 14,
    "CAP_SYS_PTRACE": 19,
    "CAP_SYS_ADMIN": 21,
    "CAP_SYS_BOOT": 22,
    "CAP_SYS_NICE": 23,
}
"""By name, those this program speaks of (linux/capability.h)."""

KEPT = (
    "CAP_NET_ADMIN",  # IPVS, its settings, and the VIPs when the elector is dead
    "CAP_SETUID",  # hooks and check scripts as another user
    "CAP_SETGID",  # the same, and the control socket's group
    "CAP_KILL",  # to end what runs as another user
    "CAP_CHOWN",
    "CAP_DAC_OVERRIDE",
)
"""The last two only where this process has them, which it has not under the unit: files that are not root's."""

RAW = "CAP_NET_RAW"
"""For ping checks and trackers where the sysctl net.ipv4.ping_group_range lets nobody in, for ARP trackers, and for an
arbiter that is asked in the same ways."""

BIND = "CAP_NET_BIND_SERVICE"
"""For ports below 1024: the relay's sockets, and metrics."""

CONDITIONAL = frozenset({RAW, BIND})
"""What depends on the configuration."""

_VERSION_3 = 0x20080522
_SETS = struct.Struct("=IIIIII")


def wanted(cluster: Cluster) -> frozenset[str]:
    """By name, what the director of this cluster has a use for."""
    checked = [each for service in cluster.services.values() for each in service.checked()]
    probes = [each.check.probe for each in checked if each.check is not None]
    watched = [tracker.watched for tracker in cluster.trackers.values()]
    raw = any(isinstance(each, (PingProbe, PingWatch, ArpWatch)) for each in (*probes, *watched))
    raw = raw or (cluster.arbiter is not None and bool(cluster.arbiter.ping or cluster.arbiter.arp))
    relayed = [service for service in cluster.services.values() if any(each.relay for each in service.backups)]
    ports = [port for service in relayed for port in service.ports]
    ports += [cluster.metrics.port] if cluster.metrics is not None else []
    bind = any(port < 1024 for port in ports)
    return frozenset((*KEPT, *((RAW,) if raw else ()), *((BIND,) if bind else ())))


def held() -> frozenset[str]:
    """What this process may do now; empty where that cannot be found out."""
    try:
        lines = Path("/proc/thread-self/status").read_text().splitlines()
        bits = next(int(line.split()[1], 16) for line in lines if line.startswith("CapPrm:"))
    except (OSError, StopIteration, ValueError):
        return frozenset()
    return frozenset(name for name, number in CAPABILITIES.items() if bits >> number & 1)


def keep(names: frozenset[str]) -> None:
    """Give up everything else, for good. Call it while there is one thread: each has capabilities of its own.

    Raises OSError.
    """
    bits = sum(1 << CAPABILITIES[name] for name in names & held())
    low, high = bits & 0xFFFFFFFF, bits >> 32
    header = struct.pack("=Ii", _VERSION_3, 0)
    data = _SETS.pack(low, low, 0, high, high, 0)
    libc = ctypes.CDLL(None, use_errno=True)
    if libc.capset(header, data) != 0:
        number = ctypes.get_errno()
        raise OSError(number, os.strerror(number))
