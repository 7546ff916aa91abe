"""Two and three routers together: the named invariants of `segment`, in told stories and in arbitrary ones."""

from __future__ import annotations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from haman.election.events import Assessed, Readiness
from haman.election.parameters import LEAVE_SLACK
from haman.model.routers import Announce, Preempt
from haman.model.transition import Role
from tests.election.segment import Segment, longest_interval, never_nowhere, node, settled, watched
from tests.election.support import CONFIG, DEAF, FAULT, FINE, PREEMPT


def pair(first: int = 150, second: int = 100, *, preempt: Preempt = PREEMPT) -> Segment:
    """Routers `a` (10.0.0.1) and `b` (10.0.0.2), a started first."""
    base = node(CONFIG, "", "10.0.0.9", preempt=preempt)
    segment = watched(
        Segment(node(base, "a", "10.0.0.1", priority=first), node(base, "b", "10.0.0.2", priority=second))
    )
    segment.start("a")
    segment.run(4.5)
    segment.start("b")
    segment.run(4.5)
    settled(segment)
    return segment


def three() -> Segment:
    """Routers `a`, `b` and `c` at 150, 100 and 50, a active. Each announcement is one round, for these stories are
    about whether there is one."""
    base = node(CONFIG, "", "10.0.0.9", preempt=PREEMPT, announce=Announce(repeat=()))
    segment = watched(
        Segment(
            node(base, "a", "10.0.0.1", priority=150),
            node(base, "b", "10.0.0.2", priority=100),
            node(base, "c", "10.0.0.3", priority=50),
        )
    )
    segment.start()
    segment.run(4.5)
    settled(segment)
    return segment


def orderly(segment: Segment) -> Segment:
    """From here on the address may not be off for a moment."""
    segment.invariants.append(never_nowhere(segment, 0.0))
    return segment


# -- told stories --------------------------------------------------------------------------------------------------


def test_the_best_takes_over_alone() -> None:
    """The skew: at a crash the better of two standbys speaks, and the other never does."""
    segment = three()
    segment.crash("a")
    segment.run(4.5)
    settled(segment)
    assert segment.active() == "b"
    assert segment.changes("c: advertise") == 0


def test_a_crash_is_noticed_in_three_intervals_and_a_skew() -> None:
    """a spoke last at 9.4140625, which was heard 0.0002 later; Active_Down_Interval is 3.609375 at priority 100."""
    segment = pair()
    segment.run(0.5)
    segment.crash("a")
    segment.run(9.0)
    (taken,) = [float(line.split()[0]) for line in segment.log if "standby -> active (active_silent)" in line]
    assert taken == pytest.approx(13.0236375, abs=1e-6)


def test_an_orderly_stop_leaves_no_moment_without_an_owner() -> None:
    segment = orderly(pair())
    segment.stop("a")
    segment.run(4.5)
    settled(segment)
    assert segment.active() == "b"
    assert segment.router("a").role is Role.STOPPED


def test_preemption_back_leaves_no_moment_without_an_owner() -> None:
    segment = orderly(pair())
    segment.stop("a")
    segment.run(4.5)
    segment.start("a")
    segment.run(9.0)
    settled(segment)
    assert segment.active() == "a"


def test_preemption_waits_for_readiness() -> None:
    segment = pair()
    segment.crash("a")
    segment.run(9.0)
    segment.restart("a", ready=False)
    segment.tell("a", Readiness("not yet"))
    segment.run(30.0)
    assert segment.active() == "b", segment.log[-3:]
    orderly(segment)
    segment.tell("a", Readiness(None))
    segment.run(9.0)
    settled(segment)
    assert segment.active() == "a"


def test_no_preemption_unless_allowed() -> None:
    segment = pair(preempt=Preempt(allowed=False))
    segment.stop("a")
    segment.run(4.5)
    segment.start("a")
    segment.run(30.0)
    settled(segment)
    assert segment.active() == "b"


def test_equals_that_begin_together_are_settled_by_address() -> None:
    base = node(CONFIG, "", "10.0.0.9")
    segment = watched(Segment(node(base, "a", "10.0.0.10"), node(base, "b", "10.0.0.9")))
    segment.start()
    segment.run(9.0)
    settled(segment)
    assert segment.active() == "a"


