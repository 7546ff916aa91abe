"""Expected bytes are written out after RFC 1035, section 4, and its examples."""

from __future__ import annotations

import contextlib
import struct

import pytest
from hypothesis import given
from hypothesis import strategies as st

from haman.errors import BadPacket
from haman.wire import dns, rdata
from haman.wire.dns import Head, Reason, Record, Refusal, Type

WWW = b"\x03www\x07example\x03com\x00"
SECTION = WWW + b"\x00\x01\x00\x01"
HEADER = struct.Struct("!HHHHHH")


def answer(
    *records: bytes, identifier: int = 0x1234, flags: int = 0x8180, count: int | None = None, section: bytes = SECTION
) -> bytes:
    """An answer to SECTION; flags 8180: a response, recursion desired and available, NOERROR."""
    return (
        HEADER.pack(identifier, flags, 1, len(records) if count is None else count, 0, 0) + section + b"".join(records)
    )


def record(data: bytes, type: int = 1, name: bytes = b"\xc0\x0c") -> bytes:
    """By default of the name in the question, which begins at byte 12."""
    return name + struct.pack("!HHIH", type, 1, 300, len(data)) + data


def read(packet: bytes) -> list[str]:
    head = dns.head(packet, 0x1234, SECTION)
    assert isinstance(head, Head)
    return [rdata.shown(packet, each) for each in dns.records(packet, head)]


# ------------------------------------------------------------------------------------------------- questions


def test_a_query_as_it_is_on_the_wire() -> None:
    section = dns.question("www.example.com", Type.A, 1)
    assert section == SECTION
    assert dns.query(section, recursion=True) == bytes.fromhex("0100 0001 0000 0000 0000") + SECTION
    assert dns.query(section, recursion=False) == bytes.fromhex("0000 0001 0000 0000 0000") + SECTION


@pytest.mark.parametrize(
    ("name", "wire"),
    [
        (".", b"\0"),
        ("com", b"\x03com\0"),
        ("com.", b"\x03com\0"),
        ("_sip._tcp.Example", b"\x04_sip\x04_tcp\x07Example\0"),
        ("a" * 63, b"\x3f" + b"a" * 63 + b"\0"),
        (".".join(["a" * 63] * 3 + ["a" * 61]), None),
    ],
)
def test_names(name: str, wire: bytes | None) -> None:
    made = dns.encode_name(name)
    assert wire is None or made == wire
    assert dns.decode_name(made, 0) == (name.lower().removesuffix(".") or ".", len(made))


@pytest.mark.parametrize(
    "name", ["", "..", ".com", "a..b", "a" * 64, ".".join(["a" * 63] * 4), "a b", "größe", "a\\b", "a\nb"]
)
def test_what_is_no_name(name: str) -> None:
    with pytest.raises(ValueError, match=r"\w"):
        dns.encode_name(name)


# --------------------------------------------------------------------------------------------------- answers


def test_the_header_of_an_answer() -> None:
    assert dns.head(answer(record(b"\x0a\0\0\x01")), 0x1234, SECTION) == Head(0, False, 1, 12 + len(SECTION))
    assert dns.head(answer(flags=0x8183), 0x1234, SECTION) == Head(3, False, 0, 12 + len(SECTION))
    assert dns.head(answer(flags=0x8380), 0x1234, SECTION) == Head(0, True, 0, 12 + len(SECTION))


def test_an_answer_in_other_letters_is_one() -> None:
    assert isinstance(dns.head(answer(section=SECTION.upper()), 0x1234, SECTION), Head)


def test_a_refusal_may_leave_the_question_out() -> None:
    for rcode in (1, 2, 4, 5):
        bare = HEADER.pack(0x1234, 0x8000 | rcode, 0, 0, 0, 0)
        assert dns.head(bare, 0x1234, SECTION) == Head(rcode, False, 0, 12)
    for rcode in (0, 3):
        bare = HEADER.pack(0x1234, 0x8000 | rcode, 0, 0, 0, 0)
        assert dns.head(bare, 0x1234, SECTION) is Refusal.WRONG_QUESTION


