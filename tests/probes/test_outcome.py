from __future__ import annotations

from pathlib import Path

from haman.probes.outcome import INCONCLUSIVE, PASSED, Outcome, Result, reference

PAGE = Path(__file__).parents[2] / "docs/reference/outcomes.md"


def test_the_reference_page_is_the_codes() -> None:
    cure = "python -c 'from haman.probes.outcome import reference; print(reference(), end=\"\")' > " + str(PAGE)
    assert PAGE.read_text(encoding="utf-8") == reference(), f"renew it: {cure}"


def test_every_outcome_has_words_and_at_most_one_meaning() -> None:
    assert not PASSED & INCONCLUSIVE
    for outcome in Outcome:
        result = Result(outcome, 0.0, "why")
        assert result.words.endswith("why")
        assert len(result.words) > len("why")
        assert result.passed == (outcome in PASSED)
        assert result.conclusive == (outcome not in INCONCLUSIVE)


def test_words_with_and_without_a_detail() -> None:
    assert Result(Outcome.REFUSED, 0.0).words == "connection refused"
    assert Result(Outcome.BAD_STATUS, 0.0, "503").words == "bad status: 503"
    started = Result(Outcome.NOT_STARTED, 0.0, "no such file")
    assert started.words == "the program could not be started: no such file"
