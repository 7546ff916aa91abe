from __future__ import annotations

import asyncio
import socket
import struct
import time
from typing import Any

import pytest

from haman.model.checks import DnsProbe
from haman.probes.dns import Examiner
from haman.probes.outcome import Outcome
from haman.wire import dns
from tests.probes.datagrams import replying
from tests.probes.support import ask, question, serving
from tests.wire.test_dns import record

WWW = DnsProbe(name="www.example.com", type=1)
SOA = b"\xc0\x10\x05admin\xc0\x10" + struct.pack("!IIIII", 2026112201, 3600, 600, 86400, 300)


def answer(query: bytes, *records: bytes, flags: int = 0x8180, identifier: bytes | None = None) -> bytes:
    """To the query, with its question."""
    return (
        (query[:2] if identifier is None else identifier)
        + struct.pack("!HHHHH", flags, 1, len(records), 0, 0)
        + query[12:]
        + b"".join(records)
    )


def saying(*records: bytes, flags: int = 0x8180) -> Any:
    def behaviour(data: bytes, source: tuple[str, int], server: socket.socket) -> None:
        server.sendto(answer(data, *records, flags=flags), source)

    return behaviour


TWO = (record(b"\xc0\0\2\x0a"), record(b"\xc0\0\2\x0b"))


@pytest.mark.parametrize(
    ("probe", "behaviour", "outcome", "words"),
    [
        (WWW, saying(*TWO), Outcome.GOOD_ANSWER, "good answer"),
        (WWW, saying(), Outcome.GOOD_ANSWER, "good answer"),
        (WWW, saying(flags=0x8183), Outcome.BAD_RCODE, "bad response code: nxdomain"),
        (WWW, saying(flags=0x8185), Outcome.BAD_RCODE, "bad response code: refused"),
        (WWW, saying(flags=0x818F), Outcome.BAD_RCODE, "bad response code: rcode 15"),
        (
            DnsProbe(name="www.example.com", type=1, rcodes=frozenset({0, 3})),
            saying(flags=0x8183),
            Outcome.GOOD_ANSWER,
            "good answer: nxdomain",
        ),
        (
            DnsProbe(name="www.example.com", type=1, answers=("192.0.2.11", "192.0.2.10")),
            saying(record(b"\xc0\x10", 5), *TWO),
            Outcome.GOOD_ANSWER,
            "good answer",
        ),
        (
            DnsProbe(name="www.example.com", type=1, answers=("192.0.2.10", "192.0.2.12")),
            saying(*TWO),
            Outcome.WRONG_ANSWER,
            "not the expected records: 192.0.2.12 is missing among 192.0.2.10, 192.0.2.11",
        ),
        (
            DnsProbe(name="www.example.com", type=1, answers=("192.0.2.12",)),
            saying(),
            Outcome.WRONG_ANSWER,
            "not the expected records: 192.0.2.12 is missing among no records",
        ),
        (
            DnsProbe(name="www.example.com", type=1, answers=("192.0.2.12",)),
            saying(*TWO, flags=0x8380),
            Outcome.TRUNCATED,
            "the answer is truncated: 192.0.2.12 is not in what there was room for",
        ),
        (
            DnsProbe(name="www.example.com", type=1, answers=("192.0.2.12",)),
            saying(record(b"\xc0\0\2")),
            Outcome.BAD_MESSAGE,
            "not a DNS answer: a record's data is not what its type says",
        ),
        (
            DnsProbe(name="example.com", type=6, serial=2026112201),
            saying(record(SOA[:0] + b"\xc0\x0c\x05admin\xc0\x0c" + SOA[10:], 6)),
            Outcome.GOOD_ANSWER,
            "good answer: serial 2026112201",
        ),
        (
            DnsProbe(name="example.com", type=6, serial=2026112202),
            saying(record(b"\xc0\x0c\x05admin\xc0\x0c" + SOA[10:], 6)),
            Outcome.OLD_SERIAL,
            "the zone's serial is too old: 2026112201, at least 2026112202 is expected",
        ),
        (
            DnsProbe(name="example.com", type=6, serial=1),
            saying(),
            Outcome.WRONG_ANSWER,
            "not the expected records: there is no SOA record",
        ),
        (WWW, saying(flags=0x8380), Outcome.GOOD_ANSWER, "good answer"),
    ],
)
def test_answers(probe: DnsProbe, behaviour: Any, outcome: Outcome, words: str) -> None:
    with replying(behaviour) as port:
        result = asyncio.run(ask(question(port, probe, timeout=1.0)))
    assert (result.outcome, result.words) == (outcome, words)


