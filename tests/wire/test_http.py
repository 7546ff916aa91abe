from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from haman.wire.http import LIMIT, Body, Fault, Framing, Head, head, may_tell


def framing(fields: str, status: int = 200) -> tuple[Framing, int] | Fault:
    found = head(f"HTTP/1.1 {status} OK\r\n{fields}\r\n\r\n".encode(), framed=True)
    assert found is not None
    return found if isinstance(found, Fault) else (found.framing, found.length)


@pytest.mark.parametrize(
    ("fields", "expected"),
    [
        ("X: y", (Framing.CLOSE, 0)),
        ("Content-Length: 12", (Framing.LENGTH, 12)),
        ("content-length:\t12 ", (Framing.LENGTH, 12)),
        ("Content-Length: 12, 12\r\nContent-Length: 12", (Framing.LENGTH, 12)),
        ("Content-Length: 12\r\nContent-Length: 13", Fault.BAD_LENGTH),
        ("Content-Length: -1", Fault.BAD_LENGTH),
        ("Content-Length: 99999999999999999999", Fault.BAD_LENGTH),
        ("Transfer-Encoding: Chunked", (Framing.CHUNKED, 0)),
        ("Content-Length: 12\r\nTransfer-Encoding: chunked", (Framing.CHUNKED, 0)),
        ("Transfer-Encoding: gzip, chunked", Fault.BAD_CODING),
        ("Transfer-Encoding: identity", Fault.BAD_CODING),
        ("X-Content-Length: 12", (Framing.CLOSE, 0)),
    ],
)
def test_how_the_end_of_the_body_is_told(fields: str, expected: object) -> None:
    assert framing(fields) == expected


@pytest.mark.parametrize("head_", [b"HTTP/1.1 200 OK\r\nContent-Length: 3\r, 4\r\n\r\n", b"HTTP/1.1 200 O\rK\r\n\r\n"])
def test_a_carriage_return_alone_ends_nothing(head_: bytes) -> None:
    """RFC 9112, section 2.2: others might read a line's end in it."""
    assert head(head_, framed=True) is Fault.NOT_HTTP


@pytest.mark.parametrize("status", [101, 204, 304])
def test_answers_without_a_body(status: int) -> None:
    assert framing("Content-Length: 12", status) == (Framing.NONE, 0)


def test_a_field_before_the_head_of_the_final_answer_does_not_count() -> None:
    data = b"HTTP/1.1 103 Early\r\nContent-Length: 7\r\n\r\nHTTP/1.1 200 OK\r\n\r\nrest"
    assert head(data, framed=True) == Head(200, "OK", len(data) - 4, Framing.CLOSE, 0)


@given(st.binary(max_size=200), st.booleans())
def test_rubbish_never_raises(data: bytes, framed: bool) -> None:
    found = head(data, framed=framed)
    if isinstance(found, Head):
        assert data.startswith((b"HTTP/1.0 ", b"HTTP/1.1 "))


@given(
    status=st.integers(200, 599),
    fields=st.lists(st.text("abc: ", min_size=1, max_size=20), max_size=5),
    cuts=st.lists(st.integers(0, 400), max_size=8),
)
def test_how_a_head_is_cut_does_not_matter(status: int, fields: list[str], cuts: list[int]) -> None:
    whole = f"HTTP/1.1 {status} Words\r\n".encode() + "".join(f"X: {h}\r\n" for h in fields).encode() + b"\r\n"
    for cut in sorted(min(cut, len(whole)) for cut in cuts):
        assert cut == len(whole) or head(whole[:cut], framed=True) is None
    found = head(whole, framed=False)
    assert isinstance(found, Head)
    assert (found.status, found.phrase, found.end) == (status, "Words", len(whole))


def test_limit_is_16_kib() -> None:
    assert LIMIT == 16384
    begun = b"HTTP/1.1 200 OK\r\n"
    assert head(begun + b"x" * (16384 - 17), framed=False) is None
    assert head(begun + b"x" * (16384 - 16), framed=False) is Fault.TOO_LARGE
    assert head(begun + b"x" * 16384 + b"\r\n\r\n", framed=False) is Fault.TOO_LARGE
    assert isinstance(head(begun + b"\r\n" + b"x" * 65536, framed=False), Head), "a body counts for nothing"


