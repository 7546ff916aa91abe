from __future__ import annotations

import asyncio
import socket
import time
from ipaddress import IPv6Address

import pytest
from hypothesis import given
from hypothesis import strategies as st

from haman import __version__
from haman.model.cluster import HttpProbe
from haman.probes.http import LIMIT, judge, request
from haman.probes.outcome import Outcome
from haman.probes.question import Question
from tests.probes.support import HTTP, answering, ask, question, read_request, serving

RANGES = ((200, 299), (301, 301))


@pytest.mark.parametrize(
    ("pieces", "outcome", "words"),
    [
        ([b"HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n"], Outcome.GOOD_STATUS, "good status: 200 OK"),
        ([b"HTTP/1.0 204\r\n\r\n"], Outcome.GOOD_STATUS, "good status: 204"),
        ([b"HTTP/1.1 301 Moved\r\n\r\n"], Outcome.GOOD_STATUS, "good status: 301 Moved"),
        ([b"HTTP/1.1 200 OK\n\n"], Outcome.GOOD_STATUS, "good status: 200 OK"),
        ([b"HTT", b"P/1.1 2", b"00 OK\r", b"\n\r", b"\n"], Outcome.GOOD_STATUS, "good status: 200 OK"),
        ([b"HTTP/1.1 103 Early Hints\r\n\r\nHTTP/1.1 200 OK\r\n\r\n"], Outcome.GOOD_STATUS, "good status: 200 OK"),
        ([b"HTTP/1.1 503 Service Unavailable\r\n\r\n"], Outcome.BAD_STATUS, "bad status: 503 Service Unavailable"),
        ([b"HTTP/1.1 302 Found\r\n\r\n"], Outcome.BAD_STATUS, "bad status: 302 Found"),
        ([b"HTTP/1.1 101 Switching Protocols\r\n\r\n"], Outcome.BAD_STATUS, "bad status: 101 Switching Protocols"),
        ([b"HTTP/1.1 500 \x1b[2Jx\r\n\r\n"], Outcome.BAD_STATUS, "bad status: 500 ?[2Jx"),
        ([b"SSH-2.0-OpenSSH_9.2\r\n"], Outcome.BAD_RESPONSE, "not an HTTP answer: 'SSH-2.0-OpenSSH_9.2\\r\\n'"),
        ([b"HTTP/1.1 abc\r\n\r\n"], Outcome.BAD_RESPONSE, "not an HTTP answer: 'HTTP/1.1 abc\\r\\n\\r\\n'"),
        ([b"HTTP/2.0 200 OK\r\n\r\n"], Outcome.BAD_RESPONSE, "not an HTTP answer: 'HTTP/2.0 200 OK\\r\\n\\r\\n'"),
    ],
)
def test_answers(pieces: list[bytes], outcome: Outcome, words: str) -> None:
    with serving(answering(*pieces)) as port:
        result = asyncio.run(ask(question(port, HTTP)))
    assert (result.outcome, result.words) == (outcome, words)


def test_accepts_and_hangs() -> None:
    with serving(answering()) as port:
        result = asyncio.run(ask(question(port, HTTP, timeout=0.2)))
    assert result.outcome is Outcome.TIMEOUT_RESPONSE
    assert result.words == "connected, but no complete answer within the timeout: 0.2 s"
    assert 0.2 <= result.latency < 1.0


def test_a_byte_at_a_time_ends_inside_the_timeout() -> None:
    def drip(connection: socket.socket) -> None:
        read_request(connection)
        for byte in b"HTTP/1.1 200 OK\r\nX-Slow: " + b"y" * 200:
            connection.sendall(bytes([byte]))
            time.sleep(0.02)

    with serving(drip) as port:
        result = asyncio.run(ask(question(port, HTTP, timeout=0.3)))
    assert result.outcome is Outcome.TIMEOUT_RESPONSE
    assert 0.3 <= result.latency < 1.0


