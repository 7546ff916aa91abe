"""Routes and rules of our own: read, added and removed over our own netlink.

Ours bear a protocol number of our own, as the kernel's own, a DHCP client's and each routing daemon's bear theirs.
What bears another is never read, so never planned for, and the kernel is told the number with each removal, so that it
removes no other by mistake. The number also answers whose a route is that no configuration mentions any more.

Sources: include/uapi/linux/rtnetlink.h and fib_rules.h of Linux 6.12.
"""

from __future__ import annotations

import errno
import socket
import struct
from ipaddress import IPv4Network, IPv6Network, ip_address
from typing import TYPE_CHECKING

from haman.errors import KernelRefused
from haman.kernel.netlink import (
    CREATE,
    EXCLUSIVE,
    NETLINK_ROUTE,
    Netlink,
    Request,
    attribute,
    attributes,
)
from haman.kernel.refusal import Refusal
from haman.model.kernel import Kernel, RouteConfig, RouteKey, RuleConfig, RuleKey
from haman.plan.ops import Add, Remove

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from haman.model.addresses import Address
    from haman.plan.ops import Op

PROTOCOL = 104
"""`h`; free in /etc/iproute2/rt_protos. `ip route show proto 104` shows what is ours."""

_NEWROUTE, _DELROUTE, _GETROUTE, _NEWRULE, _DELRULE, _GETRULE = 24, 25, 26, 32, 33, 34
_REPLACE = 0x100
_RTA_DST, _RTA_OIF, _RTA_GATEWAY, _RTA_PRIORITY, _RTA_PREFSRC, _RTA_TABLE = 1, 4, 5, 6, 7, 15
_FRA_DST, _FRA_SRC, _FRA_IIFNAME, _FRA_PRIORITY, _FRA_FWMARK, _FRA_TABLE, _FRA_PROTOCOL = 1, 2, 3, 6, 10, 15, 21
_UNIVERSE, _LINK, _HOST, _NOWHERE, _UNICAST, _LOCAL, _TO_TABLE = 0, 253, 254, 255, 1, 2, 1
_HEADER = struct.Struct("=BBBBBBBBI")  # struct rtmsg; struct fib_rule_hdr with the action in the place of the type
_UNSIGNED32 = struct.Struct("=I")

_HINTS = {
    errno.EEXIST: " (somebody else has one there, which is left alone)",
    errno.ENETUNREACH: " (its gateway is on no network of this machine)",
    errno.EHOSTUNREACH: " (its gateway is on no network of this machine)",
    errno.EINVAL: " (the kernel does not take it: is its preferred source an address of this machine?)",
}

_GONE = {errno.ESRCH, errno.ENOENT, errno.ENODEV}
"""What the kernel says to the removal of what is not there any more."""


class Routing:
    """Of this network namespace. Not for two users at once."""

    def __init__(self) -> None:
        self._netlink = Netlink(NETLINK_ROUTE, strict=True)

    def close(self) -> None:
        self._netlink.close()

    def is_ours(self, port: int) -> bool:
        """Whether a change that the kernel tells of was made here: by the port of who made it."""
        return port == self._netlink.port

    def snapshot(self) -> Kernel:
        """Our routes and rules of both families; nothing else is filled in. Raises KernelRefused."""
        routes: dict[RouteKey, RouteConfig] = {}
        rules: dict[RuleKey, RuleConfig] = {}
        for family in (socket.AF_INET, socket.AF_INET6):
            ours = Request(_GETROUTE, 0, _HEADER.pack(family, 0, 0, 0, 0, PROTOCOL, 0, 0, 0))
            for body in self._netlink.messages(ours, "routes"):
                routes |= _route(body)
            every = Request(_GETRULE, 0, _HEADER.pack(family, 0, 0, 0, 0, 0, 0, 0, 0))
            for body in self._netlink.messages(every, "rules"):
                rules |= _rule(body)
        return Kernel(routes=routes, rules=rules)

    def apply(self, ops: Sequence[Op]) -> list[Refusal]:
        """In order. Operations on anything else are passed over."""
        refusals = []
        for op in ops:
            try:
                request = _request(op)
                refused = {} if request is None else self._netlink.execute([request])
            except OSError as error:
                refused = {0: error.errno or errno.ENODEV}
            except KernelRefused as error:
                refused = {0: error.errno}
            for code in refused.values():
                if not (isinstance(op, Remove) and code in _GONE):
                    refusals.append(Refusal(op, KernelRefused(f"{op}{_HINTS.get(code, '')}", code)))
        return refusals


def _request(op: Op) -> Request | None:
    """Raises OSError for an interface that does not exist."""
    match op.key:
        case RouteKey() as key:
            if isinstance(op, Remove):
                return Request(_DELROUTE, 0, _route_body(key, None))
            assert isinstance(op.config, RouteConfig)
            flags = CREATE | (EXCLUSIVE if isinstance(op, Add) else _REPLACE)
            return Request(_NEWROUTE, flags, _route_body(key, op.config))
        case RuleKey() as key:
            removing = isinstance(op, Remove)
            return Request(_DELRULE if removing else _NEWRULE, 0 if removing else CREATE | EXCLUSIVE, _rule_body(key))
    return None


