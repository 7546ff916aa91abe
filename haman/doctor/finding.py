"""What an examination says: never a number alone, always what it means and what to do."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True, kw_only=True)
class Finding:
    """what: one sentence. evidence: what was seen, so that it can be seen again by hand. consequence: what follows for
    clients or for the operator. fix: what to do. problem: False for a hint, which may be as the operator wants it.
    settings: (path below /proc/sys, value) that `--fix` may write, because they break nothing that works without."""

    what: str
    evidence: str
    consequence: str
    fix: str
    problem: bool = True
    settings: tuple[tuple[str, str], ...] = ()
