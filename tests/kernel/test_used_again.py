"""What a second chance cannot mend: a client's port that is used again while the director that takes over still knows
an earlier connection of it, to another server. By ipvsadm and haman's rules alone (docs/explanation/packet-filter.md).
"""

from __future__ import annotations

import socket
from ipaddress import ip_address
from typing import TYPE_CHECKING

import pytest

from haman.lab.stories import servers
from haman.model.filter import Ruleset, SecondChance
from haman.wire import nftables

if TYPE_CHECKING:
    from collections.abc import Iterator

    from haman.lab.hosts import Network

pytestmark = pytest.mark.kernel

VIP, PORT = "10.0.0.100", 80
FRESH, USED = 4001, 4002
"""The client's ports: one that was never used, and one of which lb2 knows a connection to rs2 that has ended."""


class Scene:
    """lb1 sends all that is new to rs1, lb2 to rs2; lb2 sends on to lb1 what it does not know."""

    def __init__(self, network: Network) -> None:
        lan = network.segment("lan")
        self.directors = {
            f"lb{n}": network.host(f"lb{n}", {"eth0": (lan, f"10.0.0.{n}/24")}, forward=True) for n in (1, 2)
        }
        self.client = network.host("client", {"eth0": (lan, "10.0.0.9/24")})
        for n in (1, 2):
            server, director = network.host(f"rs{n}", {"eth0": (lan, f"10.0.0.1{n}/24")}), self.directors[f"lb{n}"]
            servers.silent_vip(server, VIP)
            servers.web(server, PORT)
            servers.silent_vip(director, VIP)
            director.run("ipvsadm", "-A", "-t", f"{VIP}:{PORT}", "-s", "wlc")
            director.run("ipvsadm", "-a", "-t", f"{VIP}:{PORT}", "-r", f"10.0.0.1{n}", "-g")
        chance = SecondChance(
            version=4,
            to=ip_address("10.0.0.1"),
            interface="eth0",
            macs=(self.directors["lb1"].mac("eth0"),),
            vip=ip_address(VIP),
            ports=(PORT,),
        )
        self.directors["lb2"].run("nft", "-f", "-", input=nftables.render(Ruleset(chances=(chance,))))
        self.opened: list[socket.socket] = []

    def send_to(self, name: str) -> None:
        self.client.ip(f"neigh replace {VIP} lladdr {self.directors[name].mac('eth0')} dev eth0 nud permanent")

    def connect(self, port: int) -> socket.socket:
        made: socket.socket = self.client.call(socket.socket)
        self.opened.append(made)
        made.settimeout(30.0)
        made.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        made.bind(("10.0.0.9", port))
        made.connect((VIP, PORT))
        return made


@pytest.fixture
def scene(network: Network) -> Iterator[Scene]:
    made = Scene(network)
    yield made
    for opened in made.opened:
        opened.close()


def test_a_port_that_is_used_again_meets_what_is_still_known_of_it(scene: Scene) -> None:
    scene.send_to("lb2")
    with scene.connect(USED) as earlier:
        assert answer(earlier) == "rs2"
    scene.send_to("lb1")
    fresh, used = scene.connect(FRESH), scene.connect(USED)
    scene.send_to("lb2")
    assert answer(fresh) == "rs1"
    used.settimeout(5.0)
    with pytest.raises(TimeoutError):  # rs2 remembers the end of the earlier one, and says so again
        answer(used)


def answer(opened: socket.socket) -> str:
    """The name of the server, which ends the connection then."""
    opened.sendall(b"GET / HTTP/1.0\r\n\r\n")
    said = b""
    while more := opened.recv(4096):
        said += more
    return said.decode().rpartition("\r\n")[2].strip()
