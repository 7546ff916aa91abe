from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from haman.health import hysteresis
from haman.health.hysteresis import Health, Verdict
from haman.model.checks import Check, TcpProbe
from haman.model.transition import Kind
from tests.health.support import CHECK, target


def run(health: Health, results: str, check: Check = CHECK) -> tuple[Health, str]:
    """Feed `+` and `-` one second apart. Returns the last health and the verdict's first letter after each."""
    letters = ""
    for now, result in enumerate(results, 1):
        words = "connected" if result == "+" else "connection refused"
        health = hysteresis.observe(health, check, passed=result == "+", words=words, now=float(now))
        letters += health.verdict.value[0]
    return health, letters


@pytest.mark.parametrize(
    ("results", "verdicts"),
    [
        ("+", "u"),
        ("-+", "uu"),
        ("---", "uud"),
        ("---+", "uudd"),
        ("---++", "uuddu"),
        ("---+-++", "uuddddu"),
        ("+--+--+", "uuuuuuu"),
        ("+---", "uuud"),
        ("+---++---", "uuudduuud"),
    ],
)
def test_cold_start(results: str, verdicts: str) -> None:
    """One success lifts an unknown server, after a DOWN it takes two; three failures in a row drop it.

    `u` stands for both unknown and up; which one is asserted below."""
    assert run(hysteresis.cold(0.0), results)[1] == verdicts


def test_unknown_is_not_up() -> None:
    assert run(hysteresis.cold(0.0), "--")[0].verdict is Verdict.UNKNOWN
    assert run(hysteresis.cold(0.0), "--+")[0].verdict is Verdict.UP


def test_adopted_server_stays_up_until_it_has_failed_three_times() -> None:
    assert run(hysteresis.adopted(0.0), "--")[0].verdict is Verdict.UP
    assert run(hysteresis.adopted(0.0), "---")[0].verdict is Verdict.DOWN


def test_words_of_the_change() -> None:
    up, _ = run(hysteresis.cold(0.0), "+")
    down, _ = run(up, "---")
    back, _ = run(down, "++")
    assert up.why == "first check passed: connected"
    assert down.why == "3 of 3 checks failed: connection refused"
    assert back.why == "2 of 2 checks passed: connected"


def test_since_is_the_time_of_the_change() -> None:
    assert run(hysteresis.cold(0.0), "+---++++")[0].since == 6.0


@pytest.mark.parametrize(
    ("start", "results", "doubt"),
    [
        ("cold", "", True),
        ("cold", "-", True),
        ("cold", "+", False),
        ("cold", "+-", True),
        ("cold", "+-+", False),
        ("cold", "---", False),
        ("cold", "---+", True),
        ("cold", "---+-", False),
        ("adopted", "", True),
        ("adopted", "+", False),
    ],
)
def test_in_doubt(start: str, results: str, doubt: bool) -> None:
    health = hysteresis.cold(0.0) if start == "cold" else hysteresis.adopted(0.0)
    assert run(health, results)[0].in_doubt is doubt


def test_checked_and_proven() -> None:
    cold, adopted = hysteresis.cold(0.0), hysteresis.adopted(0.0)
    assert (cold.checked, cold.proven) == (False, False)
    assert (adopted.checked, adopted.proven) == (False, True)
    assert not run(cold, "--")[0].checked
    assert run(cold, "---")[0].checked
    assert not run(cold, "---")[0].proven, "a server that never answered proves nothing"
    assert run(cold, "+---")[0].proven
    assert run(adopted, "---")[0].proven
    assert run(adopted, "+")[0].checked
    assert not run(adopted, "--")[0].checked


def test_doubted_until_results_confirm_or_change_the_verdict() -> None:
    up, down = run(hysteresis.cold(0.0), "+-")[0], run(hysteresis.cold(0.0), "---")[0]
    for health, results in ((up, "+"), (up, "---"), (down, "-"), (down, "++")):
        doubted = hysteresis.doubted(health)
        assert (doubted.verdict, doubted.checked, doubted.in_doubt) == (health.verdict, False, True)
        assert not any(run(doubted, results[:end])[0].checked for end in range(len(results)))
        assert run(doubted, results)[0].checked


def test_transition_only_when_the_verdict_changed() -> None:
    up, _ = run(hysteresis.cold(0.0), "+")
    doubtful, _ = run(up, "--")
    down, _ = run(up, "---")
    assert hysteresis.transition(target(1), up, doubtful, 99.0) is None
    change = hysteresis.transition(target(1), doubtful, down, 99.0)
    assert change is not None
    assert (change.kind, change.who, change.before, change.after) == (Kind.SERVER, "web/rs1:80", "up", "down")
    assert (change.cause, change.at) == ("check_failed", 99.0)


@given(results=st.text("+-", max_size=60), rise=st.integers(1, 5), fall=st.integers(1, 5), adopted=st.booleans())
def test_invariants(results: str, rise: int, fall: int, adopted: bool) -> None:
    """I1 a verdict changes only after that many equal results in a row (one, when it was unknown).
    I2 equal results in a row of that length leave no other verdict. I3 proven never goes back."""
    check = Check(name="c", probe=TcpProbe(), rise=rise, fall=fall)
    health = hysteresis.adopted(0.0) if adopted else hysteresis.cold(0.0)
    for end in range(1, len(results) + 1):
        before = health
        health, _ = run(before, results[end - 1], check)
        seen = results[:end]
        if health.verdict is not before.verdict and health.verdict is Verdict.UP:
            assert seen.endswith("+" if before.verdict is Verdict.UNKNOWN else "+" * rise), "I1"
        if health.verdict is not before.verdict and health.verdict is Verdict.DOWN:
            assert seen.endswith("-" * fall), "I1"
        if seen.endswith("+" * rise):
            assert health.verdict is Verdict.UP, "I2"
        if seen.endswith("-" * fall):
            assert health.verdict is Verdict.DOWN, "I2"
        assert health.proven >= before.proven, "I3"
