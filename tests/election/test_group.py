"""Two directors on two segments, elected as one group: whatever happens to one segment, they never part.

The wire between them is there as long as one segment is whole; what is heard on a segment comes from the address that
the peer has there. Stories and invariants are those of a lone router, so the bounds are as well.
"""

from __future__ import annotations

import heapq
from dataclasses import replace
from ipaddress import IPv4Address
from typing import TYPE_CHECKING

from hypothesis import given, settings
from hypothesis import strategies as st

from haman.election import group
from haman.election.events import Heard
from haman.election.tracking import Surroundings
from haman.model.elector import ElectorConfig, GroupConfig
from haman.model.routers import Preempt
from haman.model.trackers import Standing, Track, Verdict
from haman.wire.advertisement import Advertisement
from tests.election.segment import Node, Segment, longest_interval, node, settled, watched
from tests.election.support import CONFIG, PREEMPT, VIP
from tests.election.test_segment import let_settle

if TYPE_CHECKING:
    from haman.model.elector import RouterConfig

OUTSIDE = {"a": IPv4Address("10.0.0.1"), "b": IPv4Address("10.0.0.2")}
INSIDE = {"a": IPv4Address("10.1.0.9"), "b": IPv4Address("10.1.0.8")}
"""The other way round than outside: a tie is settled differently by them."""
GROUP = GroupConfig(
    name="both",
    routers=("outside", "inside"),
    aliases={str(address): OUTSIDE[name] for addresses in (OUTSIDE, INSIDE) for name, address in addresses.items()},
)


class TwoSegments(Segment):
    def __init__(self, *configs: RouterConfig, delay: float, aliases: GroupConfig = GROUP) -> None:
        super().__init__(*configs, delay=delay, installing=delay / 2)
        self.whole = [True, True]
        self._group = aliases
        self._wire_of: dict[int, int] = {}

    def cut_one(self, wire: int) -> None:
        """What is in the air on it is lost."""
        self.whole[wire] = False
        self._air = [packet for packet in self._air if self._wire_of[packet[1]] != wire]
        heapq.heapify(self._air)
        self.disturbed += 1
        self._log(f"segment {wire} is cut")
        if not any(self.whole):
            self.cut("b")

    def heal_one(self, wire: int) -> None:
        self.whole[wire] = True
        self.heal()

    def _send(self, node: Node, priority: int) -> None:
        config = node.router.config
        (other,) = (other for other in self.nodes.values() if other is not node)
        for wire, addresses in enumerate((OUTSIDE, INSIDE)):
            if self.whole[wire]:
                advertisement = Advertisement(51 + wire, priority, config.advert_interval, (VIP,))
                raw = Heard(advertisement, addresses[node.name], addresses[other.name], leads=True)
                heard = group.as_leader(raw, self._group, self._group.routers[wire])
                self._sent += 1
                self._wire_of[self._sent] = wire
                heapq.heappush(self._air, (self.now + self.delay, self._sent, node.name, other.name, heard))


def pair(
    first: int = 150,
    second: int = 100,
    *,
    preempt: Preempt = PREEMPT,
    interval: float = 1.0,
    aliases: GroupConfig = GROUP,
) -> TwoSegments:
    base = node(CONFIG, "", "10.0.0.9", preempt=preempt)
    segment = TwoSegments(
        node(base, "a", "10.0.0.1", priority=first),
        node(base, "b", "10.0.0.2", priority=second),
        delay=0.001,
        aliases=aliases,
    )
    watched(segment)
    segment.start()
    segment.run(9.0)
    settled(segment)
    return segment


def test_one_cut_segment_changes_nothing() -> None:
    for wire in (0, 1):
        segment = pair()
        before = segment.changes("->")
        segment.cut_one(wire)
        segment.run(60.0)
        assert segment.changes("->") == before
        assert segment.active() == "a"
        segment.heal_one(wire)
        segment.run(9.0)
        assert segment.changes("->") == before


def test_both_cut_and_one_healed_leaves_one_owner_of_both() -> None:
    for wire in (0, 1):
        segment = pair()
        segment.cut_one(0)
        segment.cut_one(1)
        segment.run(60.0)
        assert segment.active() == "a b"
        segment.heal_one(wire)
        segment.run(9.0)
        settled(segment)
        assert segment.active() == "a"


def test_a_tie_has_one_winner_though_the_addresses_say_two() -> None:
    """Outside b is higher, inside a is: without one address for each both would yield, or both stay, for ever."""
    for heard_on in ((0,), (1,), (0, 1)):
        segment = pair(100, 100)
        segment.cut_one(0)
        segment.cut_one(1)
        segment.run(60.0)
        assert segment.active() == "a b"
        for wire in heard_on:
            segment.heal_one(wire)
        segment.run(9.0)
        settled(segment)
        assert segment.active() == "b"