def heal_before_the_word_of(name: str) -> Segment:
    """`a` was cut off for a minute and `b` took over; the wire is whole again just before `name` advertises."""
    segment = pair()
    segment.run(0.25)
    segment.cut("a")
    segment.run(60.0)
    assert segment.active() == "a b"
    due = segment.router(name).deadline
    assert due is not None
    segment.run(due - segment.now - 0.001)
    segment.heal()
    segment.run(4.5)
    return segment


def test_after_a_heal_the_winner_has_announced_when_the_loser_spoke_first() -> None:
    settled(heal_before_the_word_of("b"))


def test_after_a_heal_the_winner_has_announced_when_it_spoke_first() -> None:
    settled(heal_before_the_word_of("a"))


def test_after_a_heal_of_three_parts_the_winner_has_announced_against_both() -> None:
    segment = three()
    segment.cut("b")
    segment.cut("c")
    segment.run(60.0)
    assert segment.active() == "a b c"
    segment.heal()
    segment.run(9.0)
    settled(segment)
    assert segment.active() == "a"


def test_two_heals_soon_after_one_another_are_both_announced_against() -> None:
    """Within one Active_Down_Interval: the limit on announcements is one per rival."""
    segment = three()
    segment.cut("b")
    segment.cut("c")
    segment.run(60.0)
    segment.heal("b")
    segment.run(1.5)
    settled(segment)
    segment.heal("c")
    segment.run(1.5)
    settled(segment)


def test_a_frozen_active_router_wakes_as_a_standby() -> None:
    segment = pair(preempt=Preempt(allowed=False))
    segment.freeze("a")
    segment.run(10.0)
    assert segment.active() == "b"
    segment.thaw("a")
    assert segment.router("a").role is Role.STANDBY
    segment.run(9.0)
    settled(segment)
    assert segment.active() == "b"


def test_a_machine_that_stood_still_wakes_without_a_word() -> None:
    """Nothing queued up meanwhile: there is only the clock to tell that the peers' patience is over."""
    segment = pair(preempt=Preempt(allowed=False))
    segment.freeze("a")
    segment.run(600.0)
    said_before = segment.changes("a: advertise")
    segment.thaw("a", heard=False)
    segment.run(9.0)
    assert segment.changes("a: advertise") == said_before + 1, "it listens before it speaks"
    assert segment.changes("a: advertise 1\n") == 0
    (word,) = [line for line in segment.log if line.endswith("a: advertise 1")]
    assert float(word.split()[0]) > segment.now - 9.0, "its only word is that it was active, once it has heard who is"
    settled(segment)
    assert segment.active() == "b"


def test_a_frozen_standby_does_not_jump_up() -> None:
    segment = pair()
    segment.freeze("b")
    segment.run(600.0)
    segment.thaw("b", heard=False)
    segment.run(9.0)
    settled(segment)
    assert segment.changes("b: advertise") == 0


def test_a_short_stall_changes_nothing() -> None:
    segment = orderly(pair())
    segment.run(0.5)  # just after an advertisement
    segment.freeze("a")
    segment.run(2.75)
    segment.thaw("a")
    segment.run(9.0)
    settled(segment)
    assert segment.changes("frozen") == 0
    assert segment.changes("b: advertise") == 0


def test_a_restarted_process_keeps_the_address_while_nobody_else_is_heard() -> None:
    segment = watched(Segment(node(CONFIG, "a", "10.0.0.1")))
    segment.start()
    segment.run(9.0)
    orderly(segment)
    segment.restart("a")
    segment.run(9.0)
    settled(segment)


def test_a_restarted_process_drops_the_address_that_another_has() -> None:
    segment = pair(100, 150)
    segment.nodes["a"].on_nic = True  # left by an earlier life, as after a kill and a slow restart
    segment.restart("a")
    segment.run(9.0)
    settled(segment)


def test_a_tracked_link_that_flaps_leaves_no_moment_without_an_owner() -> None:
    for pause in (0.01, 0.3, 0.7, 2.0):
        segment = orderly(pair())
        segment.tell("a", FAULT)
        segment.run(pause)
        segment.tell("a", FINE)
        segment.tell("a", Readiness(None))
        segment.run(9.0)
        settled(segment)
        assert segment.active() == "a"


