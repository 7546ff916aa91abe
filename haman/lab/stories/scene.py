"""Where a story is played: its network, its acts, and the list of what held and what did not.

What has to come true is waited for with patience, since nothing here says how fast a machine is; what must not be
lost is counted. Where a number could be the machine's fault the story says so (`doubt`), and is played again.
"""

from __future__ import annotations

import contextlib
from dataclasses import replace
from typing import TYPE_CHECKING, TypeVar

from haman.lab.results import Limit
from haman.lab.stories.directors import Directors
from haman.lab.waiting import happens

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping
    from pathlib import Path
    from typing import Any

    from haman.lab.hosts import Host, Network

T = TypeVar("T")

PATIENCE = 60.0
"""Seconds for anything that has to come true sooner or later, on a starved machine too."""


PLANTED = 12.0
"""Seconds for the same with a fault planted: it is to be missed."""

STALLED = "stood still for"
"""What an elector logs when the machine gave it no time for longer than its peers are patient: roles move then."""


class Over(Exception):
    """Something did not come true that all the rest stands on, or a planted fault was noticed."""


class Scene:
    """network: for the story's hosts; it is closed after the last act. work: a folder for files and logs.

    plant: the planted fault, or nothing. tell: gets what happens, in words.
    """

    def __init__(self, network: Network, work: Path, tell: Callable[[str], None], plant: str = "") -> None:
        self.network = network
        self.work = work
        self.plant = plant
        self.limits: list[Limit] = []
        self.doubts: list[str] = []
        self.notes: list[str] = []
        self._tell = tell
        self._act = ""
        self._directors: list[Directors] = []
        self._forgiven = 0

    def planted(self, fault: str) -> bool:
        return self.plant == fault

    @property
    def patience(self) -> float:
        """Seconds for what has to come true."""
        return PLANTED if self.plant else PATIENCE

    @contextlib.contextmanager
    def act(self, words: str) -> Iterator[None]:
        """One thing that happens, and what must hold because of it: `with scene.act("the cable of lb1 is cut"):`.
        A planted fault is noticed once something was missed: the story ends with that act."""
        self._tell(words)
        self._act = words
        yield
        self._act = ""
        if self.plant and not all(limit.held for limit in self.limits):
            raise Over

    def until(self, what: str, condition: Callable[[], T], within: float = PATIENCE, every: float = 0.05) -> T:
        """Wait until it comes true, and note that it did: `what` is the sentence in the report. Returns the answer.

        If it does not come true it is missed, and the story ends there: what follows would stand on nothing.
        """
        answer = happens(condition, PLANTED if self.plant else within, every)
        self._add(Limit(name=what, bound=1, measured=float(bool(answer)), unit="yes", at_least=True))
        if not answer:
            self.show_logs()
            raise Over
        return answer

    def show_logs(self) -> None:
        """The ends of all directors' logs, as notes."""
        logs = (words for directors in self._directors for words in directors.last_words())
        self.notes.extend(line for words in logs for line in words.splitlines())

    def stalls(self) -> int:
        """How often a director found that the machine had stood still, beside what was forgiven."""
        logs = {node.log: node for directors in self._directors for node in directors.nodes.values()}
        return sum(line.count(STALLED) for node in logs.values() for line in node.lines()) - self._forgiven

    def forgive_stalls(self) -> None:
        """Those until now were the story's own doing."""
        self._forgiven += self.stalls()

    def proved(self, what: str, held: object) -> None:
        """Something that is so or is not so, now; the story goes on either way."""
        self._add(Limit(name=what, bound=1, measured=float(bool(held)), unit="yes", at_least=True))

    def at_most(self, what: str, bound: float, measured: float | None) -> None:
        """A count with its limit; None: it was never seen, which holds no limit."""
        self._add(Limit(name=what, bound=bound, measured=measured))

    def at_least(self, what: str, bound: float, measured: float | None) -> None:
        self._add(Limit(name=what, bound=bound, measured=measured, at_least=True))

    def doubt(self, why: str) -> None:
        """The instruments were not good enough for a verdict: the story is played again."""
        self.doubts.append(why)

    def note(self, words: str) -> None:
        """Something worth reading that is no limit."""
        self.notes.append(words)

    def _add(self, limit: Limit) -> None:
        self.limits.append(replace(limit, act=self._act))

    def directors(
        self,
        example: str,
        hosts: Mapping[str, Host],
        change: Callable[[dict[str, Any]], None] | None = None,
    ) -> Directors:
        """haman from this example, on the hosts that have its directors' names; nothing is started yet.

        change: what a planted fault of the story changes in the file, as plain data.
        """
        directors = Directors(example, hosts, self.work, self.plant, change)
        self._directors.append(directors)
        return directors
