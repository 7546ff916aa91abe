"""Every state with every event: what is said, the role and the hold afterwards. `pairs.txt` is the table.

When this test fails, run `python -m tests.election.test_pairs`, read the difference it makes in pairs.txt, and commit
it only if you know what caused each line and want it.
"""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from haman.election.effects import Announce, Changed
from haman.election.events import Assessed, Event, Offer, Readiness, Reconfigured, Start, Stop, Tick
from haman.election.states import Active, Down
from haman.model.routers import Preempt
from tests.election.support import DEAF, FAULT, FINE, HIGH, LOW, active, config, heard, router, said, standby

if TYPE_CHECKING:
    from collections.abc import Callable

    from haman.election.router import Router

TABLE = Path(__file__).with_name("pairs.txt")
NOW = 10.5
ALLOWED = Preempt(allowed=True, after=30.0)

# Priority 100 each, ready unless it says otherwise; preemption is allowed after 30 s.
STATES: dict[str, Callable[[], Router]] = {
    "stopped": lambda: router(preempt=ALLOWED),
    "fault": lambda: router((Start(), 9.0), (FAULT, 10.25), preempt=ALLOWED),
    "standby": lambda: router((Start(), 9.0), (heard(150), 10.25), preempt=ALLOWED),
    "standby, nobody heard": lambda: router((Start(), 9.0), preempt=ALLOWED),
    "standby, not ready": lambda: router((Start(), 9.0), (heard(50), 10.25), ready=False, preempt=ALLOWED),
    "standby, timer due": lambda: router((Start(), 6.0), preempt=ALLOWED),
    "standby, after a goodbye": lambda: router((Start(), 9.0), (heard(0), 10.25), preempt=ALLOWED),
    "standby, adopting": lambda: router((Start(), 9.0), adopting=True, preempt=ALLOWED),
    "standby, lingering": lambda: active((heard(150), 10.4688), preempt=ALLOWED),
    "standby, linger over": lambda: active((heard(150), 10.25), preempt=ALLOWED),
    "standby, to preempt": lambda: standby((heard(50), 10.25), preempt=ALLOWED),
    "standby, frozen": lambda: router((Start(), 3.0), preempt=ALLOWED),
    "active": lambda: active(preempt=ALLOWED),
    "active, advert due": lambda: active(preempt=ALLOWED, advert_interval=0.5),
    "active, frozen": lambda: active(preempt=ALLOWED, advert_interval=0.125),
    "leaving": lambda: active((Stop(), 10.25), preempt=ALLOWED),
    "leaving, bound over": lambda: router((Start(), 3.0), (Tick(), 7.0), (Stop(), 8.0), preempt=ALLOWED),
    "leaving, successor": lambda: active((Stop(), 10.25), (heard(50), 10.4688), preempt=ALLOWED),
    "offering": lambda: active((Offer("no director"), 10.25), preempt=ALLOWED),
    "offering, bound over": lambda: router((Start(), 3.0), (Tick(), 7.0), (Offer("no director"), 8.0), preempt=ALLOWED),
    "offering, successor": lambda: active((Offer("no director"), 10.25), (heard(50), 10.4688), preempt=ALLOWED),
    "leaving for a fault": lambda: active((FAULT, 10.25), preempt=ALLOWED),
    "leaving for a fault, successor": lambda: active((FAULT, 10.25), (heard(50), 10.4688), preempt=ALLOWED),
}

EVENTS: dict[str, Event] = {
    "Start": Start(),
    "Stop": Stop(),
    "Offer": Offer("no director"),
    "heard 0": heard(0),
    "heard 99": heard(99),
    "heard 100, lower address": heard(100, LOW),
    "heard 100, higher address": heard(100, HIGH),
    "heard 101": heard(101, LOW),
    "heard 255": heard(255, LOW),
    "Tick": Tick(),
    "fine": FINE,
    "fault": FAULT,
    "deaf": DEAF,
    "penalty 60": Assessed(None, penalty=60),
    "ready": Readiness(None),
    "not ready": Readiness("rs2 of web was not checked yet"),
    "same config": Reconfigured(config(preempt=ALLOWED)),
    "other priority": Reconfigured(config(preempt=ALLOWED, priority=120)),
}


def walk() -> list[str]:
    lines = []
    for state, make in STATES.items():
        lines.append(f"{state}:")
        for name, event in EVENTS.items():
            one = make()
            effects = said(one.handle(event, NOW))
            hold = {True: "holds", False: "bare", None: "as found"}[one.holds]
            due = "never" if one.deadline is None else f"{one.deadline:g}"
            lines.append(f"    {name:<26} {one.role.value:<8} {hold:<9} due {due:<9} {effects}".rstrip())
    return lines


def test_the_table() -> None:
    assert walk() == TABLE.read_text().splitlines()


def test_every_pair_keeps_to_the_vocabulary() -> None:
    """What holds for each answer, whatever the pair."""
    for state, make in STATES.items():
        for name, event in EVENTS.items():
            one = make()
            role = one.role
            effects = one.handle(event, NOW)
            where = f"{state} x {name}"
            for change in (effect for effect in effects if isinstance(effect, Changed)):
                assert change.before is role, f"{where}: changes follow one another"
                assert change.why
                assert change.cause
                role = change.after
            assert one.role is role, f"{where}: no change of role is kept secret"
            assert (one.deadline is None) == isinstance(one.state, Down), f"{where}: only who is out waits for nothing"
            if any(isinstance(effect, Announce) for effect in effects):
                assert isinstance(one.state, Active), f"{where}: only the active router announces"
                assert one.holds is True


if __name__ == "__main__":
    TABLE.write_text("\n".join(walk()) + "\n")
