"""Tests that fail are heard again, alone: what is to be made of those that fail, and of those that then do not.

On a shared machine a test can fail because all stood still for seconds, and a user-mode kernel can die.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from haman.lab.reports import UNMEASURED, Outcome, Sitting, counted, failures, guilty, left_out, passed, skipped, told

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping, Sequence
    from pathlib import Path

MOST_HEARD_AGAIN: Final = 24
"""Failures; more of them are no accident of the machine's."""

HEARINGS: Final = 3
"""How often a test is run that fails every time, the first one included."""

MOST_LOST: Final = 3
"""Sittings that ended without a report."""


def heard_again(
    results: Path, first: Callable[[Path], Sequence[Sitting]], again: Callable[[Sequence[str], Path], Sequence[Sitting]]
) -> Outcome:
    """Tests, and those of them that fail again, up to HEARINGS times in all, with nothing beside them.

    A test that passes alone counts as passed, but is named at the end as unsteady, with why it had failed: somebody
    has to look. What a pytest that died was told to run is heard alone too, and its failures then as everybody's. Of
    many failures none is heard again. What could not be measured in any hearing has neither passed nor failed: it
    counts as skipped, and is named. What failed is told in full at the end only.

    results: an existing, empty folder.
    """
    begun = first(results)
    reasons = {test: [why] for each in begun for test, why in failures(each.report).items()}
    stories = {test: story for each in begun for test, story in told(each.report).items()}
    outcome = sum(map(counted, begun), Outcome())
    lost = [each for each in begun if each.died]
    wrong = [test for test, [why] in reasons.items() if UNMEASURED not in why]
    if outcome.broken > len(lost) or len(wrong) > MOST_HEARD_AGAIN or len(lost) > MOST_LOST:
        _tell(stories, reasons)
        return outcome
    waiting = [*reasons, *(test for each in lost for test in each.tests)]
    acquitted: set[str] = set()
    omitted: set[str] = set()
    broken = 0
    for number in range(2, HEARINGS + 1):
        if not waiting:
            break
        print(f"heard again, alone: {', '.join(waiting)}", flush=True)
        sat = again(waiting, results / f"hearing-{number}")
        for each in sat:
            acquitted |= passed(each.report)
            omitted |= skipped(each.report)
            stories |= told(each.report)
            for test, why in failures(each.report).items():
                reasons.setdefault(test, []).append(why)
        broken = sum(map(counted, sat), Outcome()).broken
        if not broken:
            waiting = [test for test in reasons if test not in acquitted]
    left = {test: whys for test, whys in reasons.items() if test not in acquitted}
    bad = {test: why for test, whys in left.items() for why in whys if UNMEASURED not in why}
    unmeasured = [f"not measured: {test}: {whys[-1]}" for test, whys in left.items() if test not in bad]
    unsteady = [f"unsteady: {test}: {whys[0]}" for test, whys in reasons.items() if test in acquitted]
    unsteady += [f"unsteady: pytest died ({_end(each)}) over {' '.join(each.tests)}" for each in lost]
    unsteady += [line for each in begun for line in each.afterwards]
    late = [line for each in begun for line in left_out(each.report)]
    _tell(stories, bad)
    return Outcome(
        passed=outcome.passed + len(acquitted),
        failed=len(bad),
        skipped=outcome.skipped + len(omitted - reasons.keys()) + len(unmeasured),
        broken=broken,
        unsteady=len(unsteady),
        words=(*(guilty(test, why) for test, why in bad.items()), *unsteady, *unmeasured, *late),
    )


def _tell(stories: Mapping[str, str], tests: Iterable[str]) -> None:
    for test in tests:
        print(stories[test], flush=True)


def _end(sitting: Sitting) -> str:
    return sitting.end or f"status {sitting.status}"