@pytest.mark.parametrize(
    ("type", "data", "words"),
    [
        (16, b"\x05a\n\x1b[m", "ok is missing among a??[m"),
        (16, b"\xff" + b"\xff\n\x1b" * 85, "ok is missing among " + "\\xff??" * 13 + "\\x..."),
        (99, b"\0" * 40000, "ok is missing among \\# 40000 " + "0" * 71 + "..."),
    ],
)
def test_of_answers_nothing_is_told_that_is_long_or_cannot_be_printed(type: int, data: bytes, words: str) -> None:
    examiner = Examiner(DnsProbe(name="example", type=type, answers=("ok",)))
    packet = answer(examiner.query(), record(data, type))
    head = examiner.head(packet)
    assert isinstance(head, dns.Head)
    assert examiner.judge(packet, head) == (Outcome.WRONG_ANSWER, words)


LONG = b"".join(b"\x01" + sign.encode() for sign in "ab" * 60) + b"\0"
"""A name of 120 labels."""


@pytest.mark.parametrize(
    ("count", "outcome", "words"),
    [
        (200, Outcome.WRONG_ANSWER, "w.example is missing among a.b."),
        (4000, Outcome.BAD_MESSAGE, "its names are longer together than any message"),
    ],
)
def test_names_that_compression_makes_many_of_cost_no_more_than_a_message(
    count: int, outcome: Outcome, words: str
) -> None:
    examiner = Examiner(DnsProbe(name="example", type=5, answers=("w.example",)))
    query = examiner.query()
    begin = len(query) + 12
    many = (record(LONG, 1), *(record(struct.pack("!H", 0xC000 | begin), 5) for _ in range(count)))
    packet = answer(query, *many)
    head = examiner.head(packet)
    assert isinstance(head, dns.Head)
    found, detail = examiner.judge(packet, head)
    assert (found, words in detail) == (outcome, True)


def test_what_is_asked_and_with_a_new_id_each_time() -> None:
    seen: list[bytes] = []

    def note(data: bytes, source: tuple[str, int], server: socket.socket) -> None:
        seen.append(data)
        server.sendto(answer(data), source)

    with replying(note) as port:
        for _ in range(4):
            asyncio.run(ask(question(port, DnsProbe(name="version.bind", type=16, class_=3, recursion=False))))
    assert {data[2:] for data in seen} == {
        bytes.fromhex("0000 0001 0000 0000 0000") + b"\x07version\x04bind\0\0\x10\0\x03"
    }
    assert len({data[:2] for data in seen}) > 1


# ---------------------------------------------------------------------------------- what is not the answer


def test_strange_answers_are_passed_over_and_named() -> None:
    def strange(data: bytes, source: tuple[str, int], server: socket.socket) -> None:
        server.sendto(answer(data, identifier=bytes(255 - byte for byte in data[:2])), source)
        server.sendto(answer(data).replace(b"www", b"ftp"), source)
        server.sendto(data, source)
        server.sendto(data[:5], source)
        server.sendto(b"", source)

    with replying(strange) as port:
        result = asyncio.run(ask(question(port, WWW, timeout=0.2)))
    assert (result.outcome, result.words) == (
        Outcome.TIMEOUT_ANSWER,
        "no answer within the timeout: 0.2 s; passed over: 1 with a wrong id, 1 to another question,"
        " 1 that is a question, 2 of other kinds",
    )


def test_after_strange_ones_the_right_one_counts() -> None:
    def both(data: bytes, source: tuple[str, int], server: socket.socket) -> None:
        server.sendto(answer(data, identifier=bytes(255 - byte for byte in data[:2]), flags=0x8182), source)
        time.sleep(0.05)
        server.sendto(answer(data), source)

    with replying(both) as port:
        assert asyncio.run(ask(question(port, WWW, timeout=1.0))).outcome is Outcome.GOOD_ANSWER


def test_an_answer_from_another_address_is_no_answer() -> None:
    def elsewhere(data: bytes, source: tuple[str, int], server: socket.socket) -> None:
        with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as other:
            other.bind(("127.0.0.9", 5354))
            other.sendto(answer(data), source)

    with replying(elsewhere) as port:
        result = asyncio.run(ask(question(port, WWW, timeout=0.2)))
    assert result.words == "no answer within the timeout: 0.2 s; passed over: 1 from 127.0.0.9 port 5354"


def test_nobody_listens() -> None:
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as bound:
        bound.bind(("127.0.0.1", 0))
        port = bound.getsockname()[1]
    result = asyncio.run(ask(question(port, WWW, timeout=2.0)))
    assert result.outcome is Outcome.PORT_UNREACHABLE
    assert result.latency < 1.0


# ------------------------------------------------------------------------------------------------- over TCP


def framed(data: bytes) -> bytes:
    return struct.pack("!H", len(data)) + data


def hear(connection: socket.socket) -> bytes:
    """One query that came in its frame."""
    data = b""
    while len(data) < 2 or len(data) < 2 + int.from_bytes(data[:2], "big"):
        more = connection.recv(4096)
        if not more:
            raise OSError("hung up")
        data += more
    return data[2:]


TCP = DnsProbe(name="www.example.com", type=1, answers=("192.0.2.10",), tcp=True)


