from __future__ import annotations

import os
import pwd
from typing import TYPE_CHECKING

import pytest

from haman import accounts

if TYPE_CHECKING:
    from pathlib import Path

ROOT = pytest.mark.skipif(os.geteuid() != 0, reason="only root may give a file away")


def users(monkeypatch: pytest.MonkeyPatch, *names: str) -> None:
    monkeypatch.setattr(accounts, "_exists", lambda name: name in names)


def test_what_is_written_counts_and_our_own_name_is_nobody_else(monkeypatch: pytest.MonkeyPatch) -> None:
    users(monkeypatch)
    assert accounts.chosen("www-data") == "www-data"
    assert accounts.chosen(pwd.getpwuid(os.geteuid()).pw_name) is None


def test_root_becomes_somebody_without_rights(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(os, "geteuid", lambda: 0)
    users(monkeypatch, "haman-hooks", "nobody")
    assert accounts.chosen(None) == "haman-hooks"
    users(monkeypatch, "nobody")
    assert accounts.chosen(None) == "nobody"
    users(monkeypatch)
    with pytest.raises(LookupError, match="neither a user haman-hooks nor nobody: make one, or write `user`"):
        accounts.chosen(None)


def test_who_is_not_root_stays_who_it_is(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(os, "geteuid", lambda: 1000)
    users(monkeypatch)
    assert accounts.chosen(None) is None


@ROOT
def test_root_runs_only_what_root_alone_can_change(tmp_path: Path) -> None:
    script = tmp_path / "hooks" / "notify.sh"
    script.parent.mkdir()
    script.write_text("")
    assert accounts.unsafe(str(script), "root") is None
    script.chmod(0o775)
    assert accounts.unsafe(str(script), "root") == f"it would run as root, and others may write {script}"
    assert accounts.unsafe(str(script), "nobody") is None
    script.chmod(0o755)
    os.chown(script.parent, 65534, 65534)
    assert accounts.unsafe(str(script), None) == f"it would run as root, and {script.parent} belongs to user 65534"
    assert accounts.unsafe(str(tmp_path / "missing"), "root") is None


@ROOT
def test_what_a_link_leads_to_counts_too(tmp_path: Path) -> None:
    real, link = tmp_path / "real.sh", tmp_path / "link.sh"
    real.write_text("")
    link.symlink_to(real)
    assert accounts.unsafe(str(link), "root") is None
    real.chmod(0o757)
    assert accounts.unsafe(str(link), "root") == f"it would run as root, and others may write {real}"