def test_not_http_is_told_before_its_end() -> None:
    assert head(b"HTT", framed=False) is None
    assert head(b"SSH-2", framed=False) is Fault.NOT_HTTP
    assert head(b"HTTP/1.1 100 Continue\r\n\r\nSSH", framed=False) is Fault.NOT_HTTP
    assert head(b"HTTP/1.1 99\r\n\r\n", framed=False) is Fault.NOT_HTTP


# ---------------------------------------------------------------------------------------------------- bodies


def test_a_body_of_known_length() -> None:
    body = Body(Framing.LENGTH, 5, 100)
    body.feed(b"abc")
    assert not body.done
    assert not body.close(), "too short"
    body.feed(b"defgh")
    assert body.done
    assert bytes(body.data) == b"abcde"


def test_a_body_that_ends_with_the_connection() -> None:
    body = Body(Framing.CLOSE, 0, 100)
    body.feed(b"abc")
    assert not body.done
    assert body.close()


def test_no_more_than_the_limit_is_kept() -> None:
    for framing_ in (Framing.CLOSE, Framing.LENGTH):
        body = Body(framing_, 1000, 4)
        body.feed(b"abcdef")
        assert body.done
        assert bytes(body.data) == b"abcd"


CHUNKED = b"4;name=value\r\nWiki\r\n5 \r\npedia\r\nE\r\n in\r\n\r\nchunks.\r\n0\r\nTrailer: x\r\n\r\n"
"""After RFC 9112's predecessor's well-known example."""


@given(st.lists(st.integers(0, len(CHUNKED)), max_size=12))
def test_chunks_however_they_are_cut(cuts: list[int]) -> None:
    body = Body(Framing.CHUNKED, 0, 1000)
    ends = [*sorted(cuts), len(CHUNKED)]
    for start, end in zip([0, *ends], ends, strict=False):
        assert body.feed(CHUNKED[start:end]) is None
    assert body.done
    assert bytes(body.data) == b"Wikipedia in\r\n\r\nchunks."


@pytest.mark.parametrize(
    "data",
    [b"x\r\n", b"-5\r\nabc", b"5\r\nabcdeX", b"fffffffff\r\n", b"5" + b" " * 300, b"\r\n", b"0x5\r\nabcde\r\n"],
)
def test_chunks_that_are_none(data: bytes) -> None:
    assert Body(Framing.CHUNKED, 0, 1000).feed(data) is Fault.BAD_CHUNK


def test_a_cut_off_chunk_is_no_whole_body() -> None:
    body = Body(Framing.CHUNKED, 0, 1000)
    body.feed(b"5\r\nabc")
    assert not body.close()


def test_endless_chunks_take_no_more_than_the_limit() -> None:
    body = Body(Framing.CHUNKED, 0, 100)
    for _ in range(100):
        assert body.feed(b"10\r\n0123456789abcdef\r\n") is None
    assert body.done
    assert len(body.data) == 100
    assert len(body._raw) < 100


@given(st.lists(st.binary(max_size=30), max_size=10))
def test_rubbish_in_place_of_chunks_never_raises(pieces: list[bytes]) -> None:
    body = Body(Framing.CHUNKED, 0, 50)
    for piece in pieces:
        if body.feed(piece) is not None:
            break
    assert len(body.data) <= 50


PIECES = st.sampled_from(
    [
        b"HTTP/1.1 100\r\n\r\n",
        b"HTTP/1.1 103 Early\r\nLink: a\n\n",
        b"HTTP/1.1 200 OK\r\n",
        b"a: b\r\n",
        b"\r\n",
        b"\n",
        b"\r",
    ]
)


@given(st.lists(PIECES, max_size=8), st.lists(st.integers(1, 9), min_size=1, max_size=40))
def test_what_tells_nothing_new_need_not_be_read_again(pieces: list[bytes], steps: list[int]) -> None:
    data, known = b"HTTP/1.1 100\r\n\r\n" + b"".join(pieces), 0
    for step in steps:
        seen = data[: known + step]
        if not may_tell(seen, known):
            assert head(seen, framed=True) in (None, Fault.NOT_HTTP)
        elif head(seen, framed=True) is not None:
            return
        known = len(seen)


def test_a_head_that_comes_a_byte_at_a_time_is_not_read_for_each() -> None:
    data = b"HTTP/1.1 200 OK\r\n" + b"name: value\r\n" * 1000
    read = sum(may_tell(data[: known + 1], known) for known in range(len(data)))
    assert read < 20
    assert may_tell(data + b"x" * LIMIT, len(data))
