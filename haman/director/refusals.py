"""Operations the kernel refused: tried again after a while that doubles, and shown until accepted. Pure."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from haman.model.kernel import DestinationKey
from haman.model.transition import Kind, Transition
from haman.plan.ops import Remove

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from haman.kernel.refusal import Refusal
    from haman.model.kernel import Key
    from haman.plan.ops import Op

FIRST_RETRY = 0.5
LONGEST_RETRY = 30.0
"""Seconds. A module that somebody loads, an interface that comes up: found within this time."""

SEPARATELY = 8
"""So many new refusals get a transition each; more get one together."""


@dataclass(slots=True)
class _Entry:
    refusal: Refusal
    wait: float
    retry_at: float


class Refusals:
    def __init__(self) -> None:
        self._entries: dict[Key, _Entry] = {}

    @property
    def current(self) -> tuple[Refusal, ...]:
        return tuple(entry.refusal for entry in self._entries.values())

    @property
    def retry_at(self) -> float | None:
        """When the next one is due, monotonic seconds."""
        return min((entry.retry_at for entry in self._entries.values()), default=None)

    def allowed(self, ops: Iterable[Op], now: float) -> list[Op]:
        """Without those that were refused lately in the same form, and the servers of a refused service. An object
        that is asked for differently than before has its chance at once."""
        return [op for op in ops if not self._held_back(op, now)]

    def _held_back(self, op: Op, now: float) -> bool:
        entry = self._entries.get(op.key)
        if entry is not None:
            return entry.refusal.op == op and now < entry.retry_at
        return isinstance(op.key, DestinationKey) and op.key.service in self._entries and not isinstance(op, Remove)

    def tried(self, ops: Sequence[Op], refused: Sequence[Refusal], now: float, at: float) -> list[Transition]:
        """The outcome of `ops`. Returns what is new: a first refusal, or an acceptance after one."""
        fresh = []
        failed = {refusal.op.key for refusal in refused}
        for refusal in refused:
            key = refusal.op.key
            if isinstance(key, DestinationKey) and key.service in failed:
                continue  # of course: its service is not there. It follows when that is accepted
            known = self._entries.get(key)
            wait = FIRST_RETRY if known is None else min(known.wait * 2, LONGEST_RETRY)
            self._entries[key] = _Entry(refusal, wait, now + wait)
            if known is None:
                fresh.append(refusal)
        accepted = [op for op in ops if op.key not in failed and self._entries.pop(op.key, None) is not None]
        return [*_refused(fresh, at), *(_transition(str(op.key), "refused", "ok", f"did: {op}", at) for op in accepted)]

    def forget(self, wanted: Iterable[Op], at: float) -> list[Transition]:
        """Keep only what is still to be done: the rest is not wanted any more, or came about without us."""
        keys = {op.key for op in wanted}
        gone = [key for key in self._entries if key not in keys]
        for key in gone:
            del self._entries[key]
        return [_transition(str(key), "refused", "ok", "not to be done any more", at) for key in gone]


def _refused(refusals: Sequence[Refusal], at: float) -> list[Transition]:
    if len(refusals) <= SEPARATELY:
        return [_transition(str(each.op.key), "ok", "refused", str(each.error), at) for each in refusals]
    why = f"{len(refusals)} operations, the first: {refusals[0].error}"
    return [_transition("IPVS table", "ok", "refused", why, at)]


def _transition(who: str, before: str, after: str, why: str, at: float) -> Transition:
    cause = "kernel_refused" if after == "refused" else "kernel_accepted"
    return Transition(kind=Kind.KERNEL, who=who, before=before, after=after, why=why, cause=cause, at=at)
