"""`haman realserver --method redirect`: served without the VIP, streams outlive the undo, the table goes after them."""

from __future__ import annotations

import socket
import sys
from typing import TYPE_CHECKING

import pytest

from haman.lab.waiting import until
from tests.kernel.test_forwarding import CASES, configuration

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from haman.lab.hosts import Network

HAMAN = (sys.executable, "-m", "haman", "realserver")
VIP, VIP6 = "10.0.0.100", "fd00::100"
PATIENCE = 60.0

ECHO = r"""
import socket, threading
def talk(connection):
    with connection:
        while data := connection.recv(100):
            connection.sendall(data)
def udp():
    served = socket.socket(socket.AF_INET6, socket.SOCK_DGRAM)
    served.bind(("::", 53))
    while True:
        data, peer = served.recvfrom(100)
        served.sendto(data, peer)
threading.Thread(target=udp, daemon=True).start()
with socket.create_server(("::", 80), family=socket.AF_INET6, dualstack_ipv6=True) as listener:
    print("serving", flush=True)
    while True:
        threading.Thread(target=talk, args=(listener.accept()[0],), daemon=True).start()
"""


class Site:
    """A server, and a client whose packets for the VIPs come to it as a director would send them."""

    def __init__(self, network: Network, directory: Path) -> None:
        lan = network.segment("lan")
        self.file = directory / "haman.yaml"
        self.file.write_text(configuration(CASES["dr"]))
        self.server = network.host("rs1", {"eth0": (lan, ["10.0.0.11/24", "fd00::11/64"])})
        self.client = network.host("client", {"eth0": (lan, ["10.0.0.9/24", "fd00::9/64"])})
        self.client.ip(f"route add {VIP} via 10.0.0.11", f"route add {VIP6} via fd00::11")
        log = directory / "log"
        self.server.spawn(sys.executable, "-c", ECHO, log=log)
        until("the server", lambda: "serving" in log.read_text(), PATIENCE)
        self.opened: list[socket.socket] = []

    def connect(self, vip: str, kind: int = socket.SOCK_STREAM) -> socket.socket:
        """Raises OSError when nobody answers."""
        port = 80 if kind == socket.SOCK_STREAM else 53
        made = self.client.call(socket.socket, socket.AF_INET6 if ":" in vip else socket.AF_INET, kind)
        self.opened.append(made)
        made.settimeout(3)
        made.connect((vip, port))
        assert echo(made) == b"hello"
        return made

    def table(self) -> str:
        return self.server.run("nft", "list", "table", "inet", "haman", check=False).stdout


def echo(opened: socket.socket) -> bytes:
    opened.sendall(b"hello")
    return opened.recv(100)


@pytest.fixture
def site(network: Network, tmp_path: Path) -> Iterator[Site]:
    made = Site(network, tmp_path)
    yield made
    for opened in made.opened:
        opened.close()


def test_served_without_the_vip(site: Site) -> None:
    with pytest.raises(OSError):
        site.connect(VIP)
    said = site.server.run(*HAMAN, site.file, "--method", "redirect").stdout
    assert "packet-filter table inet haman" in said
    for vip in (VIP, VIP6):
        for kind in (socket.SOCK_STREAM, socket.SOCK_DGRAM):
            site.connect(vip, kind)
        assert vip not in site.server.run("ip", "address").stdout
    assert site.server.run(*HAMAN, site.file, "--method", "redirect").stdout == "all is in place already\n"
    site.server.run("nft", "flush", "ruleset")
    site.server.run(*HAMAN, site.file, "--method", "redirect")
    site.connect(VIP)


def test_streams_outlive_the_undo(site: Site) -> None:
    site.server.run(*HAMAN, site.file, "--method", "redirect")
    stream = site.connect(VIP)
    for _ in range(2):
        said = site.server.run(*HAMAN, "--undo").stdout
        assert "1 connections run on" in said
        assert echo(stream) == b"hello"
    assert "redirect" not in site.table().replace("redirected", "")
    with pytest.raises(OSError):
        site.connect(VIP)
    stream.close()
    tracked = ("cat", "/proc/net/nf_conntrack")
    until("the ends", lambda: "ESTABLISHED" not in site.server.run(*tracked).stdout, PATIENCE)
    site.server.run(*HAMAN, "--undo")
    assert site.table() == ""
    assert site.server.run(*HAMAN, "--undo").stdout == "nothing of ours is here\n"


def test_the_printed_commands(site: Site) -> None:
    printed = site.server.run(*HAMAN, site.file, "--method", "redirect", "--print").stdout
    site.server.run("sh", "-c", printed)
    site.connect(VIP)
    site.connect(VIP6)