@pytest.mark.parametrize(
    ("packet", "refusal"),
    [
        (b"", Refusal.SHORT),
        (answer()[:11], Refusal.SHORT),
        (answer(identifier=0x1235), Refusal.WRONG_ID),
        (answer(flags=0x0100), Refusal.NOT_AN_ANSWER),
        (answer(flags=0xA900), Refusal.NOT_AN_ANSWER),
        (answer(section=b"\x03ftp" + SECTION[4:]), Refusal.WRONG_QUESTION),
        (answer(section=WWW + b"\x00\x1c\x00\x01"), Refusal.WRONG_QUESTION),
        (answer(section=WWW + b"\x00\x01\x00\x03"), Refusal.WRONG_QUESTION),
        (answer()[:-1], Refusal.WRONG_QUESTION),
    ],
    ids=str,
)
def test_what_is_no_answer_to_this_question(packet: bytes, refusal: Refusal) -> None:
    assert dns.head(packet, 0x1234, SECTION) is refusal


def test_records_of_every_form() -> None:
    mail = b"\x04mail\xc0\x10"
    assert read(answer(record(b"\xc0\x00\x02\x0a"))) == ["192.0.2.10"]
    assert read(answer(record(bytes.fromhex("20010db8" + "00" * 11 + "10"), 28))) == ["2001:db8::10"]
    assert read(answer(record(b"\x00\x0a" + mail, 15))) == ["10 mail.example.com"]
    assert read(answer(record(b"\xc0\x10", 5), record(b"\xc0\0\2\1"))) == ["example.com", "192.0.2.1"]
    assert read(answer(record(b"\x03v=1\x05 -all", 16))) == ["v=1 -all"]
    assert read(answer(record(b"\x02\xff\xfe", 16))) == ["\\xff\\xfe"]
    assert read(answer(record(bytes.fromhex("0000 0005 13c4") + mail, 33))) == ["0 5 5060 mail.example.com"]
    assert read(answer(record(b"\x0a\x0b\x0c", 257))) == ["\\# 3 0a0b0c"]
    assert read(answer(record(b"", 257))) == ["\\# 0"]
    assert read(answer(record(b"\x03a.b\x01\\\x00", 2))) == ["a\\046b.\\092"]


def test_the_serial_of_a_zone() -> None:
    soa = b"\xc0\x10\x05admin\xc0\x10" + struct.pack("!IIIII", 2026112201, 3600, 600, 86400, 300)
    packet = answer(record(soa, 6))
    head = dns.head(packet, 0x1234, SECTION)
    assert isinstance(head, Head)
    (found,) = dns.records(packet, head)
    assert rdata.serial(packet, found) == 2026112201
    with pytest.raises(BadPacket) as bad:
        rdata.serial(packet, found._replace(end=found.end - 1))
    assert bad.value.reason is Reason.RDATA


def test_serials_go_round() -> None:
    """RFC 1982, section 5.2, with 32 bits."""
    assert rdata.reached(7, 7)
    assert rdata.reached(8, 7)
    assert not rdata.reached(6, 7)
    assert rdata.reached(0, 0xFFFFFFFF)
    assert not rdata.reached(0xFFFFFFFF, 0)


def test_of_a_truncated_answer_what_there_is() -> None:
    packet = answer(record(b"\x0a\0\0\x01"), flags=0x8380, count=5)
    assert read(packet) == ["10.0.0.1"]


@pytest.mark.parametrize(
    ("packet", "reason"),
    [
        (answer(count=1), Reason.CUT),
        (answer(record(b"\x0a\0\0\x01"), count=2), Reason.CUT),
        (answer(record(b"\x0a\0\0\x01")[:-1]), Reason.CUT),
        (answer(record(b"\x0a\0\0\x01")[:8]), Reason.CUT),
        (answer(b"\xc0", count=1), Reason.CUT),
        (answer(b"\x40abc", count=1), Reason.LABEL),
        (answer(record(b"\x0a\0\0")), Reason.RDATA),
        (answer(record(b"\x0a\0\0", 28)), Reason.RDATA),
        (answer(record(b"\x05abc", 16)), Reason.RDATA),
        (answer(record(b"\0\x0a", 15)), Reason.RDATA),
        (answer(record(b"\xc0\x10\0", 2)), Reason.RDATA),
    ],
)
def test_answers_that_cannot_be_read(packet: bytes, reason: Reason) -> None:
    with pytest.raises(BadPacket) as bad:
        read(packet)
    assert bad.value.reason is reason


