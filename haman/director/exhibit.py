"""Metrics and probes over HTTP: what is asked there, answered from the director's present state."""

from __future__ import annotations

from typing import TYPE_CHECKING

from haman.director import report

if TYPE_CHECKING:
    from collections.abc import Callable

    from haman.director.link import Link
    from haman.director.traffic import TrafficReader
    from haman.observe.figures import Figures
    from haman.observe.listening import Listening


class Exhibit:
    """listening: where, if anywhere. view: the present state."""

    def __init__(
        self, listening: Listening, view: Callable[[], report.View], traffic: TrafficReader, link: Link
    ) -> None:
        self._listening = listening
        self._view = view
        self._traffic = traffic
        self._link = link

    async def run(self) -> None:
        """For ever."""
        await self._listening.needed()
        from haman.observe import web  # aiohttp is half of this process's memory: only for who wants it

        source = web.Source(figures=self.figures, live=self._not_live, ready=lambda: self._view().waiting)
        await web.serve(self._listening, source)

    async def figures(self) -> Figures:
        traffic = await self._traffic.read()
        return report.figures(self._view(), traffic)

    def _not_live(self) -> str | None:
        age, patience = self._link.heartbeat_age, self._link.patience
        return None if age <= patience else f"the elector has been silent for {age:.3g} s"
