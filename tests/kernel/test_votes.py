"""Three directors that vote: a cut between two of them moves nothing, a death does."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest

from haman.errors import Unreachable
from tests.kernel.pair import Pair

if TYPE_CHECKING:
    from pathlib import Path

    from haman.lab.hosts import Network

pytestmark = pytest.mark.kernel

TEXT = """
cluster: test
directors:
  lb1: {address: 10.0.0.1, priority: 150}
  lb2: {address: 10.0.0.2, priority: 100}
  lb3: {address: 10.0.0.3}
arbiter: {directors: [lb1, lb2, lb3], timeout: 10s}
routers:
  public:
    interface: eth0
    vrid: 51
    addresses: [10.0.0.100/24]
    advert_interval: 2s  # a voter gives the active one so long to say so
    directors: [lb1, lb2]
"""
DROP = "table ip cut {{\nchain in {{\ntype filter hook input priority 0;\nip saddr {} drop\n}}\n}}\n"


def router(pair: Pair, name: str) -> dict[str, Any]:
    try:
        found: dict[str, Any] = pair.ask(name, "status")["routers"][0]
    except Unreachable:
        return {}
    return found


def reached(pair: Pair, name: str) -> bool:
    try:
        arbiter = pair.ask(name, "status")["arbiter"]
    except Unreachable:
        return False
    return bool(arbiter["state"] == "up")


def test_a_cut_between_two_moves_nothing_and_a_death_does(network: Network, tmp_path: Path) -> None:
    pair = Pair(network, tmp_path)
    pair.hosts["lb3"] = network.host("lb3", {"eth0": (pair.lan, "10.0.0.3/24")})
    for name in ("lb3", "lb1"):
        pair.start(name, TEXT)
    pair.until(lambda: pair.role("lb1") == "active")
    pair.start("lb2", TEXT)
    pair.until(lambda: pair.role("lb2") == "standby" and all(reached(pair, name) for name in pair.hosts))

    for name, other in (("lb1", "10.0.0.2"), ("lb2", "10.0.0.1")):
        pair.hosts[name].run("nft", "-f", "-", input=DROP.format(other))
    pair.until(lambda: "director lb3 says no: lb1 says that it is active" in str(router(pair, "lb2").get("held")))
    assert (pair.role("lb1"), pair.role("lb2")) == ("active", "standby")
    for name in ("lb1", "lb2"):
        pair.hosts[name].run("nft", "delete", "table", "ip", "cut")
    pair.until(lambda: pair.role("lb2") == "standby" and not router(pair, "lb2")["held"])

    pair.until(lambda: all(reached(pair, name) for name in pair.hosts))
    pair.crash("lb1")
    pair.until(lambda: pair.role("lb2") == "active")
    assert "the arbiter agrees: director lb2, director lb3 answer" in pair.log("lb2")
