"""Answers of a Linux 6.12, recorded, and the same ones as another kernel would write them."""

from __future__ import annotations

import struct
import sys
from ipaddress import ip_address

import pytest

from haman.kernel.ipvs import decode, servers
from haman.kernel.ipvs.decode import Traffic
from haman.kernel.netlink import attribute, attributes, nested
from haman.model.kernel import DestinationConfig, DestinationKey, ServiceConfig, ServiceKey, TimeoutsConfig
from haman.model.services import Forward, Protocol, Tunnel, TunnelChecksum, TunnelType

pytestmark = pytest.mark.skipif(sys.byteorder == "big", reason="the bytes below are a little-endian machine's")

DNS = ServiceKey.at(Protocol.UDP, ip_address("10.0.0.100"), 53)
RS1 = DestinationKey(DNS, ip_address("10.0.0.11"), 53)

# Of a kernel that pads 64-bit values: attribute 11 inside the statistics, attributes 10 and 12.
SERVICE = bytes.fromhex("""
    01010000 54010100 06000100 02000000 06000200 11000000 14000300 0a000064 00000000 00000000 00000000 06000400
    00350000 07000600 6d680000 0c000700 13000000 ffffffff 08000800 2c010000 08000900 ffffff00 60000a00 08000100
    01000000 08000200 07000000 08000300 00000000 0c000400 bc020000 00000000 04000b00 0c000500 00000000 00000000
    08000600 00000000 08000700 01000000 08000800 00000000 08000900 42000000 08000a00 00000000 a0000c00 0c000100
    01000000 00000000 04000b00 0c000200 07000000 00000000 04000b00 0c000300 00000000 00000000 04000b00 0c000400
    bc020000 00000000 04000b00 0c000500 00000000 00000000 04000b00 0c000600 00000000 00000000 04000b00 0c000700
    01000000 00000000 04000b00 0c000800 00000000 00000000 04000b00 0c000900 42000000 00000000 04000b00 0c000a00
    00000000 00000000
""")
DESTINATION = bytes.fromhex("""
    05010000 7c010200 14000100 0a00000b 00000000 00000000 00000000 06000200 00350000 08000300 03000000 08000400
    05000000 05000d00 00000000 06000e00 00000000 06000f00 00000000 08000500 64000000 08000600 32000000 08000700
    00000000 08000800 01000000 08000900 01000000 06000b00 02000000 64000a00 08000100 01000000 08000200 07000000
    08000300 00000000 04000b00 0c000400 bc020000 00000000 04000b00 0c000500 00000000 00000000 08000600 00000000
    08000700 01000000 08000800 00000000 08000900 42000000 08000a00 00000000 a0000c00 0c000100 01000000 00000000
    04000b00 0c000200 07000000 00000000 04000b00 0c000300 00000000 00000000 04000b00 0c000400 bc020000 00000000
    04000b00 0c000500 00000000 00000000 04000b00 0c000600 00000000 00000000 04000b00 0c000700 01000000 00000000
    04000b00 0c000800 00000000 00000000 04000b00 0c000900 42000000 00000000 04000b00 0c000a00 00000000 00000000
""")
METHOD, FAMILY, TUN_TYPE, TUN_PORT, TUN_FLAGS, STATS64 = 3, 11, 13, 14, 15, 12


@pytest.fixture(autouse=True)
def nothing_seen_yet() -> None:
    """What a kernel's messages look like is remembered; here each test is another kernel."""
    servers._as_expected.clear()


def parts() -> dict[int, bytes]:
    """The attributes of the recorded destination, in their order."""
    [(begin, end)] = attributes(DESTINATION, 4, len(DESTINATION)).values()
    spans = attributes(DESTINATION, begin, end).items()
    return {kind: DESTINATION[slice(*span)] for kind, span in spans}


