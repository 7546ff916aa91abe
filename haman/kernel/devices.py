"""Tunnel devices and GUE ports that unwrap packets: read, made and removed over our own netlink.

Ours have names that begin with PREFIX, so that what bears another is never looked at. A GUE port can bear no name:
whose it is stands in what was written down (kernel.remembered).

A device takes what anybody sends to its `local` address (no `remote`), and is found by the kernel before the nameless
one of its kind (tunl0, gre0, sit0, ip6tnl0), which stays as it is.

Sources: include/uapi/linux/if_link.h, if_tunnel.h and fou.h of Linux 6.12; ip_tunnel_lookup in net/ipv4/ip_tunnel.c.
"""

from __future__ import annotations

import contextlib
import errno
import socket
import struct
from ipaddress import IPv4Address, IPv6Address, ip_address
from typing import TYPE_CHECKING

from haman.errors import KernelRefused, KernelUnavailable
from haman.kernel.netlink import (
    CREATE,
    EXCLUSIVE,
    NETLINK_GENERIC,
    NETLINK_ROUTE,
    Netlink,
    Request,
    attribute,
    attributes,
    family_number,
    generic,
    nested,
)
from haman.kernel.refusal import Refusal
from haman.kernel.sysctls import ROOT
from haman.model.kernel import DeviceConfig, DeviceKey, GuePortConfig, GuePortKey, Kernel, Unwrapper
from haman.plan.ops import Add, Remove

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence
    from pathlib import Path

    from haman.plan.ops import Op

PREFIX = "haman-"

_NEWLINK, _DELLINK, _GETLINK = 16, 17, 18
_LINK = struct.Struct("=BxHiII")  # family, type, index, flags, which flags are meant
_IFF_UP = 0x1
_IFLA_IFNAME, _IFLA_LINKINFO, _INFO_KIND, _INFO_DATA = 3, 18, 1, 2
_IPTUN_LOCAL, _IPTUN_TTL, _IPTUN_PROTO = 2, 4, 9
_GRE_IFLAGS, _GRE_LOCAL, _GRE_TTL = 2, 6, 8
_GRE_CSUM = 0x8000
_TTL = 64
_UNSIGNED16 = struct.Struct(">H")

_FOU_ADD, _FOU_DEL, _FOU_GET = 1, 2, 3
_FOU_PORT, _FOU_AF, _FOU_TYPE = 1, 2, 4
_GUE = 2
_GENERIC = 4  # bytes of the generic netlink header

_HINTS = {
    errno.EOPNOTSUPP: " (this kernel lacks the module: ipip, ip_gre, sit, ip6_tunnel or ip6_gre)",
    errno.EEXIST: " (another device of this kind takes what is sent to this address)",
    errno.EADDRINUSE: " (somebody else listens on this UDP port)",
    errno.ENODEV: " (it is gone)",
}
_GONE = {errno.ENODEV, errno.ENOENT, errno.ENXIO}


class Devices:
    """Of this network namespace. Not for two users at once. The kernel's FOU is asked for only where GUE matters."""

    def __init__(self) -> None:
        self._links = Netlink(NETLINK_ROUTE)
        self._fou: Netlink | None = None
        self._family = 0

    def close(self) -> None:
        self._links.close()
        if self._fou is not None:
            self._fou.close()

    def snapshot(self, *, gue: bool) -> Kernel:
        """Our devices, and every GUE port if these matter; nothing else is filled in. Raises KernelRefused."""
        devices = {key: config for key, config in self.every().items() if key.name.startswith(PREFIX)}
        return Kernel(devices=devices, gue_ports=self._gue_ports() if gue else {})

    def every(self) -> dict[DeviceKey, DeviceConfig]:
        """Devices that unwrap, whoever made them; those of others may want a certain sender. Raises KernelRefused."""
        return dict(
            self._device(body) for body in self._links.messages(_links_request(), "tunnel devices") if _name(body)
        )

    def _device(self, body: bytes) -> tuple[DeviceKey, DeviceConfig]:
        _, _, _, flags, _ = _LINK.unpack_from(body)
        name = _name(body)
        kind, local, checksum = _tunnel(body)
        loose = False
        with contextlib.suppress(OSError):  # it went just now
            loose = _filter(name).read_text().strip() == "2"
        return DeviceKey(name), DeviceConfig(kind, local, checksum, up=bool(flags & _IFF_UP), loose=loose)

    def _gue_ports(self) -> dict[GuePortKey, GuePortConfig]:
        try:
            fou = self._open_fou()
        except KernelUnavailable:
            return {}  # then there is none, and adding one says why
        found = {}
        for body in fou.messages(generic(self._family, _FOU_GET, 1), "GUE ports"):
            parts = {kind: body[start:end] for kind, (start, end) in attributes(body, _GENERIC, len(body)).items()}
            if parts.get(_FOU_TYPE, b"\0")[0] == _GUE:
                version = 4 if parts[_FOU_AF][0] == socket.AF_INET else 6
                found[GuePortKey(version, _UNSIGNED16.unpack(parts[_FOU_PORT][:2])[0])] = GuePortConfig()
        return found

    def _open_fou(self) -> Netlink:
        """Raises KernelUnavailable."""
        if self._fou is None:
            opened = Netlink(NETLINK_GENERIC)
            try:
                self._family = family_number(opened, "fou")
            except KernelUnavailable:
                opened.close()
                raise
            self._fou = opened
        return self._fou

    def apply(self, ops: Sequence[Op]) -> list[Refusal]:
        """In order. Operations on anything else are passed over."""
        refusals = []
        for op in ops:
            code = self._carry_out(op)
            if code and not (isinstance(op, Remove) and code in _GONE):
                refusals.append(Refusal(op, KernelRefused(f"{op}{_HINTS.get(code, '')}", code)))
        return refusals

    def _carry_out(self, op: Op) -> int:
        """0, or the kernel's errno."""
        try:
            match op.key:
                case DeviceKey(name):
                    return self._device_op(op, name)
                case GuePortKey() as key:
                    return self._execute(self._open_fou(), _gue_request(self._family, op, key))
        except KernelUnavailable:
            return errno.EOPNOTSUPP
        except KernelRefused as error:
            return error.errno
        except OSError as error:
            return error.errno or errno.EIO
        return 0

    def _device_op(self, op: Op, name: str) -> int:
        """Made, told not to filter, then up: no packet meets a filter that is too strict."""
        if isinstance(op, Remove):
            return self._execute(self._links, Request(_DELLINK, 0, _LINK.pack(0, 0, socket.if_nametoindex(name), 0, 0)))
        assert isinstance(op.config, DeviceConfig)
        if isinstance(op, Add):
            code = self._execute(self._links, _new_device(name, op.config))
            if code:
                return code
        if op.config.loose:
            _filter(name).write_text("2")
        flags = _IFF_UP if op.config.up else 0
        index = socket.if_nametoindex(name)
        return self._execute(self._links, Request(_NEWLINK, 0, _LINK.pack(0, 0, index, flags, _IFF_UP)))

    def _execute(self, netlink: Netlink, request: Request) -> int:
        return netlink.execute([request]).get(0, 0)


