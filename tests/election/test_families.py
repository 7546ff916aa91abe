"""A router with IPv4 and IPv6 addresses: one election over two families, of which the network may lose one.

Ties are the trouble: addresses of one family may order two routers differently than those of the other.
"""

from __future__ import annotations

from dataclasses import replace
from ipaddress import IPv6Address
from itertools import permutations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from haman.election.events import Heard, Tick
from haman.election.states import RIVALS, Active
from haman.model.transition import Role
from tests.election.segment import (
    Invariant,
    Segment,
    longest_interval,
    never_nowhere,
    node,
    one_active,
    settled,
    watched,
)
from tests.election.support import (
    BOTH_FAMILIES,
    CONFIG,
    HIGH,
    HIGH6,
    LOW,
    LOW6,
    PREEMPT,
    SELF6,
    active,
    heard,
    leaving,
    said,
    standby,
)
from tests.election.test_segment import let_settle

BOTH = {"addresses": BOTH_FAMILIES, "source6": IPv6Address(SELF6)}


def heard6(priority: int, source: str = HIGH6, interval: float = 1.0, *, leads: bool = False) -> Heard:
    return heard(priority, source, interval, own=SELF6, leads=leads)


# -- one router ----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("word", [heard(150), heard6(150)], ids=["IPv4", "IPv6"])
def test_a_higher_priority_counts_over_either_family(word) -> None:
    assert said(active(**BOTH).handle(word, 10.5)) == "advertise 100, active -> standby (priority_higher)"


def test_a_standby_is_held_by_either_family_alone() -> None:
    waiting = standby(*((heard6(150), float(second)) for second in range(1, 10)), **BOTH)
    assert waiting.role is Role.STANDBY
    assert waiting.deadline == pytest.approx(9 + 3.609375)


def test_a_goodbye_over_either_family_is_one() -> None:
    waiting = standby((heard(150), 1.0), (heard6(0), 1.5), **BOTH)
    assert waiting.deadline == pytest.approx(1.5 + 0.609375)


def test_the_same_goodbye_over_both_families_starts_the_skew_once() -> None:
    waiting = standby((heard(150), 1.0), (heard(0), 1.5), (heard6(0), 1.6), **BOTH)
    assert waiting.deadline == pytest.approx(1.5 + 0.609375)


def test_a_successor_over_either_family_lets_a_leaving_router_go() -> None:
    stopping = leaving((heard6(50), 10.75), **BOTH)
    assert stopping.deadline == pytest.approx(10.8)


def test_a_tie_is_settled_by_the_leading_family() -> None:
    serving = active(**BOTH)
    assert serving.handle(heard6(100, HIGH6), 10.25) == []
    assert said(serving.handle(heard(100, LOW), 10.25)) == "advertise 100, announce"
    assert serving.role is Role.ACTIVE
    assert said(serving.handle(heard(100, HIGH), 10.5)) == "advertise 100, active -> standby (address_higher)"


def test_ipv6_leads_where_it_is_alone() -> None:
    alone = {"addresses": BOTH_FAMILIES[1:], "source": None, "source6": IPv6Address(SELF6)}
    assert said(active(**alone).handle(heard6(100, LOW6, leads=True), 10.5)) == "advertise 100, announce"
    assert active(**alone).handle(heard6(100, HIGH6, leads=True), 10.5)[1].cause == "address_higher"


@pytest.mark.parametrize(("source", "seconds", "cause"), [(HIGH6, 3, "address_higher"), (LOW6, 6, "tie_unsettled")])
def test_a_tie_over_the_following_family_alone_is_settled_by_time(source: str, seconds: int, cause: str) -> None:
    """Three intervals for the lower address, six for the higher; and no word is answered before."""
    serving = active(**BOTH)
    for tenth in range(105, 300, 5):
        now = tenth / 10
        if serving.deadline is not None and serving.deadline <= now:
            serving.handle(Tick(), now)
        effects = said(serving.handle(heard6(100, source), now))
        if serving.role is Role.STANDBY:
            assert (now, effects) == (10.5 + seconds, f"advertise 100, active -> standby ({cause})")
            return
        assert effects in ("", "announce")
    pytest.fail("it never yields")


def test_whoever_outlasts_a_tie_announces_again() -> None:
    serving = active((heard6(100), 10.5), (Tick(), 11.0), (Tick(), 12.0), **BOTH)
    assert said(serving.handle(Tick(), 13.0)) == "advertise 100"
    assert said(serving.handle(Tick(), 14.0)) == "advertise 100, announce"
    assert said(serving.handle(Tick(), 15.0)) == "advertise 100"


def test_a_word_over_the_leading_family_begins_the_time_anew() -> None:
    serving = active((heard6(100), 10.5), (heard6(100), 12.5), (heard(100, LOW), 13.0), **BOTH)
    assert said(serving.handle(heard6(100), 13.6)) == ""
    assert serving.role is Role.ACTIVE


def test_the_slower_of_the_two_intervals_counts() -> None:
    """So that both sides wait equally long."""
    words = [(heard6(100, interval=2.0), 10.5 + 2 * count) for count in range(4)]
    ticks = [(Tick(), float(second)) for second in range(11, 17)]
    *before, (last, _) = sorted([*words, *ticks], key=lambda event: event[1])
    serving = active(*before, **BOTH)
    assert serving.role is Role.ACTIVE
    serving.handle(last, 16.5)
    assert serving.role is Role.STANDBY


