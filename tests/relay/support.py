"""A relay's process on loopback, and servers and clients around it."""

from __future__ import annotations

import os
import select
import socket
import subprocess
import sys
import time
from contextlib import contextmanager
from ipaddress import ip_address, ip_network
from pathlib import Path
from typing import TYPE_CHECKING, Any

from haman.model.relay import Terms
from haman.model.services import Protocol
from haman.relay import orders
from haman.relay.orders import Front, Server, Way

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

PATIENCE = 60.0
"""Seconds for what takes milliseconds."""

WAY = "web@east"


def until(condition: Callable[[], Any], what: str = "") -> Any:
    end = time.monotonic() + PATIENCE
    while not (found := condition()):
        assert time.monotonic() < end, f"never came: {what or condition}"
        time.sleep(0.01)
    return found


class Relay:
    """One front on 127.0.0.1 in front of `servers`, which are (name, port) on 127.0.0.1."""

    def __init__(
        self,
        servers: dict[str, int],
        protocol: Protocol = Protocol.TCP,
        prefix: int | None = None,
        origins: tuple[str, ...] = (),
        source: str = "",
        reuse: bool = False,
        **terms: Any,
    ) -> None:
        self.link, theirs = orders.pair()
        self.process = subprocess.Popen(
            [sys.executable, "-m", "haman.relay", "--link-fd", str(theirs.fileno())], pass_fds=[theirs.fileno()]
        )
        theirs.close()
        kind = socket.SOCK_STREAM if protocol is Protocol.TCP else socket.SOCK_DGRAM
        self.socket = socket.socket(socket.AF_INET, kind)
        if reuse:
            self.socket.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEPORT, 1)
        self.socket.bind(("127.0.0.1", 0))
        if protocol is Protocol.TCP:
            self.socket.listen(512)
        self.place: tuple[str, int] = self.socket.getsockname()
        self.words: list[str] = []
        self.latest: dict[str, Any] = {}
        self.servers = servers
        self.protocol = protocol
        self.prefix = prefix
        self.source = ip_address(source) if source else None
        self.origins = tuple(ip_network(each) for each in origins)
        self.open(Terms(**terms))
        self.weigh(dict.fromkeys(servers, (1, True)))

    def open(self, terms: Terms, *, again: bool = False) -> None:
        address = ip_address("127.0.0.1")
        servers = tuple(Server(name, address, port, self.source) for name, port in self.servers.items())
        ways = (Way(WAY, terms, servers, self.prefix),)
        front = Front("web:80", self.protocol, address, self.place[1], ways, self.origins)
        self.send(orders.opened(front), [] if again else [self.socket.fileno()])

    def weigh(self, weights: dict[str, tuple[int, bool]]) -> None:
        self.send(orders.weighed("web:80", {WAY: weights}))

    def send(self, message: bytes, descriptors: list[int] | None = None) -> None:
        *rest, last = orders.parts(message)
        for part in rest:
            self._sent(part, [])
        self._sent(last, descriptors or [])

    def _sent(self, part: bytes, descriptors: list[int]) -> None:
        """Once there is room."""
        while True:
            try:
                socket.send_fds(self.link, [part], descriptors)
                return
            except BlockingIOError:
                assert select.select([], [self.link], [], PATIENCE)[1], "the relay does not read"

    def figures(self) -> dict[str, Any]:
        """As of now: those that it told before are passed over."""
        while select.select([self.link], [], [], 0)[0]:
            self._read()
        self.latest = {}
        while not self.latest:
            ready, _, _ = select.select([self.link], [], [], PATIENCE)
            assert ready, "the relay is silent"
            self._read()
        return self.latest

    def _read(self) -> None:
        received = self.link.recv(orders.PART)
        assert received, "the relay is gone"
        message = orders.read(received)
        if message["say"] == "words":
            self.words.append(message["words"])
        else:
            self.latest = message["ways"].get(WAY, {})

    def refused(self, reason: str) -> int:
        return int(self.figures()["refused"][reason])

    def descriptors(self) -> int:
        return len(os.listdir(f"/proc/{self.process.pid}/fd"))

    def memory(self) -> int:
        """Bytes that are its own: resident, without what it shares with files."""
        lines = Path(f"/proc/{self.process.pid}/status").read_text().splitlines()
        return next(int(line.split()[1]) << 10 for line in lines if line.startswith("RssAnon:"))

    def client(self, timeout: float = PATIENCE) -> socket.socket:
        kind = socket.SOCK_STREAM if self.protocol is Protocol.TCP else socket.SOCK_DGRAM
        sock = socket.socket(socket.AF_INET, kind)
        sock.settimeout(timeout)
        try:
            sock.connect(self.place)
        except OSError:
            sock.close()
            raise
        return sock

    def refuses(self) -> bool:
        """A new connection is reset; as early as within `connect`, it may be."""
        try:
            with self.client() as client:
                return is_reset(client)
        except ConnectionResetError:
            return True

    def close(self) -> None:
        if self.process.poll() is None:
            self.send(orders.stop())
        self.link.close()
        assert self.process.wait(PATIENCE) == 0
        self.socket.close()


@contextmanager
def relay(servers: dict[str, int], protocol: Protocol = Protocol.TCP, **terms: Any) -> Iterator[Relay]:
    made = Relay(servers, protocol, **terms)
    try:
        yield made
    finally:
        made.close()


@contextmanager
def listening(address: str = "127.0.0.1", *, backlog: int = 512) -> Iterator[socket.socket]:
    with socket.socket() as sock:
        sock.settimeout(PATIENCE)
        sock.bind((address, 0))
        sock.listen(backlog)
        yield sock


@contextmanager
def bound() -> Iterator[socket.socket]:
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as sock:
        sock.settimeout(PATIENCE)
        sock.bind(("127.0.0.1", 0))
        yield sock


def port(sock: socket.socket) -> int:
    return int(sock.getsockname()[1])


def accepted(sock: socket.socket) -> socket.socket:
    found, _ = sock.accept()
    found.settimeout(PATIENCE)
    return found


def all_of(sock: socket.socket) -> bytes:
    """Until its end."""
    found = bytearray()
    while data := sock.recv(1 << 16):
        found += data
    return bytes(found)


def is_reset(sock: socket.socket) -> bool:
    """It ends by a reset, and not in any other way."""
    try:
        while sock.recv(1 << 16):
            pass
    except ConnectionResetError:
        return True
    return False
