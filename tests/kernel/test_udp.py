"""UDP with a client that keeps its source port: a dead server leaves no black hole (etc/examples/udp.yaml)."""

from __future__ import annotations

import signal
import socket
import sys
from contextlib import suppress
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from haman.director.ask import ask
from haman.errors import Unreachable
from haman.lab.workload import program
from tests.kernel.patience import until

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from haman.lab.hosts import Host, Network
    from haman.lab.processes import Process

EXAMPLE = Path(__file__).parents[2] / "etc/examples/udp.yaml"
VIP, GAME, ECHO = "10.0.0.100", 27015, 7


class Site:
    """lb1 and the two servers of `game`, which answer its check on their own address and clients on the VIP."""

    def __init__(self, network: Network, directory: Path) -> None:
        lan = network.segment("lan")
        self.log = directory / "lb1.log"
        self.clients: list[Client] = []
        self.director = network.host("lb1", {"eth0": (lan, "10.0.0.1/24")})
        self.client = network.host("client", {"eth0": (lan, "10.0.0.9/24")})
        self.servers: dict[str, Host] = {}
        self.serving: dict[str, list[Process]] = {}
        for name, address in (("rs1", "10.0.0.11"), ("rs2", "10.0.0.12")):
            host = self.servers[name] = network.host(name, {"eth0": (lan, f"{address}/24")})
            host.run(sys.executable, "-m", "haman", "realserver", EXAMPLE, timeout=60)
            self.serve(name)

    def asker(self, port: int) -> Client:
        self.clients.append(Client(self.client, port))
        return self.clients[-1]

    def serve(self, name: str) -> None:
        host = self.servers[name]
        own = {"rs1": "10.0.0.11", "rs2": "10.0.0.12"}[name]
        self.serving[name] = [
            host.spawn(*program("udp_server", "--address", address, "--port", port))
            for address in (own, VIP)
            for port in (GAME, ECHO)
        ]

    def kill(self, name: str) -> None:
        for process in self.serving[name]:
            process.signal(signal.SIGKILL)
            process.wait(10)

    def start(self, text: str, directory: Path) -> None:
        file = directory / "haman.yaml"
        file.write_text(text)
        self.director.spawn(sys.executable, "-m", "haman", "run", "--config", file, "--node", "lb1", log=self.log)
        self.until(lambda: set(self.served().values()) == {1} and len(self.served()) == 2)
        self.until(self.holds)

    def holds(self) -> bool:
        with suppress(Unreachable):
            return bool(self.director.call(ask, "status")["routers"][0]["holds"])
        return False

    def served(self) -> dict[str, int]:
        """By server of `game`: the weight it has in the kernel's table; not named if it is not there."""
        with suppress(Unreachable):
            services = self.director.call(ask, "status")["services"]
            (game,) = (each for each in services if each["name"] == "game")
            return {each["name"]: each["weight"] for each in game["servers"] if each["weight"] is not None}
        return {}

    def until(self, condition: Callable[[], object]) -> None:
        until(condition, 90.0, logs=[self.log])


class Client:
    """One socket, one port, a question after the other, of which each waits a while for its answer."""

    def __init__(self, host: Host, port: int) -> None:
        self._socket = host.call(socket.socket, socket.AF_INET, socket.SOCK_DGRAM)
        self._socket.settimeout(3)  # an entry lives much longer, so this is no silence
        self._socket.connect((VIP, port))

    def ask(self) -> str:
        """Who answered; empty for nobody."""
        with suppress(OSError):
            self._socket.send(b"question")
            return self._socket.recv(512).removeprefix(b"question").decode()
        return ""

    def close(self) -> None:
        self._socket.close()


@pytest.fixture
def site(network: Network, tmp_path: Path) -> Iterator[Site]:
    made = Site(network, tmp_path)
    yield made
    for client in made.clients:
        client.close()


