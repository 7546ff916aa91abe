"""What the kernel reports of services, sync daemons and timeouts, as objects of the model; destinations: `servers`."""

from __future__ import annotations

import struct
from dataclasses import dataclass
from functools import lru_cache
from ipaddress import IPv4Address, IPv6Address
from typing import TYPE_CHECKING

from haman.kernel.ipvs import numbers as n
from haman.kernel.netlink import attributes
from haman.model.kernel import (
    DaemonConfig,
    DaemonKey,
    ServiceConfig,
    ServiceKey,
    TimeoutsConfig,
    flag_words,
)

if TYPE_CHECKING:
    from haman.model.addresses import Address

Buffer = bytes | bytearray

GENERIC_HEADER = 4
"""Bytes of genlmsghdr before the first attribute."""

UNMASKABLE = -1
"""The prefix of a persistence mask that no prefix length describes, such as 255.0.255.0."""

_U8 = struct.Struct("=B")
_U16 = struct.Struct("=H")
_U32 = struct.Struct("=I")
_U64 = struct.Struct("=Q")
_PORT = struct.Struct("!H")

_PROTOCOL = {number: protocol for protocol, number in n.PROTOCOL.items()}
_ROLE = {number: role for role, number in n.DAEMON_STATE.items()}


@dataclass(frozen=True, slots=True)
class Traffic:
    """What passed through a service or destination since it was made (or since somebody zeroed it).

    connections: scheduled so far. This and the four totals are added up by the kernel every two seconds. The last
    three are of this moment, and for a destination only. active: established connections; inactive: all others,
    those of UDP among them; persistent: clients bound to it.
    """

    connections: int
    packets_in: int
    packets_out: int
    bytes_in: int
    bytes_out: int
    active: int = 0
    inactive: int = 0
    persistent: int = 0


def service(buffer: Buffer, start: int, end: int) -> tuple[ServiceKey, ServiceConfig] | None:
    """One service of a dump. None for one of a protocol the model has no name for: it is nobody's of ours."""
    at = inside(buffer, start, end, n.CMD_ATTR_SERVICE)
    key = _service_key(buffer, at)
    if key is None:
        return None
    return key, _service_config(
        bytes(buffer[slice(*at[n.SVC_ATTR_SCHED_NAME])]),
        _U32.unpack_from(buffer, at[n.SVC_ATTR_FLAGS][0])[0],
        _U32.unpack_from(buffer, at[n.SVC_ATTR_TIMEOUT][0])[0],
        bytes(buffer[slice(*at[n.SVC_ATTR_NETMASK])]),
        bytes(buffer[slice(*at[n.SVC_ATTR_PE_NAME])]) if n.SVC_ATTR_PE_NAME in at else b"",
        key.ipv6,
    )


def service_traffic(buffer: Buffer, start: int, end: int) -> tuple[ServiceKey, Traffic] | None:
    """The counters of one service of a dump; None as for `service`."""
    at = inside(buffer, start, end, n.CMD_ATTR_SERVICE)
    key = _service_key(buffer, at)
    return None if key is None else (key, Traffic(*totals(buffer, *at[n.SVC_ATTR_STATS64])))


def daemon(buffer: Buffer, start: int, end: int) -> tuple[DaemonKey, DaemonConfig]:
    """One running sync daemon. What was left to the kernel is filled in: port, ttl, group, max_length."""
    at = inside(buffer, start, end, n.CMD_ATTR_DAEMON)
    group: Address
    if n.DAEMON_ATTR_MCAST_GROUP6 in at:
        group = IPv6Address(bytes(buffer[slice(*at[n.DAEMON_ATTR_MCAST_GROUP6])]))
    else:
        group = IPv4Address(bytes(buffer[slice(*at[n.DAEMON_ATTR_MCAST_GROUP])]))
    (state,) = _U32.unpack_from(buffer, at[n.DAEMON_ATTR_STATE][0])
    return DaemonKey(_ROLE[state]), DaemonConfig(
        interface=_text(bytes(buffer[slice(*at[n.DAEMON_ATTR_MCAST_IFN])])),
        sync_id=_U32.unpack_from(buffer, at[n.DAEMON_ATTR_SYNC_ID][0])[0],
        group=group,
        port=_U16.unpack_from(buffer, at[n.DAEMON_ATTR_MCAST_PORT][0])[0],
        ttl=_U8.unpack_from(buffer, at[n.DAEMON_ATTR_MCAST_TTL][0])[0],
        max_length=_U16.unpack_from(buffer, at[n.DAEMON_ATTR_SYNC_MAXLEN][0])[0],
    )


