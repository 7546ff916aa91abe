"""Verdicts, exit codes, and results as data."""

from __future__ import annotations

import json

import pytest

from haman.lab.results import Limit, Result, Verdict, exit_code

GAP = Limit(name="gap", bound=0.411, measured=0.364, unit="ms")
TOO_LONG = Limit(name="gap", bound=0.411, measured=0.412, unit="ms")
KEPT = Limit(name="downloads kept", bound=20, measured=20, at_least=True)
LOST_ONE = Limit(name="downloads kept", bound=20, measured=19, at_least=True)
NEVER = Limit(name="VIP back after", bound=0.1, measured=None, unit="ms")


def result(*limits: Limit, **fields: object) -> Result:
    return Result(drill="cable-cut", title="cable of the active cut", advert_interval=0.1, limits=limits, **fields)


@pytest.mark.parametrize(
    ("limit", "held"), [(GAP, True), (TOO_LONG, False), (KEPT, True), (LOST_ONE, False), (NEVER, False)]
)
def test_limits(limit, held):
    assert limit.held is held


@pytest.mark.parametrize(
    ("given", "verdict"),
    [
        (result(GAP, KEPT), Verdict.HELD),
        (result(GAP, LOST_ONE), Verdict.MISSED),
        (result(GAP, KEPT, why=("the machine stood still",)), Verdict.NOT_MEASURED),
        (result(TOO_LONG, why=("the machine stood still",)), Verdict.NOT_MEASURED),
        (result(broken=True, why=("no director has the VIP",)), Verdict.BROKEN),
    ],
)
def test_verdicts(given, verdict):
    assert given.verdict is verdict


@pytest.mark.parametrize(
    ("given", "code"),
    [
        ([result(GAP)], 0),
        ([result(GAP), result(TOO_LONG)], 3),
        ([result(GAP), result(GAP, why=("starved",))], 3),
        ([result(TOO_LONG), result(broken=True, why=("x",))], 1),
        ([], 1),
    ],
)
def test_exit_codes(given, code):
    assert exit_code(given) == code


def test_a_result_survives_json():
    whole = result(
        GAP,
        LOST_ONE,
        active=("lb1", "lb2"),
        requests=1317,
        lost=363,
        gap=0.364,
        downloads=20,
        downloads_kept=19,
        short={"web": {"ok": 14, "reset": 2}},
        within_sync=1,
        notes=("lb1 ended with exit status 0",),
        why=("starved",),
        plant="sync-off",
        attempts=3,
        table_before="TCP",
    )
    data = json.loads(json.dumps(whole.to_json()))
    assert (data["verdict"], data["limits"][1]["held"]) == ("not measured", False)
    assert Result.from_json(data) == whole


def test_short_requests_are_summed():
    counted = result(GAP, short={"web": {"ok": 14, "reset": 2}, "shop": {"timeout": 1, "ok": 3}})
    assert (counted.short_failed, counted.short_total) == (3, 20)
