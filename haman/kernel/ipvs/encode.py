"""Operations to generic netlink commands: what the kernel's parsers in net/netfilter/ipvs/ip_vs_ctl.c expect.

Addresses, ports and IPv4 masks are in network order, every other number in the host's.
"""

from __future__ import annotations

import struct
from functools import lru_cache
from ipaddress import IPv6Address
from typing import TYPE_CHECKING

from haman.kernel.ipvs import numbers as n
from haman.kernel.netlink import attribute, nested
from haman.model.kernel import (
    DaemonConfig,
    DaemonKey,
    DestinationConfig,
    DestinationKey,
    ServiceConfig,
    ServiceKey,
    TimeoutsConfig,
    flag_words,
)
from haman.plan.ops import Add, Remove, Set

if TYPE_CHECKING:
    from haman.model.addresses import Address
    from haman.plan.ops import Op

_U8 = struct.Struct("=HHB3x")
_U16 = struct.Struct("=HHH2x")
_U32 = struct.Struct("=HHI")
_PORT = struct.Struct("=HH2s2x")
_SERVICE_FLAGS = struct.Struct("=II")
_EVERY_FLAG = 0xFFFFFFFF


def command(op: Op) -> tuple[int, bytes]:
    """The generic netlink command for one operation, and its attributes.

    Raises ValueError for what IPVS has no command for: an address, a sysctl, a sync daemon changed in place.
    """
    match op:
        case Add(DestinationKey() as key, DestinationConfig() as config):
            return n.CMD_NEW_DEST, _destination(key, _settings(config))
        case Set(DestinationKey() as key, DestinationConfig() as config):
            return n.CMD_SET_DEST, _destination(key, _settings(config))
        case Remove(DestinationKey() as key):
            return n.CMD_DEL_DEST, _destination(key, b"")
        case Add(ServiceKey() as key, ServiceConfig() as config):
            return n.CMD_NEW_SERVICE, _service(key, config)
        case Set(ServiceKey() as key, ServiceConfig() as config):
            return n.CMD_SET_SERVICE, _service(key, config)
        case Remove(ServiceKey() as key):
            return n.CMD_DEL_SERVICE, service_identity(key)
        case Add(DaemonKey() as key, DaemonConfig() as config):
            return n.CMD_NEW_DAEMON, _daemon(key, config)
        case Remove(DaemonKey() as key):
            return n.CMD_DEL_DAEMON, nested(n.CMD_ATTR_DAEMON, _u32(n.DAEMON_ATTR_STATE, n.DAEMON_STATE[key.role]))
        case Set(_, TimeoutsConfig() as config):
            return n.CMD_SET_CONFIG, _timeouts(config)
    raise ValueError(f"IPVS has no command for: {op}")


@lru_cache(maxsize=4096)
def service_identity(key: ServiceKey) -> bytes:
    """The attribute that says which service is meant. Kept, as it heads the message of each of its destinations."""
    return nested(n.CMD_ATTR_SERVICE, *_identity(key))


def _identity(key: ServiceKey) -> list[bytes]:
    family = _u16(n.SVC_ATTR_AF, n.AF_INET6 if key.ipv6 else n.AF_INET)
    if key.protocol is None or key.address is None:
        return [family, _u32(n.SVC_ATTR_FWMARK, key.fwmark)]
    return [
        family,
        _u16(n.SVC_ATTR_PROTOCOL, n.PROTOCOL[key.protocol]),
        attribute(n.SVC_ATTR_ADDR, key.address.packed),
        _port(n.SVC_ATTR_PORT, key.port),
    ]


def _service(key: ServiceKey, config: ServiceConfig) -> bytes:
    parts = [
        *_identity(key),
        attribute(n.SVC_ATTR_SCHED_NAME, config.scheduler.encode() + b"\0"),
        # With every bit in the mask the flags replace those the service has; else they would be added to them.
        attribute(n.SVC_ATTR_FLAGS, _SERVICE_FLAGS.pack(_flags(config), _EVERY_FLAG)),
        _u32(n.SVC_ATTR_TIMEOUT, config.persistence),
        attribute(n.SVC_ATTR_NETMASK, _netmask(config.prefix, ipv6=key.ipv6)),
    ]
    if config.engine:
        parts.append(attribute(n.SVC_ATTR_PE_NAME, config.engine.encode() + b"\0"))
    return nested(n.CMD_ATTR_SERVICE, *parts)