def test_a_tie_by_each_segments_own_addresses_does_not_settle() -> None:
    """The plant: it shows that the story above can fail."""
    try:
        themselves = {str(address): address for addresses in (OUTSIDE, INSIDE) for address in addresses.values()}
        segment = pair(100, 100, aliases=replace(GROUP, aliases=themselves))
        segment.cut_one(0)
        segment.cut_one(1)
        segment.run(60.0)
        segment.heal_one(0)
        segment.heal_one(1)
        segment.run(9.0)
        settled(segment)
    except AssertionError:
        return
    raise AssertionError("nothing noticed")


def test_a_failed_segment_beside_a_crash_is_a_crash() -> None:
    segment = pair()
    segment.cut_one(1)
    segment.run(5.0)
    segment.crash("a")
    segment.run(9.0)
    settled(segment)
    assert segment.active() == "b"


EVENTS = st.one_of(
    st.tuples(st.sampled_from(["cut", "heal"]), st.sampled_from([0, 1])),
    st.tuples(st.sampled_from(["freeze", "thaw", "crash", "restart", "stop", "start"]), st.sampled_from(["a", "b"])),
)
PAUSES = st.sampled_from([0.0, 0.01, 0.5, 1.0, 2.9, 3.4, 10.0])  # intervals
STORIES = st.lists(st.tuples(EVENTS, PAUSES), max_size=15)


def do(segment: TwoSegments, what: str, which: int | str) -> None:
    match what, which:
        case "cut", int(wire):
            if segment.whole[wire]:
                segment.cut_one(wire)
        case "heal", int(wire):
            segment.heal_one(wire)
        case "restart", str(name):
            if not segment.nodes[name].running or segment.nodes[name].lively:
                segment.restart(name)
        case _, str(name):
            getattr(segment, what)(name)


@settings(max_examples=60)
@given(
    st.sampled_from([(150, 100), (100, 100), (100, 150), (1, 254)]),
    st.sampled_from([Preempt(), PREEMPT]),
    STORIES,
    st.sampled_from([(0,), (1,), (0, 1)]),
)
def test_whatever_happens_to_two_segments(
    priorities: tuple[int, int],
    preempt: Preempt,
    story: list[tuple[tuple[str, int | str], float]],
    healed: tuple[int, ...],
) -> None:
    """The invariants hold all the time, and one segment that is whole in the end is enough for one owner of both."""
    segment = pair(*priorities, preempt=preempt)
    for (what, which), pause in story:
        do(segment, what, which)
        segment.run(pause * longest_interval(segment))
    for name, one in segment.nodes.items():
        if one.frozen:
            segment.thaw(name)
    let_settle(segment)
    settled(segment)
    for wire in healed:
        segment.heal_one(wire)
    let_settle(segment)
    settled(segment)


# -- who is elected together ----------------------------------------------------------------------------------------

INNER = replace(CONFIG, name="inside", vrid=52, interface="eth1", source=INSIDE["a"], watch=(Track(tracker="gateway"),))
OUTER = replace(CONFIG, name="outside", source=OUTSIDE["a"])
ALONE = replace(CONFIG, name="alone", vrid=53)


def test_elections_are_called_after_their_leaders_in_the_order_of_the_file() -> None:
    config = ElectorConfig(generation=1, node="a", routers=(INNER, ALONE, OUTER), groups=(GROUP,))
    found = group.elections(config)
    assert list(found) == ["alone", "outside"]
    assert found["outside"].routers == (OUTER, INNER)
    assert found["alone"].group is None


def test_a_group_waits_for_what_any_of_its_routers_waits_for() -> None:
    both = group.Together((OUTER, INNER), GROUP)
    assert group.waiting(both, {}) is None
    assert group.waiting(both, {"inside": "not loaded", "alone": "x"}) == "not loaded"
    assert group.waiting(both, {"inside": "not loaded", "outside": "not loaded"}) == "not loaded"
    lacking = {"inside": "holds 1 of 9", "outside": "not loaded"}
    assert not group.eager(both, lacking, ["inside"]), "one that is not ready makes both hesitate"
    assert group.eager(both, lacking, ["inside", "outside"])
    assert group.eager(both, {"inside": "holds 1 of 9"}, ["inside"])


def test_what_members_and_group_depend_on_counts_for_all() -> None:
    both = group.Together((OUTER, INNER), replace(GROUP, watch=(Track(tracker="proxy", penalty=20),)))
    watch = group.Watch(both)
    links = {"eth0": True, "eth1": True}
    good = Verdict(standing=Standing.UP, why="answered")
    bad = Verdict(standing=Standing.DOWN, why="no answer")
    assert watch.assess(Surroundings(links, {}, {"gateway": good, "proxy": good}), 0.0).fault is None
    found = watch.assess(Surroundings(links, {}, {"gateway": bad, "proxy": bad}), 0.0)
    assert (found.fault, found.penalty, found.deaf) == ("gateway: no answer", 20, False)
    half = watch.assess(Surroundings({"eth0": True}, {}, {"gateway": good, "proxy": good}), 0.0)
    assert (half.fault, half.deaf) == ("interface eth1 does not exist", False)
    assert watch.assess(Surroundings({}, {}, {}), 0.0).deaf
