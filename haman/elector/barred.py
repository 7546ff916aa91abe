"""Routers that must not be active for a while, whatever the election says: the kernel refused their addresses, or
somebody on this machine keeps taking them away.

Pure bookkeeping by router: nothing is known here of roles and states but what the engine says.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

REFUSED_HOLD = 10.0
"""Seconds a router stays in fault after the kernel refused it an address: long enough not to flap, short enough
to come back by itself when an interface was only being renamed."""

ANSWER = 0.25
"""Seconds beyond one interval in which a successor must have spoken; a router that leaves serves for longer than that
(parameters.leave_bound), so that it can take its goodbye back."""

CONTESTED_HOLD = 60.0
"""Seconds a router stays away after another director took over from it because its addresses were taken away."""


@dataclass(frozen=True, slots=True)
class _Bar:
    """until: when it ends, seconds of the engine's clock. offered: the role is, and at `until` it shows whether
    somebody took it."""

    why: str
    until: float
    offered: bool = False


class Barred:
    def __init__(self) -> None:
        self._bars: dict[str, _Bar] = {}

    def __bool__(self) -> bool:
        return bool(self._bars)

    def __contains__(self, name: str) -> bool:
        return name in self._bars

    def refused(self, name: str, why: str, now: float) -> None:
        """The kernel refused one of its addresses."""
        self._bars[name] = _Bar(f"the kernel refused: {why}", now + REFUSED_HOLD)

    def contested(self, name: str, why: str, now: float, interval: float) -> None:
        """Its addresses are taken away again and again: the role is offered. interval: its own, seconds."""
        self._bars[name] = _Bar(why, now + interval + ANSWER, offered=True)

    def answered(self, name: str, now: float, *, away: bool) -> None:
        """The time for taking a contested role over may have passed. away: somebody took it, so this one stays away."""
        bar = self._bars.get(name)
        if bar is not None and bar.offered and now >= bar.until:
            until = now + CONTESTED_HOLD if away else bar.until
            self._bars[name] = replace(bar, until=until, offered=False)

    def why(self, name: str, now: float) -> str | None:
        """None, and forgotten, once its time is over."""
        bar = self._bars.get(name)
        if bar is not None and now < bar.until:
            return bar.why
        self._bars.pop(name, None)
        return None

    def until(self, names: Iterable[str]) -> list[float]:
        """When those of them that are barred are to be looked at again."""
        return [self._bars[name].until for name in names if name in self._bars]

    def rename(self, names: Mapping[str, str]) -> None:
        """names: the old one by the new; all others are forgotten."""
        self._bars = {new: self._bars[old] for new, old in names.items() if old in self._bars}

    def forget(self, name: str) -> None:
        self._bars.pop(name, None)
