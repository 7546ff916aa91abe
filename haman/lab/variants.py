"""The one configuration file of the lab's cluster, and the copies of it that differ in what a drill needs.

The file is changed as data and written anew: what a variant is then stands in a file that `haman check` can read.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import yaml

from haman.lab.plants import PLANTS

if TYPE_CHECKING:
    from collections.abc import Mapping

FAILOVER = Path(__file__).with_name("failover.yaml")
THIRD: Mapping[str, Any] = {"lb3": {"address": "10.0.0.3", "priority": 50}}


@dataclass(frozen=True, slots=True)
class Variant:
    """advert: the advertisement interval as it is written, None for the file's own. directors: 2 or 3. plant: the
    planted fault, if it is one that the directors have to be started with. beside_keepalived: with the checksum that
    Debian's keepalived understands, and time for connections to be told."""

    advert: str | None = None
    directors: int = 2
    plant: str = ""
    beside_keepalived: bool = False

    def write(self, work: Path) -> Path:
        """The configuration file of this variant, in `work`."""
        file = yaml.safe_load(FAILOVER.read_text())
        if self.advert:
            for router in file["routers"].values():
                router["advert_interval"] = self.advert
        if self.directors > len(file["directors"]):
            file["directors"].update(THIRD)
        if self.beside_keepalived:
            for router in file["routers"].values():
                router["checksum"] = "pseudo-header"
                router["preempt"] = {"after": "6s"}  # until it has heard of every connection
        if self.plant and (change := PLANTS[self.plant].change):
            change(file)
        path = work / "failover.yaml"
        path.write_text(yaml.safe_dump(file, sort_keys=False))
        return path
