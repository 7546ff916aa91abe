"""What somebody else did to our kernel objects, in words: from the operations that repair it to transitions. Pure."""

from __future__ import annotations

from collections import Counter
from typing import TYPE_CHECKING

from haman.model.transition import Kind, Transition
from haman.plan.ops import Add, Op, Remove, Set

if TYPE_CHECKING:
    from collections.abc import Sequence

SEPARATELY = 8
"""So many objects get a transition each; more (a flushed table) get one together."""

_WHY = {
    "missing": "somebody removed it",
    "changed": "somebody changed it",
    "unexpected": "somebody added it where only haman's belong",
}


def found(op: Op) -> str:
    """What was wrong with the object that `op` repairs."""
    match op:
        case Add():
            return "missing"
        case Set():
            return "changed"
        case Remove():
            return "unexpected"


def transitions(repairs: Sequence[Op], at: float) -> list[Transition]:
    """One per repaired object, or one for all when there are many. Empty for none."""
    if len(repairs) <= SEPARATELY:
        return [_transition(str(op.key), found(op), f"{_WHY[found(op)]}; did: {op}", found(op), at) for op in repairs]
    counts = Counter(found(op) for op in repairs)
    before = ", ".join(f"{count} {what}" for what, count in counts.items())
    names = ", ".join(str(op.key) for op in repairs[:3])
    why = f"somebody changed the table behind our back: {names} and {len(repairs) - 3} more"
    return [_transition("IPVS table", before, why, counts.most_common(1)[0][0], at)]


def _transition(who: str, before: str, why: str, cause: str, at: float) -> Transition:
    return Transition(kind=Kind.DRIFT, who=who, before=before, after="repaired", why=why, cause=cause, at=at)
