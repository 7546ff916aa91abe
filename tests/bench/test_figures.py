"""What measurements compute and how they look; the measuring itself is no test."""

from __future__ import annotations

import json

import pytest

from bench import methods, tables
from bench.figures import OURS, Cell, Goal, Measurement, Row, median
from haman.config import examine, source


def measured(*ratios: float) -> Measurement:
    cells = {OURS: Cell(900.0, 800.0, 1000.0, 5), "ipvsadm": Cell(1000.0, 900.0, 1100.0, 5)}
    row = Row(what="dr", unit="/s", cells=cells, goal=Goal(within_spread=True), paired=median(ratios))
    return Measurement(name="forwarding", title="Rates", statistic="median", rows=(row,))


@pytest.mark.parametrize(
    ("ratios", "reached"), [((0.98, 0.99, 1.01), True), ((1.0, 1.0, 1.0), True), ((0.9, 0.95, 0.99), False)]
)
def test_runs_on_both_sides_of_one_are_within_the_spread(ratios: tuple[float, ...], reached: bool) -> None:
    found = measured(*ratios)
    assert found.reached(found.row("dr")) is reached
    assert Measurement.from_json(json.loads(json.dumps(found.to_json()))) == found


def test_a_paired_ratio_is_shown_with_its_spread() -> None:
    (_, line) = tables.cells(measured(0.98, 0.99, 1.01))
    assert line == [
        "dr",
        "900 /s (800 /s - 1,000 /s)",
        "1,000 /s (900 /s - 1,100 /s)",
        "0.99x (0.98 - 1.01)",
        "within the spread",
        "reached",
    ]


@pytest.mark.parametrize("table", methods.TABLES)
def test_the_tables_are_configurations(table: str) -> None:
    assert [str(each) for each in examine(source.from_text(json.dumps(methods.file(table)), table)).mistakes] == []


def test_what_is_typed_names_every_server() -> None:
    text = methods.by_hand(methods.PLAIN)
    assert text.count("-A ") == 5 * 2 * 2
    assert "-a -u [fd09::100]:8004 -r [fd00::12]:8004 -i --tun-type gre -w 1\n" in text