def test_endless_headers_are_bounded() -> None:
    def flood(connection: socket.socket) -> None:
        read_request(connection)
        connection.sendall(b"HTTP/1.1 200 OK\r\n")
        while True:
            connection.sendall(b"X-More: of the same\r\n" * 100)

    with serving(flood) as port:
        result = asyncio.run(ask(question(port, HTTP, timeout=2.0)))
    assert (result.outcome, result.words) == (
        Outcome.TOO_LARGE,
        "answer's headers too large: more than 16384 bytes",
    )
    assert result.latency < 1.9


def test_endless_body_costs_nothing() -> None:
    def flood(connection: socket.socket) -> None:
        read_request(connection)
        connection.sendall(b"HTTP/1.1 200 OK\r\n\r\n")
        while True:
            connection.sendall(bytes(65536))

    with serving(flood) as port:
        assert asyncio.run(ask(question(port, HTTP))).outcome is Outcome.GOOD_STATUS


def test_closed_without_an_answer() -> None:
    def hang_up(connection: socket.socket) -> None:
        read_request(connection)

    with serving(hang_up) as port:
        result = asyncio.run(ask(question(port, HTTP)))
    assert (result.outcome, result.words) == (
        Outcome.CLOSED,
        "connection closed before the end of the answer's headers: after 0 bytes",
    )


def test_reset_instead_of_an_answer() -> None:
    def reset(connection: socket.socket) -> None:
        connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, b"\x01\x00\x00\x00\x00\x00\x00\x00")
        read_request(connection)

    with serving(reset) as port:
        result = asyncio.run(ask(question(port, HTTP)))
    assert (result.outcome, result.words) == (Outcome.RESET, "connection reset")


def test_what_the_server_is_asked() -> None:
    seen: list[bytes] = []

    def record(connection: socket.socket) -> None:
        seen.append(read_request(connection))
        connection.sendall(b"HTTP/1.1 200 OK\r\n\r\n")

    with serving(record) as port:
        asyncio.run(ask(question(port, HTTP)))
    assert seen == [
        b"GET /healthz HTTP/1.1\r\nHost: www.example.net\r\nUser-Agent: haman/"
        + __version__.encode()
        + b"\r\nAccept: */*\r\nConnection: close\r\n\r\n"
    ]


def test_host_header_without_a_configured_host() -> None:
    plain, other = question(80, HttpProbe()), question(8080, HttpProbe())
    six = Question(IPv6Address("2001:db8::1"), 8080, HttpProbe(), 1, 1, 1, 0)
    assert b"\r\nHost: 127.0.0.1\r\n" in request(plain, HttpProbe())
    assert b"\r\nHost: 127.0.0.1:8080\r\n" in request(other, HttpProbe())
    assert b"\r\nHost: [2001:db8::1]:8080\r\n" in request(six, HttpProbe())


@given(st.binary(max_size=200))
def test_rubbish_never_passes_and_never_raises(data: bytes) -> None:
    verdict = judge(bytearray(data), RANGES)
    if verdict is not None and verdict[0] is Outcome.GOOD_STATUS:
        assert data.startswith((b"HTTP/1.0 2", b"HTTP/1.1 2", b"HTTP/1.0 301", b"HTTP/1.1 301", b"HTTP/1.0 1"))


@given(
    status=st.integers(200, 599),
    headers=st.lists(st.text("abc: ", min_size=1, max_size=20), max_size=5),
    cuts=st.lists(st.integers(0, 400), max_size=8),
)
def test_how_an_answer_is_cut_does_not_matter(status: int, headers: list[str], cuts: list[int]) -> None:
    whole = f"HTTP/1.1 {status} Words\r\n".encode() + "".join(f"X: {h}\r\n" for h in headers).encode() + b"\r\n"
    expected = Outcome.GOOD_STATUS if 200 <= status <= 299 or status == 301 else Outcome.BAD_STATUS
    for cut in sorted(min(cut, len(whole)) for cut in cuts):
        assert cut == len(whole) or judge(bytearray(whole[:cut]), RANGES) is None
    assert judge(bytearray(whole), RANGES) == (expected, f"{status} Words")


def test_limit_is_16_kib() -> None:
    assert LIMIT == 16384
    assert judge(bytearray(b"HTTP/1.1 200 OK\r\n" + b"x" * (16384 - 17)), RANGES) is None
