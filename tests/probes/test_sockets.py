"""A socket that is used again is as good as a new one: by what the servers see of it."""

from __future__ import annotations

import asyncio
import os
import socket
from typing import TYPE_CHECKING

import pytest

from haman.model.checks import HttpProbe, TcpProbe
from haman.probes import kinds, sockets
from haman.probes.equipment import Equipment
from haman.probes.outcome import Outcome
from tests.probes.support import HTTP, answering, question, read_request, serving

if TYPE_CHECKING:
    from haman.probes.outcome import Result
    from haman.probes.question import Question


async def ask(equipment: Equipment, about: Question) -> Result:
    answer: asyncio.Future[Result] = asyncio.get_running_loop().create_future()
    kinds.prober(equipment, about, answer.set_result).start()
    return await answer


def in_turn(*questions: Question) -> tuple[list[Result], int]:
    """The answers to these, asked one after the other with one set of sockets, and how many sockets that took."""

    async def scenario() -> tuple[list[Result], int]:
        equipment = Equipment(asyncio.get_running_loop())
        results = [await ask(equipment, about) for about in questions]
        kept = sum(map(len, equipment.sockets._free.values()))
        equipment.close()
        return results, kept

    return asyncio.run(scenario())


def test_one_socket_for_many_checks_each_with_a_connection_and_a_port_of_its_own() -> None:
    with socket.create_server(("127.0.0.1", 0)) as listener:
        port = listener.getsockname()[1]
        results, kept = in_turn(*[question(port)] * 20)
        seen = set()
        for _ in results:
            connection, source = listener.accept()
            with connection, pytest.raises(ConnectionResetError):
                connection.recv(1)
            seen.add(source)
    assert {result.outcome for result in results} == {Outcome.CONNECTED}
    assert kept == 1
    assert len(seen) > 10


def test_after_every_end_of_a_connection_the_next_one_is_whole() -> None:
    """Refused, reset, closed, timed out, endless: the good server is asked after each and answers."""

    def reset(connection: socket.socket) -> None:
        connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, b"\x01\x00\x00\x00\x00\x00\x00\x00")
        read_request(connection)

    def flood(connection: socket.socket) -> None:
        read_request(connection)
        connection.sendall(b"HTTP/1.1 200 OK\r\n\r\n")
        while True:
            connection.sendall(bytes(65536))

    def garbage(connection: socket.socket) -> None:
        connection.sendall(b"HTTP/1.1 500 of another connection\r\n\r\n" * 100)
        read_request(connection)

    with (
        serving(answering(b"HTTP/1.1 200 OK\r\n\r\n")) as good,
        serving(reset) as resets,
        serving(flood) as floods,
        serving(read_request) as closes,  # type: ignore[arg-type]
        serving(answering()) as hangs,
        serving(garbage) as speaks_first,
        socket.socket() as bound,
    ):
        bound.bind(("127.0.0.1", 0))
        refuses = bound.getsockname()[1]
        asked = []
        for port in (refuses, resets, floods, closes, hangs, speaks_first):
            asked += [question(port, HTTP, timeout=0.2), question(port), question(good, HTTP, timeout=2.0)]
        results, _ = in_turn(*asked)
    assert {result.outcome for result in results[2::3]} == {Outcome.GOOD_STATUS}
    assert [result.outcome for result in results[0::3]] == [
        Outcome.REFUSED,
        Outcome.RESET,
        Outcome.GOOD_STATUS,
        Outcome.CLOSED,
        Outcome.TIMEOUT_RESPONSE,
        Outcome.BAD_STATUS,
    ]


def test_a_connection_that_the_kernel_refuses_at_once() -> None:
    """The socket was never waited for; it can be used again all the same."""
    with socket.create_server(("127.0.0.1", 0)) as listener:
        nowhere = question(80, host="127.255.255.255")
        here = question(listener.getsockname()[1])
        results, kept = in_turn(nowhere, here, nowhere, nowhere, here)
    assert [result.outcome for result in results] == [
        Outcome.UNREACHABLE,
        Outcome.CONNECTED,
        Outcome.UNREACHABLE,
        Outcome.UNREACHABLE,
        Outcome.CONNECTED,
    ]
    assert kept == 1


def test_families_have_sockets_of_their_own() -> None:
    from ipaddress import IPv6Address

    with (
        socket.create_server(("::1", 0), family=socket.AF_INET6) as six,
        socket.create_server(("127.0.0.1", 0)) as four,
    ):
        from haman.probes.question import Question

        over_six = Question(IPv6Address("::1"), six.getsockname()[1], TcpProbe(), 1.0, 1.0, 0.1, 0.0)
        over_four = question(four.getsockname()[1])
        results, kept = in_turn(over_six, over_four, over_six, over_four)
    assert {result.outcome for result in results} == {Outcome.CONNECTED}
    assert kept == 2


def test_no_more_than_a_few_are_kept_and_all_are_closed(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sockets, "KEPT", 3)

    async def scenario(port: int) -> None:
        before = len(os.listdir("/proc/self/fd"))
        equipment = Equipment(asyncio.get_running_loop())
        await asyncio.gather(*[ask(equipment, question(port, timeout=2.0)) for _ in range(10)])
        assert len(equipment.sockets._free[socket.AF_INET]) == 3
        assert len(equipment.watcher._calls) == 3
        equipment.close()
        assert len(os.listdir("/proc/self/fd")) <= before

    with socket.create_server(("127.0.0.1", 0), backlog=50) as listener:
        asyncio.run(scenario(listener.getsockname()[1]))


def test_a_socket_that_waits_for_somebody_silent_is_closed() -> None:
    with serving(answering()) as port:
        results, kept = in_turn(question(port, HttpProbe(), timeout=0.1))
    assert results[0].outcome is Outcome.TIMEOUT_RESPONSE
    assert kept == 0