def test_a_client_that_keeps_its_port_moves_to_a_living_server(site: Site, tmp_path: Path) -> None:
    site.start(EXAMPLE.read_text(), tmp_path)
    client = site.asker(GAME)
    first = ""
    while not first:
        first = client.ask()
    assert {client.ask() for _ in range(20)} == {first}
    (other,) = {"rs1", "rs2"} - {first}
    site.kill(first)
    site.until(lambda: client.ask() == other)  # it never pauses for as long as an entry lives
    assert first not in site.served()
    assert [client.ask() for _ in range(20)] == [other] * 20

    site.serve(first)  # and it is not torn between the two when the first is back
    site.until(lambda: first in site.served())
    answers = [client.ask() for _ in range(20)]
    assert len(set(answers)) == 1
    assert "" not in answers


def test_with_quiesce_such_a_client_stays_with_the_dead(site: Site, tmp_path: Path) -> None:
    """The reason for the default, and for the warning of `haman check`."""
    site.start(EXAMPLE.read_text().replace("on_failure: remove", "on_failure: quiesce"), tmp_path)
    client = site.asker(GAME)
    first = ""
    while not first:
        first = client.ask()
    site.kill(first)
    site.until(lambda: site.served()[first] == 0)
    assert {client.ask() for _ in range(3)} == {""}
    fresh = site.asker(GAME)
    assert {fresh.ask() for _ in range(10)} == {"rs1", "rs2"} - {first}


def test_settings_and_timeouts_are_kept(site: Site, tmp_path: Path) -> None:
    site.start(EXAMPLE.read_text(), tmp_path)
    timeouts = site.director.run("ipvsadm", "-l", "--timeout").stdout
    assert timeouts.split()[-1] == "60"
    setting = "net/ipv4/vs/expire_nodest_conn"
    assert site.director.read(f"/proc/sys/{setting}") == "1\n"
    site.director.sysctl(setting, 0)
    site.until(lambda: site.director.read(f"/proc/sys/{setting}") == "1\n")


def test_one_packet_scheduling_shares_out_the_questions_of_one_port(site: Site, tmp_path: Path) -> None:
    site.start(EXAMPLE.read_text(), tmp_path)
    client = site.asker(ECHO)
    site.until(client.ask)
    answers = [client.ask() for _ in range(10)]
    assert sorted(answers) == ["rs1"] * 5 + ["rs2"] * 5
    assert ":7 " not in site.director.run("ipvsadm", "-Lnc").stdout


@pytest.mark.parametrize("source", ["", "masquerade"], ids=["nat", "fullnat"])
def test_what_is_scheduled_packet_by_packet_cannot_be_translated(network: Network, source: str) -> None:
    """Why `haman check` refuses it: made by hand, with and without it."""
    out, lan = network.segment("out"), network.segment("lan")
    client = network.host("client", {"eth0": (out, "10.1.0.9/24")})
    director = network.host("lb1", {"eth0": (out, "10.1.0.1/24"), "eth1": (lan, "10.0.0.1/24")}, forward=True)
    server = network.host("rs1", {"eth0": (lan, "10.0.0.11/24")})
    server.ip("route add default via 10.0.0.1")
    client.ip(f"route add {VIP} via 10.1.0.1")
    director.ip(f"address add {VIP}/32 dev lo")
    server.spawn(*program("udp_server", "--address", "10.0.0.11", "--port", ECHO))
    director.sysctl("net/ipv4/vs/conntrack", 1)
    if source:
        rule = f"ct original ip daddr {VIP} ip daddr != {VIP} {source}"
        chain = f"chain c {{\ntype nat hook postrouting priority srcnat;\n{rule}\n}}"
        director.run("nft", "-f", "-", input=f"table ip t {{\n{chain}\n}}\n")
    answers = {}
    for flag in ((), ("-o",)):
        director.run("ipvsadm", "-C")
        director.run("ipvsadm", "-A", "-u", f"{VIP}:{ECHO}", "-s", "rr", *flag)
        director.run("ipvsadm", "-a", "-u", f"{VIP}:{ECHO}", "-r", f"10.0.0.11:{ECHO}", "-m")
        asker = Client(client, ECHO)
        if not flag:
            until(asker.ask, what="the server listens")
        answers[flag] = [asker.ask() for _ in range(3)]
        asker.close()
    assert answers == {(): ["rs1"] * 3, ("-o",): [""] * 3}
