"""What both check types share: every end of a connection has its name, in time, without an exception."""

from __future__ import annotations

import asyncio
import errno
import resource
import socket
import time
from ipaddress import IPv4Address, IPv6Address, ip_address
from typing import TYPE_CHECKING
from unittest import mock

import pytest

from haman.model.checks import Probe, TcpProbe
from haman.probes import kinds, sockets
from haman.probes.equipment import Equipment
from haman.probes.outcome import Outcome, of_error
from haman.probes.question import Question
from tests.probes.support import HTTP, answering, ask, question, serving

if TYPE_CHECKING:
    from collections.abc import Iterator

    from haman.probes.outcome import Result

BOTH = pytest.mark.parametrize("probe", [TcpProbe(), HTTP], ids=["tcp", "http"])


@BOTH
def test_closed_port_is_refused(probe: Probe) -> None:
    with socket.socket() as bound:
        bound.bind(("127.0.0.1", 0))
        result = asyncio.run(ask(question(bound.getsockname()[1], probe)))
    assert (result.outcome, result.words) == (Outcome.REFUSED, "connection refused")
    assert not result.passed
    assert result.conclusive


@BOTH
def test_no_route_is_unreachable(probe: Probe) -> None:
    """The kernel refuses TCP to a broadcast address at once, whatever the machine's routes are."""
    result = asyncio.run(ask(question(80, probe, host="127.255.255.255")))
    assert (result.outcome, result.words) == (Outcome.UNREACHABLE, "unreachable: network is unreachable")


@pytest.fixture
def deaf_port() -> Iterator[int]:
    """A listener whose queue is full: the kernel drops further SYNs."""
    with socket.socket() as listener, socket.socket() as one, socket.socket() as two:
        listener.bind(("127.0.0.1", 0))
        listener.listen(0)
        for filler in (one, two):
            filler.setblocking(False)
            filler.connect_ex(listener.getsockname())
        time.sleep(0.05)  # both handshakes are the kernel's work alone
        yield listener.getsockname()[1]


@BOTH
def test_silence_instead_of_a_connection(probe: Probe, deaf_port: int) -> None:
    result = asyncio.run(ask(question(deaf_port, probe, timeout=0.2)))
    assert (result.outcome, result.words) == (
        Outcome.TIMEOUT_CONNECT,
        "no connection within the timeout: 0.2 s",
    )
    assert 0.2 <= result.latency < 1.0


@BOTH
def test_no_descriptors_says_nothing_about_the_server(probe: Probe) -> None:
    async def starved() -> Result:
        soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
        equipment = Equipment(asyncio.get_running_loop())
        with socket.socket() as highest:
            resource.setrlimit(resource.RLIMIT_NOFILE, (highest.fileno() + 1, hard))
            try:
                return await ask(question(80, probe), equipment)
            finally:
                resource.setrlimit(resource.RLIMIT_NOFILE, (soft, hard))

    result = asyncio.run(starved())
    assert result.outcome is Outcome.NO_DESCRIPTORS
    assert not result.conclusive
    assert not result.passed


@pytest.mark.parametrize(
    ("code", "outcome", "conclusive"),
    [
        (errno.EHOSTUNREACH, Outcome.UNREACHABLE, True),
        (errno.EHOSTDOWN, Outcome.UNREACHABLE, True),
        (errno.ECONNRESET, Outcome.RESET, True),
        (errno.EPERM, Outcome.NOT_ALLOWED, True),
        (errno.EINVAL, Outcome.OTHER_ERROR, True),
        (errno.EADDRNOTAVAIL, Outcome.NO_RESOURCES, False),
        (errno.ENOBUFS, Outcome.NO_RESOURCES, False),
        (errno.ENFILE, Outcome.NO_DESCRIPTORS, False),
    ],
)
def test_error_numbers(code: int, outcome: Outcome, conclusive: bool) -> None:
    result = of_error(code, 0.0)
    assert (result.outcome, result.conclusive, result.passed) == (outcome, conclusive, False)


