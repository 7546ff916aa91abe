"""What the sessions to one backup use, what they may, and what was refused. Pure.

Every refusal has a reason that is a metric's label; a reason is told once in a while, with how often it was.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from haman.model.relay import Terms

TOLD_EVERY = 60.0
"""Seconds between two lines of the log for one reason."""

CHUNK = 65536
"""Bytes that are moved at once while there is room."""

LEAN = 4096
"""Bytes that are moved at once when half of the memory is taken. A session holds at most what it has read at once, so
all of them hold no more than half of `memory`, this much for each direction, and one chunk."""

REASONS = {
    "sessions": "there are as many as `sessions` allows",
    "memory": "what waits for slow receivers fills `memory`",
    "descriptors": "this process has no file descriptor left",
    "ports": "there is no free port left on the address it comes from",
    "source": "the address that it is to come from (`source`) is not on this machine",
    "unreachable": "no server there took it",
    "no_server": "no server there is up",
    "circle": "it comes from a backup site, which has no server either and would be sent its own",
    "too_large": "with its PROXY header it is larger than a datagram may be",
    "full": "the kernel's buffer is full",
    "reset": "a server there has reset it",
    "idle": "nothing moved for `idle`",
    "drained": "its time after the switch is over",
    "server_down": "its server there is down",
}
"""Why something was refused, dropped or ended early; the last four are for sessions that had begun."""


COUNTS = ("sessions", "total", "bytes_up", "bytes_down", "held")
"""Of `figures`: those that are one number; `refused` has one for each reason."""


class Account:
    def __init__(self, terms: Terms) -> None:
        self.terms = terms
        self.sessions = 0
        self.total = 0
        self.up = 0
        self.down = 0
        self.held = 0
        self.refused: dict[str, int] = {}
        self._told: dict[str, tuple[float, int]] = {}

    @property
    def chunk(self) -> int:
        """Bytes that may be read at once now."""
        return CHUNK if self.held * 2 < self.terms.memory else LEAN

    def admit(self) -> str | None:
        """Why a new session is refused; None: it is let in and counted."""
        if self.sessions >= self.terms.sessions:
            return "sessions"
        if self.held >= self.terms.memory:
            return "memory"
        self.sessions += 1
        self.total += 1
        return None

    def leave(self) -> None:
        self.sessions -= 1

    def refuse(self, reason: str, now: float) -> str | None:
        """Counted. Returns words for the log if it is time for them."""
        count = self.refused[reason] = self.refused.get(reason, 0) + 1
        told, before = self._told.get(reason, (-TOLD_EVERY, 0))
        if now - told < TOLD_EVERY:
            return None
        self._told[reason] = (now, count)
        many = f" ({count - before} times since the last such line)" if before else ""
        return f"{REASONS[reason]}{many}"

    def figures(self) -> dict[str, object]:
        return {
            "sessions": self.sessions,
            "total": self.total,
            "bytes_up": self.up,
            "bytes_down": self.down,
            "held": self.held,
            "refused": {reason: self.refused.get(reason, 0) for reason in REASONS},
        }
