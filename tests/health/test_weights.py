from __future__ import annotations

from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from haman.health import hysteresis
from haman.health.hysteresis import Health, Verdict
from haman.health.weights import State, Weighing, needed
from haman.model.services import Floor, OnFailure, Service, Target
from tests.health.support import service, target

UNKNOWN = hysteresis.cold(0.0)
UP = hysteresis.assumed(0.0)


def down(since: float, *, proven: bool = True) -> Health:
    return Health(verdict=Verdict.DOWN, since=since, why="refused", cause="check_failed", checked=True, proven=proven)


def weigh(each: Service, health: dict[Target, Health]) -> Weighing:
    return Weighing(each, health, 0.0)


def board(*health: Health, port: int = 80) -> dict[Target, Health]:
    return {target(number, port): each for number, each in enumerate(health, 1)}


@pytest.mark.parametrize(
    ("floor", "servers", "expected"),
    [
        (Floor(), 4, 0),
        (Floor(count=1), 4, 1),
        (Floor(count=9), 4, 4),
        (Floor(share=0.5), 4, 2),
        (Floor(share=0.5), 3, 2),
        (Floor(share=0.07), 100, 7),  # 0.07 * 100 is 7.000000000000001 in floating point
        (Floor(share=1.0), 3, 3),
        (Floor(share=0.5), 0, 0),
    ],
)
def test_needed(floor: Floor, servers: int, expected: int) -> None:
    assert needed(floor, servers) == expected


def test_only_up_servers_are_in_the_table() -> None:
    result = weigh(service(5, 6, 7), board(UP, down(1.0), UNKNOWN))
    assert result.weights == {target(1): 5, target(2): None, target(3): None}
    assert (result.state, result.why) == (State.UP, "1 of 3 servers up")


def test_quiesce_keeps_servers_in_the_table_with_weight_0() -> None:
    result = weigh(service(5, 6, 7, on_failure=OnFailure.QUIESCE), board(UP, down(1.0), UNKNOWN))
    assert result.weights == {target(1): 5, target(2): 0, target(3): 0}


def test_floor_keeps_the_latest_to_fail() -> None:
    """rs3 failed long after the others (detection time of the check: 5 s), so it is likeliest to be alive."""
    result = weigh(service(1, 1, 1, 1, floor=Floor(share=0.5)), board(UP, down(1.0), down(100.0), down(1.0)))
    assert result.kept == {target(3)}
    assert result.weights == {target(1): 1, target(2): None, target(3): 1, target(4): None}
    assert result.state is State.FLOOR
    assert result.why == "1 of 4 servers up; minimum_up keeps rs3 although failing"


def test_servers_of_one_wave_are_ranked_by_name() -> None:
    """One cause, seen in another order by another director: both keep rs1 and rs2. rs4 is of an older wave."""
    floor = service(1, 1, 1, 1, 1, floor=Floor(count=3))
    one = weigh(floor, board(down(103.0), down(100.0), down(104.0), down(50.0), UP))
    other = weigh(floor, board(down(207.0), down(208.0), down(203.0), down(90.0), UP))
    assert one.kept == other.kept == {target(1), target(2)}


def test_with_none_up_the_whole_last_wave_is_kept() -> None:
    """What fails all at once is most often the check or the director's own cable. rs4 had failed long before."""
    result = weigh(service(1, 1, 1, 1, floor=Floor(count=1)), board(down(103.0), down(100.0), down(104.0), down(50.0)))
    assert result.kept == {target(1), target(2), target(3)}
    assert result.state is State.FLOOR


def test_after_the_first_recovery_the_rest_of_the_wave_stays_for_a_detection_time() -> None:
    """The check's detection time is 5 s; rs3 had failed long before and was not kept."""
    health = board(down(100.0), down(101.0), down(10.0))
    result = weigh(service(1, 2, 3, floor=Floor(count=1)), health)
    health[target(1)] = UP
    result.changed(target(1), 200.0)
    assert (result.weights, result.state) == ({target(1): 1, target(2): 2, target(3): None}, State.FLOOR)
    assert not result.held_too_long(target(2), 204.9)
    result.changed(target(3), 204.9)
    assert result.kept == {target(2)}, "judged again for another reason, the hold goes on"
    assert result.held_too_long(target(2), 205.1)
    result.changed(target(2), 205.1)
    assert (result.weights, result.state) == ({target(1): 1, target(2): None, target(3): None}, State.UP)


def test_a_second_wave_begins_a_hold_of_its_own() -> None:
    health = board(down(100.0), down(101.0))
    result = weigh(service(1, 1, floor=Floor(count=1)), health)
    for server, new, now in ((1, UP, 200.0), (1, down(201.0), 201.0), (2, UP, 300.0)):
        health[target(server)] = new
        result.changed(target(server), now)
    assert result.kept == {target(1)}
    assert not result.held_too_long(target(1), 304.0)


def test_floor_keeps_no_server_that_never_answered() -> None:
    result = weigh(service(1, 1, floor=Floor(count=2)), board(down(5.0, proven=False), UNKNOWN))
    assert result.weights == {target(1): None, target(2): None}
    assert result.state is State.UNKNOWN


def test_no_server_left() -> None:
    result = weigh(service(1, 1), board(down(5.0), down(6.0)))
    assert (result.state, result.why) == (State.DOWN, "no server left: 2 of 2 are down")


def test_unknown_until_the_last_verdict() -> None:
    failing = replace(UNKNOWN, streak=1)
    assert weigh(service(1, 1), board(failing, down(1.0, proven=False))).state is State.UNKNOWN
    assert weigh(service(1, 1), board(down(1.0, proven=False), down(1.0, proven=False))).state is State.DOWN


