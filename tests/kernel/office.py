"""An office with one real `haman run`, two local servers and three other sites, for tests of what a switch does.

    client 10.0.0.9, rs1 10.0.0.11, rs2 10.0.0.12 --- eth0 lb1 eth1 --- east 203.0.113.10, west .20, north .30

Local servers take the VIP by direct routing; the sites are reached by full NAT. Each of them answers every port with
its name; a site or server `falls` when its health check is answered by 503, while it serves on, or `goes` with its
cable.
"""

from __future__ import annotations

import contextlib
import signal
import socket
import sys
import time
from typing import TYPE_CHECKING, Any

from haman.director.ask import ask
from haman.errors import Unreachable
from haman.lab.stories import callers, servers
from tests.kernel.patience import until

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from haman.lab.hosts import Host, Network
    from haman.lab.processes import Process

VIP = "10.0.0.100"
HEALTH = 8
"""The port that checks ask, on every machine; the health of its other ports follows."""

SITES = {"east": "203.0.113.10", "west": "203.0.113.20", "north": "203.0.113.30"}
LOCAL = {"rs1": "10.0.0.11", "rs2": "10.0.0.12"}
WITHIN = 2.0

HEAD = f"""
cluster: test
directors: {{lb1: {{address: 10.0.0.1}}}}
routers: {{public: {{interface: eth0, vrid: 51, addresses: [{VIP}/24], advert_interval: 100ms}}}}
checks:
  page: {{http: {{path: /healthz}}, port: {HEALTH}, interval: 300ms, timeout: 2s, rise: 1, fall: 2}}
services:
"""
AT_ONCE = "return: {above: 50%, after: 0s}"


def service(
    name: str, port: int, *sites: str, failover: str = AT_ONCE, weights: tuple[int, int] = (1, 1), **more: Any
) -> str:
    """more: further keys, as YAML."""
    rest = "".join(f", {key}: {value}" for key, value in more.items())
    local = ", ".join(f"{n}: {{address: {a}, weight: {w}}}" for (n, a), w in zip(LOCAL.items(), weights, strict=True))
    backup = ", ".join(f"{{name: {site}, address: {SITES[site]}}}" for site in sites)
    return (
        f"  {name}: {{address: {VIP}, port: {port}, check: page{rest}, servers: {{{local}}},"
        f" backup: [{backup}], failover: {{{failover}}}}}\n"
    )


class Office:
    def __init__(self, network: Network, directory: Path) -> None:
        self.directory = directory
        lan, wan = network.segment("lan"), network.segment("wan")
        both = {"eth0": (lan, "10.0.0.1/24"), "eth1": (wan, "203.0.113.1/24")}
        self.lb1 = network.host("lb1", both, forward=True)
        self.client = network.host("client", {"eth0": (lan, "10.0.0.9/24")})
        self.machines: dict[str, Host] = {}
        self.health: dict[str, Process] = {}
        for name, address in LOCAL.items():
            self.machines[name] = network.host(name, {"eth0": (lan, f"{address}/24")})
            servers.silent_vip(self.machines[name], VIP)
        for name, address in SITES.items():
            self.machines[name] = network.host(name, {"eth0": (wan, f"{address}/24")})
            self.machines[name].ip(f"route add {VIP}/32 via 203.0.113.1")
        for name, host in self.machines.items():
            self.health[name] = servers.web(host, HEALTH)

    def serve(self, *ports: int, udp: tuple[int, ...] = (), streams: tuple[int, ...] = ()) -> None:
        """On every machine: web pages, answers to datagrams, endless downloads."""
        for name, host in self.machines.items():
            if ports:
                servers.web(host, *ports)
            for port in udp:
                servers.echo(host, SITES.get(name, VIP), port)
            for port in streams:
                servers.downloads(host, port)

    def start(self, text: str) -> None:
        """Returns when it is active and has heard of everybody's health."""
        file = self.directory / "haman.yaml"
        file.write_text(text)
        argv = (sys.executable, "-m", "haman", "run", "--config", str(file), "--node", "lb1")
        self.process = self.lb1.spawn(*argv, log=self.directory / "lb1.log")
        self.until(self._well)

    def _well(self) -> bool:
        status = self.status()
        return bool(status) and status["routers"][0]["holds"] and not self._unknown(status) and self._written(status)

    def _written(self, status: dict[str, Any]) -> bool:
        """Has the kernel both local servers of each service, and of what other sites send here?"""
        table = self.lb1.run("ipvsadm", "-Sn").stdout.splitlines()
        local = [line for line in table if line.startswith("-a") and any(f" {rip}:" in line for rip in LOCAL.values())]
        return len(local) == 2 * 2 * len(status["services"])

    @staticmethod
    def _unknown(status: dict[str, Any]) -> bool:
        parts = [part for each in status["services"] for part in (each, *each["backups"])]
        return any(server["state"] == "unknown" for part in parts for server in part["servers"])

    def status(self) -> dict[str, Any]:
        """Empty while nobody answers, or the elector has not reported."""
        with contextlib.suppress(Unreachable):
            status: dict[str, Any] = self.lb1.call(ask, "status")
            return status if status["routers"] else {}
        return {}

    def site(self, service: str) -> str:
        return next(str(each["site"]["serves"]) for each in self.status()["services"] if each["name"] == service)

    def use(self, site: str, service: str) -> None:
        self.lb1.call(ask, "site", service=service, order=site)

    def fall(self, *names: str) -> None:
        for name in names:
            self.health[name].signal(signal.SIGUSR1)

    def rise(self, *names: str) -> None:
        for name in names:
            self.health[name].signal(signal.SIGUSR2)

    def page(self, port: int) -> str:
        """Who answers; empty for nobody."""
        return callers.page(self.client, VIP, port)

    def refuses(self, port: int) -> bool:
        """Is a client told at once that nobody serves?"""
        return callers.refused(self.client, VIP, port)

    def connect(self, port: int) -> socket.socket:
        return self.client.call(socket.create_connection, (VIP, port), WITHIN)

    def flow(self, port: int) -> contextlib.closing[callers.Asker]:
        """A UDP client that keeps its port."""
        return contextlib.closing(callers.Asker(self.client, VIP, port))

    def until(self, condition: Callable[[], object], within: float = 60.0) -> None:
        until(condition, within, logs=[self.directory / "lb1.log"])


def flows(stream: socket.socket, chunks: int = 3) -> bool:
    """Does a download go on? So many more pieces of it come."""
    stream.settimeout(20.0)
    try:
        return all(stream.recv(65536) for _ in range(chunks))
    except OSError:
        return False


def end(talk: socket.socket, patience: float = 30.0) -> str:
    """How a connection ends, of which something is sent now: reset, closed, or open for all this time. What is on its
    way meanwhile is passed over."""
    deadline = time.monotonic() + patience
    talk.settimeout(0.5)
    while time.monotonic() < deadline:
        try:
            talk.send(b"more\n")
            if not talk.recv(65536):
                return "closed"
        except TimeoutError:
            continue
        except (ConnectionResetError, BrokenPipeError):
            return "reset"
    return "open"
