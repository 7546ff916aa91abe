"""What the kernel reports of destinations. Runs once for each of many thousand servers, so it has a short way.

The kernel writes the same attributes of every destination in one order (ip_vs_genl_fill_dest), and statistics
after them. The short way unpacks them all at once. Whether this kernel writes them in the expected order is looked at
in the first message of each length; where it does not, each attribute is searched for, with the same result.
"""

from __future__ import annotations

import struct
from functools import lru_cache
from typing import TYPE_CHECKING, Any

from haman.kernel.ipvs import numbers as n
from haman.kernel.ipvs.decode import Buffer, Traffic, address, inside, totals
from haman.model.kernel import DestinationConfig, DestinationKey, ServiceKey
from haman.model.services import Forward, Tunnel

if TYPE_CHECKING:
    from haman.model.addresses import Address

_LAYOUT = (
    (n.DEST_ATTR_ADDR, "16s"),
    (n.DEST_ATTR_PORT, "2s"),
    (n.DEST_ATTR_FWD_METHOD, "I"),
    (n.DEST_ATTR_WEIGHT, "I"),
    (n.DEST_ATTR_TUN_TYPE, "B"),
    (n.DEST_ATTR_TUN_PORT, "2s"),
    (n.DEST_ATTR_TUN_FLAGS, "H"),
    (n.DEST_ATTR_U_THRESH, "I"),
    (n.DEST_ATTR_L_THRESH, "I"),
    (n.DEST_ATTR_ACTIVE_CONNS, "I"),
    (n.DEST_ATTR_INACT_CONNS, "I"),
    (n.DEST_ATTR_PERSIST_CONNS, "I"),
    (n.DEST_ATTR_ADDR_FAMILY, "H"),
)
_FIELDS = tuple((kind, struct.Struct(f"={code}")) for kind, code in _LAYOUT)
# From the generic header on: header of the attribute around them, then header, value and padding of each.
_VALUES = struct.Struct("=8x" + "".join(f"4x{field.format[1:]}{-field.size % 4}x" for _, field in _FIELDS))
_HEADERS = struct.Struct("=8x" + "".join(f"4s{field.size + -field.size % 4}x" for _, field in _FIELDS))
_EXPECTED = tuple(struct.pack("=HH", 4 + field.size, kind) for kind, field in _FIELDS)
_PORT = struct.Struct("!H")
_as_expected: dict[int, bool] = {}
"""By length of the message."""

_FORWARD = {number: forward for forward, number in n.FORWARD.items()}
_TUNNEL_TYPE = {number: kind for kind, number in n.TUNNEL_TYPE.items()}
_TUNNEL_CHECKSUM = {number: checksum for checksum, number in n.TUNNEL_CHECKSUM.items()}


def destination(behind: ServiceKey, buffer: Buffer, start: int, end: int) -> tuple[DestinationKey, DestinationConfig]:
    """One destination of the dump for the service `behind`."""
    packed, port, method, weight, kind, tunnel_port, flags, upper, lower, _, _, _, family = _values(buffer, start, end)
    return DestinationKey(behind, *_place(packed, port, family)), _config(
        method, weight, upper, lower, kind, tunnel_port, flags
    )


def destination_traffic(behind: ServiceKey, buffer: Buffer, start: int, end: int) -> tuple[DestinationKey, Traffic]:
    """The counters of one destination of the dump for the service `behind`."""
    packed, port, *_, active, inactive, persistent, family = _values(buffer, start, end)
    key = DestinationKey(behind, *_place(packed, port, family))
    statistics = inside(buffer, start, end, n.CMD_ATTR_DEST)[n.DEST_ATTR_STATS64]
    return key, Traffic(*totals(buffer, *statistics), active, inactive, persistent)


def _values(buffer: Buffer, start: int, end: int) -> tuple[Any, ...]:
    """The values of _LAYOUT, in its order; 0 or zero bytes for what this kernel does not report."""
    length = end - start
    expected = _as_expected.get(length)
    if expected is None:
        long_enough = length >= _HEADERS.size
        expected = long_enough and _HEADERS.unpack_from(buffer, start) == _EXPECTED
        _as_expected[length] = expected
    if expected:
        return _VALUES.unpack_from(buffer, start)
    at = inside(buffer, start, end, n.CMD_ATTR_DEST)
    return tuple(
        field.unpack_from(buffer, at[kind][0])[0] if kind in at else field.unpack(bytes(field.size))[0]
        for kind, field in _FIELDS
    )


@lru_cache(maxsize=65536)
def _place(packed: bytes, port: bytes, family: int) -> tuple[Address, int]:
    """Address and port of a server. Kept, as servers recur behind many services."""
    return address(packed, family), _PORT.unpack(port)[0]


@lru_cache(maxsize=4096)
def _config(
    method: int, weight: int, upper: int, lower: int, kind: int, tunnel_port: bytes, flags: int
) -> DestinationConfig:
    """Most destinations share a few configurations, so the objects are kept. A tunnel the model has no words for is
    none: it is not ours, or not as we want it."""
    tunnel = None
    if method == n.TUNNEL and kind in _TUNNEL_TYPE and flags in _TUNNEL_CHECKSUM:
        (port,) = _PORT.unpack(tunnel_port)
        tunnel = Tunnel(type=_TUNNEL_TYPE[kind], port=port, checksum=_TUNNEL_CHECKSUM[flags])
    forward = _FORWARD.get(method, Forward.DR)
    return DestinationConfig(forward, weight, upper, lower, tunnel, local=method == n.LOCALNODE)
