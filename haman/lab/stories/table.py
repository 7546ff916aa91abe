"""All stories, in the order of a session."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from haman.lab.stories.backup_site import BackupSite
from haman.lab.stories.backup_tunnel import BackupTunnel
from haman.lab.stories.confirmed_takeover import ConfirmedTakeover
from haman.lab.stories.firewall_marks import FirewallMarks
from haman.lab.stories.forwarding import Forwarding
from haman.lab.stories.full_nat import FullNat
from haman.lab.stories.kept_connections import Hashed, Synchronised
from haman.lab.stories.local_node import LocalNode
from haman.lab.stories.one_box import OneBox
from haman.lab.stories.outbound_gateway import OutboundGateway
from haman.lab.stories.real_servers import RealServers
from haman.lab.stories.relay_site import RelaySite
from haman.lab.stories.returning_director import Returning
from haman.lab.stories.serving_directors import ServingDirectors
from haman.lab.stories.split_brain import SplitBrain
from haman.lab.stories.three_node_dns import ThreeNodeDns
from haman.lab.stories.two_box import TwoBox
from haman.lab.stories.two_box_backup_only import TwoBoxBackupOnly
from haman.lab.stories.two_box_marks import TwoBoxMarks
from haman.lab.stories.two_offices import TwoOffices
from haman.lab.stories.udp import Udp
from haman.lab.stories.vip_only import VipOnly

if TYPE_CHECKING:
    from collections.abc import Iterable

    from haman.lab.stories.base import Story

STORIES: tuple[type[Story], ...] = (
    VipOnly,
    ConfirmedTakeover,
    Forwarding,
    RealServers,
    TwoBox,
    TwoBoxMarks,
    TwoBoxBackupOnly,
    ServingDirectors,
    LocalNode,
    ThreeNodeDns,
    FullNat,
    FirewallMarks,
    OutboundGateway,
    OneBox,
    Synchronised,
    Returning,
    Hashed,
    Udp,
    BackupSite,
    BackupTunnel,
    RelaySite,
    TwoOffices,
    SplitBrain,
)


@dataclass(frozen=True, slots=True)
class Performance:
    """A story to be played. plant: the fault planted in it, or nothing."""

    story: type[Story]
    plant: str = ""

    @property
    def sliced(self) -> bool:
        """Whether it is in the slice that every change is tested with. Those with a fault planted are for a release."""
        return self.story.sliced and not self.plant

    def __str__(self) -> str:
        return f"{self.story.name}+{self.plant}" if self.plant else self.story.name


def performances(names: Iterable[str], plant: str = "") -> list[Performance]:
    """Of these stories, those that must notice the planted fault; all of them without one."""
    wanted = set(names)
    return [
        Performance(story, plant) for story in STORIES if story.name in wanted and (not plant or plant in story.plants)
    ]


def every() -> list[Performance]:
    """Every story, each of them followed by itself with every fault that it must notice."""
    return [Performance(story, plant) for story in STORIES for plant in ("", *story.plants)]
