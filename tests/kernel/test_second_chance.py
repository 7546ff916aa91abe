"""What is sent on to the director that served before: what has no socket here, and nothing else. There is no IPVS in
this: what it leaves alone, and what it gives to a program of this machine, comes by the same chain."""

from __future__ import annotations

import socket
import sys
from ipaddress import ip_address
from typing import TYPE_CHECKING

import pytest

from haman.lab.waiting import until
from haman.model.filter import Ruleset, SecondChance
from haman.wire import nftables

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping
    from pathlib import Path

    from haman.lab.hosts import Host, Network

pytestmark = pytest.mark.kernel

ANY, WAITING, BOUND = 80, 81, 82
"""Ports of a server that listens on every address, of one that does so and accepts nobody, and of one that listens on
the VIP alone."""

SERVER = r"""
import socket, threading
def talk(connection):
    with connection:
        while (data := connection.recv(100)) not in (b"", b"bye"):
            connection.sendall(data)
def accept(listener):
    while True:
        threading.Thread(target=talk, args=(listener.accept()[0],), daemon=True).start()
def listen(address, port):
    six = ":" in address
    return socket.create_server((address, port), family=socket.AF_INET6 if six else socket.AF_INET,
                                dualstack_ipv6=address == "::")
waiting = listen("::", 81)
for address, port in (("::", 80), ("10.0.0.100", 82), ("fd00::100", 82)):
    threading.Thread(target=accept, args=(listen(address, port),), daemon=True).start()
print("serving", flush=True)
threading.Event().wait()
"""

PATIENCE = 60.0
VIPS = {4: "10.0.0.100", 6: "fd00::100"}
OLD = {4: "10.0.0.1", 6: "fd00::1"}
HERE = {4: "10.0.0.2", 6: "fd00::2"}


class Scene:
    """Both machines have the VIP, silently, and the same programs; the client's packets go where they are led."""

    def __init__(self, network: Network, directory: Path) -> None:
        lan = network.segment("lan")
        self.old, self.here, self.client = (
            network.host(name, {"eth0": (lan, [f"10.0.0.{last}/24", f"fd00::{last}/64"])})
            for name, last in (("old", 1), ("here", 2), ("client", 9))
        )
        for host in (self.old, self.here):
            host.sysctl("net/ipv4/conf/all/arp_ignore", 1)
            host.sysctl("net/ipv4/conf/all/arp_announce", 2)
            host.ip(f"address add {VIPS[4]}/32 dev lo", f"address add {VIPS[6]}/128 dev lo nodad")
            log = directory / host.name
            host.spawn(sys.executable, "-c", SERVER, log=log)
            until("its programs", lambda log=log: "serving" in log.read_text(), PATIENCE)
        self.opened: list[socket.socket] = []

    def lead(self, to: Mapping[int, str]) -> None:
        self.client.ip(*(f"route replace {vip} via {to[version]}" for version, vip in VIPS.items()))

    def connect(self, version: int, port: int) -> socket.socket:
        made = self.client.call(socket.socket, socket.AF_INET if version == 4 else socket.AF_INET6)
        self.opened.append(made)
        made.settimeout(30)
        made.connect((VIPS[version], port))
        return made

    def send_on(self, version: int) -> None:
        chance = SecondChance(
            version=version,
            to=ip_address(OLD[version]),
            interface="eth0",
            macs=(self.old.mac("eth0"),),
            vip=ip_address(VIPS[version]),
            ports=(ANY, WAITING, BOUND),
        )
        self.here.run("nft", "-f", "-", input=nftables.render(Ruleset(chances=(chance,))))

    def resets(self) -> tuple[int, int]:
        """Sent by the old one, and by this one."""
        return _resets(self.old), _resets(self.here)


@pytest.fixture
def scene(network: Network, tmp_path: Path) -> Iterator[Scene]:
    made = Scene(network, tmp_path)
    yield made
    for opened in made.opened:
        opened.close()


@pytest.mark.parametrize("version", [4, 6])
def test_a_connection_goes_on_where_its_socket_is(scene: Scene, version: int) -> None:
    scene.lead(OLD)
    theirs, theirs_waiting = scene.connect(version, ANY), scene.connect(version, WAITING)
    scene.lead(HERE)
    ours = [scene.connect(version, port) for port in (ANY, WAITING, BOUND)]
    scene.send_on(version)
    ours += [scene.connect(version, port) for port in (ANY, WAITING, BOUND)]  # begun under the rules
    for each in (theirs, ours[0], ours[2], ours[3], ours[5]):
        assert echo(each) == b"hello"
    for each in (theirs_waiting, ours[1], ours[4]):
        each.sendall(b"hello")
    until("what was said to nobody", lambda: (_unread(scene.old), _unread(scene.here)) == (5, 10), PATIENCE)
    for each in (theirs, ours[0], ours[2], ours[3]):  # the server ends it first: FIN_WAIT, TIME_WAIT
        each.sendall(b"bye")
        assert each.recv(100) == b""
        each.close()
    until("the ends", lambda: _ended(scene.here) == 3, PATIENCE)
    assert scene.resets() == (0, 0)


@pytest.mark.parametrize("version", [4, 6])
def test_a_listener_on_the_vip_alone_keeps_all_that_comes(scene: Scene, version: int) -> None:
    """nft tells a listener that takes every address from a connection, and not one with an address of its own."""
    scene.lead(OLD)
    theirs = scene.connect(version, BOUND)
    scene.lead(HERE)
    scene.send_on(version)
    with pytest.raises(ConnectionResetError):
        echo(theirs)
    assert scene.resets() == (0, 1)


def echo(opened: socket.socket) -> bytes:
    opened.sendall(b"hello")
    return opened.recv(100)


def _resets(host: Host) -> int:
    lines = host.run("nstat", "-az", "TcpOutRsts").stdout.splitlines()
    return next(int(line.split()[1]) for line in lines if line.startswith("TcpOutRsts"))


def _unread(host: Host) -> int:
    """Bytes that wait in connections that nobody has accepted."""
    lines = host.run("ss", "-tnH", "state", "established", "sport", f"= :{WAITING}").stdout.splitlines()
    return sum(int(line.split()[0]) for line in lines)


def _ended(host: Host) -> int:
    return len(host.run("ss", "-tnH", "state", "time-wait").stdout.splitlines())
