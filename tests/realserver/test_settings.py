"""What settings were before is written down once, and put back where nobody has changed them since."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from haman.kernel import sysctls
from haman.model.kernel import SysctlConfig, SysctlKey
from haman.plan.ops import Set
from haman.realserver import settings

if TYPE_CHECKING:
    from pathlib import Path

KEY, OTHER = SysctlKey("net/a"), SysctlKey("net/b")
OURS = {KEY: SysctlConfig("1"), OTHER: SysctlConfig("2")}


@pytest.fixture(autouse=True)
def machine(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("HAMAN_RUN_DIR", str(tmp_path / "run"))
    monkeypatch.setattr(sysctls, "ROOT", tmp_path)
    (tmp_path / "net").mkdir()
    for name in "ab":
        (tmp_path / "net" / name).write_text("0\n")
    return tmp_path


def change(**values: str) -> None:
    sysctls.apply([Set(SysctlKey(f"net/{name}"), SysctlConfig(value)) for name, value in values.items()])


def test_put_back_what_is_still_ours(machine: Path) -> None:
    settings.note([Set(key, config) for key, config in OURS.items()])
    change(a="1", b="2")
    settings.note([Set(KEY, OURS[KEY])])  # a later turn sees its own value, and must not take it for the operator's
    change(b="7")
    assert settings.putting_back(OURS) == [Set(KEY, SysctlConfig("0"))]
    settings.forget()
    assert settings.putting_back(OURS) == []


@pytest.mark.parametrize("content", ["", "[]", "{", '"x"'])
def test_a_file_that_cannot_be_read_puts_nothing_back(machine: Path, content: str) -> None:
    (machine / "run/owned").mkdir(parents=True)
    (machine / "run/owned/realserver-settings.json").write_text(content)
    assert settings.before() == {}
    assert settings.putting_back(OURS) == []


def test_nothing_is_written_for_what_is_no_setting_here(machine: Path) -> None:
    settings.note([Set(SysctlKey("net/none"), SysctlConfig("1"))])
    assert not (machine / "run").exists()