def test_connected_says_how_long_it_took() -> None:
    with serving(lambda connection: None) as port:
        result = asyncio.run(ask(question(port)))
    assert (result.outcome, result.words, result.passed) == (Outcome.CONNECTED, "connected", True)
    assert 0 < result.latency < 0.3


@pytest.mark.parametrize(("address", "family"), [("127.0.0.1", socket.AF_INET), ("::1", socket.AF_INET6)])
def test_a_connection_with_oneself_is_none(address: str, family: int) -> None:
    async def scenario() -> Result:
        equipment = Equipment(asyncio.get_running_loop())
        bound = sockets.new(family)
        bound.bind((address, 0))
        equipment.sockets.give(bound, family)
        about = Question(ip_address(address), bound.getsockname()[1], TcpProbe(), 0.3, 1.0, 0.1, 0.0)
        return await ask(about, equipment)

    assert asyncio.run(scenario()).outcome is Outcome.REFUSED


def test_ipv6() -> None:
    listener = socket.create_server(("::1", 0), family=socket.AF_INET6)
    with listener:
        about = Question(IPv6Address("::1"), listener.getsockname()[1], TcpProbe(), 0.3, 1.0, 0.1, 0.0)
        assert asyncio.run(ask(about)).outcome is Outcome.CONNECTED


def test_the_connection_ends_by_reset_and_leaves_no_time_wait() -> None:
    with socket.create_server(("127.0.0.1", 0)) as listener:
        port = listener.getsockname()[1]
        assert asyncio.run(ask(question(port))).outcome is Outcome.CONNECTED
        accepted, _ = listener.accept()
        with accepted, pytest.raises(ConnectionResetError):
            accepted.recv(1)
    with open("/proc/net/tcp") as table:
        states = [fields[3] for fields in map(str.split, table) if f"{port:04X}" in (fields[1] + fields[2])]
    assert "06" not in states, "06 is TIME_WAIT"


def test_our_own_stall_is_not_the_servers_silence() -> None:
    """The answer came while this loop was stalled for longer than the timeout: it is read, not condemned."""

    async def stalled(port: int) -> Result:
        loop = asyncio.get_running_loop()
        loop.call_soon(time.sleep, 0.5)
        return await ask(question(port, HTTP, timeout=0.2))

    with serving(answering(b"HTTP/1.1 200 OK\r\n\r\n")) as port:
        assert asyncio.run(stalled(port)).outcome is Outcome.GOOD_STATUS


def test_a_stall_is_given_back_only_once() -> None:
    """A hanging server is found out although the loop stalls at both deadlines."""

    async def stalled(port: int) -> Result:
        loop = asyncio.get_running_loop()
        loop.call_later(0.05, time.sleep, 0.3)
        loop.call_later(0.40, time.sleep, 0.4)
        loop.call_later(0.85, time.sleep, 1.0)
        return await asyncio.wait_for(ask(question(port, HTTP, timeout=0.1)), 3)

    with serving(answering()) as port:
        result = asyncio.run(stalled(port))
    assert result.outcome is Outcome.TIMEOUT_RESPONSE
    assert result.latency < 1.5


def test_abandon_gives_no_result_and_no_descriptor_stays_open() -> None:
    async def scenario() -> None:
        equipment = Equipment(asyncio.get_running_loop())
        done = mock.Mock()
        with serving(answering()) as port:
            attempt = kinds.prober(equipment, question(port, HTTP, timeout=0.1), done)
            attempt.start()
            attempt.abandon()
            await asyncio.sleep(0.2)  # longer than its timeout
        done.assert_not_called()
        equipment.close()

    asyncio.run(scenario())


def test_the_address_asked_is_the_servers_own() -> None:
    assert question(80).address == IPv4Address("127.0.0.1")
