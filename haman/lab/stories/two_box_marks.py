"""Two-box LVS by marks: a scheduler that looks at load, and frames of the other director that are left alone."""

from __future__ import annotations

from typing import TYPE_CHECKING, ClassVar

from haman.lab.plants import PLANTS
from haman.lab.stories.two_box import TwoBox, counted

if TYPE_CHECKING:
    from collections.abc import Mapping

    from haman.lab.hosts import Host
    from haman.lab.stories.scene import Scene
    from haman.lab.stories.two_box import Clients

AGAIN = 20
"""Flows that the director that is not active may schedule in some seconds, of thousands: those of a moment before its
rules stood. What it is sent bears no mark; balanced twice, it would schedule every other flow."""


class TwoBoxMarks(TwoBox):
    """unasked: what had begun within the delay of synchronisation. odds: a standby knows some connections, and
    forgets one, with the packet that it was looked up for, when its server is gone."""

    name = "two-box-marks"
    title = "two machines, each a director and a real server, by marks"
    examples = ("two-boxes-marks.yaml",)
    plants: ClassVar = {"unscreened": PLANTS["unscreened"].words}
    sliced: ClassVar = False
    alone: ClassVar = False
    agrees: ClassVar = False
    unasked: ClassVar = True
    odds: ClassVar = 50

    def settled(self, scene: Scene, hosts: Mapping[str, Host], active: str, standby: str) -> None:
        scene.until("both mark what comes from clients", lambda: all(map(_marks, hosts.values())))

    def served(self, scene: Scene, hosts: Mapping[str, Host], clients: Clients, standby: str) -> None:
        before, _ = counted(hosts[standby])
        super().served(scene, hosts, clients, standby)
        after, _ = counted(hosts[standby])
        scene.at_most(f"flows that {standby} balanced once more", AGAIN, after - before)

    def meddled(self, scene: Scene, hosts: Mapping[str, Host], clients: Clients) -> None:
        with scene.act("the packet filter of both is flushed"):
            for host in hosts.values():
                host.run("nft", "flush", "ruleset")
            self.settled(scene, hosts, "node1", "node2")
            self.served(scene, hosts, clients, "node2")


def _marks(host: Host) -> bool:
    return "meta mark set" in host.run("nft", "list", "table", "inet", "haman", check=False).stdout
