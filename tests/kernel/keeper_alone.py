"""The elector's keeper with one active router and nobody else: argv is the configuration. It never looks by itself, and
prints what it reports."""

from __future__ import annotations

import asyncio
import sys
from pathlib import Path
from typing import TYPE_CHECKING

from haman import config
from haman.director.slice import slice_for
from haman.elector import keeper
from haman.elector.real import RealKernel

if TYPE_CHECKING:
    from haman.model.elector import ElectorConfig, RouterConfig


class Playing:
    """The engine, the announcer and the process, as the keeper needs them."""

    def __init__(self, config: ElectorConfig) -> None:
        self.config = config

    def playing(self) -> ElectorConfig:
        return self.config

    def holding(self) -> dict[str, bool | None]:
        return {router.name: True for router in self.config.routers}

    def announces(self, name: str) -> bool:
        return True

    def router_config(self, name: str) -> RouterConfig:
        return self.config.routers[0]

    def due_announcements(self) -> dict[str, float | None]:
        return {}

    def note(self, kind: object, who: str, before: str, after: str, cause: str, why: str) -> None:
        print(cause, flush=True)

    def ignore(self, *said: object) -> None:
        pass

    refused = contested = announce = announced = takeover = links = addresses = address = ignore


async def main(file: Path) -> None:
    playing = Playing(slice_for(config.load(file), "lb1", 0))
    keeping = keeper.Keeper(playing, playing, playing, RealKernel())  # type: ignore[arg-type]
    await keeping.open()
    async with asyncio.TaskGroup() as tasks:
        tasks.create_task(keeping.run())
        tasks.create_task(keeping.watch())
        keeping.wake()


if __name__ == "__main__":
    keeper.GUARD = 3600.0
    asyncio.run(main(Path(sys.argv[1])))
