"""Which running election goes on as which router of a new configuration."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from haman.election.succession import match

if TYPE_CHECKING:
    from haman.election.group import Place


def elections(text: str) -> dict[str, list[Place]]:
    """`public=eth0/51 a=eth0/52+b=eth1/53`: one alone, and a group that a leads."""
    found = {}
    for together in text.split():
        places = []
        for word in together.split("+"):
            interface, _, vrid = word.partition("=")[2].partition("/")
            places.append((interface, int(vrid)))
        found[together.partition("=")[0]] = places
    return found


@pytest.mark.parametrize(
    ("running", "wanted", "goes_on", "leaves", "moved"),
    [
        ("a=eth0/51", "a=eth0/51", {"a": "a"}, (), {}),
        ("a=eth0/51", "b=eth0/51", {"b": "a"}, (), {}),
        ("a=eth0/51 b=eth0/52", "a=eth0/52 b=eth0/51", {"a": "b", "b": "a"}, (), {}),
        ("a=eth0/51 b=eth0/52", "b=eth0/51", {"b": "a"}, ("b",), {}),
        ("a=eth0/51", "a=eth0/53", {"a": "a"}, (), {"a": ("eth0", 51)}),
        ("a=eth0/51", "a=eth1/51", {"a": "a"}, (), {"a": ("eth0", 51)}),
        ("a=eth0/51", "a=eth0/53 c=eth0/51", {"c": "a"}, (), {}),
        ("a=eth0/51", "", {}, ("a",), {}),
        ("", "a=eth0/51", {}, (), {}),
        ("a=eth0/51 b=eth1/51", "b=eth0/51 a=eth1/51", {"b": "a", "a": "b"}, (), {}),
        # groups: another leads; the leader leaves it; a new one leads; it is dissolved; it is made
        ("a=eth0/51+b=eth1/52", "b=eth1/52+a=eth0/51", {"b": "a"}, (), {}),
        ("a=eth0/51+b=eth1/52", "b=eth1/52", {"b": "a"}, (), {}),
        ("a=eth0/51+b=eth1/52", "c=eth2/53+a=eth0/51+b=eth1/52", {"c": "a"}, (), {}),
        ("a=eth0/51+b=eth1/52", "a=eth0/51 b=eth1/52", {"a": "a", "b": "a"}, (), {}),
        ("a=eth0/51 b=eth1/52", "b=eth1/52+a=eth0/51", {"b": "b"}, ("a",), {}),
        ("a=eth0/51+b=eth1/52 c=eth2/53", "c=eth2/53+b=eth1/52 a=eth0/51", {"c": "c", "a": "a"}, (), {}),
        ("a=eth0/51+b=eth1/52", "a=eth0/61+b=eth1/62", {"a": "a"}, (), {"a": ("eth0", 51)}),
    ],
)
def test_match(
    running: str, wanted: str, goes_on: dict[str, str], leaves: tuple[str, ...], moved: dict[str, tuple[str, int]]
) -> None:
    found = match(elections(running), elections(wanted))
    assert (found.goes_on, found.leaves, found.moved) == (goes_on, leaves, moved)
