"""The PROXY protocol, against the specification's own words (HAProxy's doc/proxy-protocol.txt)."""

from __future__ import annotations

from ipaddress import ip_address

import pytest

from haman.model.relay import Proxy
from haman.model.services import Protocol
from haman.wire import proxy

FOUR = (ip_address("192.168.0.1"), 56324), (ip_address("192.168.0.11"), 443)
SIX = (ip_address("2001:db8::1"), 65535), (ip_address("2001:db8::2"), 1)


def test_version_1_is_the_line_of_the_specification() -> None:
    assert proxy.header(Proxy.V1, Protocol.TCP, *FOUR) == b"PROXY TCP4 192.168.0.1 192.168.0.11 56324 443\r\n"
    assert proxy.header(Proxy.V1, Protocol.TCP, *SIX) == b"PROXY TCP6 2001:db8::1 2001:db8::2 65535 1\r\n"


@pytest.mark.parametrize(("protocol", "kind"), [(Protocol.TCP, "11"), (Protocol.UDP, "12")])
def test_version_2_over_ipv4(protocol: Protocol, kind: str) -> None:
    expected = f"0d0a0d0a000d0a515549540a 21 {kind} 000c c0a80001 c0a8000b dc04 01bb"
    assert proxy.header(Proxy.V2, protocol, *FOUR) == bytes.fromhex(expected)


@pytest.mark.parametrize(("protocol", "kind"), [(Protocol.TCP, "21"), (Protocol.UDP, "22")])
def test_version_2_over_ipv6(protocol: Protocol, kind: str) -> None:
    expected = (
        f"0d0a0d0a000d0a515549540a 21 {kind} 0024"
        "20010db8000000000000000000000001 20010db8000000000000000000000002 ffff 0001"
    )
    assert proxy.header(Proxy.V2, protocol, *SIX) == bytes.fromhex(expected)


def test_what_has_no_words_is_refused() -> None:
    with pytest.raises(ValueError, match="is for TCP"):
        proxy.header(Proxy.V1, Protocol.UDP, *FOUR)
    with pytest.raises(ValueError, match="two families"):
        proxy.header(Proxy.V2, Protocol.TCP, FOUR[0], SIX[1])
