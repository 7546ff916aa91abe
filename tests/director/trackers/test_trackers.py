"""All trackers together: verdicts, transitions, reloads."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING

from haman.director.trackers.trackers import Trackers
from haman.model.trackers import FileWatch, Standing, Tracker
from haman.model.transition import Kind

if TYPE_CHECKING:
    from pathlib import Path

    from haman.model.transition import Transition


class Stage:
    def __init__(self) -> None:
        self.told: list[Transition] = []
        self.news = asyncio.Event()
        self.trackers = Trackers(self.told.append, self.news.set, lambda name: None)

    async def next(self) -> None:
        async with asyncio.timeout(60):
            await self.news.wait()
        self.news.clear()


def file(name: str, path: Path, **changes: object) -> Tracker:
    return Tracker(name=name, watched=FileWatch(path=str(path)), interval=60.0, **changes)  # type: ignore[arg-type]


def test_verdicts_transitions_and_a_reload(tmp_path: Path) -> None:
    async def story() -> None:
        stage = Stage()
        one, two = tmp_path / "one", tmp_path / "two"
        one.write_text("5")
        stage.trackers.take([file("one", one)])
        assert stage.trackers.waiting == ("one",)
        running = asyncio.create_task(stage.trackers.run())
        await stage.next()
        assert stage.trackers.verdicts["one"].number == 5
        assert [(t.kind, t.who, t.before, t.after) for t in stage.told] == [(Kind.TRACKER, "one", "unknown", "down")]
        # The same one goes on, another definition begins anew, and what is gone is forgotten.
        stage.trackers.take([file("one", one), file("two", two)])
        assert stage.trackers.waiting == ("two",)
        async with asyncio.timeout(60):
            await stage.trackers.judged()
        assert stage.trackers.waiting == ()
        await stage.next()
        assert stage.trackers.verdicts["two"].standing is Standing.UP
        stage.trackers.take([file("two", one)])
        assert stage.trackers.verdicts == {}
        await stage.next()
        assert stage.trackers.verdicts["two"].number == 5
        one.write_text("0")
        await stage.next()
        assert stage.told[-1].who == "two"
        assert (stage.told[-1].before, stage.told[-1].after) == ("down", "up")
        running.cancel()
        await asyncio.gather(running, return_exceptions=True)

    asyncio.run(story())
