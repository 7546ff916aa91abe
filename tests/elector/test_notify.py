"""What systemd is told, on a socket like its own."""

from __future__ import annotations

import os
import re
import socket
from typing import TYPE_CHECKING

import pytest

from haman.elector.notify import Notify

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path


@pytest.fixture
def manager(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[socket.socket]:
    path = str(tmp_path / "notify")
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as bound:
        bound.bind(path)
        bound.settimeout(5)
        monkeypatch.setenv("NOTIFY_SOCKET", path)
        monkeypatch.delenv("WATCHDOG_USEC", raising=False)
        yield bound


def told(notify: Notify) -> None:
    notify.ready()
    notify.status("public active")
    notify.status("public active")
    notify.reloading()
    notify.alive()
    notify.stopping()
    notify._socket and notify._socket.close()


def test_the_words(manager: socket.socket) -> None:
    told(Notify())
    assert [manager.recv(1000).decode() for _ in range(2)] == ["READY=1", "STATUS=public active"]
    assert re.fullmatch(r"RELOADING=1\nMONOTONIC_USEC=\d+", manager.recv(1000).decode())
    assert [manager.recv(1000).decode() for _ in range(2)] == ["WATCHDOG=1", "STOPPING=1"]


def test_without_systemd_nothing_happens(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("NOTIFY_SOCKET", raising=False)
    notify = Notify()
    told(notify)
    assert notify.watchdog is None


def test_children_do_not_inherit_the_socket(manager: socket.socket, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("WATCHDOG_USEC", "10000000")
    monkeypatch.setenv("WATCHDOG_PID", str(os.getpid()))
    notify = Notify()
    assert notify.watchdog == 5.0
    assert not {"NOTIFY_SOCKET", "WATCHDOG_USEC", "WATCHDOG_PID"} & os.environ.keys()
    told(notify)


@pytest.mark.parametrize(("usec", "pid"), [("soon", None), ("10000000", "1")])
def test_a_watchdog_that_is_not_ours(
    manager: socket.socket, monkeypatch: pytest.MonkeyPatch, usec: str, pid: str | None
) -> None:
    monkeypatch.setenv("WATCHDOG_USEC", usec)
    if pid:
        monkeypatch.setenv("WATCHDOG_PID", pid)
    notify = Notify()
    assert notify.watchdog is None
    told(notify)


def test_a_manager_that_is_gone_is_no_error(manager: socket.socket) -> None:
    notify = Notify()
    manager.close()
    told(notify)
