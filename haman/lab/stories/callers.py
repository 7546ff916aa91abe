"""Clients of a story. Those that ask once are calls from the lab's own process, made on the client's host; those that
run on are the lab's small programs, whose recordings are read as in the failover drills.
"""

from __future__ import annotations

import http.client
import socket
from collections import Counter
from typing import TYPE_CHECKING, Generic

from haman.lab.records import Chunk, Claim, Record, Recording, Request, Short
from haman.lab.waiting import until
from haman.lab.workload import REAL_TIME, START, program

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from haman.lab.hosts import Host

HANG = 15.0
WITHIN = 2.0
"""Seconds an answer may take before it counts as none: a starved machine is slow, a lost packet is lost for ever."""


def page(host: Host, address: str, port: int = 80, path: str = "/", source: str = "", within: float = WITHIN) -> str:
    """What a web server answers to GET, without the space around it; empty when it does not answer with 200.
    source: one of the host's own addresses."""
    return host.call(_page, address, port, path, source, within)


def _page(address: str, port: int, path: str, source: str, within: float) -> str:
    own = (source, 0) if source else None
    connection = http.client.HTTPConnection(address, port, timeout=within, source_address=own)
    try:
        connection.request("GET", path, headers={"Connection": "close"})
        response = connection.getresponse()
        body = response.read().decode().strip()
        return body if response.status == http.client.OK else ""
    except (OSError, http.client.HTTPException):
        return ""
    finally:
        connection.close()


def pages(host: Host, address: str, count: int, port: int = 80) -> Counter[str]:
    """So many requests, each on its own connection: who answered how often; "" counts those that nobody did."""
    return Counter(page(host, address, port) for _ in range(count))


def datagrams(host: Host, address: str, port: int, count: int, within: float = WITHIN) -> Counter[str]:
    """So many UDP requests, each from a port of its own: who answered how often; "" counts those that nobody did."""
    return host.call(_datagrams, address, port, count, within)


def _datagrams(address: str, port: int, count: int, within: float) -> Counter[str]:
    family = socket.AF_INET6 if ":" in address else socket.AF_INET
    found: Counter[str] = Counter()
    for number in range(count):
        with socket.socket(family, socket.SOCK_DGRAM) as sock:
            sock.settimeout(within)
            try:
                sock.connect((address, port))
                sock.send(number.to_bytes(8, "big"))
                found[sock.recv(64)[8:].decode()] += 1
            except OSError:
                found[""] += 1
    return found


class Asker:
    """A UDP client that keeps its port: one socket, one question after the other. within: seconds an answer may
    take."""

    def __init__(self, host: Host, address: str, port: int, within: float = WITHIN) -> None:
        self._socket: socket.socket = host.call(socket.socket, socket.AF_INET, socket.SOCK_DGRAM)
        self._socket.settimeout(within)
        self._socket.connect((address, port))

    def ask(self) -> str:
        """Who answered; empty for nobody."""
        try:
            self._socket.send(b"question")
            return self._socket.recv(64)[8:].decode()
        except OSError:
            return ""

    def close(self) -> None:
        self._socket.close()


def refused(host: Host, address: str, port: int) -> bool:
    """Whether a TCP client is told at once that nobody serves; not if it is answered, and not if it hears nothing."""
    return host.call(_refused, address, port)


def _refused(address: str, port: int) -> bool:
    try:
        with socket.create_connection((address, port), timeout=WITHIN):
            return False
    except ConnectionRefusedError:
        return True
    except OSError:
        return False


class Caller(Generic[Record]):
    """A program of the lab on a client, and what it has recorded so far."""

    def __init__(self, host: Host, name: str, out: Path, kind: Callable[..., Record], *arguments: str | float) -> None:
        self._recording: Recording[Record] = Recording(out, kind)
        out.unlink(missing_ok=True)
        command = program(name, *arguments, "--out", str(out))
        self._process = host.spawn(*command, log=out.with_suffix(".log"))
        until(f"{name} on {host.name}", self._marked, START)

    def _marked(self) -> bool:
        self._recording.read()
        return bool(self._recording.marks)

    def records(self) -> list[Record]:
        self._recording.read()
        return list(self._recording.records)

    def covered(self, time: float) -> list[Record]:
        """All that began before `time` (monotonic), once its fate is known."""

        def known() -> bool:
            self._recording.read()
            return self._recording.covered >= time

        until("the records", known, START)
        return list(self._recording.records)

    def mark(self, name: str) -> int:
        """A counter the client wrote with its last records."""
        self._recording.read()
        return int(self._recording.marks[-1].get(name, 0))

    def stop(self) -> list[Record]:
        self._process.stop()
        return self.records()


def streams(host: Host, work: Path, address: str, port: int, count: int, limit: float = HANG) -> Caller[Chunk]:
    """So many long downloads (`measure.downloads` counts those that were kept); returns once all of them run.
    limit: seconds without a chunk after which one is lost, and another one begins."""
    arguments = ("--address", address, "--port", port, "--streams", count, "--limit", limit)
    caller = Caller(host, "download_client", work / f"streams-{host.name}-{port}", Chunk, *arguments)
    until(f"{count} downloads to run", lambda: caller.mark("streams") == count, START)
    return caller


def shorts(host: Host, work: Path, address: str, *ports: int, own: int = 0) -> Caller[Short]:
    """20 short TCP requests a second (`measure.shorts` counts them). own: the first of the client's own ports, each of
    which is used once, in turn; 0 lets the kernel choose."""
    arguments = [word for port in ports for word in ("--port", port)]
    name = work / f"shorts-{host.name}"
    return Caller(host, "tcp_client", name, Short, "--address", address, "--own", own, *arguments)


def requests(host: Host, work: Path, address: str, port: int, sources: str, rate: int = 1000) -> Caller[Request]:
    """UDP requests, `rate` a second, every other one from another address of the prefix `sources`, which is made the
    host's own: others have to have a route to it (`measure.answered` counts them)."""
    host.ip(f"route replace local {sources} dev lo")
    arguments = ("--address", address, "--port", port, "--sources", sources, "--rate", rate, "--real-time", REAL_TIME)
    return Caller(host, "udp_client", work / f"requests-{host.name}", Request, *arguments)


def arp(host: Host, work: Path, own: str, vip: str, interface: str = "eth0") -> Caller[Claim]:
    """ "Who has the VIP?" a thousand times a second (`measure.ownership`); returns once somebody has answered."""
    arguments = ("--interface", interface, "--own", own, "--vip", vip, "--real-time", REAL_TIME)
    caller = Caller(host, "arp_prober", work / f"arp-{host.name}-{vip}", Claim, *arguments)
    until("somebody to answer for the VIP", caller.records, START)
    return caller