def test_over_tcp_however_the_answer_is_cut() -> None:
    def drip(connection: socket.socket) -> None:
        connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        query = hear(connection)
        data = framed(answer(query, *TWO))
        for start in range(0, len(data), 7):
            connection.sendall(data[start : start + 7])
            time.sleep(0.002)
        connection.recv(1)

    with serving(drip) as port:
        assert asyncio.run(ask(question(port, TCP, timeout=2.0))).outcome is Outcome.GOOD_ANSWER


def test_over_tcp_strange_answers_are_passed_over() -> None:
    def strange(connection: socket.socket) -> None:
        query = hear(connection)
        connection.sendall(framed(b"") + framed(answer(query, identifier=b"\0\0"))[: 2 + 12 + len(query[12:])])
        connection.recv(1)

    with serving(strange) as port:
        result = asyncio.run(ask(question(port, TCP, timeout=0.2)))
    assert result.outcome is Outcome.TIMEOUT_RESPONSE
    assert result.detail.startswith("0.2 s; passed over: an answer ")


def test_over_tcp_no_server_is_listened_to_that_never_comes_to_the_point() -> None:
    def flood(connection: socket.socket) -> None:
        hear(connection)
        while True:
            connection.sendall(bytes(1 << 16))

    with serving(flood) as port:
        result = asyncio.run(ask(question(port, TCP, timeout=10.0)))
    assert result.outcome is Outcome.BAD_MESSAGE
    assert result.detail == "more than 64 answers passed over, the last one that is too short"
    assert result.latency < 1.0


@pytest.mark.parametrize(
    ("data", "outcome", "words"),
    [
        (b"", Outcome.CLOSED, "connection closed before the end of the answer: after 0 bytes"),
        (b"\x00\x50abc", Outcome.CLOSED, "connection closed before the end of the answer: after 5 bytes"),
    ],
)
def test_over_tcp_the_server_hangs_up(data: bytes, outcome: Outcome, words: str) -> None:
    def hang_up(connection: socket.socket) -> None:
        hear(connection)
        connection.sendall(data)

    with serving(hang_up) as port:
        result = asyncio.run(ask(question(port, TCP, timeout=1.0)))
    assert (result.outcome, result.words) == (outcome, words)


# ------------------------------------------------------------------------------------ truncated, then TCP

AGAIN = DnsProbe(name="www.example.com", type=1, answers=("192.0.2.10",), tcp_fallback=True)


def run_both(behaviour: Any, timeout: float = 1.0) -> Any:
    with serving(behaviour) as port, replying(saying(flags=0x8380), port):
        return asyncio.run(ask(question(port, AGAIN, timeout=timeout)))


def test_a_truncated_answer_is_asked_for_again_over_tcp() -> None:
    def whole(connection: socket.socket) -> None:
        connection.sendall(framed(answer(hear(connection), *TWO)))
        connection.recv(1)

    result = run_both(whole)
    assert (result.outcome, result.words) == (Outcome.GOOD_ANSWER, "good answer: over TCP")


def test_both_ways_have_one_timeout() -> None:
    result = run_both(lambda connection: connection.recv(4096) and connection.recv(1), timeout=0.3)
    assert result.outcome is Outcome.TIMEOUT_RESPONSE
    assert result.detail == "0.3 s; over TCP, after an answer over UDP"
    assert 0.3 <= result.latency < 0.8


def test_no_tcp_after_a_truncated_answer() -> None:
    with replying(saying(flags=0x8380)) as port:
        result = asyncio.run(ask(question(port, AGAIN, timeout=1.0)))
    assert (result.outcome, result.words) == (Outcome.REFUSED, "connection refused: over TCP")


BOTH = DnsProbe(name="www.example.com", type=1, answers=("192.0.2.10",), both=True)


@pytest.mark.parametrize(
    ("over_udp", "over_tcp", "outcome", "words"),
    [
        (TWO, TWO, Outcome.GOOD_ANSWER, "good answer: over TCP"),
        (TWO, TWO[1:], Outcome.WRONG_ANSWER, None),
        (TWO[1:], TWO, Outcome.WRONG_ANSWER, None),
    ],
)
def test_a_server_that_has_to_answer_both_ways(over_udp: Any, over_tcp: Any, outcome: Outcome, words: str) -> None:
    def tell(connection: socket.socket) -> None:
        connection.sendall(framed(answer(hear(connection), *over_tcp)))
        connection.recv(1)

    with serving(tell) as port, replying(saying(*over_udp), port):
        result = asyncio.run(ask(question(port, BOTH, timeout=1.0)))
    assert result.outcome is outcome
    assert words in (None, result.words)


def test_a_server_that_answers_over_udp_alone() -> None:
    with replying(saying(*TWO)) as port:
        result = asyncio.run(ask(question(port, BOTH, timeout=1.0)))
    assert (result.outcome, result.words) == (Outcome.REFUSED, "connection refused: over TCP")


def test_rcodes_have_names() -> None:
    from haman.probes.dns import rcode_name

    assert [rcode_name(code) for code in (0, 3, 5, 13)] == ["noerror", "nxdomain", "refused", "rcode 13"]
    assert dns.Rcode.SERVFAIL == 2
