"""The directors of a story: `haman run` from a file of etc/examples on hosts of the story's making."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import yaml

from haman.config import load
from haman.director.ask import ask
from haman.errors import LabError, Unreachable
from haman.lab.covers import PROJECT
from haman.lab.plants import PLANTS
from haman.lab.software import Haman, Node
from haman.lab.waiting import until

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping
    from pathlib import Path

    from haman.lab.hosts import Host
    from haman.model.cluster import Cluster as Model

EXAMPLES = PROJECT / "etc" / "examples"

WELL = 60.0
"""Seconds a cluster may take to be whole: electors have come to terms, tables are loaded, servers are checked."""


class Directors:
    """config: the example as the directors read it. model: what it says. hosts, nodes: by director."""

    def __init__(
        self,
        example: str,
        hosts: Mapping[str, Host],
        work: Path,
        plant: str = "",
        change: Callable[[dict[str, Any]], None] | None = None,
    ) -> None:
        self.config = work / example
        self.config.write_text(_text(example, change or (PLANTS[plant].change if plant in PLANTS else None)))
        self.model: Model = load(str(self.config))
        self.directors = {name: hosts[name] for name in self.model.directors}
        self._work = work
        self._software = Haman(plant) if plant in PLANTS and PLANTS[plant].patch else Haman()
        self.nodes = {name: Node(name, self, self._software, work) for name in self.directors}

    @property
    def hosts(self) -> dict[str, Host]:
        return self.directors

    def start(self, names: Iterable[str] = ()) -> None:
        """Start haman on these directors, and wait until all that run are well. Without names on all: the first one of
        the file alone, so that it is the active one, whether it may preempt or not.
        Errors: LabError with what is missing, and the ends of the logs."""
        first, *others = names or self.nodes
        self.nodes[first].launch()
        self.need_well()
        for name in others:
            self.nodes[name].launch()
        self.need_well()

    def need_well(self) -> None:
        """Errors: LabError."""
        try:
            until("all directors to be well", lambda: not self.missing(), WELL, every=0.1)
        except LabError as error:
            raise LabError("\n".join([f"{error}: {self.missing()}", *self.last_words()])) from None

    def stop(self, name: str) -> int:
        """In good order; the exit status."""
        node = self.nodes[name]
        node.terminate()
        return node.ended()

    def replace(self, name: str, host: Host) -> None:
        """From now on this director is another machine, on which nothing runs yet; haman was stopped on the old one."""
        self.directors[name] = host
        self.nodes[name] = Node(name, self, self._software, self._work)

    def status(self, name: str) -> dict[str, Any]:
        """`haman status --json`. Errors: Unreachable."""
        answer: dict[str, Any] = self.hosts[name].call(ask, "status")
        return answer

    def router(self, name: str, router: str = "") -> dict[str, Any]:
        """Of its status, the first router unless told; empty while nobody answers."""
        try:
            routers = self.status(name)["routers"]
        except Unreachable:
            return {}
        return next((dict(each) for each in routers if router in ("", each["name"])), {})

    def role(self, name: str, router: str = "") -> str:
        """active, standby or fault, of the first router unless told; empty while nobody answers."""
        return str(self.router(name, router).get("role", ""))

    def roles(self, router: str = "") -> dict[str, str]:
        return {name: self.role(name, router) for name in self.nodes}

    def active(self, router: str = "") -> str:
        """The active director; empty unless it is exactly one."""
        found = [name for name, role in self.roles(router).items() if role == "active"]
        return found[0] if len(found) == 1 else ""

    def missing(self) -> str:
        """What those that run still lack, in words; empty when all is well and one is active."""
        for name, node in self.nodes.items():
            if node.running and (words := node.missing()):
                return f"{name}: {words}"
        routers = self.model.routers
        return "; ".join(f"{router}: {self.roles(router)}" for router in routers if not self.active(router))

    def logged(self, words: str) -> int:
        """In how many lines of all logs these words stand."""
        return sum(line.count(words) for node in self.nodes.values() for line in node.lines())

    def last_words(self) -> list[str]:
        """The ends of all logs."""
        return [node.last_words() for node in self.nodes.values()]


def _text(example: str, change: Callable[[dict[str, Any]], None] | None) -> str:
    path = EXAMPLES / example
    if not path.exists():
        raise LabError(f"{path} is not there: stories are told from haman's source folder")
    text = path.read_text()
    if change is None:
        return text
    file = yaml.safe_load(text)
    change(file)
    return yaml.safe_dump(file, sort_keys=False)
