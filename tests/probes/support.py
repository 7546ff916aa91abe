"""Real servers on loopback, most of them bad, and one check against each."""

from __future__ import annotations

import asyncio
import socket
import threading
from contextlib import contextmanager, suppress
from ipaddress import IPv4Address
from typing import TYPE_CHECKING

from haman.model.checks import HttpProbe, Probe, TcpProbe
from haman.probes import kinds
from haman.probes.equipment import Equipment
from haman.probes.question import Question

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from haman.probes.outcome import Result

HTTP = HttpProbe(path="/healthz", host="www.example.net", statuses=((200, 299), (301, 301)))


def question(
    port: int, probe: Probe | None = None, *, timeout: float = 0.3, interval: float = 1.0, host: str = "127.0.0.1"
) -> Question:
    return Question(IPv4Address(host), port, probe or TcpProbe(), timeout, interval, 0.1, 0.0)


async def ask(about: Question, equipment: Equipment | None = None) -> Result:
    """One check, as the scheduler makes it."""
    loop = asyncio.get_running_loop()
    answer: asyncio.Future[Result] = loop.create_future()
    own = equipment or Equipment(loop)
    kinds.prober(own, about, answer.set_result).start()
    try:
        return await answer
    finally:
        own.close()


@contextmanager
def serving(behaviour: Callable[[socket.socket], None]) -> Iterator[int]:
    """A threaded server on a port of its own; `behaviour` gets each accepted connection. Gives the port."""
    listener = socket.create_server(("127.0.0.1", 0))
    stop = threading.Event()
    threads: list[threading.Thread] = []

    def talk(connection: socket.socket) -> None:
        with connection, suppress(OSError):  # the check has hung up, as it may
            behaviour(connection)

    def accept() -> None:
        while True:
            connection, _ = listener.accept()
            if stop.is_set():
                connection.close()
                return
            threads.append(threading.Thread(target=talk, args=(connection,), daemon=True))
            threads[-1].start()

    acceptor = threading.Thread(target=accept, daemon=True)
    acceptor.start()
    port = listener.getsockname()[1]
    try:
        yield port
    finally:
        stop.set()
        with socket.create_connection(("127.0.0.1", port)):
            acceptor.join()
        listener.close()
        for thread in threads:
            thread.join(10)


def read_request(connection: socket.socket) -> bytes:
    data = b""
    while b"\r\n\r\n" not in data:
        more = connection.recv(4096)
        if not more:
            break
        data += more
    return data


def answering(*pieces: bytes) -> Callable[[socket.socket], None]:
    """Reads the request, sends the pieces one after the other, then waits until the client hangs up."""

    def behaviour(connection: socket.socket) -> None:
        connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        read_request(connection)
        for piece in pieces:
            connection.sendall(piece)
        connection.recv(1)

    return behaviour
