"""How long a server's certificate still holds: data and a warning, never a verdict. Its end fails the check itself."""

from __future__ import annotations

from haman.model.transition import Kind, Transition

DAY = 86400.0
VALID = "valid"
ENDING = "ending"


def state(ends: float, at: float, warn_before: float) -> str:
    """ends, at: wall-clock seconds since the epoch. warn_before: seconds, 0 for never."""
    return ENDING if warn_before > 0 and ends - at < warn_before else VALID


def transition(who: str, before: str | None, ends: float, at: float, warn_before: float) -> Transition | None:
    """The record of a changed state; None when there is nothing to tell. before: the last state, None at first."""
    after = state(ends, at, warn_before)
    if after == (before or VALID):
        return None
    return Transition(
        kind=Kind.CERTIFICATE,
        who=who,
        before=before or VALID,
        after=after,
        why=words(ends - at),
        cause="certificate_ending" if after == ENDING else "certificate_renewed",
        at=at,
    )


def words(left: float) -> str:
    """left: seconds until its end."""
    days = abs(left) / DAY
    span = f"{days:.0f} days" if days >= 10 else f"{days:.1f} days"
    return f"the server's certificate ends in {span}" if left >= 0 else f"the server's certificate ended {span} ago"
