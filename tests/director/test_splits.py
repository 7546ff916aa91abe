"""Two active directors are noticed by VRRP and on the channel, and a role that only moves is not taken for two."""

from __future__ import annotations

from dataclasses import replace
from ipaddress import IPv4Address
from typing import TYPE_CHECKING

from haman.director.peers import Peers
from haman.director.splits import Splits
from haman.model.standing import Standing
from haman.model.transition import Role
from tests.director.support import cluster, report

if TYPE_CHECKING:
    from haman.model.elector import RoleReport
    from haman.model.transition import Transition

CLUSTER = cluster()
RIVAL = IPv4Address("10.0.0.2")


class Desk:
    """lb1, since 100 s in its role, with what it hears of lb2."""

    def __init__(self, role: Role = Role.ACTIVE) -> None:
        self.peers = Peers("web", ["lb2"], "same")
        self.splits = Splits()
        self.report: RoleReport = replace(report(role), since=100.0)
        self._number = 0

    def hears(self, role: str, now: float) -> list[str]:
        self._number += 1
        standing = Standing(
            cluster="web", node="lb2", life=1, number=self._number, config="same", roles={"public": role}
        )
        self.peers.take("lb2", standing, now, now)
        return self.look(now)

    def look(self, now: float) -> list[str]:
        self.peers.look(now, now)
        return [_words(each) for each in self.splits.look(CLUSTER, [self.report], self.peers, now, now)]


def _words(change: Transition) -> str:
    return f"{change.before} -> {change.after}: {change.why}"


CHANNEL = "lb2 (10.0.0.2) says so on the directors' channel"


def test_a_rival_that_is_heard_begins_one_at_once_and_silence_ends_it() -> None:
    desk = Desk()
    assert desk.look(101.0) == []
    desk.report = replace(desk.report, rival=RIVAL, peer=RIVAL, peer_priority=50)
    words = "none -> 10.0.0.2: two directors are active: lb2 (10.0.0.2) advertises priority 50"
    assert desk.look(102.0) == [words]
    assert desk.look(103.0) == []
    desk.report = replace(desk.report, rival=None)
    assert desk.look(104.5) == ["10.0.0.2 -> none: nobody else is; for 2.5 s there were two"]


def test_the_channel_alone_shows_one_once_it_was_said_for_longer_than_a_move_takes() -> None:
    """A second, a linger of 50 ms and four intervals of 100 ms: 1.45 s."""
    desk = Desk()
    assert desk.hears("active", 110.0) == []
    assert desk.hears("active", 111.4) == []
    assert desk.hears("active", 111.5) == [f"none -> 10.0.0.2: two directors are active: {CHANNEL}"]
    assert desk.hears("active", 112.5) == []
    assert desk.hears("standby", 113.0) == ["10.0.0.2 -> none: nobody else is; for 1.5 s there were two"]


def test_last_words_of_a_director_that_died_are_no_word_about_two() -> None:
    desk = Desk()
    desk.hears("active", 99.9)
    assert [desk.look(now) for now in (101.0, 102.0, 103.0, 104.5)] == [[], [], [], []]


def test_who_is_silent_is_known_to_be_nothing() -> None:
    desk = Desk()
    desk.hears("active", 110.0)
    desk.hears("active", 112.0)
    assert desk.look(116.0) == []
    assert desk.look(117.1) == ["10.0.0.2 -> none: nobody else is; for 5.1 s there were two"]


def test_a_standby_has_no_split_and_who_loses_the_role_says_its_end() -> None:
    assert Desk(Role.STANDBY).hears("active", 110.0) == []
    desk = Desk()
    desk.hears("active", 110.0)
    desk.hears("active", 112.0)
    desk.report = replace(desk.report, role=Role.STANDBY, since=113.0)
    assert desk.look(113.0) == ["10.0.0.2 -> none: this director is standby; for 1 s there were two"]


def test_both_signs_are_one_rival() -> None:
    desk = Desk()
    desk.hears("active", 110.0)
    desk.hears("active", 112.0)
    desk.report = replace(desk.report, rival=RIVAL, peer=RIVAL, peer_priority=50)
    assert desk.look(112.5) == []
    assert list(desk.splits.current) == ["public"]
    assert desk.splits.state("public") == "10.0.0.2"