@pytest.mark.parametrize(
    ("packet", "offset", "reason"),
    [
        (b"\xc0\x00", 0, Reason.POINTER),
        (b"\xc0\x02\xc0\x00", 0, Reason.POINTER),
        (b"\x01a\xc0\x00", 0, Reason.POINTER),
        (b"\xc0\x02\x01a\x00", 0, Reason.POINTER),
        (b"\x01a\xc0\x00\xc0\x02", 4, Reason.POINTER),
        (b"\x80\x00", 0, Reason.LABEL),
        (b"\xc0", 0, Reason.CUT),
        (b"\x05abc", 0, Reason.CUT),
        (b"\x01a", 0, Reason.CUT),
        (b"", 0, Reason.CUT),
        (b"".join(b"\x3f" + b"a" * 63 for _ in range(5)) + b"\0", 0, Reason.NAME),
    ],
)
def test_names_that_lead_nowhere(packet: bytes, offset: int, reason: Reason) -> None:
    """Loops of compression pointers among them: one must lead before the part of the name that it stands in."""
    with pytest.raises(BadPacket) as bad:
        dns.decode_name(packet, offset)
    assert bad.value.reason is reason


def test_a_chain_of_pointers_that_only_leads_back_ends() -> None:
    packet = b"\0" + b"".join(b"\xc0" + bytes([max(0, 1 + 2 * (n - 1) if n else 0)]) for n in range(50))
    assert dns.decode_name(packet, len(packet) - 2) == (".", len(packet))


def test_a_chain_of_more_pointers_than_a_name_has_labels_is_not_followed() -> None:
    packet = b"\0" + b"".join(struct.pack("!H", 0xC000 | max(0, 1 + 2 * (n - 1) if n else 0)) for n in range(128))
    assert dns.decode_name(packet, len(packet) - 4) == (".", len(packet) - 2)
    with pytest.raises(BadPacket) as bad:
        dns.decode_name(packet, len(packet) - 2)
    assert bad.value.reason is Reason.POINTERS


@given(st.binary(max_size=80))
def test_rubbish_gives_records_or_a_reason(tail: bytes) -> None:
    packet = answer(count=3) + tail
    head = dns.head(packet, 0x1234, SECTION)
    assert isinstance(head, Head)
    with contextlib.suppress(BadPacket):
        for each in dns.records(packet, head):
            assert isinstance(rdata.shown(packet, each), str)


@given(st.binary(max_size=40), st.integers(0, 65535))
def test_rubbish_in_place_of_an_answer_never_raises(packet: bytes, identifier: int) -> None:
    assert isinstance(dns.head(packet, identifier, SECTION), Head | Refusal)


@given(st.binary(min_size=1, max_size=60), st.integers(0, 59))
def test_names_in_rubbish_end(packet: bytes, offset: int) -> None:
    try:
        name, end = dns.decode_name(packet, offset % len(packet))
    except BadPacket:
        return
    assert len(name) <= 4 * 255
    assert offset % len(packet) < end <= len(packet)


@given(st.binary(max_size=40), st.sampled_from([6, *map(int, Type)]))
def test_rubbish_in_place_of_data(data: bytes, type: int) -> None:
    packet = b"\x03abc\0" + data
    record = Record(type, 1, 5, len(packet))
    for reader in (rdata.shown, rdata.serial):
        with contextlib.suppress(BadPacket):
            reader(packet, record)


# --------------------------------------------------------------------------------------- what is expected


@pytest.mark.parametrize(
    ("type", "written", "form"),
    [
        (Type.A, "192.0.2.10", "192.0.2.10"),
        (Type.AAAA, "2001:DB8:0::10", "2001:db8::10"),
        (Type.NS, "NS1.Example.com.", "ns1.example.com"),
        (Type.MX, "010  Mail.example.com.", "10 mail.example.com"),
        (Type.SRV, "0 5 5060 SIP.example.com", "0 5 5060 sip.example.com"),
        (Type.TXT, "V=1 -All", "V=1 -All"),
        (Type.CAA, "\\# 3 0A0B 0c", "\\# 3 0a0b0c"),
        (Type.CAA, "\\# 0", "\\# 0"),
    ],
)
def test_what_an_operator_writes_has_the_form_of_what_is_read(type: Type, written: str, form: str) -> None:
    assert rdata.expected(type, written) == form
    assert rdata.expected(type, form) == form


@pytest.mark.parametrize(
    ("type", "written"),
    [
        (Type.A, "192.0.2"),
        (Type.AAAA, "192.0.2.1"),
        (Type.CNAME, "a..b"),
        (Type.MX, "mail.example.com"),
        (Type.MX, "99999 mail.example.com"),
        (Type.SRV, "0 5 sip.example.com"),
        (Type.SRV, "0 5 99999 sip.example.com"),
        (Type.CAA, "issue letsencrypt.org"),
        (Type.CAA, "\\# 2 0a0b0c"),
    ],
)
def test_what_no_record_can_be(type: Type, written: str) -> None:
    with pytest.raises(ValueError, match=r"\w"):
        rdata.expected(type, written)
