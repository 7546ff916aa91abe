from __future__ import annotations

from ipaddress import ip_address
from typing import TYPE_CHECKING

import pytest

from haman.errors import KernelRefused
from haman.kernel.ipvs.connections import connections, parse
from haman.model.services import Protocol
from haman.plan.blast import Connection

if TYPE_CHECKING:
    from pathlib import Path

LINES = """\
TCP C0000209 D431 0A000064 0050 0A00000B 0050 ESTABLISHED     899
UDP C0000209 8235 0A000064 0035 0A00000C 0035 UDP             299
IP  C0000209 0000 00000007 0000 0A00000C 0000 NONE            299
SCTP 2001:0db8:0000:0000:0000:0000:0000:0009 0BB8 2001:0db8:0000:0000:0000:0000:0000:0100 0B59 \
2001:0db8:0000:0000:0000:0000:0000:000b 0B59 ESTABLISHED      12 sip id
TCP C0000209
"""
"""The kernel's form (net/netfilter/ipvs/ip_vs_conn.c, ip_vs_conn_seq_show); the third is a persistence template."""


def test_what_the_kernel_writes() -> None:
    vip6, server6 = ip_address("2001:db8::100"), ip_address("2001:db8::b")
    assert list(parse(LINES.splitlines())) == [
        Connection(Protocol.TCP, ip_address("10.0.0.100"), 80, ip_address("10.0.0.11"), 80, "ESTABLISHED"),
        Connection(Protocol.UDP, ip_address("10.0.0.100"), 53, ip_address("10.0.0.12"), 53, "UDP"),
        Connection(Protocol.SCTP, vip6, 2905, server6, 2905, "ESTABLISHED"),
    ]


def test_the_head_is_passed_over_and_no_table_is_said(tmp_path: Path) -> None:
    table = tmp_path / "ip_vs_conn"
    table.write_text("Pro FromIP   FPrt ToIP     TPrt DestIP   DPrt State       Expires PEName PEData\n" + LINES)
    assert len(list(connections(str(table)))) == 3
    with pytest.raises(KernelRefused, match="No such file"):
        list(connections(str(tmp_path / "missing")))
