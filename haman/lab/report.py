"""How results look: one line per drill, aligned and plain; in colour on a terminal; or as JSON. What a story looks
like is said in proofs.

Lines are written as drills end, so columns have fixed widths: wide enough for the lab's own drills.
"""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

from haman.lab import proofs
from haman.lab.results import Verdict, exit_code

if TYPE_CHECKING:
    from collections.abc import Sequence

    from haman.lab.results import Limit, Result

COLUMNS = (
    ("drill", 40),
    ("adverts", 7),
    ("active", 9),
    ("lost", 14),
    ("gap", 8),
    ("downloads", 9),
    ("short TCP", 12),
    ("verdict", 12),
    ("limit", 0),
)
COLOURS = {
    Verdict.HELD: "green",
    Verdict.MISSED: "bold red",
    Verdict.NOT_MEASURED: "yellow",
    Verdict.BROKEN: "bold magenta",
}


def header() -> str:
    return "  ".join(name.ljust(width) for name, width in COLUMNS).rstrip()


def duration(seconds: float) -> str:
    """`3,612 ms`, and tenths below ten."""
    milliseconds = seconds * 1000
    return f"{milliseconds:.1f} ms" if milliseconds < 10 else f"{milliseconds:,.0f} ms"


def interval(seconds: float) -> str:
    """An advert interval as one writes it: `1 s`, `100 ms`."""
    return f"{seconds:g} s" if seconds >= 1 else f"{seconds * 1000:g} ms"


def amount(value: float | None, unit: str) -> str:
    if value is None:
        return "never"
    return duration(value) if unit == "ms" else f"{value:,.0f}"


def limit_text(limit: Limit) -> str:
    """`gap 3,612 ms <= 3,659 ms`; a missed one says so with a word, since colour is not everywhere."""
    if limit.unit == "yes":
        return limit.name if limit.held else f"not {limit.name} MISSED"
    relation = ">=" if limit.at_least else "<="
    text = f"{limit.name} {amount(limit.measured, limit.unit)} {relation} {amount(limit.bound, limit.unit)}"
    return text if limit.held else f"{text} MISSED"


def cells(result: Result) -> list[str]:
    """The columns of one result, unpadded."""
    before, after = result.active
    limits = "; ".join(map(limit_text, result.limits))
    words = "; ".join(why.partition("\n")[0] for why in result.why)
    return [
        result.title,
        interval(result.advert_interval) if result.advert_interval else "-",
        before if before == after else f"{before} > {after}",
        f"{result.lost:,} / {result.requests:,}",
        duration(result.gap),
        f"{result.downloads_kept}/{result.downloads}",
        short_text(result),
        result.verdict.value,
        words if result.verdict in (Verdict.NOT_MEASURED, Verdict.BROKEN) else limits,
    ]


def short_text(result: Result) -> str:
    """Failed short requests of all: `0/312`; those a sync that is not instant explains stand behind: `4/312 (4)`."""
    within = f" ({result.within_sync})" if result.within_sync else ""
    return f"{result.short_failed}/{result.short_total}{within}"


def line(result: Result) -> str:
    """One result as one plain line."""
    if result.examples:
        return "  ".join(proofs.cells(result))
    padded = (cell.ljust(width) for cell, (_, width) in zip(cells(result), COLUMNS, strict=True))
    return "  ".join(padded).rstrip()


def styled(result: Result) -> str:
    """The same for rich, the verdict in colour."""
    from rich.markup import escape

    colour = COLOURS[result.verdict]
    if result.examples:
        what, verdict, time = map(escape, proofs.cells(result))
        return f"{what}  [{colour}]{verdict}[/]  {time}"
    parts = []
    for cell, (name, width) in zip(cells(result), COLUMNS, strict=True):
        text = escape(cell.ljust(width))
        parts.append(f"[{colour}]{text}[/]" if name == "verdict" else text)
    return "  ".join(parts).rstrip()


def details(result: Result) -> list[str]:
    """What does not fit into the line: the planted fault, failed short requests by kind, notes, what broke, repeats."""
    lines = []
    if result.plant:
        lines.append(f"planted fault: {result.plant}")
    if result.examples:
        lines.extend(proofs.details(result))
    for service, kinds in result.short.items():
        failed = ", ".join(f"{count} {kind}" for kind, count in sorted(kinds.items()) if kind != "ok")
        if failed:
            lines.append(f"short TCP, {service}: {failed} of {sum(kinds.values())}")
    if result.within_sync:
        lines.append(f"{result.within_sync} of them had begun within the sync delay before the move")
    lines.extend(result.notes)
    if not result.examples:
        lines.extend(line for why in result.why for line in why.splitlines()[1:])
    if result.attempts > 1:
        measured = result.verdict is not Verdict.NOT_MEASURED
        lines.append(f"measured in attempt {result.attempts}" if measured else f"tried {result.attempts} times")
    return lines


def summary(results: Sequence[Result]) -> str:
    """`16 drills: 15 held, 1 missed; 3 stories: 3 held`."""
    drills = [result.verdict for result in results if not result.examples]
    stories = [result.verdict for result in results if result.examples]
    return "; ".join(
        f"{len(verdicts)} {one if len(verdicts) == 1 else many}: "
        + ", ".join(f"{verdicts.count(verdict)} {verdict.value}" for verdict in Verdict if verdict in verdicts)
        for verdicts, one, many in ((drills, "drill", "drills"), (stories, "story", "stories"))
        if verdicts
    )


def as_json(results: Sequence[Result], **around: str) -> str:
    """The whole run as one JSON object: `results`, the `exit_code`, and what is `around` (kernel, software)."""
    body = {**around, "exit_code": exit_code(list(results)), "results": [result.to_json() for result in results]}
    return json.dumps(body, indent=2)