def test_the_cable_of_the_active_one() -> None:
    """Its own end sees the carrier go: it drops the address; the other end takes over; then it comes back."""
    segment = pair()
    segment.cut("a")
    segment.tell("a", DEAF)
    assert segment.holders() == ""
    segment.run(9.0)
    assert segment.active() == "b"
    segment.heal()
    orderly(segment)
    segment.tell("a", FINE)
    segment.run(9.0)
    settled(segment)
    assert segment.active() == "b", "the director has not checked the servers since"
    segment.tell("a", Readiness(None))
    segment.run(9.0)
    settled(segment)
    assert segment.active() == "a"


def test_a_penalty_hands_the_role_over_without_a_moment_without_an_owner() -> None:
    segment = orderly(pair())
    segment.tell("a", Assessed(None, penalty=60))
    segment.run(9.0)
    settled(segment)
    assert segment.active() == "b"


def test_a_slow_active_router_and_a_fast_standby_agree() -> None:
    """The interval is the active router's (section 6.1): a standby of 0.1 s is patient with one of 10 s."""
    base = node(CONFIG, "", "10.0.0.9", preempt=PREEMPT)
    segment = watched(
        Segment(
            node(base, "a", "10.0.0.1", priority=150, advert_interval=10.0),
            node(base, "b", "10.0.0.2", priority=100, advert_interval=0.1),
        )
    )
    segment.start("a")
    segment.run(45.0)
    segment.start("b")
    segment.run(0.3)  # it has not heard of a yet, and takes over
    segment.run(100.0)
    settled(segment)
    before = segment.changes("->")
    segment.run(500.0)
    assert segment.changes("->") == before, "nobody changes anything any more"


def test_a_goodbye_that_is_lost_is_said_again() -> None:
    segment = pair()
    segment.stop("a")
    segment.lose()
    segment.run(9.0)
    settled(segment)
    assert segment.changes("standby -> active (active_left)") == 1


@pytest.mark.parametrize("priority", [1, 99, 254])
def test_a_goodbye_that_is_lost_leaves_no_moment_without_an_owner(priority: int) -> None:
    """The second one comes after an interval, and the least hasty peer takes over nearly an interval after that."""
    segment = orderly(pair(150 if priority < 254 else 255, priority))
    segment.run(0.5)
    segment.stop("a")
    segment.lose()
    segment.run(9.0)
    settled(segment)
    assert segment.active() == "b"


@pytest.mark.parametrize("stall", [3.05, 3.3, 3.59])
def test_a_stall_that_ends_before_the_peer_takes_over_leaves_no_moment_without_an_owner(stall: float) -> None:
    """a advertises at 9.4 and wakes when three intervals are over, but not yet b's Active_Down_Interval."""
    segment = orderly(pair())
    segment.run(0.4140625)
    said_before = segment.changes("a: advertise")
    segment.run(0.01)
    segment.freeze("a")
    segment.run(stall)
    segment.thaw("a")
    assert segment.router("a").role is Role.STANDBY
    assert segment.changes("a: advertise") == said_before
    segment.run(9.0)
    settled(segment)
    assert segment.changes("b: advertise 100, standby -> active") == 1


def test_a_stall_of_a_router_alone_leaves_no_moment_without_an_owner() -> None:
    segment = watched(Segment(node(CONFIG, "a", "10.0.0.1")))
    segment.start()
    segment.run(8.7)
    orderly(segment)
    segment.freeze("a")
    segment.run(3.9)
    segment.thaw("a")
    segment.run(9.0)
    settled(segment)


def test_a_rival_that_is_restarted_soon_is_answered_in_the_end() -> None:
    """b owns the address as well, so it speaks as soon as it is up. Its second life announces within the time in which
    it is answered only once, and after a's answer it is silent: the neighbours would believe b for ever."""
    base = node(CONFIG, "", "10.0.0.9", priority=255, announce=Announce(repeat=()))
    segment = watched(Segment(node(base, "a", "10.0.0.2"), node(base, "b", "10.0.0.1")))
    segment.start("a")
    segment.run(4.5)
    segment.restart("b")
    segment.run(0.5)
    segment.restart("b")
    segment.run(9.0)
    settled(segment)
    assert segment.active() == "a"