def _flags(config: ServiceConfig) -> int:
    words = zip(flag_words(config.scheduler), n.SVC_F_SCHED, strict=True)
    bits = sum(bit for word, bit in words if word in config.flags)
    bits |= n.SVC_F_PERSISTENT if config.persistence else 0
    return bits | (n.SVC_F_ONEPACKET if config.one_packet else 0)


def _netmask(prefix: int, *, ipv6: bool) -> bytes:
    """IPv4 has a mask here, IPv6 the prefix length."""
    if ipv6:
        return struct.pack("=I", prefix)
    return (0xFFFFFFFF << (32 - prefix) & 0xFFFFFFFF).to_bytes(4, "big")


def _destination(key: DestinationKey, settings: bytes) -> bytes:
    server = nested(n.CMD_ATTR_DEST, _server(key.address, key.port), settings)
    return service_identity(key.service) + server


@lru_cache(maxsize=65536)
def _server(address: Address, port: int) -> bytes:
    """The attributes that say which destination is meant; kept, as servers recur behind many services."""
    family = n.AF_INET6 if isinstance(address, IPv6Address) else n.AF_INET
    return (
        attribute(n.DEST_ATTR_ADDR, address.packed)
        + _port(n.DEST_ATTR_PORT, port)
        + _u16(n.DEST_ATTR_ADDR_FAMILY, family)
    )


@lru_cache(maxsize=4096)
def _settings(config: DestinationConfig) -> bytes:
    """The attributes of a destination beside its identity; kept, as most destinations share a few configurations."""
    parts = [
        _u32(n.DEST_ATTR_FWD_METHOD, n.FORWARD[config.forward]),
        _u32(n.DEST_ATTR_WEIGHT, config.weight),
        _u32(n.DEST_ATTR_U_THRESH, config.upper_threshold),
        _u32(n.DEST_ATTR_L_THRESH, config.lower_threshold),
    ]
    if config.tunnel is not None:
        parts += (
            _U8.pack(5, n.DEST_ATTR_TUN_TYPE, n.TUNNEL_TYPE[config.tunnel.type]),
            _port(n.DEST_ATTR_TUN_PORT, config.tunnel.port),
            _u16(n.DEST_ATTR_TUN_FLAGS, n.TUNNEL_CHECKSUM[config.tunnel.checksum]),
        )
    return b"".join(parts)


def _daemon(key: DaemonKey, config: DaemonConfig) -> bytes:
    group = n.DAEMON_ATTR_MCAST_GROUP6 if isinstance(config.group, IPv6Address) else n.DAEMON_ATTR_MCAST_GROUP
    return nested(
        n.CMD_ATTR_DAEMON,
        _u32(n.DAEMON_ATTR_STATE, n.DAEMON_STATE[key.role]),
        attribute(n.DAEMON_ATTR_MCAST_IFN, config.interface.encode() + b"\0"),
        _u32(n.DAEMON_ATTR_SYNC_ID, config.sync_id),
        _u16(n.DAEMON_ATTR_SYNC_MAXLEN, config.max_length),
        attribute(group, config.group.packed),
        _u16(n.DAEMON_ATTR_MCAST_PORT, config.port),  # in the host's order, unlike every other port here
        _U8.pack(5, n.DAEMON_ATTR_MCAST_TTL, config.ttl),
    )


def _timeouts(config: TimeoutsConfig) -> bytes:
    return (
        _u32(n.CMD_ATTR_TIMEOUT_TCP, config.tcp)
        + _u32(n.CMD_ATTR_TIMEOUT_TCP_FIN, config.tcp_fin)
        + _u32(n.CMD_ATTR_TIMEOUT_UDP, config.udp)
    )


def _u16(kind: int, value: int) -> bytes:
    return _U16.pack(6, kind, value)


def _u32(kind: int, value: int) -> bytes:
    return _U32.pack(8, kind, value)


def _port(kind: int, port: int) -> bytes:
    return _PORT.pack(6, kind, port.to_bytes(2, "big"))
