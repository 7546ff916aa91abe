"""Machines that are asked for an echo and programs that are run: the checks' own probers, in a rhythm of their own."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING

from haman.director.trackers.judge import Look
from haman.model.checks import PingProbe, ScriptProbe, Source
from haman.model.trackers import PingWatch, ScriptWatch
from haman.probes import kinds
from haman.probes.question import Question

if TYPE_CHECKING:
    from collections.abc import AsyncGenerator

    from haman.model.addresses import Address
    from haman.model.trackers import Tracker
    from haman.probes.equipment import Equipment
    from haman.probes.outcome import Result


async def looks(tracker: Tracker, equipment: Equipment) -> AsyncGenerator[Look, None]:
    """One each `interval`, or when the one before has ended if that takes longer."""
    loop = asyncio.get_running_loop()
    answers: asyncio.Queue[Result] = asyncio.Queue()
    prober = kinds.prober(equipment, _question(tracker), answers.put_nowait)
    try:
        while True:
            begun = loop.time()
            prober.start()
            result = await answers.get()
            if result.conclusive:
                yield Look(result.passed, result.words)
            await asyncio.sleep(max(0.0, begun + tracker.interval - loop.time()))
    finally:
        prober.abandon()


def _question(tracker: Tracker) -> Question:
    match tracker.watched:
        case PingWatch(address=address, interface=interface):
            return echo(address, interface, tracker.timeout, tracker.interval)
        case ScriptWatch(argv=argv, user=user):
            probe = ScriptProbe(argv=argv, user=user)
            return Question(None, 0, probe, tracker.timeout, tracker.interval, tracker.interval, 0.0)
    raise TypeError(tracker.watched)


def echo(address: Address, interface: str | None, timeout: float, interval: float) -> Question:
    source = None if interface is None else Source(interface=interface)
    return Question(address, 0, PingProbe(), timeout, interval, interval, 0.0, source)