def healed_after(event: str, priority: int, preempt: Preempt, other: int = 100) -> Segment:
    """a, of `priority`, and b, of `other`, were both active in a cut, with a neighbour each; a ended there without
    anybody hearing it, by `event`, and then the wire was whole again."""
    base = node(CONFIG, "", "10.0.0.9", preempt=preempt, announce=Announce(repeat=()))
    segment = watched(
        Segment(node(base, "a", "10.0.0.1", priority=priority), node(base, "b", "10.0.0.2", priority=other))
    )
    segment.start("b")
    segment.run(4.5)
    segment.start("a")
    segment.run(4.5)
    segment.cut("a")
    segment.run(9.0)
    assert segment.active() == "a b"
    match event:
        case "freeze":
            segment.freeze("a")
            segment.run(60.0)
        case "fault":
            segment.tell("a", FAULT)
            segment.run(9.0)
        case "deaf":
            segment.tell("a", DEAF)
    segment.heal()
    match event:
        case "freeze":
            segment.thaw("a", heard=False)
        case "deaf":
            segment.tell("a", FINE)
    return segment


def test_a_router_frozen_alone_in_a_cut_has_the_neighbours_told() -> None:
    segment = healed_after("freeze", 50, Preempt())
    segment.run(1.5)
    settled(segment)
    assert segment.active() == "b"


def test_a_router_that_lost_its_cable_in_a_cut_has_the_neighbours_told() -> None:
    segment = healed_after("deaf", 50, Preempt())
    segment.run(1.5)
    settled(segment)
    assert segment.active() == "b"


def test_a_router_in_fault_since_a_cut_has_the_neighbours_told() -> None:
    segment = healed_after("fault", 50, Preempt())
    segment.run(1.5)
    assert segment.router("a").role is Role.FAULT
    assert segment.nodes["a"].neighbour_believes == "b"
    settled(segment)


@pytest.mark.parametrize("other", [1, 100])
@pytest.mark.parametrize("priority", [1, 50, 100, 150, 254])
def test_what_was_active_alone_in_a_cut_does_not_move_the_role(priority: int, other: int) -> None:
    """Also a better one: it may not preempt, so its word has to be of no weight."""
    segment = healed_after("freeze", priority, Preempt(), other)
    segment.run(20.0)
    settled(segment)
    assert segment.active() == "b"
    assert segment.changes("active -> standby (priority_higher)") == 0
    assert segment.changes("active -> standby (address_higher)") == 0


@pytest.mark.parametrize("address", ["10.0.0.1", "10.0.0.4"])
def test_an_active_router_of_the_lowest_priority_is_told_and_keeps_the_role(address: str) -> None:
    """By a goodbye, since any other word of equal priority could take the role; c, better than b, gets ready by it,
    and has b's answer before its skew is over."""
    base = node(CONFIG, "", "10.0.0.9", preempt=Preempt(), announce=Announce(repeat=()))
    segment = watched(
        Segment(
            node(base, "a", address, priority=200),
            node(base, "b", "10.0.0.2", priority=1),
            node(base, "c", "10.0.0.3", priority=254),
        )
    )
    segment.start("b")
    segment.run(4.5)
    segment.start("a")
    segment.start("c")
    segment.run(4.5)
    segment.cut("a")
    segment.run(9.0)
    assert segment.active() == "a b"
    segment.freeze("a")
    segment.run(60.0)
    segment.heal()
    segment.thaw("a", heard=False)
    segment.run(20.0)
    settled(segment)
    assert segment.active() == "b"
    assert segment.nodes["a"].neighbour_believes == "b"
    assert segment.changes("c: standby -> active") == 0


