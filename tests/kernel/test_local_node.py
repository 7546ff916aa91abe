"""LocalNode: what the kernel does with a destination that is this machine: docs/explanation/local-node.md."""

from __future__ import annotations

import re
import sys
from contextlib import suppress
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from haman.director.ask import ask
from haman.errors import Unreachable
from tests.kernel.patience import until

if TYPE_CHECKING:
    from haman.lab.hosts import Host, Network

PAGE = Path(__file__).parents[2] / "docs/explanation/local-node.md"
VIP, OWN = "10.0.0.100", "10.0.0.1"

SERVER = r"""
import socket, threading
def tcp(port):
    with socket.create_server(("", port)) as listener:
        while True:
            connection, peer = listener.accept()
            with connection:
                connection.sendall("{}:{} {}".format(*connection.getsockname()[:2], peer[0]).encode())
def udp(host, port):
    served = socket.socket(type=socket.SOCK_DGRAM)
    served.bind((host, port))
    while True:
        data, peer = served.recvfrom(100)
        served.sendto(f"{host}:{port} {peer[0]}".encode(), peer)
for port in (80, 8080):
    threading.Thread(target=tcp, args=(port,), daemon=True).start()
    for host in ("10.0.0.100", "10.0.0.1", "127.0.0.1"):
        threading.Thread(target=udp, args=(host, port), daemon=True).start()
print("serving", flush=True)
threading.Event().wait()
"""

CLIENT = r"""
import socket
for kind in (socket.SOCK_STREAM, socket.SOCK_DGRAM):
    with socket.socket(type=kind) as client:
        client.settimeout(3)
        try:
            client.connect(("10.0.0.100", 80))
            if kind == socket.SOCK_DGRAM:
                client.send(b"?")
            print(client.recv(100).decode())
        except OSError as error:
            print(type(error).__name__)
"""


@pytest.fixture
def hosts(network: Network, tmp_path: Path) -> tuple[Host, Host]:
    lan = network.segment("lan")
    director = network.host("lb1", {"eth0": (lan, ["10.0.0.1/24", "10.0.0.100/32"])})
    log = tmp_path / "server"
    director.spawn(sys.executable, "-c", SERVER, log=log)
    until(lambda: "serving" in log.read_text(), logs=[log])
    return director, network.host("client", {"eth0": (lan, "10.0.0.9/24")})


def asked(client: Host) -> list[str]:
    """Over TCP and UDP: which socket answered whom, or the error."""
    return client.run(sys.executable, "-c", CLIENT).stdout.splitlines()


ROWS = [  # method, destination, local port, what the page says
    ("-g", OWN, 80, "VIP:80"),
    ("-g", OWN, 8080, "VIP:80"),
    ("-g", "127.0.0.1", 80, "VIP:80"),
    ("-i", OWN, 80, "VIP:80"),
    ("-i", "127.0.0.1", 80, "VIP:80"),
    ("-m", OWN, 80, "own address:80"),
    ("-m", OWN, 8080, "own address:8080"),
    ("-m", VIP, 8080, "VIP:8080"),
    ("-m", "127.0.0.1", 80, "lost"),
    ("-m", "127.0.0.1", 8080, "lost"),
]
WHERE = {
    "VIP:80": f"{VIP}:80",
    "VIP:8080": f"{VIP}:8080",
    "own address:80": f"{OWN}:80",
    "own address:8080": f"{OWN}:8080",
}


@pytest.mark.parametrize("localnet", [0, 1])
def test_the_table(hosts: tuple[Host, Host], localnet: int) -> None:
    director, client = hosts
    director.sysctl("net/ipv4/conf/all/route_localnet", localnet)
    for method, destination, port, expected in ROWS:
        director.run("ipvsadm", "-C")
        for protocol in ("-t", "-u"):
            director.run("ipvsadm", "-A", protocol, f"{VIP}:80", "-s", "rr")
            director.run("ipvsadm", "-a", protocol, f"{VIP}:80", "-r", f"{destination}:{port}", method)
        answers = ["TimeoutError"] * 2 if expected == "lost" else [f"{WHERE[expected]} 10.0.0.9"] * 2
        assert asked(client) == answers, (method, destination, port)


def test_the_page_has_the_same_table() -> None:
    methods = {"`dr`": "-g", "`tun`": "-i", "`nat`": "-m"}
    said = set()
    for line in PAGE.read_text().splitlines():
        cells = [cell.strip() for cell in line.strip("|").split("|")]
        if len(cells) == 4 and cells[0] in methods:
            destination = {"own address": OWN, "the VIP": VIP}.get(cells[1], cells[1])
            said.add((methods[cells[0]], destination, int(re.sub(r"\D", "", cells[2])), cells[3]))
    assert said == set(ROWS)


@pytest.mark.parametrize(
    ("server", "answer"),
    [
        ("{address: 127.0.0.1}", f"{VIP}:80 10.0.0.9"),
        ("{director: lb1}", f"{VIP}:80 10.0.0.9"),
        ("{director: lb1, forward: nat, port: 8080}", f"{OWN}:8080 10.0.0.9"),
        ("{director: lb1, forward: fullnat, port: 8080}", f"{OWN}:8080 10.0.0.9"),
    ],
)
def test_what_haman_check_lets_through_works(
    hosts: tuple[Host, Host], tmp_path: Path, server: str, answer: str
) -> None:
    director, client = hosts
    file = tmp_path / "haman.yaml"
    file.write_text(f"""
cluster: one
directors: {{lb1: {{address: 10.0.0.1}}}}
routers: {{public: {{interface: eth0, vrid: 7, addresses: [10.0.0.100/24], standby_address: loopback}}}}
services:
  tcp: {{address: 10.0.0.100, port: 80, check: false, servers: {{x: {server}}}}}
  udp: {{address: 10.0.0.100, port: 80, protocol: udp, check: false, servers: {{x: {server}}}}}
""")
    log = tmp_path / "log"
    director.spawn(sys.executable, "-m", "haman", "run", "--config", file, "--node", "lb1", log=log)
    until(lambda: _serves(director), logs=[log])
    assert asked(client) == [answer] * 2


def _serves(director: Host) -> bool:
    with suppress(Unreachable):
        status = director.call(ask, "status")
        return bool(status["routers"][0]["holds"] and status["kernel"]["loaded"])
    return False
