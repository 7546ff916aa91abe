"""Many stories from many seeds, on several processors: how many failovers, how fast, and what was violated."""

from __future__ import annotations

import gc
import os
import time
import traceback
from concurrent.futures import FIRST_COMPLETED, ProcessPoolExecutor, wait
from dataclasses import dataclass, field
from itertools import count, islice
from multiprocessing import get_context
from typing import TYPE_CHECKING

from haman.simulation import fate
from haman.simulation.play import Played, play

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from concurrent.futures import Future

NICE = 10


@dataclass(slots=True)
class Report:
    """seconds: on the clock on the wall. simulated: seconds that passed on paper. violated: seed and words."""

    runs: int = 0
    failovers: int = 0
    seconds: float = 0.0
    simulated: float = 0.0
    violated: list[tuple[int, str]] = field(default_factory=list)

    def add(self, seed: int, played: Played) -> None:
        self.runs += 1
        self.failovers += played.failovers
        self.simulated += played.seconds
        if played.violation is not None:
            self.violated.append((seed, played.violation))

    def __str__(self) -> str:
        pace = self.failovers / self.seconds if self.seconds else 0.0
        return (
            f"{self.failovers:,} failovers in {self.runs:,} runs, {self.simulated / 3600:.2g} hours on paper;"
            f" took {self.seconds:.0f} s: {self.runs / self.seconds if self.seconds else 0:.2g} runs/s,"
            f" {pace * 3600:,.0f} failovers/h; {len(self.violated)} violations"
        )


def play_seed(seed: int) -> Played:
    """What is raised in a story is a violation as well, with where it was raised as the trace.

    Garbage is collected after the story, and looked for among what was made in it alone: looking meanwhile, or at
    all modules and whatever else was there before, takes a tenth of the time each."""
    enabled = gc.isenabled()
    gc.disable()
    gc.freeze()
    try:
        return play(fate.story(seed))
    except Exception as error:
        return Played(0, f"raised {error!r}", "nothing is raised", tuple(traceback.format_exc().splitlines()), 0.0)
    finally:
        gc.collect()
        gc.unfreeze()
        if enabled:
            gc.enable()


def run(
    first: int,
    runs: int | None,
    seconds: float | None = None,
    failovers: int | None = None,
    jobs: int = 1,
    progress: Callable[[Report], None] = lambda report: None,
    *,
    keep_going: bool = False,
) -> Report:
    """Plays the seeds from `first` on, until one of the limits is reached or an invariant is violated. keep_going:
    until one of the limits is reached."""
    report, began = Report(), time.monotonic()
    seeds: Iterator[int] = count(first) if runs is None else islice(count(first), runs)

    def enough() -> bool:
        report.seconds = time.monotonic() - began
        progress(report)
        return (
            (bool(report.violated) and not keep_going)
            or (seconds is not None and report.seconds >= seconds)
            or (failovers is not None and report.failovers >= failovers)
        )

    if jobs == 1:
        for seed in seeds:
            report.add(seed, play_seed(seed))
            if enough():
                break
        return report
    with ProcessPoolExecutor(jobs, get_context("spawn"), os.nice, (NICE,)) as pool:
        played: dict[Future[Played], int] = {pool.submit(play_seed, seed): seed for seed in islice(seeds, 2 * jobs)}
        while played:
            done, _ = wait(played, return_when=FIRST_COMPLETED)
            for each in done:
                report.add(played.pop(each), each.result())
            if enough():
                pool.shutdown(wait=False, cancel_futures=True)
                break
            for seed in islice(seeds, len(done)):
                played[pool.submit(play_seed, seed)] = seed
    return report
