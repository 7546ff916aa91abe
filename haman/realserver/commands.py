"""The operations as plain commands, for those who would rather type them, or run them by a tool of their own."""

from __future__ import annotations

from typing import TYPE_CHECKING

from haman.model.kernel import (
    AddressKey,
    DeviceConfig,
    DeviceKey,
    GuePortKey,
    SysctlConfig,
    SysctlKey,
    TableConfig,
    TableKey,
    Unwrapper,
)
from haman.plan.ops import Add, Remove

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from haman.plan.ops import Op


def commands(ops: Iterable[Op]) -> Iterator[str]:
    """One line each, in their order, for a POSIX shell."""
    for op in ops:
        yield from _command(op)


def _command(op: Op) -> Iterator[str]:
    match op.key, getattr(op, "config", None):
        case SysctlKey(path), SysctlConfig(value):
            yield f"sysctl -w {path.replace('/', '.')}={value}"
        case AddressKey(device, ip, prefix), _:
            word = "del" if isinstance(op, Remove) else "add"
            flags = " nodad preferred_lft 0" if word == "add" and ip.version == 6 else ""
            yield f"ip address {word} {ip}/{prefix} dev {device}{flags}"
        case GuePortKey(version, port), _:
            six = "-6 " if version == 6 else ""
            yield f"ip {six}fou {'del' if isinstance(op, Remove) else 'add'} port {port}{_gue(op)}"
        case DeviceKey(name), DeviceConfig() as config:
            if isinstance(op, Add):
                mode = " mode any" if config.kind is Unwrapper.IP6TNL else ""
                checksum = " icsum" if config.checksum else ""
                yield f"ip link add name {name} type {config.kind.value}{mode} local {config.local} ttl 64{checksum}"
            if config.loose:
                yield f"sysctl -w net.ipv4.conf.{name}.rp_filter=2"
            yield f"ip link set {name} {'up' if config.up else 'down'}"
        case TableKey(), TableConfig(text):
            yield f"nft -f - <<'END'\n{text}END"
        case DeviceKey(name), None:
            yield f"ip link del {name}"


def _gue(op: Op) -> str:
    return "" if isinstance(op, Remove) else " gue"
