"""Services that cannot tell the frames of some other directors from clients', since those have not said their MAC
addresses yet: found out again whenever somebody may have, and said in the log."""

from __future__ import annotations

from typing import TYPE_CHECKING

from haman.director import report
from haman.observe.journal import log
from haman.plan import filter

if TYPE_CHECKING:
    from collections.abc import Mapping

    from haman.model.cluster import Cluster


class Strangers:
    """by_service: the directors whose frames it cannot tell."""

    def __init__(self) -> None:
        self.by_service: dict[str, tuple[str, ...]] = {}

    def look(self, cluster: Cluster, node: str, known: Mapping[str, tuple[str, ...]]) -> None:
        """known: MAC addresses by director."""
        strangers = {
            service.name: names
            for service in cluster.services_of(node)
            if (names := filter.strangers(cluster, service, node, known))
        }
        if strangers == self.by_service:
            return
        for name in self.by_service.keys() - strangers.keys():
            log.info("service %s: the MAC addresses of all directors are known", name)
        for name, names in strangers.items() if not self.by_service else ():
            log.warning("service %s: %s", name, report.alone(names))
        self.by_service = strangers
