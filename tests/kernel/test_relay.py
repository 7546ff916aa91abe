"""A backup by relay on a real kernel, two directors: from IPVS into the relay's process, and out to another site.

client 10.0.0.9, rs1 10.0.0.11, lb1, lb2, east 10.0.0.50 on one segment; east takes the PROXY protocol, version 2
"""

from __future__ import annotations

import contextlib
import os
import signal
import socket
import struct
import threading
import time
from typing import TYPE_CHECKING, Any

import pytest

from haman.lab.stories import servers
from haman.lab.waiting import until
from tests.kernel.pair import HEAD, Pair

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

    from haman.lab.hosts import Host, Network

pytestmark = pytest.mark.kernel

VIP, EAST, CLIENT = "10.0.0.100", "10.0.0.50", "10.0.0.9"
VIP6, EAST6 = "2001:db8::100", "2001:db8::50"
FILE = (
    HEAD
    + """
routers:
  public:
    {interface: eth0, vrid: 51, addresses: [10.0.0.100/24, '2001:db8::100/64'], advert_interval: 100ms}
checks:
  page: {http: {path: /healthz}, port: 8, interval: 300ms, timeout: 2s, rise: 1, fall: 2}
services:
  web:
    address: 10.0.0.100
    port: 80
    check: page
    servers: {rs1: {address: 10.0.0.11}}
    backup: [{name: east, address: 10.0.0.50, port: 8080, proxy: v2, drain: 15s}]
    failover: {return: {above: 50%, after: 0s}}
  names:
    address: 10.0.0.100
    port: 53
    protocol: udp
    check: page
    servers: {rs1: {address: 10.0.0.11}}
    backup: [{name: east, address: 10.0.0.50, port: 5353, proxy: v2}]
    failover: {return: {above: 50%, after: 0s}}
  six:
    address: "2001:db8::100"
    port: 80
    check: false
    servers: {rs1: {address: "2001:db8::11"}}
    backup: [{name: east, address: 10.0.0.50, port: 8081, check: page}]
    failover: {return: {above: 50%, after: 0s}}
"""
)


class East:
    """Says for whom a connection or datagram came, and from whom; then what it is told."""

    def __init__(self, host: Host) -> None:
        self._stop = threading.Event()
        self._tcp: list[socket.socket] = []
        self._threads = []
        for port, proxied in ((8080, True), (8081, False)):
            sock = host.call(socket.socket)
            sock.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            sock.bind((EAST, port))
            sock.listen(64)
            self._tcp.append(sock)
            self._threads.append(threading.Thread(target=self._accept, args=(sock, proxied), daemon=True))
        self._udp = host.call(socket.socket, socket.AF_INET, socket.SOCK_DGRAM)
        self._udp.bind((EAST, 5353))
        self._threads.append(threading.Thread(target=self._answer, daemon=True))
        for thread in self._threads:
            thread.start()

    def close(self) -> None:
        self._stop.set()
        for thread in self._threads:
            thread.join()
        for sock in (*self._tcp, self._udp):
            sock.close()

    def _accept(self, sock: socket.socket, proxied: bool) -> None:
        sock.settimeout(0.2)
        with contextlib.ExitStack() as stack:
            talks = []
            while not self._stop.is_set():
                try:
                    talk, (peer, _) = sock.accept()
                except TimeoutError:
                    continue
                stack.enter_context(talk)
                talks.append(threading.Thread(target=self._talk, args=(talk, peer, proxied), daemon=True))
                talks[-1].start()
            for thread in talks:
                thread.join()

    def _talk(self, talk: socket.socket, peer: str, proxied: bool) -> None:
        talk.settimeout(0.2)
        head = b""
        while not self._stop.is_set():
            try:
                data = talk.recv(28 - len(head) if proxied and len(head) < 28 else 1000)
            except TimeoutError:
                continue
            except OSError:
                return
            if not data:
                talk.close()
                return
            if proxied and len(head) < 28:
                head += data
                data = b""
                if len(head) == 28:
                    data = f"east {_told(head)} {peer}\n".encode()
            with contextlib.suppress(OSError):
                talk.sendall(data)

    def _answer(self) -> None:
        self._udp.settimeout(0.2)
        while not self._stop.is_set():
            try:
                data, peer = self._udp.recvfrom(65536)
            except TimeoutError:
                continue
            self._udp.sendto(f"east {_told(data[:28])} {peer[0]} {len(data) - 28}".encode(), peer)


def _told(head: bytes) -> str:
    assert head[:12] == bytes.fromhex("0d0a0d0a000d0a515549540a")
    source, destination, _, port = struct.unpack("!4s4sHH", head[16:28])
    return f"{socket.inet_ntoa(source)}>{socket.inet_ntoa(destination)}:{port}"


