from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from haman.health.board import Board
from haman.health.hysteresis import Verdict
from haman.health.weights import State
from haman.model.services import Floor, Target
from haman.model.transition import Kind, Transition
from tests.health.support import service, target


def feed(board: Board, server: int, results: str, start: float = 1.0) -> list[Transition]:
    changes: list[Transition] = []
    for step, result in enumerate(results):
        words = "connected" if result == "+" else "connection refused"
        now = start + step
        changes += board.result(target(server), passed=result == "+", words=words, now=now, at=1e9 + now)
    return changes


def told(changes: list[Transition]) -> list[str]:
    return [
        f"{change.kind.value} {change.who}: {change.before} -> {change.after} ({change.cause})" for change in changes
    ]


def test_cold_start_to_all_down_and_back() -> None:
    board = Board({"web": service(1, 1)}, frozenset(), 0.0)
    assert board.weights == {target(1): None, target(2): None}
    assert told(feed(board, 1, "+")) == [
        "server web/rs1:80: unknown -> up (check_passed)",
        "service web: unknown -> up (servers_up)",
    ]
    assert board.weights == {target(1): 1, target(2): None}
    assert told(feed(board, 2, "---")) == ["server web/rs2:80: unknown -> down (check_failed)"]
    assert told(feed(board, 1, "---")) == [
        "server web/rs1:80: up -> down (check_failed)",
        "service web: up -> down (no_server_left)",
    ]
    assert told(feed(board, 2, "++")) == [
        "server web/rs2:80: down -> up (check_passed)",
        "service web: down -> up (servers_up)",
    ]
    assert board.weights == {target(1): None, target(2): 1}


def test_the_last_verdict_makes_the_service_down() -> None:
    board = Board({"web": service(1, 1)}, frozenset(), 0.0)
    assert told(feed(board, 1, "---")) == ["server web/rs1:80: unknown -> down (check_failed)"]
    assert told(feed(board, 2, "--")) == []
    assert board.unchecked == 1
    assert told(feed(board, 2, "-"))[-1] == "service web: unknown -> down (no_server_left)"
    assert board.unchecked == 0


def test_doubted_servers_keep_their_weights_until_results_confirm_or_change_them() -> None:
    """rise 2, fall 3: rs1 was taken down while this node was cut off, and is found to be up."""
    board = Board({"web": service(3, 4)}, {target(1), target(2)}, 0.0)
    feed(board, 1, "+---")
    feed(board, 2, "+")
    board.take_reweighed()
    board.doubt({"web"})
    assert (board.unchecked, board.weights) == (2, {target(1): None, target(2): 4})
    feed(board, 2, "+")
    feed(board, 1, "+")
    assert (board.unchecked, board.take_reweighed()) == (1, set()), "one success is no verdict yet"
    feed(board, 1, "+")
    assert (board.unchecked, board.take_reweighed()) == (0, {"web"})
    assert board.weights == {target(1): 3, target(2): 4}


def test_the_end_of_a_hold_is_noticed_with_the_next_result() -> None:
    """The whole wave was kept, rs1 came back at 11 s; the check's detection time is 5 s."""
    board = Board({"web": service(3, 4, floor=Floor(count=1))}, {target(1), target(2)}, 0.0)
    feed(board, 1, "---")
    feed(board, 2, "---")
    feed(board, 1, "++", start=10.0)
    assert board.weights == {target(1): 3, target(2): 4}
    assert told(feed(board, 2, "-", start=15.0)) == []
    assert told(feed(board, 2, "-", start=16.5)) == ["service web: floor -> up (servers_up)"]
    assert board.weights == {target(1): 3, target(2): None}


def test_restart_adopts_and_lets_go_only_after_three_failures() -> None:
    board = Board({"web": service(3, 4)}, {target(1)}, 0.0)
    assert board.weights == {target(1): 3, target(2): None}
    assert not board.health[target(1)].checked
    feed(board, 1, "--")
    assert board.weights[target(1)] == 3
    feed(board, 1, "-")
    assert board.weights[target(1)] is None


