"""One real `haman run` between two networks, servers that know nothing of it, and clients that speak TCP and UDP."""

from __future__ import annotations

import contextlib
import os
import socket
import sys
from typing import TYPE_CHECKING, Any

from haman.director.ask import ask
from haman.errors import Unreachable
from tests.kernel.patience import until

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence
    from pathlib import Path

    from haman.lab.hosts import Host, Network
    from haman.lab.processes import Process

PATIENCE = 60.0
ECHO = os.path.join(os.path.dirname(__file__), "echo.py")


class Site:
    """`lb1` on `lan` (10.0.0.0/24) and `back` (10.9.0.0/24); the client and `near` on lan, `far` on back."""

    def __init__(self, network: Network, directory: Path) -> None:
        self.directory = directory
        self.lan, self.back = network.segment("lan"), network.segment("back")
        both = {
            "eth0": (self.lan, ["10.0.0.1/24", "2001:db8::1/64"]),
            "eth1": (self.back, ["10.9.0.1/24", "2001:db8:9::1/64"]),
        }
        self.lb1 = network.host("lb1", both, forward=True)
        self.client = network.host("client", {"eth0": (self.lan, ["10.0.0.9/24", "2001:db8::9/64"])})
        self.near = network.host("near", {"eth0": (self.lan, ["10.0.0.12/24", "2001:db8::12/64"])})
        self.far = network.host("far", {"eth0": (self.back, ["10.9.0.11/24", "2001:db8:9::11/64"])})
        self.process: Process | None = None

    def serve(self, host: Host, *ports: int) -> None:
        """Returns when it answers."""
        host.spawn(sys.executable, ECHO, host.name, *map(str, ports), log=self.directory / f"{host.name}.log")
        for port in ports:
            self.until(lambda port=port: said(host, "127.0.0.1", port))  # type: ignore[misc]

    def start(self, text: str, through: Sequence[str] = ()) -> None:
        """through: a command that runs it, such as setpriv."""
        file = self.directory / "haman.yaml"
        file.write_text(text)
        argv = [*through, sys.executable, "-m", "haman", "run", "--config", str(file), "--node", "lb1"]
        self.process = self.lb1.spawn(*argv, log=self.directory / "lb1.log")
        self.until(self._serves)

    def _serves(self) -> bool:
        status = self.status()
        active = bool(status) and all(router["role"] == "active" for router in status["routers"])
        return active and status["kernel"]["loaded"]

    def reload(self, text: str) -> None:
        (self.directory / "haman.yaml").write_text(text)
        outcome = self.lb1.call(ask, "reload", patience=PATIENCE)
        assert outcome["ok"], outcome

    def status(self) -> dict[str, Any]:
        try:
            return self.lb1.call(ask, "status")
        except Unreachable:
            return {}

    def until(self, condition: Callable[[], object]) -> None:
        until(condition, PATIENCE, logs=[self.directory / "lb1.log"])

    def log(self) -> str:
        file = self.directory / "lb1.log"
        return file.read_text() if file.exists() else ""

    def nft(self, *words: str) -> str:
        return self.lb1.run("nft", *words).stdout


def said(host: Host, address: str, port: int, *, udp: bool = False, timeout: float = 10.0) -> str:
    """What a server answers to a new connection from this host; empty for nothing."""
    family = socket.AF_INET6 if ":" in address else socket.AF_INET
    with (
        contextlib.suppress(OSError),
        host.call(socket.socket, family, socket.SOCK_DGRAM if udp else socket.SOCK_STREAM) as asking,
    ):
        asking.settimeout(timeout)
        asking.connect((address, port))
        asking.send(b"who\n")
        return asking.recv(200).decode().strip()
    return ""
