"""Wireshark reads in each kind of packet that haman makes what was put in, and finds nothing wrong with it."""

from __future__ import annotations

from ipaddress import IPv4Address, IPv6Address
from typing import TYPE_CHECKING

import pytest

from haman.model.routers import ChecksumForm
from haman.wire import arp, ndp, vrrp
from haman.wire.packet import Packet
from tests.wire.dissector import MAC, complaints, framed, read
from tests.wire.vectors import GROUP, GROUP6, LINK_LOCAL, SOURCE, VECTORS, VERSION_2, Vector

if TYPE_CHECKING:
    from haman.wire.advertisement import Advertisement

VRRP = [
    "ip.ttl", "ipv6.hlim", "ip.dsfield", "ip.checksum.status", "vrrp.version", "vrrp.type", "vrrp.virt_rtr_id",
    "vrrp.prio", "vrrp.addr_count", "vrrp.reserved_mbz", "vrrp.adver_int", "vrrp.short_adver_int", "vrrp.auth_string",
    "vrrp.checksum.status", "vrrp.ip_addr", "vrrp.ipv6_addr",
]  # fmt: skip
GOOD, BAD = "1", "0"


def sent(vector: Vector, form: ChecksumForm = ChecksumForm.PSEUDO_HEADER) -> bytes:
    """Encoded anew, to the group."""
    six = vector.source.version == 6
    source, group = (LINK_LOCAL, GROUP6) if six else (SOURCE, GROUP)
    return framed(Packet(source, group, 255, vrrp.encode(vector.advertisement, source, group, form)))


def expected(said: Advertisement) -> dict[str, str]:
    """As tshark shows it; the interval of version 3 in centiseconds."""
    six, two = said.addresses[0].version == 6, said.version == 2
    listed = ",".join(map(str, said.addresses))
    return {
        "ip.ttl": "" if six else "255",
        "ipv6.hlim": "255" if six else "",
        "ip.dsfield": "" if six else "0xc0",
        "ip.checksum.status": "" if six else GOOD,
        "vrrp.version": str(said.version),
        "vrrp.type": "1",
        "vrrp.virt_rtr_id": str(said.vrid),
        "vrrp.prio": str(said.priority),
        "vrrp.addr_count": str(len(said.addresses)),
        "vrrp.reserved_mbz": "" if two else "0",
        "vrrp.adver_int": f"{said.interval:g}" if two else "",
        "vrrp.short_adver_int": "" if two else f"{said.interval * 100:.0f}",
        "vrrp.auth_string": said.password or "",
        "vrrp.checksum.status": GOOD,
        "vrrp.ip_addr": "" if six else listed,
        "vrrp.ipv6_addr": listed if six else "",
        "_ws.expert.message": "",
        "_ws.malformed": "",
    }


def test_advertisements() -> None:
    every = [*VECTORS, *VERSION_2]
    rows = read([sent(vector) for vector in every], VRRP)
    for vector, row in zip(every, rows, strict=True):
        assert row == expected(vector.advertisement), vector.name


def test_the_checksum_of_rfc_9568_is_not_known_to_it() -> None:
    """Its one complaint, and the value it wants is the one that haman sends when asked for the other form."""
    over4 = [vector for vector in VECTORS if vector.source.version == 4]
    rows = read([sent(vector, ChecksumForm.RFC9568) for vector in over4], ["vrrp.checksum", *VRRP])
    for vector, row in zip(over4, rows, strict=True):
        other = int.from_bytes(sent(vector)[40:42], "big")
        wanted = {"vrrp.checksum.status": BAD, "_ws.expert.message": f"Bad checksum [should be 0x{other:04x}]"}
        assert {key: text for key, text in row.items() if key != "vrrp.checksum"} == {
            **expected(vector.advertisement),
            **wanted,
        }, vector.name


def test_gratuitous_arp_and_a_question() -> None:
    vip = IPv4Address("10.0.0.100")
    fields = ["eth.dst", "arp.opcode", "arp.isgratuitous", "arp.src.hw_mac", "arp.src.proto_ipv4", "arp.dst.proto_ipv4"]
    rows = read([arp.gratuitous(MAC, vip), arp.request(MAC, SOURCE, vip)], fields)
    assert [tuple(row.values()) for row in rows] == [
        ("ff:ff:ff:ff:ff:ff", "1", "1", "02:00:00:00:00:01", "10.0.0.100", "10.0.0.100", "", ""),
        ("ff:ff:ff:ff:ff:ff", "1", "", "02:00:00:00:00:01", "10.0.0.1", "10.0.0.100", "", ""),
    ]


@pytest.mark.parametrize("router", [False, True])
def test_unsolicited_neighbour_advertisement(router: bool) -> None:
    fields = [
        "eth.dst", "ipv6.src", "ipv6.dst", "ipv6.hlim", "icmpv6.type", "icmpv6.checksum.status",
        "icmpv6.nd.na.flag.r", "icmpv6.nd.na.flag.s", "icmpv6.nd.na.flag.o", "icmpv6.nd.na.target_address",
        "icmpv6.opt.linkaddr",
    ]  # fmt: skip
    (row,) = read([ndp.unsolicited(MAC, IPv6Address("2001:db8::100"), router=router)], fields)
    assert list(row.values()) == [
        "33:33:00:00:00:01", "2001:db8::100", "ff02::1", "255", "136", GOOD,
        str(int(router)), "0", "1", "2001:db8::100",
        "02:00:00:00:00:01", "", "",
    ]  # fmt: skip


def test_it_complains_of_what_is_wrong() -> None:
    """Else its silence would say nothing."""
    good = sent(VECTORS[0])
    turned, cut = good[:-1] + b"\0", good[:-4]
    assert any("Bad checksum" in words for words in complaints(read([turned], [])))
    assert complaints(read([cut], [])) != []