def test_floor_after_adoption_keeps_what_the_kernel_served() -> None:
    board = Board({"web": service(3, 4, floor=Floor(share=0.5))}, {target(2)}, 0.0)
    changes = feed(board, 1, "---") + feed(board, 2, "---")
    assert told(changes)[-1] == "service web: up -> floor (minimum_up)"
    assert board.weights == {target(1): None, target(2): 4}
    assert board.service("web").why == "0 of 2 servers up; minimum_up keeps rs2 although failing"


def test_without_a_check_servers_serve_for_ever() -> None:
    board = Board({"web": service(3, check=None)}, frozenset(), 0.0)
    assert board.weights == {target(1): 3}
    assert board.service("web").state is State.UP


@given(
    events=st.lists(st.tuples(st.integers(1, 4), st.booleans()), max_size=60),
    floor=st.integers(0, 4),
    adopted=st.frozensets(st.integers(1, 4)),
)
def test_invariants(events: list[tuple[int, bool]], floor: int, adopted: frozenset[int]) -> None:
    """I1 weights change only with a verdict, or when the service lets go of what fails. I2 a chain of transitions has
    no gap. I3 never fewer serving than the floor among servers that were ever up."""
    board = Board({"web": service(1, 1, 1, 1, floor=Floor(count=floor))}, {target(n) for n in adopted}, 0.0)
    proven = {target(n) for n in adopted}
    state: dict[str, str] = {str(target(n)): "up" if n in adopted else "unknown" for n in range(1, 5)}
    state["web"] = "up" if adopted else "unknown"
    for step, (number, passed) in enumerate(events, 1):
        before: dict[Target, int | None] = dict(board.weights)
        changes = board.result(target(number), passed=passed, words="w", now=float(step), at=float(step))
        let_go = any(change.before == State.FLOOR.value for change in changes)
        if not let_go and not any(change.kind is Kind.SERVER for change in changes):
            assert board.weights == before, "I1"
        for change in changes:
            assert state[change.who] == change.before != change.after, "I2"
            state[change.who] = change.after
        assert all(state[str(t)] == board.health[t].verdict.value for t in before), "I2"
        assert state["web"] == board.service("web").state.value, "I2"
        proven |= {t for t in before if board.health[t].verdict is Verdict.UP}
        serving = sum(1 for weight in board.weights.values() if weight)
        assert serving >= min(floor, len(proven)), "I3"


def weigh(board: Board, server: int, weight: int | None, *, passed: bool = True, now: float = 50.0) -> list[Transition]:
    return board.result(target(server), passed=passed, words="exit status", now=now, at=1e9 + now, weight=weight)


def test_a_check_sets_a_servers_weight_at_once_and_gives_it_back() -> None:
    board = Board({"web": service(10, 1)}, frozenset(), 0.0)
    assert told(weigh(board, 1, 3)) == [
        "server web/rs1:80: unknown -> up (check_passed)",
        "weight web/rs1:80: 10 -> 3 (check_weight)",
        "service web: unknown -> up (servers_up)",
    ]
    assert board.weights[target(1)] == 3
    board.take_reweighed()
    assert told(weigh(board, 1, 3)) == []
    assert board.take_reweighed() == set()
    assert told(weigh(board, 1, 7)) == ["weight web/rs1:80: 3 -> 7 (check_weight)"]
    assert board.take_reweighed() == {"web"}
    assert told(weigh(board, 1, None)) == ["weight web/rs1:80: 7 -> 10 (configured_weight)"]
    assert board.weights[target(1)] == 10


def test_the_weight_of_one_failure_is_the_last_that_was_asked_for() -> None:
    board = Board({"web": service(10, 1)}, frozenset(), 0.0)
    weigh(board, 1, 3)
    assert told(weigh(board, 1, None, passed=False)) == []
    assert board.weights[target(1)] == 3


def test_servers_that_ask_for_no_traffic_leave_the_service_down_and_are_not_kept_by_a_floor() -> None:
    board = Board({"web": service(10, 10, floor=Floor(count=2))}, frozenset(), 0.0)
    weigh(board, 1, 0)
    weigh(board, 2, None)
    assert board.weights == {target(1): 0, target(2): 10}
    assert told(weigh(board, 2, 0)) == [
        "weight web/rs2:80: 10 -> 0 (check_weight)",
        "service web: up -> down (no_server_left)",
    ]
    assert board.service("web").why == "no server with a weight"
    assert board.weights == {target(1): 0, target(2): 0}
