from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING

from haman.director import lag
from haman.director.lag import Lag
from tests.director.support import stall

if TYPE_CHECKING:
    import pytest


def test_a_stall_is_seen_and_forgotten_after_two_windows(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(lag, "WINDOW", 0.2)

    async def scenario() -> None:
        meter = Lag()
        async with asyncio.TaskGroup() as tasks:
            task = tasks.create_task(meter.run())
            await asyncio.sleep(0.15)
            stall(0.4)
            await asyncio.sleep(0.15)
            assert 0.25 < meter.worst < 0.8
            async with asyncio.timeout(60):
                while meter.worst > 0.2:
                    await asyncio.sleep(0.05)
            task.cancel()

    asyncio.run(scenario())
