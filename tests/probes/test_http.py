from __future__ import annotations

import asyncio
import socket
import time
from ipaddress import IPv6Address

import pytest

from haman import __version__
from haman.model.checks import HttpProbe
from haman.probes.http import request
from haman.probes.outcome import Outcome
from haman.probes.question import Question
from tests.probes.support import HTTP, answering, ask, question, read_request, serving


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
        "connection closed before the end of the answer: after 0 bytes",
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


def test_everything_that_a_request_can_have() -> None:
    probe = HttpProbe(
        path="/q",
        host="www.example.net",
        method="POST",
        version="1.0",
        headers=(("X-Key", "s3cret"), ("user-agent", "mine")),
        body=b'{"a": 1}',
    )
    assert request(question(8080, probe), probe) == (
        b"POST /q HTTP/1.0\r\nHost: www.example.net\r\nAccept: */*\r\nConnection: close\r\nContent-Length: 8\r\n"
        b'X-Key: s3cret\r\nuser-agent: mine\r\n\r\n{"a": 1}'
    )


def test_secrets_are_in_no_repr() -> None:
    probe = HttpProbe(path="/?token=s3cret", headers=(("X-Key", "s3cret"),), body=b"s3cret")
    assert "s3cret" not in repr(question(80, probe))


def test_a_large_request_is_sent_to_its_end() -> None:
    """More than the socket holds: the rest goes when there is room."""
    seen: list[int] = []

    def slow(connection: socket.socket) -> None:
        time.sleep(0.05)
        total = 0
        while total < 8 << 20:
            data = connection.recv(65536)
            if not data:
                break
            total += len(data)
        seen.append(total)
        connection.sendall(b"HTTP/1.1 200 OK\r\n\r\n")

    probe = HttpProbe(method="PUT", body=b"x" * (8 << 20))
    with serving(slow) as port:
        assert asyncio.run(ask(question(port, probe, timeout=5.0))).outcome is Outcome.GOOD_STATUS
    assert seen[0] >= 8 << 20


BODY = HttpProbe(expect="data.*ok", reject="(?i)error")


@pytest.mark.parametrize(
    ("pieces", "outcome", "detail"),
    [
        ([b"HTTP/1.1 200 OK\r\nContent-Length: 7\r\n\r\n", b"data", b" ok"], Outcome.GOOD_BODY, "200 OK"),
        (
            [b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n4\r\ndata\r\n", b"3;x\r\n ok\r\n0\r\nT: r\r\n"],
            Outcome.GOOD_BODY,
            "200 OK",
        ),
        (
            [b"HTTP/1.1 200 OK\r\nContent-Length: 7\r\n\r\ndata no"],
            Outcome.BAD_BODY,
            "200 OK; what is expected is not in its 7 bytes",
        ),
        (
            [b"HTTP/1.1 200 OK\r\nContent-Length: 13\r\n\r\ndata ok ERROR"],
            Outcome.BAD_BODY,
            "200 OK; what must not be there is in its 13 bytes",
        ),
        (
            [b"HTTP/1.1 204 Gone\r\nContent-Length: 7\r\n\r\n"],
            Outcome.BAD_BODY,
            "204 Gone; what is expected is not in its 0 bytes",
        ),
        ([b"HTTP/1.1 500 No\r\nContent-Length: 7\r\n\r\ndata ok"], Outcome.BAD_STATUS, "500 No"),
        (
            [b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\nzz\r\n"],
            Outcome.BAD_RESPONSE,
            "a chunk that is none",
        ),
        (
            [b"HTTP/1.1 200 OK\r\nContent-Length: 1\r\nContent-Length: 2\r\n\r\n"],
            Outcome.BAD_RESPONSE,
            "contradictory or senseless Content-Length",
        ),
        (
            [b"HTTP/1.1 200 OK\r\nTransfer-Encoding: gzip, chunked\r\n\r\n"],
            Outcome.BAD_RESPONSE,
            "a Transfer-Encoding that is not just chunked",
        ),
    ],
)
def test_bodies(pieces: list[bytes], outcome: Outcome, detail: str) -> None:
    with serving(answering(*pieces)) as port:
        result = asyncio.run(ask(question(port, BODY, timeout=1.0)))
    assert (result.outcome, result.detail) == (outcome, detail)


@pytest.mark.parametrize(
    ("answer", "outcome"),
    [
        (b"HTTP/1.0 200 OK\r\n\r\ndata ok", Outcome.GOOD_BODY),
        (b"HTTP/1.1 200 OK\r\nContent-Length: 70\r\n\r\ndata ok", Outcome.CLOSED),
        (b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n7\r\ndata ok\r\n", Outcome.CLOSED),
    ],
)
def test_bodies_that_end_with_the_connection(answer: bytes, outcome: Outcome) -> None:
    def hang_up(connection: socket.socket) -> None:
        read_request(connection)
        connection.sendall(answer)

    with serving(hang_up) as port:
        assert asyncio.run(ask(question(port, BODY, timeout=1.0))).outcome is outcome


def test_an_endless_body_is_looked_at_as_far_as_the_limit() -> None:
    def flood(connection: socket.socket) -> None:
        read_request(connection)
        connection.sendall(b"HTTP/1.1 200 OK\r\n\r\n")
        while True:
            connection.sendall(b"x" * 65536)

    probe = HttpProbe(expect="^x{1000}$", read=1000)
    with serving(flood) as port:
        assert asyncio.run(ask(question(port, probe, timeout=2.0))).outcome is Outcome.GOOD_BODY


def test_a_pattern_made_to_go_wrong_takes_no_time() -> None:
    """Python's `re` would be at it for longer than the universe is old, and hold everything up."""
    probe = HttpProbe(expect="(a*)*b", read=1 << 20)
    page = b"HTTP/1.1 200 OK\r\nContent-Length: 1000000\r\n\r\n" + b"a" * 1000000
    with serving(answering(page)) as port:
        result = asyncio.run(ask(question(port, probe, timeout=3.0)))
    assert result.outcome is Outcome.BAD_BODY
    assert result.latency < 2.0
