"""How measurements look: a plain table for the terminal, a Markdown one for the docs. Pure."""

from __future__ import annotations

from typing import TYPE_CHECKING

from bench.figures import OURS

if TYPE_CHECKING:
    from bench.figures import Cell, Goal, Measurement, Row


def amount(value: float, unit: str) -> str:
    """Three digits that mean something: `412 us`, `3.52 s`, `18.4 MiB`; counts without a point: `620`."""
    if unit == "s":
        for name, factor in (("s", 1.0), ("ms", 1e3), ("us", 1e6)):
            if abs(value) * factor >= 1 or name == "us":
                return f"{_digits(value * factor)} {name}"
    return f"{_digits(value)} {unit}".rstrip()


def _digits(value: float) -> str:
    if value == int(value) or abs(value) >= 100:
        return f"{value:,.0f}"
    return f"{value:.1f}" if abs(value) >= 10 else f"{value:.2f}"


def cell_text(cell: Cell | None, unit: str) -> str:
    """`3.52 s (3.48 s - 3.60 s)`; the spread only where there is one."""
    if cell is None:
        return "-"
    text = amount(cell.value, unit)
    return text if cell.low == cell.high else f"{text} ({amount(cell.low, unit)} - {amount(cell.high, unit)})"


def goal_text(goal: Goal | None) -> str:
    if goal is None:
        return ""
    if goal.within_spread:
        return "within the spread"
    if goal.ratio is not None:
        return f"<= {goal.ratio:g}x"
    return f"<= {goal.than} + {amount(goal.more or 0.0, 's')}"


def ratio_text(row: Row) -> str:
    """`0.98x`, and of paired runs their spread: `0.98x (0.95 - 1.01)`."""
    if row.ratio is None:
        return ""
    spread = f" ({row.paired.low:.2f} - {row.paired.high:.2f})" if row.paired is not None else ""
    return f"{row.ratio:.2f}x{spread}"


def cells(measurement: Measurement) -> list[list[str]]:
    """The table as text, its head first: quantity, each program, ratio, goal, whether it is reached."""
    names = list(dict.fromkeys([OURS, *(name for row in measurement.rows for name in row.cells)]))
    ratios = any(row.ratio is not None for row in measurement.rows)
    goals = any(row.goal for row in measurement.rows)
    head = ["", *names, *(["ratio"] if ratios else []), *(["goal", ""] if goals else [])]
    return [head, *(_line(measurement, row, names, ratios=ratios, goals=goals) for row in measurement.rows)]


def _line(measurement: Measurement, row: Row, names: list[str], *, ratios: bool, goals: bool) -> list[str]:
    line = [row.what, *(cell_text(row.cells.get(name), row.unit) for name in names)]
    if ratios:
        line.append(ratio_text(row))
    if goals:
        reached = measurement.reached(row)
        line += [goal_text(row.goal), "" if reached is None else "reached" if reached else "MISSED"]
    return line


def plain(measurement: Measurement) -> str:
    """For the terminal."""
    table = cells(measurement)
    widths = [max(len(line[column]) for line in table) for column in range(len(table[0]))]
    lines = ["  ".join(cell.ljust(width) for cell, width in zip(line, widths, strict=True)).rstrip() for line in table]
    return "\n".join([f"{measurement.title} ({measurement.statistic})", *lines, *measurement.notes])


def markdown(measurement: Measurement) -> str:
    """For the docs: the table, what it was measured with, notes."""
    head, *body = cells(measurement)
    lines = [head, ["---"] * len(head), *body]
    table = "\n".join(f"| {' | '.join(line)} |" for line in lines)
    conditions = "; ".join(f"{name} {value}" for name, value in measurement.conditions.items())
    paragraphs = [table, f"*{measurement.statistic}. {conditions}.*", *(f"* {note}" for note in measurement.notes)]
    return "\n\n".join(paragraphs)
