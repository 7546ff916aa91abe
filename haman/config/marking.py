"""Firewall marks that haman gives itself, and packets that it takes out of the stream of those passing by.

A mark of our own is made from what the service answers for, so it is the same on every director (connections are
synchronised by it) and stays the same when other services come and go.
"""

from __future__ import annotations

from ipaddress import ip_network
from typing import TYPE_CHECKING
from zlib import crc32

from haman.config import view as viewed
from haman.model.kernel import SENTINEL_FWMARK

if TYPE_CHECKING:
    from collections.abc import Iterable

    from haman.config.shape.services import Service
    from haman.config.view import View
    from haman.model.addresses import Network

OURS = 0x68000000
"""The first of the marks that haman gives; the sentinel's has the same first letter."""

SPAN = 0x600000
"""So many may follow: below the sentinel's."""


def screens(view: View, service: Service) -> dict[int, int]:
    """By port, the mark of clients' packets; empty for a service that needs none."""
    if service.fwmark is not None or not viewed.may_circle(view, service):
        return {}
    given = _given(view)
    return {port: given[_identity(service, port)] for port in sorted(viewed.ports(service))}


def visits(view: View, service: Service) -> dict[int, int]:
    """By port, the mark of packets that other sites send here; empty for a service without backups."""
    if service.fwmark is not None or not service.backup:
        return {}
    given = _given(view)
    return {port: given[_visit(service, port)] for port in sorted(viewed.ports(service))}


def _given(view: View) -> dict[str, int]:
    """By what it is for. Two that would get the same one, which is rare, get neighbours."""
    services = view.file.services.values()
    taken = {service.fwmark for service in services if service.fwmark is not None} | {SENTINEL_FWMARK}
    names = {
        _identity(service, port)
        for service in services
        if service.fwmark is None and viewed.may_circle(view, service)
        for port in viewed.ports(service)
    } | {
        _visit(service, port)
        for service in services
        if service.fwmark is None and service.backup
        for port in viewed.ports(service)
    }
    found = {}
    for name in sorted(names):
        mark = OURS + crc32(name.encode()) % SPAN
        while mark in taken:
            mark += 1
        taken.add(mark)
        found[name] = mark
    return found


def _identity(service: Service, port: int) -> str:
    protocol = viewed.protocol(service)
    return f"{protocol.value if protocol else ''} {service.address} {port}"


def _visit(service: Service, port: int) -> str:
    return f"visit {_identity(service, port)}"


def apart(view: View, addresses: Iterable[Network]) -> tuple[tuple[Network, ...], tuple[Network, ...]]:
    """Addresses that are VIPs, which this machine has, and those of packets that only pass it."""
    vips = {ip_network(ip) for ip in view.router_by_vip}
    own: list[Network] = []
    others: list[Network] = []
    for network in addresses:
        (own if network in vips else others).append(network)
    return tuple(own), tuple(others)
