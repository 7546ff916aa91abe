from __future__ import annotations

from ipaddress import IPv6Address

import pytest

from haman.wire import ndp

MAC = bytes.fromhex("020000000001")


def test_unsolicited() -> None:
    """As keepalived 2.2.7 of Debian 12 sends it, taken down on a veth pair, under the Ethernet header of RFC 2464."""
    captured = bytes.fromhex(
        "6000000000203aff fe800000000000000000000000000100 ff020000000000000000000000000001"
        "8800559d 20000000 fe800000000000000000000000000100 0201020000000001"
    )
    frame = ndp.unsolicited(MAC, IPv6Address("fe80::100"), router=False)
    assert frame[:14].hex(" ", 2) == "3333 0000 0001 0200 0000 0001 86dd"
    assert frame[14:].hex(" ", 4) == captured.hex(" ", 4)


def test_a_router_says_so() -> None:
    """RFC 4861, section 4.4: the R flag is the highest bit, Override the third. 559d - 8000, one's complement."""
    frame = ndp.unsolicited(MAC, IPv6Address("fe80::100"), router=True)
    assert frame[54:62].hex(" ", 4) == "8800d59c a0000000"


THEIRS = bytes.fromhex("525400aabb02")
VIP, OWN, GATEWAY = map(IPv6Address, ("2001:db8::100", "fe80::1", "2001:db8::fe"))

# RFC 4861, section 4.4: the answer to a solicitation from fe80::1 for 2001:db8::100, without its checksum.
ANSWER = bytes.fromhex(
    "020000000001 525400aabb02 86dd"
    "6000000000203aff 20010db8000000000000000000000100 fe800000000000000000000000000001"
    "88000000 60000000 20010db8000000000000000000000100 0201525400aabb02"
)


def _summed(frame: bytes) -> bytes:
    """With the checksum over pseudo-header and message put right, by a sum of its own."""
    message = frame[54:56] + b"\0\0" + frame[58:]
    covered = frame[22:54] + len(message).to_bytes(4, "big") + b"\0\0\0\x3a" + message
    total = sum(int.from_bytes(covered[at : at + 2], "big") for at in range(0, len(covered), 2)) % 0xFFFF
    return frame[:56] + (0xFFFF - total).to_bytes(2, "big") + frame[58:]


def test_solicitation_to_everybody() -> None:
    """RFC 4861, section 4.3: to the solicited-node group, which is ff02::1:ff and three bytes of the target (RFC 4291,
    section 2.7.1)."""
    frame = ndp.solicitation(MAC, OWN, VIP)
    assert frame[:14].hex() == "3333ff000100" + "020000000001" + "86dd"
    expected = bytes.fromhex(
        "6000000000203aff fe800000000000000000000000000001 ff0200000000000000000001ff000100"
        "87000000 00000000 20010db8000000000000000000000100 0101020000000001"
    )
    assert frame == _summed(frame[:14] + expected)


def test_solicitation_to_one_neighbour() -> None:
    frame = ndp.solicitation(MAC, VIP, GATEWAY, to=THEIRS)
    expected = bytes.fromhex(
        "525400aabb02 020000000001 86dd"
        "6000000000203aff 20010db8000000000000000000000100 20010db80000000000000000000000fe"
        "87000000 00000000 20010db80000000000000000000000fe 0101020000000001"
    )
    assert frame == _summed(expected)


def test_advertised() -> None:
    assert ndp.advertised(_summed(ANSWER)) == ndp.Advertised(THEIRS, VIP, OWN)


def test_without_its_option_it_is_where_it_came_from() -> None:
    bare = ANSWER[:18] + b"\0\x18" + ANSWER[20:-8]
    assert ndp.advertised(_summed(bare)) == ndp.Advertised(THEIRS, VIP, OWN)


@pytest.mark.parametrize(
    "bad",
    [
        ANSWER,  # its checksum is wrong
        _summed(ANSWER[:21] + b"\xfe" + ANSWER[22:]),  # it crossed a router
        _summed(ANSWER[:54] + b"\x87" + ANSWER[55:]),  # a solicitation
        _summed(ANSWER[:55] + b"\x01" + ANSWER[56:]),  # its code is not 0
        _summed(ANSWER[:62] + b"\xff" + ANSWER[63:]),  # a group has no neighbours
        _summed(ANSWER[:38] + b"\xff\x02" + ANSWER[40:]),  # solicited, to a group
        _summed(ANSWER[:-7] + b"\0" + ANSWER[-6:]),  # an option without a length
        _summed(ANSWER)[:-1],
    ],
    ids=lambda bad: bad.hex()[36:56],
)
def test_advertisements_that_are_dropped(bad: bytes) -> None:
    """RFC 4861, section 7.1.2."""
    assert ndp.advertised(bad) is None