def timeouts(answer: bytes) -> TimeoutsConfig:
    """The three connection timeouts, seconds. A kernel without a protocol does not name it: 0."""
    at = attributes(answer, GENERIC_HEADER, len(answer))
    kinds = (n.CMD_ATTR_TIMEOUT_TCP, n.CMD_ATTR_TIMEOUT_TCP_FIN, n.CMD_ATTR_TIMEOUT_UDP)
    return TimeoutsConfig(*(_U32.unpack_from(answer, at[kind][0])[0] if kind in at else 0 for kind in kinds))


def inside(buffer: Buffer, start: int, end: int, wanted: int) -> dict[int, tuple[int, int]]:
    """Where the payloads are of the attributes nested in `wanted`: start and end by kind."""
    return attributes(buffer, *attributes(buffer, start + GENERIC_HEADER, end)[wanted])


def _service_key(buffer: Buffer, at: dict[int, tuple[int, int]]) -> ServiceKey | None:
    (family,) = _U16.unpack_from(buffer, at[n.SVC_ATTR_AF][0])
    if n.SVC_ATTR_FWMARK in at:
        return ServiceKey.marked(_U32.unpack_from(buffer, at[n.SVC_ATTR_FWMARK][0])[0], ipv6=family == n.AF_INET6)
    protocol = _PROTOCOL.get(_U16.unpack_from(buffer, at[n.SVC_ATTR_PROTOCOL][0])[0])
    if protocol is None:
        return None
    (port,) = _PORT.unpack_from(buffer, at[n.SVC_ATTR_PORT][0])
    return ServiceKey.at(protocol, address(bytes(buffer[slice(*at[n.SVC_ATTR_ADDR])]), family), port)


@lru_cache(maxsize=4096)
def _service_config(
    scheduler: bytes, flags: int, timeout: int, netmask: bytes, engine: bytes, ipv6: bool
) -> ServiceConfig:
    """Most services share a few configurations, so the objects are kept."""
    name = _text(scheduler)
    return ServiceConfig(
        scheduler=name,
        flags=frozenset(word for word, bit in zip(flag_words(name), n.SVC_F_SCHED, strict=True) if flags & bit),
        persistence=timeout if flags & n.SVC_F_PERSISTENT else 0,
        prefix=_U32.unpack(netmask)[0] if ipv6 else _prefix(int.from_bytes(netmask, "big")),
        engine=_text(engine),
        one_packet=bool(flags & n.SVC_F_ONEPACKET),
    )


@lru_cache(maxsize=65536)
def address(packed: bytes, family: int) -> Address:
    """From the 16 bytes the kernel always reports; an IPv4 address is in the first four. Kept: servers recur."""
    return IPv6Address(packed) if family == n.AF_INET6 else IPv4Address(packed[:4])


def totals(buffer: Buffer, start: int, end: int) -> tuple[int, int, int, int, int]:
    """connections, packets in and out, bytes in and out: the first five of the 64-bit statistics."""
    at = attributes(buffer, start, end)
    kinds = range(n.STATS_ATTR_CONNS, n.STATS_ATTR_OUTBYTES + 1)
    connections, packets_in, packets_out, bytes_in, bytes_out = (
        _U64.unpack_from(buffer, at[kind][0])[0] for kind in kinds
    )
    return connections, packets_in, packets_out, bytes_in, bytes_out


def _prefix(mask: int) -> int:
    length = mask.bit_count()
    return length if mask == 0xFFFFFFFF << (32 - length) & 0xFFFFFFFF else UNMASKABLE


def _text(name: bytes) -> str:
    return name.rstrip(b"\0").decode(errors="replace")
