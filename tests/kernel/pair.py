"""Two directors running the real `haman run` on one segment, for kernel tests of what an operator sees."""

from __future__ import annotations

import contextlib
import os
import signal
import sys
from typing import TYPE_CHECKING, Any

from haman.director.ask import ask
from haman.errors import Unreachable
from tests.kernel.patience import until

if TYPE_CHECKING:
    import socket
    from collections.abc import Callable, Sequence
    from pathlib import Path

    from haman.lab.hosts import Host, Network
    from haman.lab.processes import Process

HEAD = """
cluster: test
directors:
  lb1: {address: 10.0.0.1, priority: 150}
  lb2: {address: 10.0.0.2, priority: 100}
"""
ROUTERS = """
routers:
  public: {interface: eth0, vrid: 51, addresses: [10.0.0.100/24], advert_interval: 100ms}
"""


class Pair:
    """directory: configuration and logs, readable by everybody."""

    def __init__(self, network: Network, directory: Path) -> None:
        self.directory = directory
        self.lan = network.segment("lan")
        self.hosts: dict[str, Host] = {
            name: network.host(name, {"eth0": (self.lan, f"10.0.0.{number}/24")})
            for number, name in enumerate(("lb1", "lb2"), 1)
        }
        self.processes: dict[str, Process] = {}
        self.listeners: list[socket.socket] = []

    def start(
        self, name: str, text: str, *, through: Sequence[str] = (), program: Sequence[str] = ("-m", "haman")
    ) -> None:
        """through: a command that runs it, such as setpriv. program: what Python runs in haman's place."""
        file = self.directory / f"{name}.yaml"
        file.write_text(text)
        argv = [*through, sys.executable, *program, "run", "--config", str(file), "--node", name]
        self.processes[name] = self.hosts[name].spawn(*argv, log=self.log_file(name))

    def reload(self, name: str, text: str) -> dict[str, Any]:
        """The outcome of a reload with this file."""
        (self.directory / f"{name}.yaml").write_text(text)
        return self.ask(name, "reload", patience=60.0)  # type: ignore[no-any-return]

    def stop(self, name: str) -> None:
        """In good order."""
        self.processes[name].signal(signal.SIGTERM)
        assert self.processes[name].wait(40) == 0

    def holds(self, name: str, vip: str = "10.0.0.100", device: str = "eth0") -> bool:
        shown = self.hosts[name].run("ip", "-4", "-brief", "address", "show", "dev", device).stdout
        return f" {vip}/" in shown

    def crash(self, name: str) -> None:
        """kill -9 for everything on the host, hooks too."""
        for pid in self.hosts[name].processes():
            if pid != os.getpid():
                with contextlib.suppress(ProcessLookupError):
                    os.kill(pid, signal.SIGKILL)

    def log_file(self, name: str) -> Path:
        return self.directory / f"{name}.log"

    def log(self, name: str) -> str:
        return self.log_file(name).read_text()

    def ask(self, name: str, question: str, **details: Any) -> Any:
        return self.hosts[name].call(ask, question, **details)

    def role(self, name: str) -> str:
        """Of the first router; empty while nobody answers."""
        try:
            routers = self.ask(name, "status")["routers"]
        except Unreachable:
            return ""
        return str(routers[0]["role"]) if routers else ""

    def until(self, condition: Callable[[], object], within: float = 60.0) -> float:
        """Seconds it took."""
        return until(condition, within, logs=map(self.log_file, self.processes))