def left_as_it_healed(priority: int, before: float) -> Segment:
    """a was active alone in a cut, and b on the other side of it, with c. b is in fault, and says goodbye, `before`
    seconds ahead of a's next advertisement, and at this moment the wire is whole again: a, which was active already,
    has heard no goodbye, and b and c hear a as they would hear a successor."""
    base = node(CONFIG, "", "10.0.0.9", announce=Announce(repeat=()))
    segment = watched(
        Segment(
            node(base, "a", "10.0.0.1", priority=priority),
            node(base, "b", "10.0.0.2", priority=100),
            node(base, "c", "10.0.0.3", priority=1),
        )
    )
    segment.start()
    segment.cut("a")
    segment.run(9.0)
    assert segment.active() == "a b"
    assert segment.nodes["c"].neighbour_believes == "b"
    due = segment.router("a").deadline
    assert due is not None
    segment.run(due - segment.now - before)
    segment.tell("b", FAULT)
    segment.heal()
    return segment


@pytest.mark.parametrize("priority", [1, 100, 254])
@pytest.mark.parametrize("before", [0.001, 0.25, 0.5, 0.609375, 0.75, 0.99])
def test_a_router_that_leaves_as_a_cut_heals_has_the_neighbours_told(priority: int, before: float) -> None:
    """Whatever the moment. With 0.609375 the word of a, at 100, comes exactly when that of an heir would come."""
    segment = left_as_it_healed(priority, before)
    segment.run(4.5)
    settled(segment)
    assert segment.active() == "a"
    assert segment.nodes["c"].neighbour_believes == "a"


@pytest.mark.parametrize(("priority", "confession"), [(1, 0), (100, 1)])
def test_it_takes_two_words_to_have_the_neighbours_told(priority: int, confession: int) -> None:
    """b's, and a's in answer: nobody answers an answer."""
    segment = left_as_it_healed(priority, 0.25)
    before = len(segment.log)
    segment.run(0.75)
    words = [line.split(" ", 1)[1] for line in segment.log[before:]]
    answer = f"a: advertise {priority}"
    assert words == [answer, f"b: advertise {confession}", f"{answer}, announce", "b: active -> fault (fault)"]


def test_an_heir_that_took_the_role_at_a_goodbye_announces_once() -> None:
    """It is told all the same, since who leaves cannot know, and just advertises."""
    segment = three()
    before = len(segment.log)
    segment.stop("a")
    segment.run(0.75)
    words = [line.split(" ", 1)[1] for line in segment.log[before:]]
    assert words == [
        "a: advertise 0",
        "b: advertise 100, standby -> active (active_left), announce",
        "a: advertise 1",
        "b: advertise 100",
        "a: active -> stopped (stop)",
    ]


def test_a_ready_standby_goes_before_an_unready_one_of_higher_priority() -> None:
    for crash in (False, True):
        segment = three()
        segment.run(0.5)
        segment.tell("b", Readiness("not yet"))
        if crash:
            segment.crash("a")
        else:
            orderly(segment).stop("a")
        segment.run(9.0)
        settled(segment)
        assert segment.active() == "c"
        assert segment.changes("b: advertise") == 0


def test_of_two_unready_standbys_the_better_one_goes() -> None:
    segment = three()
    segment.run(0.5)
    segment.tell("b", Readiness("not yet"))
    segment.tell("c", Readiness("not yet"))
    orderly(segment).stop("a")
    segment.run(9.0)
    settled(segment)
    assert segment.active() == "b"
    assert segment.changes("c: advertise") == 0


# -- arbitrary stories ---------------------------------------------------------------------------------------------

NAMES = st.sampled_from(["a", "b", "c"])
PRIORITIES = st.sampled_from([1, 100, 101, 150, 254, 255])
STEPS = st.one_of(
    st.tuples(st.sampled_from(["cut", "heal", "freeze", "thaw", "thaw deaf", "crash", "restart", "lose"]), NAMES),
    st.tuples(st.sampled_from(["stop", "start", "ready", "not ready", "fault", "fine", "penalty"]), NAMES),
)
PAUSES = st.sampled_from([0.0, 0.01, 0.5, 0.99, 1.0, 2.9, 3.1, 3.4, 4.0, 10.0])  # intervals


