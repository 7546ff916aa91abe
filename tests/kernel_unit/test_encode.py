"""Commands byte by byte; a real kernel takes them as they are meant (tests/kernel/test_ipvs.py)."""

from __future__ import annotations

import sys
from ipaddress import ip_address

import pytest

from haman.kernel.ipvs.encode import command
from haman.model.kernel import (
    AddressConfig,
    AddressKey,
    DaemonConfig,
    DaemonKey,
    DaemonRole,
    DestinationConfig,
    DestinationKey,
    ServiceConfig,
    ServiceKey,
    SysctlConfig,
    SysctlKey,
    TimeoutsConfig,
    TimeoutsKey,
)
from haman.model.services import Forward, Protocol, Tunnel, TunnelChecksum, TunnelType
from haman.plan.ops import Add, Op, Remove, Set

pytestmark = pytest.mark.skipif(sys.byteorder == "big", reason="the bytes below are a little-endian machine's")

WEB = ServiceKey.at(Protocol.TCP, ip_address("10.0.0.1"), 80)
RS = DestinationKey(WEB, ip_address("10.128.0.9"), 80)
RS6 = DestinationKey(WEB, ip_address("2001:db8::11"), 8080)
GUE = Tunnel(type=TunnelType.GUE, port=6080, checksum=TunnelChecksum.REMOTE)
BACKUP = DaemonKey(DaemonRole.BACKUP)

WEB_IDENTITY = "24000180 06000100 02000000 06000200 06000000 08000300 0a000001 06000400 00500000"


@pytest.mark.parametrize(
    ("op", "number", "attributes"),
    [
        (
            Add(WEB, ServiceConfig("mh", frozenset({"mh-port"}), 300, 24)),
            1,
            "48000180 06000100 02000000 06000200 06000000 08000300 0a000001 06000400 00500000"
            " 07000600 6d680000 0c000700 11000000 ffffffff 08000800 2c010000 08000900 ffffff00",
        ),
        (
            Set(ServiceKey.marked(7, ipv6=True), ServiceConfig("rr", prefix=64, engine="sip", one_packet=True)),
            2,
            "40000180 06000100 0a000000 08000500 07000000 07000600 72720000 0c000700 04000000 ffffffff"
            " 08000800 00000000 08000900 40000000 08000b00 73697000",
        ),
        (Remove(ServiceKey.marked(7, ipv6=True)), 3, "14000180 06000100 0a000000 08000500 07000000"),
        (
            Add(RS, DestinationConfig(Forward.DR, 1)),
            5,
            WEB_IDENTITY + " 3c000280 08000100 0a800009 06000200 00500000 06000b00 02000000 08000300 03000000"
            " 08000400 01000000 08000500 00000000 08000600 00000000",
        ),
        (
            Set(RS6, DestinationConfig(Forward.TUN, 2, 10, 5, GUE)),
            6,
            WEB_IDENTITY + " 60000280 14000100 20010db8 00000000 00000000 00000011 06000200 1f900000 06000b00 0a000000"
            " 08000300 02000000 08000400 02000000 08000500 0a000000 08000600 05000000"
            " 05000d00 01000000 06000e00 17c00000 06000f00 02000000",
        ),
        (Remove(RS), 7, WEB_IDENTITY + " 1c000280 08000100 0a800009 06000200 00500000 06000b00 02000000"),
        (
            Add(BACKUP, DaemonConfig("eth1", 7, ip_address("224.0.0.81"), 8848, 1, 1400)),
            9,
            "40000380 08000100 02000000 09000200 65746831 00000000 08000300 07000000 06000400 78050000"
            " 08000500 e0000051 06000700 90220000 05000800 01000000",
        ),
        (Remove(BACKUP), 10, "0c000380 08000100 02000000"),
        (
            Set(TimeoutsKey(), TimeoutsConfig(900, 0, 300)),
            12,
            "08000400 84030000 08000500 00000000 08000600 2c010000",
        ),
    ],
)
def test_the_command_of_an_operation(op: Op, number: int, attributes: str) -> None:
    assert command(op) == (number, bytes.fromhex(attributes))


@pytest.mark.parametrize(
    "op",
    [
        Add(AddressKey("lo", RS.address, 32), AddressConfig()),
        Set(SysctlKey("net/ipv4/vs/sloppy_tcp"), SysctlConfig("1")),
        Set(BACKUP, DaemonConfig("eth1", 7, ip_address("224.0.0.81"), 8848, 1, 0)),
        Remove(TimeoutsKey()),
    ],
)
def test_what_ipvs_has_no_command_for(op: Op) -> None:
    with pytest.raises(ValueError) as refusal:
        command(op)
    assert str(refusal.value) == f"IPVS has no command for: {op}"
