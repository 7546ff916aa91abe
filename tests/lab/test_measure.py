"""Numbers from records. Times are small literals, so that every expected value can be checked by eye."""

from __future__ import annotations

from collections import Counter

import pytest

from haman.lab import measure
from haman.lab.records import Chunk, Claim, Request, Short


def requests(*answered: float | None, interval: float = 0.001) -> list[Request]:
    """One per millisecond from 0 on; each answered at the time given, or lost."""
    return [Request(number, number * interval, at, "rs1") for number, at in enumerate(answered)]


# -- requests ---------------------------------------------------------------------------------------------------------


def test_nothing_lost():
    seen = measure.answered(requests(0.0005, 0.0015, 0.0025), 0.0, 0.003)
    assert (seen.sent, seen.lost, seen.last_lost) == (3, 0, None)
    assert seen.gap == pytest.approx(0.001)


def test_a_gap_runs_from_answer_to_answer():
    seen = measure.answered(requests(0.0005, None, None, None, 0.0045), 0.0, 0.005)
    assert (seen.sent, seen.lost) == (5, 3)
    assert seen.last_lost == 0.003
    assert seen.gap == pytest.approx(0.004)


def test_a_gap_reaches_back_before_the_stretch():
    seen = measure.answered(requests(0.0005, None, None, 0.0035), 0.002, 0.004)
    assert (seen.sent, seen.lost) == (2, 1)
    assert seen.gap == pytest.approx(0.003)


def test_a_gap_that_does_not_end_lasts_to_the_end():
    seen = measure.answered(requests(0.0005, None, None, None), 0.0, 0.010)
    assert seen.gap == pytest.approx(0.0095)


def test_queued_answers_are_a_gap_though_nothing_is_lost():
    seen = measure.answered(requests(0.0005, 0.3001, 0.3002, 0.3003), 0.0, 0.301)
    assert seen.lost == 0
    assert seen.gap == pytest.approx(0.2996)


def test_answers_out_of_order_make_no_gap():
    seen = measure.answered(requests(0.0025, 0.0015, 0.0005), 0.0, 0.003)
    assert seen.gap == pytest.approx(0.001)


def test_no_answer_at_all():
    seen = measure.answered(requests(None, None), 0.0, 2.0)
    assert (seen.sent, seen.lost, seen.gap) == (2, 2, 2.0)


def test_requests_outside_do_not_count():
    seen = measure.answered(requests(None, 0.0015, None), 0.001, 0.002)
    assert (seen.sent, seen.lost) == (1, 0)


# -- short TCP requests -----------------------------------------------------------------------------------------------


def test_shorts_count_what_was_under_way_at_the_beginning():
    records = [
        Short(80, 0.1, 0.3, "ok", "rs1"),
        Short(80, 0.9, 1.1, "reset", ""),
        Short(81, 1.5, 1.7, "ok", "rs2"),
        Short(81, 1.9, 6.9, "timeout", ""),
        Short(80, 2.1, 2.3, "refused", ""),
    ]
    seen = measure.shorts(records, 1.0, 2.0)
    assert seen.outcomes == {80: Counter(reset=1), 81: Counter(ok=1, timeout=1)}
    assert [failed.begun for failed in seen.failed] == [0.9, 1.9]


@pytest.mark.parametrize(
    ("begin", "end", "most"),
    [
        (0.0, 5.0, 3),
        (0.0, 0.5, 1),
        (1.05, 1.15, 2),  # what began before counts, what begins later does not
        (1.3, 1.4, 1),
        (4.0, 5.0, 0),
    ],
)
def test_how_many_were_under_way_at_once(begin, end, most):
    spans = [(0.1, 0.3), (1.0, 1.2), (1.1, 1.25), (1.15, 1.4), (1.4, 1.5)]
    assert measure.under_way([Short(80, *span, "ok", "rs1") for span in spans], begin, end) == most


# -- downloads --------------------------------------------------------------------------------------------------------


def chunks(*events: tuple[int, float, str]) -> list[Chunk]:
    return [Chunk(stream, at, 0, event) for stream, at, event in events]


def test_downloads_that_go_on_are_kept():
    records = chunks((0, 0.5, "data"), (1, 0.6, "data"), (0, 3.0, "data"), (1, 3.1, "data"))
    seen = measure.downloads(records, 1.0, 2.0)
    assert (seen.running, seen.kept, seen.silent) == (2, 2, frozenset())
    assert seen.fate == "of 2 downloads 0 were lost"


def test_the_fate_of_downloads_is_told_by_cause():
    lost = Counter({"reset": 2, "hung": 1})
    assert (
        measure.Downloads(running=20, lost=lost, silent=frozenset()).fate
        == "of 20 downloads 3 were lost (1 hung, 2 reset)"
    )