def written(attributes: dict[int, bytes]) -> tuple[DestinationKey, DestinationConfig]:
    """A destination as a kernel would report it that writes these attributes in this order."""
    data = DESTINATION[:4] + nested(2, *(attribute(kind, payload) for kind, payload in attributes.items()))
    return servers.destination(DNS, data, 0, len(data))


def test_a_recorded_service() -> None:
    config = ServiceConfig("mh", frozenset({"mh-port"}), 300, 24)
    assert decode.service(SERVICE, 0, len(SERVICE)) == (DNS, config)
    assert decode.service_traffic(SERVICE, 0, len(SERVICE)) == (DNS, Traffic(1, 7, 0, 700, 0))


def test_a_service_of_a_protocol_we_have_no_name_for_is_nobodys() -> None:
    esp = SERVICE.replace(bytes.fromhex("06000200 11000000"), bytes.fromhex("06000200 32000000"))
    assert decode.service(esp, 0, len(esp)) is None
    assert decode.service_traffic(esp, 0, len(esp)) is None


def test_a_recorded_destination() -> None:
    size = len(DESTINATION)
    assert servers.destination(DNS, DESTINATION, 0, size) == (RS1, DestinationConfig(Forward.DR, 5, 100, 50))
    assert servers.destination_traffic(DNS, DESTINATION, 0, size) == (RS1, Traffic(1, 7, 0, 700, 0, 0, 1, 1))


def test_in_the_middle_of_a_buffer() -> None:
    buffer = bytearray(b"x" * 16 + DESTINATION + b"y" * 16)
    assert servers.destination(DNS, buffer, 16, 16 + len(DESTINATION))[0] == RS1


@pytest.mark.parametrize("order", [reversed, sorted])
def test_attributes_in_another_order(order) -> None:
    assert written({kind: parts()[kind] for kind in order(list(parts()))}) == written(parts())


def test_attributes_of_the_future() -> None:
    assert written({99: b"new!"} | parts()) == written(parts())


def test_a_kernel_without_tunnel_flags_or_statistics() -> None:
    old = {kind: payload for kind, payload in parts().items() if kind not in (TUN_FLAGS, STATS64)}
    assert written(old) == (RS1, DestinationConfig(Forward.DR, 5, 100, 50))


@pytest.mark.parametrize(
    ("kind", "port", "flags", "tunnel"),
    [
        (0, 0, 0, Tunnel(type=TunnelType.IPIP)),
        (1, 6080, 2, Tunnel(type=TunnelType.GUE, port=6080, checksum=TunnelChecksum.REMOTE)),
        (2, 0, 1, Tunnel(type=TunnelType.GRE, checksum=TunnelChecksum.FULL)),
        (9, 0, 0, None),  # unlike every tunnel we could want
        (0, 0, 9, None),
    ],
)
def test_tunnels(kind: int, port: int, flags: int, tunnel: Tunnel | None) -> None:
    asked = {METHOD: struct.pack("=I", 2), TUN_TYPE: bytes([kind]), TUN_PORT: struct.pack("!H", port)}
    _, config = written(parts() | asked | {TUN_FLAGS: struct.pack("=H", flags)})
    assert config == DestinationConfig(Forward.TUN, 5, 100, 50, tunnel)


def test_a_method_nothing_of_ours_asks_for() -> None:
    _, config = written(parts() | {METHOD: struct.pack("=I", 1)})
    assert config.local
    assert config != DestinationConfig(Forward.DR, 5, 100, 50)


def test_an_ipv6_destination() -> None:
    address = ip_address("2001:db8::11")
    key, _ = written(parts() | {1: address.packed, FAMILY: struct.pack("=H", 10)})
    assert key == DestinationKey(DNS, address, 53)


def test_timeouts_of_a_kernel_without_udp() -> None:
    answer = bytes(4) + attribute(4, struct.pack("=I", 900)) + attribute(5, struct.pack("=I", 120))
    assert decode.timeouts(answer) == TimeoutsConfig(900, 120, 0)
