"""A machine finds itself, or is told why not."""

from __future__ import annotations

import socket
from ipaddress import IPv4Address

import pytest

from haman.config import node
from haman.errors import NodeUnknown
from haman.model.cluster import Cluster
from haman.model.routers import Director

LOCAL = IPv4Address("127.0.0.1")
ELSEWHERE = {name: IPv4Address(f"192.0.2.{number}") for number, name in enumerate(("lb1", "lb2"), 1)}


def cluster(**directors: tuple[IPv4Address, tuple[str, ...]]) -> Cluster:
    known = {
        name.replace("_", "."): Director(name=name.replace("_", "."), address=address, hostnames=aliases)
        for name, (address, aliases) in directors.items()
    }
    return Cluster(name="web", directors=known, routers={})


PAIR = cluster(lb1=(ELSEWHERE["lb1"], ("web-a",)), lb2=(ELSEWHERE["lb2"], ("web-b.example.com",)))


@pytest.fixture
def host(monkeypatch: pytest.MonkeyPatch):
    """A machine with that name, and with addresses that none of the directors here has but 127.0.0.1."""
    monkeypatch.setattr(node, "is_local", lambda address: address == LOCAL)
    return lambda name: monkeypatch.setattr(socket, "gethostname", lambda: name)


@pytest.mark.parametrize(
    ("name", "found"),
    [
        ("lb1", "lb1"),
        ("LB1", "lb1"),
        ("lb2.example.com", "lb2"),
        ("web-a", "lb1"),
        ("Web-B", "lb2"),
        ("web-b.example.com", "lb2"),
        ("web-a.anywhere", "lb1"),
    ],
)
def test_by_host_name(host, name: str, found: str) -> None:
    host(name)
    assert node.find(PAIR) == found


def test_a_full_name_that_differs_is_another_machine(host) -> None:
    host("web-b.other.org")
    with pytest.raises(NodeUnknown):
        node.find(PAIR)


def test_a_short_name_that_fits_two_says_nothing(host) -> None:
    host("lb")
    two = cluster(lb_a=(ELSEWHERE["lb1"], ()), lb_b=(ELSEWHERE["lb2"], ()))
    with pytest.raises(NodeUnknown):
        node.find(two)


def test_local_addresses() -> None:
    assert node.is_local(LOCAL)
    assert not node.is_local(IPv4Address("127.0.0.2"))


def test_by_address(host) -> None:
    host("vm-4711")
    assert node.find(cluster(lb1=(ELSEWHERE["lb1"], ()), lb2=(LOCAL, ()))) == "lb2"


def test_a_copied_disk_is_not_believed(host) -> None:
    """Its name says one director, its address another: were it believed, there would be two of the first."""
    host("lb1")
    with pytest.raises(
        NodeUnknown, match="'lb1' is director 'lb1', but this machine has the address of director 'lb2'"
    ):
        node.find(cluster(lb1=(ELSEWHERE["lb1"], ()), lb2=(LOCAL, ())))


def test_a_name_is_enough_before_the_addresses_are_there(host) -> None:
    host("lb1")
    assert node.find(cluster(lb1=(ELSEWHERE["lb1"], ()))) == "lb1"


def test_the_operator_has_the_last_word(host) -> None:
    host("lb1")
    assert node.find(PAIR, "lb2") == "lb2"


def test_an_operator_who_mistypes() -> None:
    with pytest.raises(NodeUnknown) as caught:
        node.find(PAIR, "bl2")
    assert str(caught.value) == "--node bl2: cluster 'web' has no such director; did you mean 'lb2'?"


def test_who_is_unknown_reads_what_was_tried_and_what_is_known(host) -> None:
    host("vm-4711")
    with pytest.raises(NodeUnknown) as caught:
        node.find(PAIR)
    assert str(caught.value) == (
        "this machine is no director of cluster 'web': its host name is 'vm-4711', and none of its addresses is one's;"
        " known are lb1/web-a (192.0.2.1), lb2/web-b.example.com (192.0.2.2);"
        " add its name to a director's 'hostnames', or say who it is by --node"
    )
