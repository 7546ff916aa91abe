"""The digest sees the table and not its traffic."""

from __future__ import annotations

import errno
from ipaddress import ip_address
from typing import TYPE_CHECKING

import pytest

from haman.errors import KernelRefused
from haman.kernel.ipvs.proc import connections, count, digest
from haman.model.kernel import ServiceKey
from haman.model.services import Protocol
from haman.model.standing import Connections

if TYPE_CHECKING:
    from pathlib import Path

TABLE = """\
IP Virtual Server version 1.2.1 (size=4096)
Prot LocalAddress:Port Scheduler Flags
  -> RemoteAddress:Port Forward Weight ActiveConn InActConn
TCP  0A000064:0050 wlc persistent 300 FFFFFF00
  -> 0A00000B:0050      Route   1      17         4242
  -> 0A00000C:0050      Masq    100    0          0
TCP  [2001:0db8:0000:0000:0000:0000:0000:0100]:0050 rr
  -> [2001:0db8:0000:0000:0000:0000:0000:0011]:0050      Tunnel  1      0          1
FWM  68616D61 none
"""


@pytest.fixture
def seen(tmp_path: Path):
    def look(table: str) -> bytes:
        path = tmp_path / "ip_vs"
        path.write_text(table)
        return digest(str(path))

    return look


@pytest.mark.parametrize(
    ("old", "new"),
    [("17         4242", "0          4242"), ("17         4242", "17         1"), ("0          1\n", "9          9\n")],
)
def test_traffic_does_not_change_it(seen, old: str, new: str) -> None:
    assert old in TABLE
    assert seen(TABLE.replace(old, new)) == seen(TABLE)


@pytest.mark.parametrize(
    ("old", "new"),
    [
        ("Route   1 ", "Route   0 "),
        ("Route ", "Masq  "),
        ("0A00000C:0050", "0A00000D:0050"),
        ("wlc", "lc"),
        ("persistent 300 FFFFFF00", ""),
        ("FWM  68616D61 none\n", ""),
        ("0011]:0050", "0011]:0051"),
    ],
)
def test_the_table_does(seen, old: str, new: str) -> None:
    assert old in TABLE
    assert seen(TABLE.replace(old, new)) != seen(TABLE)


def test_connections_are_added_up_by_service() -> None:
    assert count(TABLE.splitlines()) == {
        ServiceKey.at(Protocol.TCP, ip_address("10.0.0.100"), 80): Connections(17, 4242),
        ServiceKey.at(Protocol.TCP, ip_address("2001:db8::100"), 80): Connections(0, 1),
    }


MARKS = """\
FWM  00000007 wlc persistent 300 FFFFFFFF
  -> 0A00000B:0050      Route   1      2          1
  -> 0A00000C:0050      Route   1      3          1
FWM  00000007 mh (mh-port)
  -> [2001:0db8:0000:0000:0000:0000:0000:0011]:0050      Route   1      5          0
UDP  0A000064:0035 rr ops
  -> 0A00000B:0035      Masq    1      0          9
SOMETHING else entirely
  -> 0A00000B:0035      Masq    1      77         9
"""


def test_a_mark_of_each_family_and_what_nobody_knows() -> None:
    assert count(MARKS.splitlines()) == {
        ServiceKey.marked(7): Connections(5, 2),
        ServiceKey.marked(7, ipv6=True): Connections(5, 0),
        ServiceKey.at(Protocol.UDP, ip_address("10.0.0.100"), 53): Connections(0, 9),
    }


def test_no_table() -> None:
    with pytest.raises(KernelRefused):
        connections("/nonexistent/ip_vs")
    with pytest.raises(KernelRefused) as refusal:
        digest("/nonexistent/ip_vs")
    assert refusal.value.errno == errno.ENOENT
    assert "read /nonexistent/ip_vs" in str(refusal.value)
