"""What haman made in the kernel, on a file system that a reboot clears as it clears the kernel.

It answers one question: a VIP or service that no configuration mentions any more, was it ours? Each process has a
file of its own, so there is one writer for each. A file that cannot be read counts as empty: then something stays that
could have gone, which is the harmless mistake.
"""

from __future__ import annotations

import contextlib
import json
import os
from ipaddress import ip_address
from typing import TYPE_CHECKING, Any

from haman import paths
from haman.model.cluster import Protocol
from haman.model.kernel import AddressKey, DaemonKey, DaemonRole, Key, ServiceKey

if TYPE_CHECKING:
    from collections.abc import Iterable


def load(name: str) -> frozenset[Key]:
    """`name`: `addresses` or `ipvs`."""
    try:
        entries = json.loads((paths.owned_directory() / f"{name}.json").read_text())
        return frozenset(_key(entry) for entry in entries)
    except (OSError, ValueError, KeyError, TypeError):
        return frozenset()


def save(name: str, keys: Iterable[Key]) -> None:
    """Replaces the file as a whole, BEFORE the objects are made: a crash in between must not forget one.

    Raises OSError when the directory cannot be written.
    """
    directory = paths.owned_directory()
    directory.mkdir(mode=0o755, parents=True, exist_ok=True)
    entries = sorted((_entry(key) for key in keys), key=str)
    temporary = directory / f".{name}.json.{os.getpid()}"
    try:
        temporary.write_text(json.dumps(entries, indent=0))
        temporary.replace(directory / f"{name}.json")
    finally:
        with contextlib.suppress(FileNotFoundError):
            temporary.unlink()


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
        case other:
            raise ValueError(f"unknown kind {other!r}")
