"""The cluster itself, inside the machine: its hosts, what runs on each, and what can be done to them."""

from __future__ import annotations

import contextlib
import signal
import sys
import threading
from pathlib import Path
from typing import TYPE_CHECKING, Final

from haman.errors import LabError
from haman.lab.box.duties import answerer, commands
from haman.lab.box.layout import Kind
from haman.lab.processes import end_all
from haman.lab.software import Haman, Node
from haman.model.services import Forward

if TYPE_CHECKING:
    from collections.abc import Callable

    from haman.lab.box.layout import Laid, Layout
    from haman.lab.box.order import Order
    from haman.lab.hosts import Host, Network
    from haman.lab.processes import Process
    from haman.model.cluster import Cluster

CONFIG: Final = Path("/etc/haman/haman.yaml")
"""Where each director and real server has the file: haman's verbs need no option there."""

PROGRAM: Final = 120.0
"""Seconds one of haman's own verbs may take: two, but on a starved machine no error comes of patience."""

STOP: Final = 10.0
"""Seconds a program has to end after SIGTERM, then it is killed."""

HAMAN: Final = (sys.executable, "-m", "haman")
SWITCHES: Final = "net"


class Running:
    """hosts: by name. cut: those whose cables are out. Methods are called one at a time."""

    def __init__(self, order: Order, cluster: Cluster, layout: Layout, network: Network, logs: Path) -> None:
        self.config = CONFIG
        self.model = cluster
        self.layout = layout
        self.commands = commands(order.serve, layout)
        self.cut: set[str] = set()
        self.logs = logs
        self.lock = threading.RLock()
        self._services: dict[str, Process] = {}
        segments = {number: network.segment(f"{SWITCHES}{number}") for number in layout.segments}
        self.hosts: dict[str, Host] = {}
        for laid in layout.hosts.values():
            cards = {name: (segments[card.segment], card.texts()) for name, card in laid.cards.items()}
            host = self.hosts[laid.name] = network.host(laid.name, cards, forward=laid.forward)
            for gateway in laid.gateways.values():
                host.route("default", via=str(gateway))
            host.write("/etc/hosts", _names(layout))
            if laid.kind in (Kind.DIRECTOR, Kind.SERVER):
                host.write(CONFIG, order.text)
        self.directors = {name: self.hosts[name] for name in cluster.directors}
        self.nodes = {name: Node(name, self, Haman(), logs) for name in cluster.directors}

    def begin(self, tell: Callable[[str], None]) -> None:
        """Start everything, real servers first. tell: gets what is being done. Errors: LabError."""
        for laid in self.layout.of(Kind.SERVER):
            tell(f"{laid.name}: {self.prepare(laid)}")
            self.serve(laid.name)
        for name, node in self.nodes.items():
            tell(f"{name}: haman run")
            node.launch()
            self.serve(name)

    def prepare(self, laid: Laid) -> str:
        """A real server's kernel, by haman's own verb; returns in words what was done."""
        machine = self.layout.serving[laid.name]
        if not machine.forwards & {Forward.DR, Forward.TUN}:
            return "needs nothing in its kernel"
        self.hosts[laid.name].run(*HAMAN, "realserver", CONFIG, timeout=PROGRAM)
        return "haman realserver"

    def serve(self, name: str) -> None:
        """Start what this host serves with, if it serves."""
        if name not in self.layout.serving:
            return
        words = self.commands.get(name)
        if words is None:
            ports = answerer(self.layout.serving[name])
            if not ports:
                return
            arguments = [word for protocol, port in ports for word in (f"--{protocol}", str(port))]
            words = [sys.executable, "-m", "haman.lab.box.answerer", *arguments]
        if words:
            self._services[name] = self.hosts[name].spawn(*words, log=self.log(name))

    def log(self, name: str) -> Path:
        """What the host serves with writes here; a director's haman writes into its own."""
        return self.logs / (f"{name}-service.log" if name in self.nodes else f"{name}.log")

    def programs(self, name: str) -> dict[str, Process]:
        """What was started here, by name, running or not."""
        found: dict[str, Process] = {}
        if name in self.nodes and (process := self.nodes[name].process) is not None:
            found["haman run"] = process
        if name in self._services:
            found[self.what(name)] = self._services[name]
        return found

    def what(self, name: str) -> str:
        words = self.commands.get(name)
        return "the lab's answerer" if words is None else " ".join(words)

    def do(self, verb: str, name: str) -> str:
        """kill, halt, start, cut, heal. Returns what was done, in words. Errors: LabError."""
        host = self.host(name)
        with self.lock:
            match verb:
                case "kill":
                    self._cut(name)
                    end_all(host.processes)
                    return f"{name} is dead: its cables are out, and nothing runs on it"
                case "halt":
                    words = ", ".join(f"{what}: status {self._stop(each)}" for what, each in self._backwards(name))
                    return f"{name}: {words or 'nothing runs there'}"
                case "start":
                    return self._start(name)
                case "cut":
                    self._cut(name)
                    return f"{name}: its cables are out"
                case "heal":
                    self._heal(name)
                    return f"{name}: its cables are in"
                case _:
                    raise LabError(f"nothing here is called {verb}")

    def host(self, name: str) -> Host:
        """Errors: LabError, with those there are."""
        if name not in self.hosts:
            raise LabError(f"there is no host {name}; there are {', '.join(self.hosts)}")
        return self.hosts[name]

    def _backwards(self, name: str) -> list[tuple[str, Process]]:
        """haman first, so that it hands over while all else still serves."""
        return [(what, process) for what, process in self.programs(name).items() if process.running()]

    def _stop(self, process: Process) -> int:
        process.signal(signal.SIGTERM)
        try:
            return process.wait(STOP)
        except LabError:
            process.kill()
            return process.wait()

    def _start(self, name: str) -> str:
        """What is not running. A director that died left its VIPs on the NIC, which a machine that boots does not have:
        they go BEFORE the cables are in again."""
        begun = []
        node = self.nodes.get(name)
        if node is not None and not node.running:
            self.hosts[name].run(*HAMAN, "release", timeout=PROGRAM, check=False)
        self._heal(name)
        if node is not None and not node.running:
            node.launch()
            begun.append("haman run")
        service = self._services.get(name)
        if service is not None and not service.running():
            service.close()
            self.serve(name)
            begun.append(self.what(name))
        return f"{name}: started {', '.join(begun)}" if begun else f"{name}: all that is to run there runs"

    def _cut(self, name: str) -> None:
        for card in self.layout.hosts[name].cards:
            self.hosts[name].cut(card)
        self.cut.add(name)

    def _heal(self, name: str) -> None:
        if name in self.cut:
            for card in self.layout.hosts[name].cards:
                self.hosts[name].heal(card)
            self.cut.discard(name)

    def end(self) -> None:
        """All programs in good order, as far as they go: what serves may have something to write."""
        running = [process for name in self.hosts for process in self.programs(name).values() if process.running()]
        for process in running:
            process.signal(signal.SIGTERM)
        for process in running:
            with contextlib.suppress(LabError):
                process.wait(STOP)


def _names(layout: Layout) -> str:
    """/etc/hosts: every host by its name."""
    lines = ["127.0.0.1 localhost", "::1 localhost"]
    lines += [f"{address} {laid.name}" for laid in layout.hosts.values() for address, _ in laid.addresses()]
    return "\n".join(lines) + "\n"
