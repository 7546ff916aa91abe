from __future__ import annotations

import asyncio
import socket
import time
from typing import Any

import pytest

from haman.model.checks import UdpProbe
from haman.probes.outcome import Outcome
from tests.probes.datagrams import replying
from tests.probes.support import ask, question


def saying(*answers: bytes) -> Any:
    def behaviour(data: bytes, source: tuple[str, int], server: socket.socket) -> None:
        for answer in answers:
            server.sendto(answer, source)

    return behaviour


@pytest.mark.parametrize(
    ("probe", "answer", "outcome", "words"),
    [
        (UdpProbe(send=b"x"), b"", Outcome.ANSWERED, "answered"),
        (UdpProbe(send=b"x", prefix=b"\xff\x49"), b"\xff\x49abc", Outcome.ANSWERED, "answered"),
        (
            UdpProbe(send=b"x", prefix=b"\xff\x49"),
            b"\xff\x48abc",
            Outcome.BAD_ANSWER,
            "not the expected answer: 5 bytes, '\\xffHabc'",
        ),
        (UdpProbe(send=b"x", expect="players: [0-9]+"), b"..players: 7", Outcome.ANSWERED, "answered"),
        (
            UdpProbe(send=b"x", expect="players: [0-9]+"),
            b"players: none",
            Outcome.BAD_ANSWER,
            "not the expected answer: 13 bytes, 'players: none'",
        ),
    ],
)
def test_answers(probe: UdpProbe, answer: bytes, outcome: Outcome, words: str) -> None:
    with replying(saying(answer)) as port:
        result = asyncio.run(ask(question(port, probe)))
    assert (result.outcome, result.words) == (outcome, words)


def test_what_is_sent() -> None:
    seen: list[bytes] = []

    def note(data: bytes, source: tuple[str, int], server: socket.socket) -> None:
        seen.append(data)
        server.sendto(b"ok", source)

    with replying(note) as port:
        asyncio.run(ask(question(port, UdpProbe(send=b"\x00\xff hello"))))
    assert seen == [b"\x00\xff hello"]


@pytest.mark.parametrize("required", [True, False])
def test_a_closed_port_is_told_at_once(required: bool) -> None:
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as bound:
        bound.bind(("127.0.0.1", 0))
        port = bound.getsockname()[1]
    result = asyncio.run(ask(question(port, UdpProbe(send=b"x", require_reply=required), timeout=3.0)))
    assert (result.outcome, result.words) == (Outcome.PORT_UNREACHABLE, "port unreachable: nobody listens")
    assert result.latency < 1.0


def test_silence() -> None:
    with replying(saying()) as port:
        strict = asyncio.run(ask(question(port, UdpProbe(send=b"x"), timeout=0.1)))
        lenient = asyncio.run(ask(question(port, UdpProbe(send=b"x", require_reply=False), timeout=0.1)))
    assert (strict.outcome, strict.words) == (Outcome.TIMEOUT_ANSWER, "no answer within the timeout: 0.1 s")
    assert (lenient.outcome, lenient.words) == (Outcome.SILENT, "no answer, and none is required: 0.1 s")
    assert lenient.passed
    assert not strict.passed


def test_an_answer_is_welcome_although_none_is_required() -> None:
    with replying(saying(b"ok")) as port:
        result = asyncio.run(ask(question(port, UdpProbe(send=b"x", require_reply=False), timeout=3.0)))
    assert result.outcome is Outcome.ANSWERED
    assert result.latency < 1.0


def test_an_answer_from_another_address_is_passed_over_and_named() -> None:
    def elsewhere(data: bytes, source: tuple[str, int], server: socket.socket) -> None:
        with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as other:
            other.bind(("127.0.0.9", 5353))
            other.sendto(b"ok", source)
            other.sendto(b"ok", source)

    with replying(elsewhere) as port:
        result = asyncio.run(ask(question(port, UdpProbe(send=b"x"), timeout=0.2)))
    assert (result.outcome, result.words) == (
        Outcome.TIMEOUT_ANSWER,
        "no answer within the timeout: 0.2 s; passed over: 2 from 127.0.0.9 port 5353",
    )


def test_a_flood_from_strangers_neither_ends_the_check_nor_fills_anything() -> None:
    """Hundreds from a hundred ports: the right answer, which comes among them, counts."""

    def flood(data: bytes, source: tuple[str, int], server: socket.socket) -> None:
        for number in range(100):
            with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as other:
                other.bind((f"127.0.1.{number + 1}", 0))
                other.sendto(b"x", source)
        time.sleep(0.05)
        server.sendto(b"ok", source)

    with replying(flood) as port:
        result = asyncio.run(ask(question(port, UdpProbe(send=b"x", prefix=b"ok"), timeout=3.0)))
    assert result.outcome is Outcome.ANSWERED


def test_the_largest_datagram_is_read_whole() -> None:
    with replying(saying(b"x" * 65503 + b"end")) as port:
        result = asyncio.run(ask(question(port, UdpProbe(send=b"x", expect="end$"), timeout=2.0)))
    assert result.outcome is Outcome.ANSWERED