def test_the_peer_keeps_its_name_of_the_leading_family() -> None:
    """Else it would have another name, and the director another report, with each advertisement."""
    waiting = standby((heard(150), 1.0), (heard6(150), 1.1), **BOTH)
    assert waiting.peer is not None
    assert (str(waiting.peer.address), waiting.peer.at) == (HIGH, 1.1)
    for second in range(2, 6):
        waiting.handle(heard6(150), float(second))
    assert waiting.peer is not None
    assert str(waiting.peer.address) == HIGH6


def test_rivals_are_bounded() -> None:
    """Each forged source costs one announcement and one entry, and there is an end to it."""
    serving = active()
    effects = [said(serving.handle(heard(50, f"10.0.1.{number}"), 10.5)) for number in range(1, 200)]
    assert sum("announce" in words for words in effects) == RIVALS
    assert isinstance(serving.state, Active)
    assert len(serving.state.rivals) == RIVALS


# -- several -------------------------------------------------------------------------------------------------------


def settled_tie(segment: Segment) -> Invariant:
    """Where the leading family is lost a tie takes time: six intervals after the last advertisement, at most."""
    return replace(one_active(segment), bound=8 * longest_interval(segment) + 3 * segment.delay)


def two(priority: int = 100, *, crossed: bool) -> Segment:
    """`b` has the higher IPv4 address; `a` the higher IPv6 one if they are crossed."""
    base = node(CONFIG, "", "10.0.0.9", preempt=PREEMPT, addresses=BOTH_FAMILIES, priority=priority)
    low, high = IPv6Address("fe80::1"), IPv6Address("fe80::2")
    segment = Segment(
        node(base, "a", "10.0.0.1", source6=high if crossed else low),
        node(base, "b", "10.0.0.2", source6=low if crossed else high),
    )
    return watched(segment, settled_tie(segment))


@pytest.mark.parametrize("crossed", [False, True])
@pytest.mark.parametrize("there", [None, 4, 6])
@pytest.mark.parametrize("back", [None, 4, 6])
def test_two_equals_end_with_one_active_whatever_is_lost(crossed: bool, there: int | None, back: int | None) -> None:
    """Every loss that leaves one family from each to the other: where one is deaf nothing helps."""
    segment = two(crossed=crossed)
    if there is not None:
        segment.block("a", "b", there)
    if back is not None:
        segment.block("b", "a", back)
    segment.start()
    segment.run(20.0)
    settled(segment)
    before = segment.changes("->")
    segment.run(100.0)
    assert segment.changes("->") == before, "and it stays so"


def test_the_loss_of_one_family_moves_nothing() -> None:
    segment = two(crossed=True)
    segment.start()
    segment.run(20.0)
    segment.invariants.append(never_nowhere(segment, 0.0))
    serving = segment.active()
    for family in (4, 6):
        for sender, receiver in permutations("ab", 2):
            segment.block(sender, receiver, family)
        segment.run(20.0)
        segment.unblock()
        segment.run(20.0)
    settled(segment)
    assert segment.active() == serving


@st.composite
def tied(draw: st.DrawFn) -> Segment:
    """Two or three routers of mostly equal priorities, whose addresses are ordered anyhow."""
    interval = draw(st.sampled_from([0.1, 1.0]), label="interval")
    base = node(CONFIG, "", "10.0.0.9", advert_interval=interval, linger=0.0, preempt=PREEMPT, addresses=BOTH_FAMILIES)
    names = draw(st.sampled_from(["ab", "abc"]), label="routers")
    orders = draw(st.permutations(range(1, len(names) + 1)), label="order of the IPv6 addresses")
    configs = [
        node(
            base,
            name,
            f"10.0.0.{number}",
            source6=IPv6Address(f"fe80::{orders[number - 1]}"),
            priority=draw(st.sampled_from([100, 100, 100, 150]), label=f"priority of {name}"),
            advert_interval=interval * draw(st.sampled_from([1, 1, 3]), label=f"slowness of {name}"),
        )
        for number, name in enumerate(names, 1)
    ]
    segment = Segment(*configs, delay=0.001 * interval, installing=0.0)
    return watched(segment, settled_tie(segment)) if len(names) == 2 else segment


@settings(max_examples=150)
@given(tied(), st.data())
def test_ties_end_whatever_the_network_does_to_one_family(segment: Segment, data: st.DataObject) -> None:
    """One family may be lost from one to another; then the wire is cut, healed, and emptied at any time."""
    pairs = list(permutations(segment.nodes, 2))
    for sender, receiver in pairs:
        family = data.draw(st.sampled_from([None, None, 4, 4, 6]), label=f"lost from {sender} to {receiver}")
        if family is not None:
            segment.block(sender, receiver, family)
    segment.start()
    for _ in range(data.draw(st.integers(0, 4), label="acts")):
        segment.run(data.draw(st.sampled_from([0.01, 0.5, 2.9, 5.0, 20.0])) * longest_interval(segment))
        match data.draw(st.sampled_from(["cut", "heal", "lose", "stop", "start"])):
            case "cut":
                segment.cut("a")
            case "heal":
                segment.heal()
            case "lose":
                segment.lose()
            case "stop":
                segment.stop("b")
            case "start":
                segment.start("b")
    segment.heal()
    let_settle(segment)
    segment.run(30 * longest_interval(segment))
    settled(segment)