def test_a_configured_weight_of_0_is_neither_up_nor_part_of_the_floor() -> None:
    result = weigh(service(0, 1, 1, floor=Floor(count=1)), board(UP, down(1.0), down(100.0)))
    assert result.weights == {target(1): 0, target(2): None, target(3): 1}
    drained = weigh(service(0, 0), board(UP, UP))
    assert (drained.state, drained.why) == (State.DOWN, "no server with a weight")


def test_fronts_are_judged_apart_and_the_worst_counts() -> None:
    """rs2 has a port of its own, so both fronts send to the same place and share its health."""
    health = {target(1, 80): UP, target(1, 443): down(1.0), target(2, 8080): down(2.0)}
    result = weigh(service(1, 1, ports=(80, 443), own_ports={"rs2": 8080}), health)
    assert result.weights == {target(1, 80): 1, target(1, 443): None, target(2, 8080): None}
    assert (result.state, result.why) == (State.DOWN, "no server left on port 443: 2 of 2 are down")


healths = st.one_of(
    st.just(UP),
    st.just(UNKNOWN),
    st.builds(down, st.floats(0, 1000), proven=st.booleans()),
)


@given(
    servers=st.lists(st.tuples(st.integers(0, 3), healths), min_size=1, max_size=8),
    count=st.integers(0, 9),
    quiesce=st.booleans(),
)
def test_invariants(servers: list[tuple[int, Health]], count: int, quiesce: bool) -> None:
    """I1 an up server has its own weight. I2 never fewer serving than the floor, as far as proven servers go.
    I3 never more kept than the floor needs while one is up. I4 what is kept was proven. I5 all others are out."""
    out = 0 if quiesce else None
    each = service(
        *(weight for weight, _ in servers),
        floor=Floor(count=count),
        on_failure=OnFailure.QUIESCE if quiesce else OnFailure.REMOVE,
    )
    health = board(*(health for _, health in servers))
    result = weigh(each, health)
    weight = {target(number): weight for number, (weight, _) in enumerate(servers, 1)}
    up = {t for t in weight if health[t].verdict is Verdict.UP}
    assert all(result.weights[t] == weight[t] for t in up), "I1"
    able = {t for t in weight if weight[t] and (t in up or health[t].proven)}
    serving = {t for t in weight if weight[t] and result.weights[t]}
    floor = min(count, sum(1 for w in weight.values() if w))
    assert len(serving) >= min(floor, len(able)), "I2"
    assert not result.kept or not any(weight[t] for t in up) or len(serving) <= floor, "I3"
    assert all(health[t].proven and health[t].verdict is Verdict.DOWN for t in result.kept), "I4"
    assert all(result.weights[t] == out for t in weight if t not in up | result.kept), "I5"


@given(
    downs=st.lists(st.integers(0, 100).map(float), min_size=2, max_size=8),
    floor=st.integers(1, 8),
    which=st.integers(0, 7),
)
def test_a_failure_puts_at_most_one_server_in_and_a_recovery_none(downs: list[float], floor: int, which: int) -> None:
    """No flap while another server is up: of n failed servers the latest one recovers, or seen backwards: fails as
    the last."""
    index = which % len(downs)
    latest = [*downs[:index], max(downs) + 1.0, *downs[index + 1 :]]
    each = service(*([1] * (len(downs) + 1)), floor=Floor(count=floor))
    failed = weigh(each, board(*(down(since) for since in latest), UP))
    healthy = weigh(each, board(*(UP if n == index else down(since) for n, since in enumerate(latest)), UP))
    serving_before = {t for t, weight in healthy.weights.items() if weight}
    serving_after = {t for t, weight in failed.weights.items() if weight}
    assert healthy.kept <= failed.kept, "a recovery brings no failed server in, a failure puts none out"
    assert len(serving_after - serving_before) <= 1


@given(
    order=st.permutations(range(6)),
    other=st.permutations(range(6)),
    floor=st.integers(1, 6),
)
def test_two_directors_agree_on_a_wave(order: list[int], other: list[int], floor: int) -> None:
    """All six fail within the 5 s the check needs, in any order and at any director's own clock."""
    each = service(1, 1, 1, 1, 1, 1, floor=Floor(count=floor))
    one = weigh(each, board(*(down(100.0 + 0.8 * place) for place in order)))
    two = weigh(each, board(*(down(7000.0 + 0.9 * place) for place in other)))
    assert one.weights == two.weights


@given(
    events=st.lists(st.tuples(st.integers(1, 3), st.sampled_from((80, 443)), healths), max_size=30),
    count=st.integers(0, 4),
)
def test_kept_up_to_date_it_is_what_it_would_be_weighed_anew(events: list[tuple[int, int, Health]], count: int) -> None:
    """rs3 has a port of its own and stands behind both fronts: a change there may change what the other one keeps. It
    is asked again after any hold is over."""
    each = service(1, 2, 3, floor=Floor(count=count), ports=(80, 443), own_ports={"rs3": 8080})
    health = {target: UNKNOWN for target, _ in each.targets()}
    kept_up = weigh(each, health)
    now = 0.0
    for number, port, new in events:
        changed = target(number, 8080 if number == 3 else port)
        health[changed] = new
        kept_up.changed(changed, now)
        for each_target in health:
            kept_up.changed(each_target, now + 100.0)
        now += 200.0
        anew = weigh(each, health)
        assert (kept_up.weights, kept_up.kept) == (anew.weights, anew.kept)
        assert (kept_up.state, kept_up.why) == (anew.state, anew.why)