def _filter(name: str) -> Path:
    """The larger of this and `all` counts, so 2 (loose) here holds whatever `all` says; 0 here would not."""
    return ROOT / "net/ipv4/conf" / name / "rp_filter"


def _links_request() -> Request:
    return Request(_GETLINK, 0, _LINK.pack(0, 0, 0, 0, 0))


def _new_device(name: str, config: DeviceConfig) -> Request:
    local = config.local.packed
    match config.kind:
        case Unwrapper.GRE | Unwrapper.IP6GRE:
            data = [attribute(_GRE_LOCAL, local), attribute(_GRE_TTL, bytes([_TTL]))]
            data += [attribute(_GRE_IFLAGS, _UNSIGNED16.pack(_GRE_CSUM))] if config.checksum else []
        case Unwrapper.IPIP | Unwrapper.SIT:
            data = [attribute(_IPTUN_LOCAL, local), attribute(_IPTUN_TTL, bytes([_TTL]))]
        case Unwrapper.IP6TNL:
            # Protocol 0: either family may be inside.
            data = [
                attribute(_IPTUN_LOCAL, local),
                attribute(_IPTUN_TTL, bytes([_TTL])),
                attribute(_IPTUN_PROTO, b"\0"),
            ]
    info = nested(_IFLA_LINKINFO, attribute(_INFO_KIND, config.kind.value.encode()), nested(_INFO_DATA, *data))
    body = _LINK.pack(0, 0, 0, 0, 0) + attribute(_IFLA_IFNAME, name.encode() + b"\0") + info
    return Request(_NEWLINK, CREATE | EXCLUSIVE, body)


def _gue_request(family: int, op: Op, key: GuePortKey) -> Request:
    af = socket.AF_INET if key.version == 4 else socket.AF_INET6
    parts = [attribute(_FOU_PORT, _UNSIGNED16.pack(key.port)), attribute(_FOU_AF, bytes([af]))]
    if isinstance(op, Remove):
        return generic(family, _FOU_DEL, 1, *parts)
    return generic(family, _FOU_ADD, 1, *parts, attribute(_FOU_TYPE, bytes([_GUE])))


def _name(body: bytes) -> str:
    """The device's name if it is of a kind that we make; else empty."""
    name = dict(_values(body, _LINK.size, len(body))).get(_IFLA_IFNAME, b"").rstrip(b"\0").decode()
    return name if _kind(body) in {kind.value for kind in Unwrapper} else ""


def _kind(body: bytes) -> str:
    info = dict(_values(body, _LINK.size, len(body))).get(_IFLA_LINKINFO, b"")
    return dict(_values(info, 0, len(info))).get(_INFO_KIND, b"").rstrip(b"\0").decode()


def _tunnel(body: bytes) -> tuple[Unwrapper, IPv4Address | IPv6Address, bool]:
    info = dict(_values(body, _LINK.size, len(body)))[_IFLA_LINKINFO]
    kind = Unwrapper(_kind(body))
    data = dict(_values(info, 0, len(info))).get(_INFO_DATA, b"")
    parts = dict(_values(data, 0, len(data)))
    gre = kind in (Unwrapper.GRE, Unwrapper.IP6GRE)
    flags = _UNSIGNED16.unpack(parts[_GRE_IFLAGS][:2])[0] if gre and _GRE_IFLAGS in parts else 0
    six = kind in (Unwrapper.IP6TNL, Unwrapper.IP6GRE)
    local = parts.get(_GRE_LOCAL if gre else _IPTUN_LOCAL, bytes(16 if six else 4))
    return kind, ip_address(local), bool(flags & _GRE_CSUM)


def _values(buffer: bytes, start: int, end: int) -> Iterator[tuple[int, bytes]]:
    for kind, (begin, stop) in attributes(buffer, start, end).items():
        yield kind, buffer[begin:stop]
