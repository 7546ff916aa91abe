from __future__ import annotations

import asyncio
import errno
from dataclasses import replace
from ipaddress import IPv4Address, IPv6Address, ip_address
from typing import TYPE_CHECKING
from unittest import mock

import pytest

from haman.model.checks import PingProbe, Source
from haman.probes import echo, kinds
from haman.probes.echo import EchoSocket
from haman.probes.equipment import Equipment
from haman.probes.outcome import Outcome
from haman.probes.question import Question
from tests.probes.support import ask, question

if TYPE_CHECKING:
    import socket

    from haman.model.addresses import Address
    from haman.probes.outcome import Result

PING = PingProbe()


def may_ping() -> bool:
    try:
        echo._open(six=False)[0].close()
    except PermissionError:
        return False
    return True


needs_icmp = pytest.mark.skipif(not may_ping(), reason="no ICMP socket without CAP_NET_RAW or ping_group_range")


def ping(address: str, timeout: float = 0.3) -> Question:
    return Question(ip_address(address), 0, PING, timeout, 1.0, 0.1, 0.0)


@needs_icmp
@pytest.mark.parametrize("address", ["127.0.0.1", "127.0.0.2", "::1"])
def test_a_living_machine_answers(address: str) -> None:
    result = asyncio.run(ask(ping(address)))
    assert (result.outcome, result.words, result.passed) == (Outcome.ECHOED, "echo reply", True)
    assert 0 < result.latency < 0.3


@needs_icmp
def test_many_share_one_socket_and_each_gets_its_own_answer() -> None:
    async def scenario() -> None:
        loop = asyncio.get_running_loop()
        equipment = Equipment(loop)
        addresses = [f"127.0.1.{number}" for number in range(1, 101)]
        answers = [loop.create_future() for _ in addresses]
        for address, answer in zip(addresses, answers, strict=True):
            kinds.prober(equipment, ping(address, timeout=3.0), answer.set_result).start()
        results: list[Result] = await asyncio.wait_for(asyncio.gather(*answers), 5)
        assert {result.outcome for result in results} == {Outcome.ECHOED}
        assert len(equipment._echoes) == 1
        assert equipment.echo(six=False)._waiting == {}
        equipment.close()

    asyncio.run(scenario())


@needs_icmp
def test_a_network_that_cannot_be_reached_has_a_name() -> None:
    """The kernel lets nobody ping a broadcast address without asking for it; to others a route is missing."""
    result = asyncio.run(ask(ping("255.255.255.255")))
    assert (result.outcome, result.words) == (Outcome.NOT_ALLOWED, "not allowed by this machine's firewall")


class Deaf:
    """An ICMP socket on which a test plays the network."""

    is_lost = False

    def __init__(self) -> None:
        self.waiting: dict[int, tuple[Address, object]] = {}

    def send(self, address: Address, heard: object) -> int:
        self.waiting[7] = (address, heard)
        return 7

    def forget(self, sequence: int) -> None:
        self.waiting.pop(sequence, None)

    def close(self) -> None:
        pass


class Unbound:
    """A socket whose interface is gone."""

    def __init__(self, real: socket.socket) -> None:
        self._real = real
        self.fileno, self.close, self.recvmsg = real.fileno, real.close, real.recvmsg

    def sendto(self, packet: bytes, to: tuple[str, int]) -> None:
        raise OSError(errno.ENODEV, "No such device")


@needs_icmp
def test_an_interface_that_was_removed_and_made_anew_is_used_again() -> None:
    async def scenario() -> list[Result]:
        loop = asyncio.get_running_loop()
        equipment = Equipment(loop)
        about = replace(ping("127.0.0.1"), source=Source(interface="lo"))
        bound = equipment.echo(six=False, source=about.source)
        bound._socket = Unbound(bound._socket)  # type: ignore[assignment]
        results = []
        for _ in range(2):
            answer: asyncio.Future[Result] = loop.create_future()
            kinds.prober(equipment, about, answer.set_result).start()
            results.append(await answer)
        equipment.close()
        return results

    first, second = asyncio.run(scenario())
    assert first.words == "not checked: the interface it is to leave by was removed"
    assert not first.conclusive
    assert second.outcome is Outcome.ECHOED


def test_silence_ends_at_the_timeout() -> None:
    async def scenario() -> Result:
        equipment = Equipment(asyncio.get_running_loop())
        deaf = Deaf()
        equipment._echoes[False, None] = deaf  # type: ignore[assignment]
        result = await ask(ping("10.9.9.9", timeout=0.1), equipment)
        assert deaf.waiting == {}, "nothing is kept for who does not answer"
        return result

    result = asyncio.run(scenario())
    assert (result.outcome, result.words) == (Outcome.TIMEOUT_ECHO, "no echo reply within the timeout: 0.1 s")
    assert 0.1 <= result.latency < 0.5


def test_without_permission_nothing_is_said_about_the_server(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(echo, "_open", mock.Mock(side_effect=PermissionError(errno.EPERM, "no")))

    async def scenario() -> list[Result]:
        results: list[Result] = []
        equipment = Equipment(asyncio.get_running_loop())
        prober = kinds.prober(equipment, ping("127.0.0.1"), results.append)
        prober.start()
        prober.start()
        equipment.close()
        return results

    first, second = asyncio.run(scenario())
    assert first.outcome is second.outcome is Outcome.NO_ICMP
    assert not first.conclusive
    assert "CAP_NET_RAW" in first.words


@needs_icmp
def test_packets_that_are_not_the_answer_are_passed_over() -> None:
    """From another source, with another token, of another number: the wait goes on."""

    async def scenario() -> None:
        equipment = Equipment(asyncio.get_running_loop())
        heard: list[int] = []
        socket = EchoSocket(equipment.watcher, six=True)
        sequence = socket.send(IPv6Address("::1"), heard.append)
        number = sequence.to_bytes(2, "big")
        good = bytes.fromhex("8100 0000") + socket._identifier.to_bytes(2, "big") + number + socket._token
        socket._received(good, "::2")
        socket._received(good[:-1] + b"x", "::1")
        socket._received(good[:6] + b"\xff\xff" + good[8:], "::1")
        assert heard == []
        socket._received(good, "::1")
        socket._received(good, "::1")
        assert heard == [0], "once, however often it comes"
        socket.close()
        equipment.close()

    asyncio.run(scenario())


def test_a_ping_has_no_port() -> None:
    from haman.model.checks import Check
    from haman.model.services import Server, Target

    server = Server(name="rs1", address=IPv4Address("10.0.0.11"))
    check = Check(name="alive", probe=PING)
    web, mail = (Question.about(Target("x", "rs1", port), server, check) for port in (80, 25))
    assert web == mail, "two services share one ping"
    assert question(80).port == 80
