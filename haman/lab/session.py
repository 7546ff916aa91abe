"""A session: of drills, one cluster after another, on each its drills, each repeated while it could not be measured;
then of stories, each on a network of its own.

Runs inside the machine, as root; what it has to say goes out as events.
"""

from __future__ import annotations

import argparse
import contextlib
import json
import os
import sys
import tempfile
import time
import traceback
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any, Self

from haman.errors import HamanError, LabError
from haman.lab.drills.base import perform
from haman.lab.drills.table import TABLE
from haman.lab.hosts import Network
from haman.lab.keepalived import Keepalived
from haman.lab.plants import PLANTS
from haman.lab.results import Result, Verdict
from haman.lab.software import Haman
from haman.lab.stage import WHOLE, Stage
from haman.lab.stories.perform import perform as perform_story
from haman.lab.stories.table import performances
from haman.lab.variants import Variant

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence
    from types import TracebackType

    from haman.lab.drills.base import Drill
    from haman.lab.software import Software

ATTEMPTS = 3
"""How often a drill is done before "not measured" is the answer, unless somebody has more patience."""

PLANTED_WHOLE = 15.0
"""Seconds a cluster with a planted fault gets to become whole by itself."""


@dataclass(frozen=True, slots=True)
class Task:
    """One drill on one variant of the cluster. plant: the planted fault, or nothing. sliced: whether every change is
    tested with it."""

    drill: type[Drill]
    variant: Variant
    plant: str = ""
    sliced: bool = False


def tasks(names: Sequence[str] = (), advert: str | None = None, plant: str = "") -> list[Task]:
    """What a session does, in order. names: of drills, none means all. advert: with this interval only. plant: the
    drills that must notice it. Errors: LabError for a name that is none."""
    known = {entry.drill.name for entry in TABLE}
    if unknown := [name for name in names if name not in known]:
        raise LabError(f"no such drill: {', '.join(unknown)}; there are {', '.join(sorted(known))}")
    if plant and plant not in PLANTS:
        raise LabError(f"no such planted fault: {plant}; there are {', '.join(sorted(PLANTS))}")
    started_with = plant if plant and PLANTS[plant].from_the_start else ""
    found = [
        Task(
            entry.drill,
            Variant(interval, entry.drill.directors, started_with, entry.drill.beside_keepalived),
            plant,
            sliced=interval in entry.sliced and not plant,
        )
        for entry in TABLE
        for interval in ([advert] if advert else entry.adverts[:1] if plant else entry.adverts)
        if (not names or entry.drill.name in names) and (not plant or plant in entry.drill.plants)
    ]
    if not found:
        raise LabError(f"none of these drills is about the planted fault {plant}")
    order = list(dict.fromkeys(task.variant for task in found))
    return sorted(found, key=lambda task: order.index(task.variant))


class Session:
    """A context manager: the cluster that the last task left running is reused by the next one of the same variant.

    tell: gets an event as plain data: {"event": "progress" | "table" | "result", ...}. attempts: how often a drill is
    done before "not measured" is the answer.
    """

    def __init__(
        self, work: Path, tell: Callable[[dict[str, Any]], None], software: str = "haman", attempts: int = ATTEMPTS
    ) -> None:
        self._work = work
        self._tell = tell
        self._software = software
        self._attempts = attempts
        self._stage: Stage | None = None
        self._variant: Variant | None = None
        self._open = contextlib.ExitStack()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if self._stage:
            self._tell({"event": "table", "when": "after", "text": self._stage.table()})
        self._leave()

    def do(self, task: Task) -> Result:
        """One drill to its verdict. A drill that breaks is a result as well, and the next one gets a fresh cluster."""
        result = self._repeated(task)
        self._tell({"event": "result", "result": result.to_json()})
        if result.verdict is Verdict.BROKEN:
            self._leave()
        return result

    def _repeated(self, task: Task) -> Result:
        drill = task.drill()
        plant = PLANTS.get(task.plant)
        result = Result(drill=drill.name, title=drill.title, advert_interval=0.0)
        for attempt in range(1, self._attempts + 1):
            try:
                stage = self._whole(task)
                self._progress(f"{drill.title}{f', attempt {attempt}' if attempt > 1 else ''}")
                if plant and plant.during:
                    result = perform(drill, stage, plant.during(stage))
                    self._leave()  # such a fault may outlast its end: connections bound to no server, for one
                else:
                    result = perform(drill, stage, contextlib.nullcontext())
            except Exception as error:
                return self._broken(result, error, task.plant)
            result = replace(result, attempts=attempt, plant=task.plant)
            if result.verdict is not Verdict.NOT_MEASURED:
                break
        return result

    def _broken(self, result: Result, error: Exception, plant: str) -> Result:
        words = str(error) if isinstance(error, HamanError) else traceback.format_exc()
        return replace(result, broken=True, why=(words,), plant=plant)

    def _whole(self, task: Task) -> Stage:
        """A cluster that is whole. One that does not become so after its last drill is a fault of haman's, to be seen;
        with a fault planted it is to be expected, and replaced."""
        stage = self._stage_for(task.variant)
        try:
            stage.prepare(PLANTED_WHOLE if task.plant else WHOLE)
        except LabError:
            if not task.plant:
                raise
            self._leave()
            stage = self._stage_for(task.variant)
        return stage

    def _stage_for(self, variant: Variant) -> Stage:
        """The running cluster of this variant; another one is ended first."""
        if self._stage is None or self._variant != variant:
            self._leave()
            interval = variant.advert or "the file's own"
            self._progress(f"starting a cluster with {variant.directors} directors, adverts every {interval}")
            work = Path(tempfile.mkdtemp(prefix="cluster-", dir=self._work))
            network = self._open.enter_context(Network())
            self._stage = Stage(network, variant.write(work), self._directors(variant.plant), work)
            self._stage.without_table = PLANTS[variant.plant].without_table if variant.plant else frozenset()
            self._variant = variant
            self._open.callback(self._stage.close)
            self._stage.start()
            self._tell({"event": "table", "when": "before", "text": self._stage.table()})
        return self._stage

    def _directors(self, plant: str) -> Software:
        if self._software == Keepalived.name:
            return Keepalived()
        return Haman(plant, PLANTS[plant].patch) if plant else Haman()

    def _leave(self) -> None:
        self._stage = self._variant = None
        self._open.close()

    def _progress(self, text: str) -> None:
        self._tell({"event": "progress", "text": text, "at": round(time.monotonic(), 3)})


def main() -> int:
    """The machine's command: events as lines of JSON on standard output. Exits with 0; results tell the rest."""
    parser = argparse.ArgumentParser(description="Runs drills and stories; made to be called by haman lab.")
    parser.add_argument("--drill", action="append", default=[])
    parser.add_argument("--story", action="append", default=[])
    parser.add_argument("--advert")
    parser.add_argument("--plant", default="")
    parser.add_argument("--software", default=Haman.name, choices=[Haman.name, Keepalived.name])
    options = parser.parse_args()

    def tell(event: dict[str, Any]) -> None:
        print(json.dumps(event), flush=True)

    work = Path(os.environ["HAMAN_LAB_WORK"])
    if options.drill:
        with Session(work, tell, options.software) as session:
            for task in tasks(options.drill, options.advert, options.plant):
                session.do(task)
    for performance in performances(options.story, options.plant):
        result = perform_story(performance, work, lambda words: tell({"event": "progress", "text": words}))
        tell({"event": "result", "result": result.to_json()})
    return 0


if __name__ == "__main__":
    sys.exit(main())
