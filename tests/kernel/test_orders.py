"""What the operator orders by command, with two real directors: maintenance and planned moves, over restarts."""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING

import pytest

from haman.lab.hosts import Network
from tests.kernel.pair import HEAD, ROUTERS, Pair

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

pytestmark = pytest.mark.kernel

PREEMPTING = HEAD + ROUTERS.replace("advert_interval", "preempt: true, advert_interval")


@pytest.fixture
def network() -> Iterator[Network]:
    with Network() as network:
        yield network


@pytest.fixture
def pair(network: Network, tmp_path: Path) -> Pair:
    """lb1 is active, and would take the VIP back whenever it may."""
    pair = Pair(network, tmp_path)
    for name in pair.hosts:
        pair.start(name, PREEMPTING)
    pair.until(lambda: pair.role("lb1") == "active" and pair.role("lb2") == "standby")
    pair.until(lambda: all(pair.ask(name, "status")["directors"][0]["heard"] for name in pair.hosts))
    return pair


def haman(pair: Pair, name: str, *words: str, status: int = 0) -> str:
    done = pair.hosts[name].run(sys.executable, "-m", "haman", *words, check=False)
    assert done.returncode == status, done.stdout + done.stderr
    return done.stdout + done.stderr


def test_maintenance_outlives_restarts_and_the_peers_death(pair: Pair) -> None:
    said = haman(pair, "lb1", "maintenance", "on", "--why", "new kernel")
    assert said == "public: left, to lb2\non: this director takes no VIP until haman maintenance off\n"
    pair.until(lambda: pair.role("lb2") == "active")
    pair.stop("lb1")
    pair.start("lb1", PREEMPTING)
    pair.until(lambda: pair.role("lb1") == "fault")
    assert "MAINTENANCE, ordered by root" in haman(pair, "lb1", "status", status=3)
    assert haman(pair, "lb1", "maintenance", status=3).endswith(": new kernel\n")
    pair.crash("lb2")
    pair.until(lambda: not pair.ask("lb1", "status")["directors"][0]["heard"])
    assert (pair.role("lb1"), pair.holds("lb1")) == ("fault", False)
    haman(pair, "lb1", "maintenance", "off")
    pair.until(lambda: pair.role("lb1") == "active")
    assert haman(pair, "lb1", "maintenance") == "off\n"


def test_the_last_director_does_not_go_into_maintenance_by_accident(pair: Pair) -> None:
    pair.stop("lb2")
    pair.until(lambda: not pair.ask("lb1", "status")["directors"][0]["heard"])
    assert "lb2 is not heard on the directors' channel" in haman(pair, "lb1", "maintenance", "on", status=3)
    assert pair.role("lb1") == "active"


def test_a_router_that_was_given_away_is_not_taken_back_before_it_is_told(pair: Pair) -> None:
    assert haman(pair, "lb1", "switchover").startswith("public: lb2 serves, after ")
    pair.until(lambda: pair.role("lb2") == "active" and pair.role("lb1") == "standby")
    pair.stop("lb1")
    pair.start("lb1", PREEMPTING)
    pair.until(lambda: pair.role("lb1") == "standby" and pair.ask("lb1", "status")["directors"][0]["heard"])
    waiting = pair.ask("lb1", "status")["routers"][0]["waiting"]
    assert waiting == "it was given to lb2 (haman switchover --back public lets this director take it again)"
    assert pair.role("lb2") == "active"
    haman(pair, "lb1", "switchover", "--back")
    pair.until(lambda: pair.role("lb1") == "active")


def test_whoever_gave_it_away_takes_it_when_nobody_serves_it(pair: Pair) -> None:
    haman(pair, "lb1", "switchover", "--to", "lb2")
    pair.until(lambda: pair.role("lb2") == "active")
    pair.crash("lb2")
    pair.until(lambda: pair.role("lb1") == "active")
    pair.until(lambda: pair.ask("lb1", "status")["orders"]["given"] == {})


def test_an_order_for_another_director_says_where_it_belongs(pair: Pair) -> None:
    words = haman(pair, "lb2", "switchover", "public", status=3)
    assert words == "router public is standby here: give the order on the director that serves it\n"


def test_later(pair: Pair) -> None:
    haman(pair, "lb1", "switchover", "--at", "2s")
    pair.until(lambda: pair.role("lb2") == "active" and pair.role("lb1") == "standby")
    assert pair.ask("lb1", "status")["orders"]["planned"] == []
