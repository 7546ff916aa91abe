from __future__ import annotations

from ipaddress import IPv4Address

import pytest

from haman.wire import checksum


@pytest.mark.parametrize(
    ("data", "expected"),
    [
        ("0001 f203 f4f5 f6f7", 0x220D),  # RFC 1071, section 3: the sum is ddf2
        ("45c00024 00010000 ff700000 0a000001 e0000012", 0xD095),  # an IPv4 header of keepalived
        ("45c00024 00010000 ff70d095 0a000001 e0000012", 0x0000),  # the same with its checksum in place
        ("", 0xFFFF),
        ("ffff", 0x0000),
        ("ffff 0001", 0xFFFE),  # the carry comes round
        ("ff", 0x00FF),  # an odd byte is the high one of its word
        ("ffff" * 40000, 0x0000),  # more than one carry to fold
    ],
)
def test_internet(data: str, expected: int) -> None:
    assert checksum.internet(bytes.fromhex(data)) == expected


def test_pseudo_header() -> None:
    """RFC 793, section 3.1: source, destination, zero, protocol, length."""
    header = checksum.pseudo_header(IPv4Address("10.0.0.1"), IPv4Address("224.0.0.18"), 112, 16)
    assert header.hex(" ", 4) == "0a000001 e0000012 00700010"
