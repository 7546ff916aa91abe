"""How a story's result looks: a line with the verdict, then what each act proved, one sentence a line."""

from __future__ import annotations

from typing import TYPE_CHECKING

from haman.lab.results import Verdict

if TYPE_CHECKING:
    from collections.abc import Iterator

    from haman.lab.results import Limit, Result

TITLE, VERDICT = 72, 12
TOLD = 3
"""Missed proofs that a reason names; the others are counted."""


def cells(result: Result) -> list[str]:
    """What is told, the verdict, how long it took."""
    return [f"{result.drill}: {result.title}".ljust(TITLE), result.verdict.value.ljust(VERDICT), _time(result)]


def _time(result: Result) -> str:
    count = sum(limit.held for limit in result.limits)
    return f"{count} of {len(result.limits)} proved in {result.seconds:.0f} s"


def sentence(limit: Limit) -> str:
    """`servers that answered: 3 (at least 3)`; a missed one says so with a word, since colour is not everywhere."""
    if limit.unit == "yes":
        return limit.name if limit.held else f"MISSED: {limit.name}"
    measured = "never seen" if limit.measured is None else f"{limit.measured:,.0f}"
    text = f"{limit.name}: {measured} (at {'least' if limit.at_least else 'most'} {limit.bound:,.0f})"
    return text if limit.held else f"MISSED: {text}"


def reason(result: Result) -> str:
    """In one line why a story is not what it was to be, what matters most first: a list of failures cuts it short.
    `MISSED: it serves (the cable is cut)`."""
    missed = [f"{sentence(limit)} ({limit.act})" for limit in result.limits if not limit.held]
    more = [f"{len(missed) - TOLD} more"] if len(missed) > TOLD else []
    words = [*missed[:TOLD], *more]
    if result.verdict in (Verdict.NOT_MEASURED, Verdict.BROKEN):
        words.insert(0, f"{result.verdict.value}: {'; '.join(map(_gist, result.why))}")
    return "; ".join(words) or f"{result.verdict.value}, all {len(result.limits)} proofs"


def _gist(why: str) -> str:
    """A traceback names the error in its last line; what haman says of an error stands before the logs."""
    first, *more = why.strip().splitlines() or [""]
    return more[-1] if more and first.startswith("Traceback") else first


def details(result: Result) -> Iterator[str]:
    """The example, each act with what it proved, and why nothing can be said if so."""
    yield f"runs {', '.join(f'etc/examples/{example}' for example in result.examples)}"
    act = ""
    for limit in result.limits:
        if limit.act != act:
            act = limit.act
            yield act
        yield f"  {sentence(limit)}"
    if result.verdict in (Verdict.NOT_MEASURED, Verdict.BROKEN):
        for why in result.why:
            yield from why.splitlines()
