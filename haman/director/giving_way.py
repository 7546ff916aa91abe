"""Does this director hold routers that it cannot serve, while another one could? Pure: time comes in as `now`.

What tracking sees is the elector's business, and a director process that is dead is noticed there too. What only this
process knows is that the kernel has no IPVS for it: the routers whose services need it are offered to who is ready. An
offer is taken by who hears it, or by nobody, and then the role stays: to serve badly is better than not at all.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from haman.model.elector import GiveAway
from haman.model.transition import Role

if TYPE_CHECKING:
    from collections.abc import Iterator

    from haman.director.company import Own
    from haman.director.peers import Peers

SURE = 3.0
"""Seconds that it must have lasted: if only a socket broke, what the kernel has loaded goes on meanwhile."""

AGAIN = 30.0
"""Seconds until an offer that nobody took is made again."""


class GivingWay:
    def __init__(self) -> None:
        self._since: float | None = None
        self._offered: dict[str, float] = {}  # by router, when

    def look(self, own: Own, unavailable: str | None, peers: Peers, now: float) -> GiveAway | None:
        """Call it now and then. unavailable: why there is no IPVS."""
        if unavailable is None:
            self._since, self._offered = None, {}
            return None
        if self._since is None:
            self._since = now
        if now - self._since < SURE:
            return None
        self._offered = {router: at for router, at in self._offered.items() if now - at < AGAIN}
        to = {router: able for router, able in _heirs(own, unavailable, peers) if router not in self._offered}
        if not to:
            return None
        self._offered |= dict.fromkeys(to, now)
        return GiveAway(to=to, why=f"this director cannot serve it ({unavailable})")


def _heirs(own: Own, unavailable: str, peers: Peers) -> Iterator[tuple[str, tuple[str, ...]]]:
    """By router that is active here and lacks IPVS, and by those that are elected together with it, who could serve."""
    active = {report.router for report in own.roles if report.role is Role.ACTIVE}
    lacking = {router for router, words in (own.waiting or {}).items() if words == unavailable}
    grouped = {name: group.routers for group in own.cluster.groups_of(own.node) for name in group.routers}
    for router in sorted(active):
        together = grouped.get(router, (router,))
        able = set.intersection(*(set(peers.could_take(name)) for name in together))
        if lacking & set(together) and able:
            yield router, tuple(sorted(able))
