from __future__ import annotations

from ipaddress import IPv4Address

from haman.wire import arp


def test_gratuitous() -> None:
    """What keepalived 2.2.7 of Debian 12 sends for 10.0.0.100 from 02:00:00:00:00:01, taken down by tcpdump 4.99.3."""
    captured = bytes.fromhex(
        "ffffffffffff 020000000001 0806"  # broadcast, from our hardware address, ARP
        "0001 0800 06 04 0001"  # Ethernet, IPv4, lengths, request
        "020000000001 0a000064"  # "tell 10.0.0.100 at our hardware address"
        "ffffffffffff 0a000064"  # "who has 10.0.0.100"
    )
    frame = arp.gratuitous(bytes.fromhex("020000000001"), IPv4Address("10.0.0.100"))
    assert frame.hex(" ", 2) == captured.hex(" ", 2)


def test_probe() -> None:
    """RFC 5227, section 1.1: no sender address, and a target hardware address of zeros."""
    expected = bytes.fromhex(
        "ffffffffffff 020000000001 0806"
        "0001 0800 06 04 0001"
        "020000000001 00000000"  # the sender has no address
        "000000000000 0a000064"
    )
    frame = arp.probe(bytes.fromhex("020000000001"), IPv4Address("10.0.0.100"))
    assert frame.hex(" ", 2) == expected.hex(" ", 2)


def test_question_to_one_neighbour() -> None:
    expected = bytes.fromhex(
        "0200000000fe 020000000001 0806 0001 0800 06 04 0001 020000000001 0a000064 000000000000 0a0000fe"
    )
    ours, theirs = bytes.fromhex("020000000001"), bytes.fromhex("0200000000fe")
    assert arp.request(ours, IPv4Address("10.0.0.100"), IPv4Address("10.0.0.254"), to=theirs) == expected


def test_reply() -> None:
    frame = bytes.fromhex(
        "020000000001 525400aabb02 0806 0001 0800 06 04 0002 525400aabb02 0a000064 020000000001 00000000"
    )
    told = arp.Reply(bytes.fromhex("525400aabb02"), IPv4Address("10.0.0.100"), IPv4Address("0.0.0.0"))
    assert arp.reply(frame) == told
    assert arp.reply(frame[:41]) is None
    assert arp.reply(arp.gratuitous(told.hardware, told.address)) is None
