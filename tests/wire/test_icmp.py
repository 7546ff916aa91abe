from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from haman.wire import icmp
from haman.wire.icmp import Echo


def test_a_request_as_it_is_on_the_wire() -> None:
    """0800 + 0001 + 0002 = 0803, its complement f7fc; 6162 more make 6965, 969a."""
    assert icmp.request(Echo(1, 2, b"ab"), six=False) == bytes.fromhex("0800 969a 0001 0002 6162")
    assert icmp.request(Echo(1, 2, b""), six=False) == bytes.fromhex("0800 f7fc 0001 0002")
    assert icmp.request(Echo(1, 2, b""), six=True) == bytes.fromhex("8000 0000 0001 0002")


def test_replies_and_nothing_else() -> None:
    assert icmp.replied(bytes.fromhex("0000 fffc 0001 0002") + b"x", six=False) == Echo(1, 2, b"x")
    assert icmp.replied(bytes.fromhex("8100 0000 0001 0002"), six=True) == Echo(1, 2, b"")
    assert icmp.replied(bytes.fromhex("0800 0000 0001 0002"), six=False) is None, "a request"
    assert icmp.replied(bytes.fromhex("0001 0000 0001 0002"), six=False) is None, "a code that is not 0"
    assert icmp.replied(bytes.fromhex("8100 0000 0001 0002"), six=False) is None, "the other family's"
    assert icmp.replied(bytes.fromhex("0000 0000 0001 00"), six=False) is None, "cut short"


def test_what_an_error_message_is_about() -> None:
    assert icmp.requested(bytes.fromhex("0800 0000 0001 0002"), six=False) == Echo(1, 2, b"")
    assert icmp.requested(bytes.fromhex("8000 0000 0001 0002"), six=True) == Echo(1, 2, b"")
    assert icmp.requested(b"", six=False) is None


@given(st.binary(max_size=40), st.booleans())
def test_rubbish_never_raises(packet: bytes, six: bool) -> None:
    reply = icmp.replied(packet, six=six)
    assert reply is None or packet[:2] == (b"\x81\0" if six else b"\0\0")
