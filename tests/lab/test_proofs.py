"""Why a story is not what it was to be, in the one line that a list of failures has room for."""

from __future__ import annotations

import pytest

from haman.lab import proofs
from haman.lab.results import Limit, Result


def proof(name: str, held: bool) -> Limit:
    return Limit(name=name, bound=1, measured=float(held), unit="yes", at_least=True, act="the cable is cut")


def result(*limits: Limit, why: tuple[str, ...] = (), broken: bool = False, plant: str = "") -> Result:
    return Result(
        drill="x", title="y", advert_interval=0.0, limits=limits, examples=("z",), why=why, broken=broken, plant=plant
    )


GOOD = proof("it serves", held=True)
LOST = Limit(name="requests lost", bound=0, measured=3, act="the cable is cut")


@pytest.mark.parametrize(
    ("what", "words"),
    [
        (result(GOOD, LOST), "MISSED: requests lost: 3 (at most 0) (the cable is cut)"),
        (
            result(GOOD, LOST, *(proof(name, held=False) for name in "abcd")),
            "MISSED: requests lost: 3 (at most 0) (the cable is cut); MISSED: a (the cable is cut); "
            "MISSED: b (the cable is cut); 2 more",
        ),
        (result(GOOD, GOOD, plant="no-channel"), "held, all 2 proofs"),
        (
            result(LOST, why=("Traceback (most recent call last):\n  line 1\nKeyError: 'node1'\n",), broken=True),
            "broken: KeyError: 'node1'; MISSED: requests lost: 3 (at most 0) (the cable is cut)",
        ),
        (
            result(why=("waited 60 s in vain: node1: standby\n--- its log\nINFO started\n",), broken=True),
            "broken: waited 60 s in vain: node1: standby",
        ),
        (
            result(LOST, why=("the machine stood still", "so it did")),
            "not measured: the machine stood still; so it did; MISSED: requests lost: 3 (at most 0) (the cable is cut)",
        ),
    ],
)
def test_the_reason_names_what_was_missed(what, words):
    assert proofs.reason(what) == words
