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
