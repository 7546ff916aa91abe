"""The digest sees the table and not its traffic."""

from __future__ import annotations

import errno
from typing import TYPE_CHECKING

import pytest

from haman.errors import KernelRefused
from haman.kernel.ipvs.proc import digest

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


def test_no_table() -> None:
    with pytest.raises(KernelRefused) as refusal:
        digest("/nonexistent/ip_vs")
    assert refusal.value.errno == errno.ENOENT
    assert "read /nonexistent/ip_vs" in str(refusal.value)