def _route_body(key: RouteKey, config: RouteConfig | None) -> bytes:
    network = key.destination
    near = config is not None and config.via is None and network.version == 4
    local = config is not None and config.local
    scope = _NOWHERE if config is None else _HOST if local else _LINK if near else _UNIVERSE  # a removal: of any
    kind = 0 if config is None else _LOCAL if local else _UNICAST
    family, table = _family(network.version), key.table if key.table < 256 else 0
    body = _HEADER.pack(family, network.prefixlen, 0, 0, table, PROTOCOL, scope, kind, 0)
    body += attribute(_RTA_DST, network.network_address.packed) if network.prefixlen else b""
    body += attribute(_RTA_TABLE, _UNSIGNED32.pack(key.table))
    body += attribute(_RTA_PRIORITY, _UNSIGNED32.pack(key.metric)) if key.metric else b""
    if config is not None:
        body += attribute(_RTA_GATEWAY, config.via.packed) if config.via is not None else b""
        body += attribute(_RTA_PREFSRC, config.source.packed) if config.source is not None else b""
        if config.device is not None:
            body += attribute(_RTA_OIF, _UNSIGNED32.pack(socket.if_nametoindex(config.device)))
    return body


def _rule_body(key: RuleKey) -> bytes:
    lengths = [network.prefixlen if network is not None else 0 for network in (key.destination, key.source)]
    table = key.table if key.table < 256 else 0
    body = _HEADER.pack(_family(key.version), *lengths, 0, table, 0, 0, _TO_TABLE, 0)
    for kind, network in ((_FRA_DST, key.destination), (_FRA_SRC, key.source)):
        if network is not None:
            body += attribute(kind, network.network_address.packed)
    body += attribute(_FRA_IIFNAME, key.incoming.encode() + b"\0") if key.incoming else b""
    body += attribute(_FRA_FWMARK, _UNSIGNED32.pack(key.fwmark)) if key.fwmark else b""
    body += attribute(_FRA_PRIORITY, _UNSIGNED32.pack(key.priority))
    body += attribute(_FRA_TABLE, _UNSIGNED32.pack(key.table))
    return body + attribute(_FRA_PROTOCOL, bytes([PROTOCOL]))


def _route(body: bytes) -> dict[RouteKey, RouteConfig]:
    """Nothing for one that is not ours after all: an old kernel may pass the filter over."""
    family, length, _, _, table, protocol, _, kind, _ = _HEADER.unpack_from(body)
    if protocol != PROTOCOL:
        return {}
    found = dict(_values(body))
    destination = _network(family, found.get(_RTA_DST), length)
    key = RouteKey(destination, _number(found, _RTA_TABLE, table), _number(found, _RTA_PRIORITY))
    device = _number(found, _RTA_OIF)
    return {
        key: RouteConfig(
            _address(found.get(_RTA_GATEWAY)),
            _name(device) if device else None,
            _address(found.get(_RTA_PREFSRC)),
            kind == _LOCAL,
        )
    }


def _rule(body: bytes) -> dict[RuleKey, RuleConfig]:
    family, dst_length, src_length, _, table, _, _, _, _ = _HEADER.unpack_from(body)
    found = dict(_values(body))
    if found.get(_FRA_PROTOCOL) != bytes([PROTOCOL]):
        return {}
    key = RuleKey(
        version=4 if family == socket.AF_INET else 6,
        priority=_number(found, _FRA_PRIORITY),
        table=_number(found, _FRA_TABLE, table),
        source=_network(family, found[_FRA_SRC], src_length) if _FRA_SRC in found else None,
        destination=_network(family, found[_FRA_DST], dst_length) if _FRA_DST in found else None,
        fwmark=_number(found, _FRA_FWMARK),
        incoming=found.get(_FRA_IIFNAME, b"").rstrip(b"\0").decode(),
    )
    return {key: RuleConfig()}


def _values(body: bytes) -> Iterator[tuple[int, bytes]]:
    for kind, (start, end) in attributes(body, _HEADER.size, len(body)).items():
        yield kind, body[start:end]


def _number(found: dict[int, bytes], kind: int, otherwise: int = 0) -> int:
    return int(_UNSIGNED32.unpack(found[kind][:4])[0]) if kind in found else otherwise


def _network(family: int, data: bytes | None, length: int) -> IPv4Network | IPv6Network:
    if family == socket.AF_INET:
        return IPv4Network((data or bytes(4), length))
    return IPv6Network((data or bytes(16), length))


def _address(data: bytes | None) -> Address | None:
    return None if data is None else ip_address(data)


def _name(index: int) -> str | None:
    try:
        return socket.if_indextoname(index)
    except OSError:
        return None


def _family(version: int) -> int:
    return socket.AF_INET if version == 4 else socket.AF_INET6
