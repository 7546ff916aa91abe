"""Two-box LVS by `backup_only`: any scheduler, no packet filter, and a standby whose IPVS is closed."""

from __future__ import annotations

import os
import signal
import time
from typing import TYPE_CHECKING, ClassVar

from haman.lab import measure
from haman.lab.plants import PLANTS
from haman.lab.stories.two_box import TwoBox, counted, scheduled
from haman.model.kernel import BACKUP_ONLY

if TYPE_CHECKING:
    from collections.abc import Mapping

    from haman.lab.hosts import Host
    from haman.lab.stories.directors import Directors
    from haman.lab.stories.scene import Scene
    from haman.lab.stories.two_box import Clients

OPEN = 1.0
"""Seconds for which somebody keeps the standby open."""


class TwoBoxBackupOnly(TwoBox):
    """costs: what is new in the moment in which both directors schedule, a tenth of a second and what a slow machine
    makes of it. young: the same, and at a stop what had begun within the delay of synchronisation. odds: a closed
    standby never looks."""

    name = "two-box-backup-only"
    title = "two machines, each a director and a real server, by a closed standby"
    examples = ("two-boxes-backup-only.yaml",)
    plants: ClassVar = {"open-standby": PLANTS["open-standby"].words}
    sliced: ClassVar = False
    alone: ClassVar = False
    agrees: ClassVar = False
    costs: ClassVar = 200
    young: ClassVar = True
    odds: ClassVar = 0

    def settled(self, scene: Scene, hosts: Mapping[str, Host], active: str, standby: str) -> None:
        scene.until(f"{active} schedules", lambda: not _closed(hosts[active]))
        scene.until(f"{standby} does not", lambda: _closed(hosts[standby]))

    def served(self, scene: Scene, hosts: Mapping[str, Host], clients: Clients, standby: str) -> None:
        """Of all traffic the standby's IPVS sees nothing at all."""
        before = counted(hosts[standby])
        super().served(scene, hosts, clients, standby)
        connections, packets = (now - then for now, then in zip(counted(hosts[standby]), before, strict=True))
        scene.at_most(f"flows that {standby} balanced once more", 0, connections)
        scene.at_most(f"packets that {standby}'s IPVS took", 0, packets)

    def meddled(self, scene: Scene, hosts: Mapping[str, Host], clients: Clients) -> None:
        """What it costs while both are open, as with two directors that both take themselves for active; haman closes
        it again, sooner or later."""
        with scene.act("somebody opens node2 for a second"):
            begin, seen = time.monotonic(), scheduled(hosts)
            hosts["node2"].sysctl(BACKUP_ONLY.path, 0)
            end = begin + OPEN
            answered = measure.answered(clients.requests.covered(end), begin, end)
            packets = (scheduled(hosts) - seen) / max(1, answered.sent)
            lost = f"{answered.lost} of {answered.sent} UDP requests lost"
            scene.note(f"in a second with both open: {lost}, {packets:.1f} packets in both IPVS for each")
            self.settled(scene, hosts, "node1", "node2")

    def over(self, scene: Scene, pair: Directors) -> None:
        with scene.act("the elector on node1 is killed: its director takes the VIP away and closes"):
            os.kill(pair.nodes["node1"].elector(), signal.SIGKILL)
            scene.until("node1 schedules no more", lambda: _closed(pair.hosts["node1"]))


def _closed(host: Host) -> bool:
    return host.read(f"/proc/sys/{BACKUP_ONLY.path}").strip() == "1"