class Patient(Pair):
    """Each director here has a third process to start, and a busy machine takes half a minute for one."""

    def until(self, condition: Callable[[], object], within: float = 240.0) -> float:
        return super().until(condition, within)


class Place:
    def __init__(self, network: Network, directory: Path) -> None:
        self.pair = Patient(network, directory)
        lan = self.pair.lan
        for number, host in enumerate(self.pair.hosts.values(), 1):
            host.ip(f"address add 2001:db8::{number}/64 dev eth0 nodad")
        self.client = network.host("client", {"eth0": (lan, f"{CLIENT}/24")})
        self.client.ip("address add 2001:db8::9/64 dev eth0 nodad")
        self.rs1 = network.host("rs1", {"eth0": (lan, "10.0.0.11/24")})
        self.east_host = network.host("east", {"eth0": (lan, f"{EAST}/24")})
        servers.silent_vip(self.rs1, VIP)
        self.health = servers.web(self.rs1, 8)
        servers.web(self.rs1, 80)
        servers.echo(self.rs1, VIP, 53)
        servers.web(self.east_host, 8)
        self.east = East(self.east_host)

    def local(self, up: bool) -> None:
        self.health.signal(signal.SIGUSR2 if up else signal.SIGUSR1)

    def open(self, address: str = VIP, host: Host | None = None) -> socket.socket:
        """Raises OSError."""
        return (host or self.client).call(socket.create_connection, (address, 80), 30.0)

    def answer(self) -> str:
        """Of one new connection; empty: refused, or broken off."""
        try:
            with self.open() as sock:
                sock.sendall(b"GET / HTTP/1.0\r\n\r\n")
                return sock.recv(1000).decode().partition("\n")[0].strip()
        except OSError:
            return ""

    def datagram(self, size: int = 1) -> str:
        with self.client.call(socket.socket, socket.AF_INET, socket.SOCK_DGRAM) as sock:
            sock.settimeout(1.0)
            sock.connect((VIP, 53))
            try:
                sock.send(b"q" * size)
                return sock.recv(1000).decode()
            except OSError:
                return ""

    def service(self, name: str, director: str = "lb1") -> dict[str, Any]:
        services = self.pair.ask(director, "status")["services"]
        return next(each for each in services if each["name"] == name)

    def serves(self, name: str, director: str = "lb1") -> str:
        return str(self.service(name, director)["site"]["serves"])

    def relay(self, director: str = "lb1") -> dict[str, Any]:
        return self.service("web", director)["backups"][0]["relay"] or {}


@pytest.fixture
def place(network: Network, tmp_path: Path) -> Iterator[Place]:
    made = Place(network, tmp_path)
    try:
        yield made
    finally:
        made.east.close()


def _is_reset(sock: socket.socket) -> bool:
    """Whether it ends so, within four minutes."""
    end = time.monotonic() + 240.0
    try:
        while time.monotonic() < end:
            sock.sendall(b"x")
            if not sock.recv(1000):
                return False
    except ConnectionError:
        return True
    return False


def test_a_whole_site_failover_by_relay(place: Place) -> None:
    pair = place.pair
    for name in ("lb1", "lb2"):
        pair.start(name, FILE)
        pair.until(lambda name=name: pair.role(name) in ("active", "standby"))
    pair.until(lambda: pair.role("lb1") == "active")
    for name in ("lb1", "lb2"):
        pair.until(
            lambda name=name: (
                {each["state"] for s in ("web", "names") for each in place.service(s, name)["backups"]} == {"up"}
            )
        )
        pair.until(lambda name=name: place.relay(name))
    assert "rs1" in place.datagram() or pair.until(lambda: "rs1" in place.datagram())
    assert place.answer().startswith("HTTP/1.")
    kept = place.open()  # to the local server

    # All local servers fail: the other site is told who the client is.
    place.local(up=False)
    pair.until(lambda: place.answer() == f"east {CLIENT}>{VIP}:80 {VIP}")
    pair.until(lambda: place.datagram() == f"east {CLIENT}>{VIP}:53 {VIP} 1")
    pair.until(lambda: place.datagram(60_000) == f"east {CLIENT}>{VIP}:53 {VIP} 60000")
    pair.until(lambda: place.serves("web", "lb2") == "east")
    kept.close()

    # What the other site sends here is never sent back to it.
    with pytest.raises(OSError):
        place.open(host=place.east_host)

    # The director dies: the relay goes on, sessions too, and a new relay takes over from it.
    with place.open() as talk:
        assert talk.recv(1000) == f"east {CLIENT}>{VIP}:80 {VIP}\n".encode()
        pid = pair.ask("lb1", "status")["pid"]
        os.kill(pid, signal.SIGKILL)
        talk.sendall(b"still there?")
        assert talk.recv(100) == b"still there?"
        pair.until(lambda: place.answer() == f"east {CLIENT}>{VIP}:80 {VIP}")
        pair.until(lambda: pair.role("lb1") == "active" and place.relay().get("total") is not None)
    pair.until(lambda: place.serves("web") == "east")

    # Back home: a session at the other site goes on, and ends when its time is over.
    pair.until(lambda: place.relay().get("sessions") == 0)
    with place.open() as talk:
        assert talk.recv(1000).startswith(b"east")
        place.local(up=True)
        pair.until(lambda: place.answer().startswith("HTTP/1."))
        talk.sendall(b"not yet")
        assert talk.recv(100) == b"not yet"
        pair.until(lambda: _is_reset(talk))
    pair.until(lambda: "rs1" in place.datagram())

    # The active director dies while the other site serves.
    place.local(up=False)
    pair.until(lambda: place.answer().startswith("east"))
    pair.until(lambda: place.serves("web", "lb2") == "east")
    talk = place.open()
    assert talk.recv(1000).startswith(b"east")
    pair.hosts["lb1"].cut("eth0")  # first, so that no program's end is heard
    pair.crash("lb1")
    pair.until(lambda: pair.role("lb2") == "active")
    pair.until(lambda: place.answer() == f"east {CLIENT}>{VIP}:80 {VIP}")
    assert _is_reset(talk)
    talk.close()
    pair.stop("lb2")