def test_a_reset_download_is_lost_and_its_replacement_does_not_count():
    records = chunks((0, 0.5, "data"), (0, 1.5, "reset"), (7, 2.5, "data"))
    seen = measure.downloads(records, 1.0, 2.0)
    assert (seen.running, seen.kept, seen.lost) == (1, 0, Counter(reset=1))


def test_a_download_that_has_said_nothing_since_is_not_kept_yet():
    records = chunks((0, 0.5, "data"), (0, 1.5, "data"))
    seen = measure.downloads(records, 1.0, 2.0)
    assert (seen.kept, seen.silent) == (0, {0})


def test_a_download_lost_before_is_not_counted_at_all():
    records = chunks((0, 0.5, "data"), (0, 0.7, "hang"), (1, 0.8, "data"), (1, 2.5, "data"))
    seen = measure.downloads(records, 1.0, 2.0)
    assert (seen.running, seen.kept) == (1, 1)


# -- owners -----------------------------------------------------------------------------------------------------------

A, B = "02:00:00:00:00:0a", "02:00:00:00:00:0b"


def claims(mac: str, begin: float, end: float, kind: str = "answer") -> list[Claim]:
    """One per millisecond."""
    return [Claim(round(begin + n / 1000, 6), mac, kind) for n in range(round((end - begin) * 1000) + 1)]


def test_one_owner():
    seen = measure.ownership(claims(A, 0.0, 1.0), 0.0, 1.0)
    assert seen.first == {A: 0.0}
    assert (seen.nobody, seen.several) == (pytest.approx(0.001), 0.0)


def test_nobody_in_between():
    seen = measure.ownership(claims(A, 0.0, 0.2) + claims(B, 0.56, 1.0), 0.0, 1.0)
    assert seen.first == {A: 0.0, B: 0.56}
    assert (seen.nobody, seen.several) == (pytest.approx(0.36), 0.0)


def test_two_owners_for_a_while():
    seen = measure.ownership(claims(A, 0.0, 0.55) + claims(B, 0.5, 1.0), 0.0, 1.0)
    assert seen.several == pytest.approx(0.05, abs=0.001)


def test_two_owners_again_later_are_another_time():
    both = claims(A, 0.0, 0.03) + claims(B, 0.0, 0.03) + claims(A, 0.5, 0.51) + claims(B, 0.5, 0.51)
    assert measure.ownership(both, 0.0, 1.0).several == pytest.approx(0.03, abs=0.001)


def test_announcements_are_no_answers():
    seen = measure.ownership(claims(A, 0.0, 1.0) + claims(B, 0.2, 0.8, "announcement"), 0.0, 1.0)
    assert (list(seen.first), seen.several) == ([A], 0.0)


def test_a_short_silence_is_the_same_spell():
    pauses = claims(A, 0.0, 0.1) + claims(A, 0.115, 0.2) + claims(B, 0.0, 0.2)
    assert measure.ownership(pauses, 0.0, 0.2).several == pytest.approx(0.2, abs=0.002)


def test_questions_that_nobody_answered_are_counted_whatever_the_time():
    answers = [Claim(at, A, "answer", asked) for at, asked in ((0.0, 1), (0.001, 2), (0.5, 3), (0.501, 4))]
    assert measure.ownership(answers, 0.0, 1.0).unanswered == 0, "the machine paused"
    answers.append(Claim(0.505, B, "answer", 8))
    assert measure.ownership(answers, 0.0, 1.0).unanswered == 3
    two = [Claim(0.1, A, "answer", 5), Claim(0.1001, B, "answer", 5), Claim(0.101, A, "answer", 6)]
    assert measure.ownership(two, 0.0, 1.0).unanswered == 0


# -- the client's pace ------------------------------------------------------------------------------------------------


def sent(*at: tuple[int, float]) -> list[Request]:
    return [Request(number, time, time, "rs1") for number, time in at]


def test_a_kept_pace():
    seen = measure.pace(sent((0, 5.0), (1, 5.0011), (2, 5.002)), 5.0, 0.001, 5.0, 6.0)
    assert (seen.met, seen.skipped) == (3, 0)
    assert seen.p99 == pytest.approx(0.0001)
    assert seen.worst == pytest.approx(0.0001)


def test_a_pause_counts_by_what_was_skipped():
    seen = measure.pace(sent((0, 5.0), (1, 5.001), (41, 5.041), (42, 5.042)), 5.0, 0.001, 5.0, 6.0)
    assert (seen.met, seen.skipped) == (4, 39)
    assert seen.worst == pytest.approx(0.039)


def test_a_client_that_sent_nothing_stood_still():
    seen = measure.pace([], 0.0, 0.001, 1.0, 2.0)
    assert (seen.met, seen.skipped, seen.worst) == (0, 1000, 1.0)
