"""Held connections, against the lab's own echo server."""

from __future__ import annotations

import os
import signal
import socket
import subprocess
import sys
import time
from typing import TYPE_CHECKING, Any

import pytest

from haman.lab.stories import held
from haman.lab.stories.held import hold

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator


class Here:
    """The machine of the test, as a host."""

    def call(self, function: Callable[..., Any], *arguments: Any) -> Any:
        return function(*arguments)


@pytest.fixture
def server(monkeypatch: pytest.MonkeyPatch) -> Iterator[tuple[subprocess.Popen[bytes], int]]:
    monkeypatch.setattr(held, "EVERY", 0.05)
    with socket.create_server(("127.0.0.1", 0)) as free:
        port = free.getsockname()[1]
    with subprocess.Popen([sys.executable, "-m", "haman.lab.traffic.echo_server", "--port", str(port)]) as process:
        until(lambda: listens(port))
        yield process, port
        process.kill()


def until(condition: Callable[[], bool]) -> None:
    """Patiently."""
    deadline = time.monotonic() + 60
    while not condition():
        assert time.monotonic() < deadline
        time.sleep(0.01)


def listens(port: int) -> bool:
    try:
        socket.create_connection(("127.0.0.1", port)).close()
        return True
    except OSError:
        return False


def test_they_go_on_until_their_server_dies(server: tuple[subprocess.Popen[bytes], int]) -> None:
    process, port = server
    with hold(Here(), "127.0.0.1", port, 20) as connections:  # type: ignore[arg-type]
        for _ in range(2):
            begun = connections.begun()
            until(lambda begun=begun: not connections.silent(begun))  # type: ignore[misc]
        assert connections.lost == 0
        process.kill()
        until(lambda: connections.lost == 20)
        assert connections.silent(connections.begun()) == 0, "of those that live"


def test_one_that_hears_nothing_is_silent(server: tuple[subprocess.Popen[bytes], int]) -> None:
    """Its server stands still: nothing is lost, and nothing comes back."""
    process, port = server
    with hold(Here(), "127.0.0.1", port, 3) as connections:  # type: ignore[arg-type]
        until(lambda: not connections.silent([0, 0, 0]))
        process.send_signal(signal.SIGSTOP)
        os.waitpid(process.pid, os.WUNTRACED)
        begun = connections.begun()
        until(lambda: all(said > then for said, then in zip(connections.begun(), begun, strict=True)))
        assert (connections.silent(begun), connections.lost) == (3, 0)
        process.send_signal(signal.SIGCONT)
        until(lambda: not connections.silent(begun))