def test_a_service_of_ipv6_is_served_by_a_site_of_ipv4(place: Place) -> None:
    pair = place.pair
    pair.start("lb1", FILE)
    pair.until(lambda: pair.role("lb1") == "active")
    pair.until(lambda: place.service("six")["backups"][0]["state"] == "up")
    pair.ask("lb1", "site", service="six", order="backup")
    # Before that whoever comes is led to the local server, or refused.
    pair.until(lambda: "-r [::1]:1 -g -w 1" in pair.hosts["lb1"].run("ipvsadm", "-Sn").stdout)

    def answered() -> bool:
        try:
            with place.open(VIP6) as talk:
                talk.sendall(b"hello")
                return talk.recv(100) == b"hello"
        except OSError:
            return False

    pair.until(answered)
    pair.stop("lb1")


RULES = "table inet tracking {\nchain c {\ntype filter hook prerouting priority 0\nct state established accept\n}\n}\n"
BY_NAT, BY_DR = (8080, f"-r {VIP}:8080 -m"), (80, "-r 127.0.0.1:80 -g")


@pytest.mark.parametrize(
    ("way", "tracked", "fate"),
    [(BY_NAT, True, "hangs"), (BY_NAT, False, "reset"), (BY_DR, True, "reset"), (BY_DR, False, "reset")],
    ids=["nat-tracked", "nat", "dr-tracked", "dr"],
)
def test_why_the_kernel_is_to_leave_the_packet_alone(
    network: Network, way: tuple[int, str], tracked: bool, fate: str
) -> None:
    """The table is typed by hand, and two kernels synchronise their connections: what becomes of one that leads to the
    machine itself when the other machine takes over."""
    port, server = way
    lan = network.segment("lan")
    one, two = (network.host(f"lb{number}", {"eth0": (lan, f"10.0.0.{number}/24")}) for number in (1, 2))
    client = network.host("client", {"eth0": (lan, f"{CLIENT}/24")})
    one.add_address("eth0", f"{VIP}/32")
    for host, daemon in ((one, "master"), (two, "backup")):
        host.run("ipvsadm", "-R", input=f"-A -t {VIP}:80 -s rr\n-a -t {VIP}:80 {server} -w 1\n")
        host.run("ipvsadm", "--start-daemon", daemon, "--mcast-interface", "eth0", "--syncid", "7")
        if tracked:
            host.run("nft", "-f", "-", input=RULES)
        servers.parrot(host, port)

    with client.call(socket.create_connection, (VIP, 80), 30.0) as talk:

        def synchronised() -> bool:
            talk.sendall(b"x")
            assert talk.recv(1) == b"x"
            return f"{talk.getsockname()[1]:04X}" in two.read("/proc/thread-self/net/ip_vs_conn")

        until("the other one to know the connection", synchronised, 60.0)
        one.del_address("eth0", f"{VIP}/32")
        two.add_address("eth0", f"{VIP}/32")
        client.run("ip", "neigh", "flush", "dev", "eth0")
        before = _received(two)
        if fate == "reset":
            assert _is_reset(talk)
        else:
            talk.sendall(b"x")
            until("it to come again and again", lambda: _received(two) >= before + 4, 60.0)
            talk.setblocking(False)
            with pytest.raises(BlockingIOError):
                talk.recv(1)


def _received(host: Host) -> int:
    """Packets that its IPVS has taken (net/netfilter/ipvs/ip_vs_ctl.c, ip_vs_stats: InPkts)."""
    return int(host.read("/proc/thread-self/net/ip_vs_stats").splitlines()[2].split()[1], 16)
