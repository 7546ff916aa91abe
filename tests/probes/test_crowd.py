"""Hundreds of bad servers at once: every check ends in its time and by its name, and nothing grows."""

from __future__ import annotations

import asyncio
import os
import socket
import time
from contextlib import ExitStack
from typing import TYPE_CHECKING

from haman.model.checks import DnsProbe, HttpProbe, Probe, Tls, UdpProbe
from haman.probes.budget import Budget
from haman.probes.outcome import Outcome
from haman.probes.scheduler import Scheduler
from haman.probes.sockets import KEPT
from tests.probes.datagrams import replying
from tests.probes.support import answering, question, read_request, serving
from tests.probes.tls_server import CA, EXPIRED, NAME, secured

if TYPE_CHECKING:
    from collections.abc import Callable

    from haman.probes.outcome import Result
    from haman.probes.question import Question

TIMEOUT = 2.0
HTTP = HttpProbe(expect="never")
HTTPS = HttpProbe(expect="never", tls=Tls(server_name=NAME, ca=CA))


def flood_head(connection: socket.socket) -> None:
    read_request(connection)
    connection.sendall(b"HTTP/1.1 200 OK\r\n")
    while True:
        connection.sendall(b"X-More: of the same\r\n" * 50)


def flood_body(connection: socket.socket) -> None:
    read_request(connection)
    connection.sendall(b"HTTP/1.1 200 OK\r\n\r\n")
    while True:
        connection.sendall(bytes(65536))


def flood_chunks(connection: socket.socket) -> None:
    read_request(connection)
    connection.sendall(b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n")
    while True:
        connection.sendall(b"1;" + b"x" * 200 + b"\r\ny\r\n")


def drip(connection: socket.socket) -> None:
    read_request(connection)
    while True:
        connection.sendall(b"H")
        time.sleep(0.05)


def reset(connection: socket.socket) -> None:
    connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, b"\x01\x00\x00\x00\x00\x00\x00\x00")
    read_request(connection)
    connection.sendall(b"HTTP/1.1 200 OK\r\n")


def garbage(connection: socket.socket) -> None:
    connection.recv(4096)
    connection.sendall(os.urandom(1000))
    connection.recv(1)


def hang(connection: socket.socket) -> None:
    connection.recv(65536)
    connection.recv(1)


def strangers(data: bytes, source: tuple[str, int], server: socket.socket) -> None:
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as other:
        other.bind(("127.0.0.9", 0))
        for _ in range(20):
            other.sendto(data, source)


BAD: list[tuple[str, Probe, Callable[..., None], set[Outcome]]] = [
    ("hangs", HTTP, answering(), {Outcome.TIMEOUT_RESPONSE}),
    ("a byte at a time", HTTP, drip, {Outcome.BAD_RESPONSE, Outcome.TIMEOUT_RESPONSE}),
    ("endless head", HTTP, flood_head, {Outcome.TOO_LARGE}),
    ("endless body", HTTP, flood_body, {Outcome.BAD_BODY}),
    ("endless chunks", HTTP, flood_chunks, {Outcome.BAD_BODY, Outcome.TIMEOUT_RESPONSE}),
    ("reset", HTTP, reset, {Outcome.RESET}),
    ("garbage", HTTP, garbage, {Outcome.BAD_RESPONSE}),
    ("no handshake", HTTPS, hang, {Outcome.TIMEOUT_TLS}),
    ("garbage for TLS", HTTPS, garbage, {Outcome.BAD_TLS}),
    ("expired", HTTPS, answering(), {Outcome.BAD_CERTIFICATE}),
    ("DNS over TCP hangs", DnsProbe(name="x", type=1, tcp=True), hang, {Outcome.TIMEOUT_RESPONSE}),
]


def test_a_crowd_of_bad_servers() -> None:
    with ExitStack() as servers:
        expected: dict[Question, set[Outcome]] = {}
        for name, probe, behaviour, outcomes in BAD:
            start = secured(behaviour, EXPIRED) if name == "expired" else serving(behaviour)
            port = servers.enter_context(start)
            for copy in range(8):  # the interval makes them different questions
                expected[question(port, probe, timeout=TIMEOUT, interval=1.0 + copy)] = outcomes
        port = servers.enter_context(replying(strangers))
        for copy in range(8):
            for udp in (UdpProbe(send=b"x"), DnsProbe(name="x", type=1)):
                about = question(port, udp, timeout=TIMEOUT, interval=1.0 + copy)
                expected[about] = {Outcome.TIMEOUT_ANSWER}
        seen = asyncio.run(crowd(list(expected), rounds=3))
    for about, results in seen.items():
        assert {result.outcome for result in results} <= expected[about], about.probe
        assert all(result.latency < TIMEOUT + 5.0 for result in results)


async def crowd(questions: list[Question], rounds: int) -> dict[Question, list[Result]]:
    """Ask them all so often. Descriptors stay within the budget, and go back to what they were."""
    loop = asyncio.get_running_loop()
    budget = Budget(40)
    seen: dict[Question, list[Result]] = {about: [] for about in questions}
    finished: asyncio.Future[None] = loop.create_future()
    before = descriptors()
    most = 0

    def answered(about: Question, due: float, result: Result, now: float) -> float:
        nonlocal most
        most = max(most, budget.used + 1)
        seen[about].append(result)
        if min(map(len, seen.values())) >= rounds and not finished.done():
            finished.set_result(None)
        return now if len(seen[about]) < rounds else now + 60.0

    scheduler = Scheduler(loop, budget, answered)
    for about in questions:
        scheduler.add(about, loop.time())
    await asyncio.wait_for(finished, 60)
    assert len(scheduler._watcher._calls) <= KEPT, "nothing is waited for any more"
    scheduler.close()
    assert most <= 40
    assert budget.used == 0
    async with asyncio.timeout(60):  # the servers are threads of this process, and close when they notice
        while descriptors() > before:
            await asyncio.sleep(0.02)
    return seen


def descriptors() -> int:
    return len(os.listdir("/proc/self/fd"))
