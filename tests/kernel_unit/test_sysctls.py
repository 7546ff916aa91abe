"""Settings: what is there, what is set, what is refused."""

from __future__ import annotations

import errno
from ipaddress import ip_address
from typing import TYPE_CHECKING

import pytest

from haman.kernel import sysctls
from haman.model.kernel import AddressConfig, AddressKey, SysctlConfig, SysctlKey
from haman.plan.ops import Add, Remove, Set

if TYPE_CHECKING:
    from pathlib import Path

THRESHOLD = SysctlKey("net/ipv4/vs/sync_threshold")
MISSING = SysctlKey("net/ipv4/vs/missing/setting")


@pytest.fixture
def tree(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """In place of /proc/sys."""
    monkeypatch.setattr(sysctls, "ROOT", tmp_path)
    path = tmp_path / THRESHOLD.path
    path.parent.mkdir(parents=True)
    path.write_text("3\t50\n")
    return tmp_path


def test_white_space_is_one_blank_and_what_is_missing_is_left_out(tree: Path) -> None:
    assert sysctls.read([THRESHOLD, MISSING]) == {THRESHOLD: SysctlConfig("3 50")}


def test_settings_are_set_and_other_operations_passed_over(tree: Path) -> None:
    address = Add(AddressKey("lo", ip_address("10.0.0.100"), 32), AddressConfig())
    assert sysctls.apply([address, Set(THRESHOLD, SysctlConfig("3 0")), Remove(THRESHOLD)]) == []
    assert (tree / THRESHOLD.path).read_text() == "3 0"


def test_a_refusal_says_the_cure_and_loses_no_other(tree: Path) -> None:
    wanted = [Set(MISSING, SysctlConfig("1")), Set(THRESHOLD, SysctlConfig("3 0"))]
    [refusal] = sysctls.apply(wanted)
    assert refusal.op == wanted[0]
    assert refusal.error.errno == errno.ENOENT
    assert "those below net/ipv4/vs come with the module ip_vs" in str(refusal.error)
    assert str(refusal.error).startswith("set /proc/sys/net/ipv4/vs/missing/setting to '1' (")
    assert (tree / THRESHOLD.path).read_text() == "3 0"


def test_this_machines_own() -> None:
    key = SysctlKey("kernel/osrelease")
    assert sysctls.read([key])[key].value
    [refusal] = sysctls.apply([Set(key, SysctlConfig("7"))])
    assert refusal.error.errno in (errno.EACCES, errno.EPERM, errno.EROFS)
