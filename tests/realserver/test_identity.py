"""Which real servers a machine is: by name, by address, and what it is told when it is none."""

from __future__ import annotations

from dataclasses import replace
from ipaddress import ip_address

import pytest

from haman.errors import NodeUnknown
from haman.model.services import Forward, Server
from haman.model.sites import Backup
from haman.realserver import identity
from tests.director.support import cluster, service

RIP = ip_address("192.0.2.11")
MADE = cluster(
    services={
        "web": replace(service(), servers={"rs1": Server(name="rs1", address=RIP)}),
        "dns": replace(service(name="dns"), servers={"ns1": Server(name="ns1", address=RIP)}),
        "own": replace(service(name="own"), servers={"x": Server(name="x", address=ip_address("127.0.0.1"))}),
    }
)


@pytest.fixture
def addresses(monkeypatch: pytest.MonkeyPatch) -> set[object]:
    mine: set[object] = set()
    monkeypatch.setattr(identity, "is_local", lambda address: address in mine)
    return mine


def found(override: str | None = None) -> list[tuple[str, str]]:
    return [(part.service.name, part.server.name) for part in identity.find(MADE, override)]


def test_by_address_in_all_services(addresses: set[object]) -> None:
    addresses.add(RIP)
    addresses.add(ip_address("127.0.0.1"))  # everybody has that one
    assert found() == [("web", "rs1"), ("dns", "ns1")]


def test_by_name_with_all_entries_of_its_address(addresses: set[object]) -> None:
    assert found("rs1") == [("web", "rs1"), ("dns", "ns1")]
    assert found("x") == [("own", "x")]


def test_a_name_that_nobody_has(addresses: set[object]) -> None:
    with pytest.raises(NodeUnknown, match="--node rs2: cluster 'web' has no such real server; did you mean"):
        identity.find(MADE, "rs2")


def test_a_machine_that_is_none(addresses: set[object]) -> None:
    with pytest.raises(NodeUnknown, match=r"none of their addresses; known are ns1 \(192.0.2.11\), rs1 \(192.0.2.11\)"):
        identity.find(MADE)


def test_a_server_of_a_backup_is_one_too(addresses: set[object]) -> None:
    far = ip_address("203.0.113.10")
    backup = Backup(name="east", servers={"east": Server(name="east", address=far, forward=Forward.TUN)})
    backed = cluster(services={"web": replace(service(), backups=(backup,))})
    addresses.add(far)
    (part,) = identity.find(backed)
    assert (part.service.name, part.server.name, part.vips) == ("web@east", "east", (ip_address("10.0.0.100"),))
