"""What haman made in the kernel, on a file system that a reboot clears as it clears the kernel.

It answers one question: a VIP or service that no configuration mentions any more, was it ours? Each process has a
file of its own, so there is one writer for each. A file that cannot be read counts as empty: then something stays that
could have gone, which is the harmless mistake.
"""

from __future__ import annotations

import json
from ipaddress import ip_address
from typing import TYPE_CHECKING, Any

from haman import files, paths
from haman.model.kernel import AddressKey, DaemonKey, DaemonRole, GuePortKey, Key, ServiceKey, SysctlKey, TableKey
from haman.model.services import Protocol

if TYPE_CHECKING:
    from collections.abc import Iterable


def load(name: str) -> frozenset[Key]:
    """`name`: `addresses`, `ipvs` or `realserver`."""
    try:
        entries = json.loads((paths.owned_directory() / f"{name}.json").read_text())
        return frozenset(_key(entry) for entry in entries)
    except (OSError, ValueError, KeyError, TypeError):
        return frozenset()


def save(name: str, keys: Iterable[Key]) -> None:
    """Replaces the file as a whole, BEFORE the objects are made: a crash in between must not forget one.

    Raises OSError when the directory cannot be written.
    """
    entries = sorted((_entry(key) for key in keys), key=str)
    files.replace(paths.owned_directory() / f"{name}.json", json.dumps(entries, indent=0))


def _entry(key: Key) -> dict[str, Any]:
    match key:
        case AddressKey(device, ip, prefix):
            return {"kind": "address", "device": device, "ip": str(ip), "prefix": prefix}
        case ServiceKey(protocol, address, port, fwmark, ipv6):
            if protocol is None:
                return {"kind": "fwmark", "fwmark": fwmark, "ipv6": ipv6}
            return {"kind": "service", "protocol": protocol.value, "address": str(address), "port": port}
        case DaemonKey(role):
            return {"kind": "daemon", "role": role.value}
        case GuePortKey(version, port):
            return {"kind": "gue", "version": version, "port": port}
        case TableKey():
            return {"kind": "table"}
        case SysctlKey(path):
            return {"kind": "setting", "path": path}
        case _:
            raise TypeError(f"{key!r} goes away with its owner or never, so it is not remembered")


def _key(entry: dict[str, Any]) -> Key:
    match entry["kind"]:
        case "address":
            return AddressKey(entry["device"], ip_address(entry["ip"]), int(entry["prefix"]))
        case "fwmark":
            return ServiceKey.marked(int(entry["fwmark"]), ipv6=bool(entry["ipv6"]))
        case "service":
            return ServiceKey.at(Protocol(entry["protocol"]), ip_address(entry["address"]), int(entry["port"]))
        case "daemon":
            return DaemonKey(DaemonRole(entry["role"]))
        case "gue":
            return GuePortKey(int(entry["version"]), int(entry["port"]))
        case "table":
            return TableKey()
        case "setting":
            return SysctlKey(str(entry["path"]))
        case other:
            raise ValueError(f"unknown kind {other!r}")