@st.composite
def segments(draw: st.DrawFn, delays: tuple[float, ...] = (0.001, 0.02, 0.2)) -> Segment:
    """Two or three routers, perhaps of different intervals; the delay is a share of the shortest."""
    interval = draw(st.sampled_from([0.01, 0.1, 1.0]), label="interval")
    preempts = [Preempt(), PREEMPT, Preempt(allowed=True, after=5 * interval)]
    base = node(
        CONFIG,
        "",
        "10.0.0.9",
        advert_interval=interval,
        linger=2 * max(delays) * interval,
        preempt=draw(st.sampled_from(preempts), label="preempt"),
        announce=draw(st.sampled_from([Announce(), Announce(repeat=())]), label="announce"),
    )
    names = draw(st.sampled_from(["ab", "abc"]), label="routers")
    configs = [
        node(
            base,
            name,
            f"10.0.0.{number}",
            priority=draw(PRIORITIES, label=f"priority of {name}"),
            advert_interval=interval * draw(st.sampled_from([1, 1, 1, 3, 10]), label=f"slowness of {name}"),
        )
        for number, name in enumerate(names, 1)
    ]
    share = draw(st.sampled_from(delays), label="delay, as a share of the interval")
    return Segment(*configs, delay=share * interval, installing=share * interval / 2)


def do(segment: Segment, what: str, name: str) -> None:
    if name not in segment.nodes:
        return
    one = segment.nodes[name]
    match what:
        case "cut":
            segment.cut(name)
        case "heal":
            segment.heal()
        case "lose":
            segment.lose()
        case "freeze":
            segment.freeze(name)
        case "thaw" | "thaw deaf":
            segment.thaw(name, heard=what == "thaw")
        case "crash":
            segment.crash(name)
        case "restart" if not one.running or one.lively:
            segment.restart(name)
        case "stop":
            segment.stop(name)
        case "start":
            segment.start(name)
        case "ready":
            segment.tell(name, Readiness(None))
        case "not ready":
            segment.tell(name, Readiness("not yet"))
        case "fault":
            segment.tell(name, FAULT)
        case "fine":
            segment.tell(name, FINE)
        case "penalty":
            segment.tell(name, Assessed(None, penalty=60))


def let_settle(segment: Segment) -> None:
    preempt = max(one.router.config.preempt.after for one in segment.nodes.values())
    segment.run(15 * longest_interval(segment) + LEAVE_SLACK + preempt)


@settings(max_examples=60)
@given(segments(), st.lists(st.tuples(STEPS, PAUSES), max_size=15))
def test_whatever_happens(segment: Segment, story: list[tuple[tuple[str, str], float]]) -> None:
    """The invariants hold all the time, and when the faults end each part settles on one."""
    watched(segment)
    segment.start()
    for (what, name), pause in story:
        do(segment, what, name)
        segment.run(pause * longest_interval(segment))
    for name, one in segment.nodes.items():
        if one.frozen:
            segment.thaw(name)
    let_settle(segment)
    settled(segment)
    segment.heal()
    let_settle(segment)
    settled(segment)


ORDERLY = st.sampled_from(["stop", "start", "ready", "not ready", "fault", "fine", "penalty"])


@settings(max_examples=40)
@given(segments(), st.lists(st.tuples(ORDERLY, NAMES), max_size=8))
def test_orderly_moves_leave_no_moment_without_an_owner(segment: Segment, story: list[tuple[str, str]]) -> None:
    """Stops, starts, preemptions, faults on tracked links and penalties, one after the other on a whole wire."""
    segment.start()
    let_settle(segment)
    watched(segment)
    orderly(segment)
    for what, name in story:
        others = [one for one in segment.nodes.values() if one.name != name and one.could_serve]
        if others or what not in ("stop", "fault"):
            do(segment, what, name)
        let_settle(segment)
        settled(segment)


@settings(max_examples=40)
@given(segments(delays=(0.001,)), PAUSES, PAUSES)
def test_after_any_cut_and_heal_the_neighbours_follow(segment: Segment, phase: float, cut: float) -> None:
    interval = longest_interval(segment)
    segment.start()
    let_settle(segment)
    watched(segment)
    segment.run(phase * interval)
    segment.cut("a")
    segment.run((4.0 + cut) * interval)
    segment.heal()
    let_settle(segment)
    settled(segment)
