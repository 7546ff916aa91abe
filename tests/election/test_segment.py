"""Two and three routers together: the named invariants of `segment`, in told stories and in arbitrary ones."""

from __future__ import annotations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from haman.election.events import Assessed, Readiness
from haman.election.parameters import LEAVE_SLACK
from haman.model.cluster import Announce, Preempt
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
    assert segment.changes("a: advertise") == said_before, "it listens before it speaks"
    settled(segment)


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


@settings(max_examples=60, deadline=None)
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


@settings(max_examples=40, deadline=None)
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


@settings(max_examples=40, deadline=None)
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
