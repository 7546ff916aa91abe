"""Who serves when several sites fail: cascades, `all_down`, spill-over, and remotes that are worse than dead."""

from __future__ import annotations

import contextlib
import os
import socket
import struct
import threading
import time
from collections import Counter
from pathlib import Path
from typing import TYPE_CHECKING, ClassVar

import pytest

from tests.kernel.office import HEAD, LOCAL, SITES, Office, service

if TYPE_CHECKING:
    from haman.lab.hosts import Network

pytestmark = pytest.mark.kernel

CASCADE, REFUSE, LAST, OPEN, SPILL = 80, 81, 82, 83, 84
TEXT = HEAD + "".join(
    [
        service("cascade", CASCADE, "east", "west", "north", scheduler="rr"),
        service("refusing", REFUSE, "east", scheduler="rr", failover="return: {after: 0s}, all_down: refuse"),
        service("lasting", LAST, "east", scheduler="rr", failover="return: {after: 0s}, all_down: last-known"),
        service("open", OPEN, "east", scheduler="rr", failover="return: {after: 0s}, all_down: fail-open"),
        service(
            "spilling", SPILL, "east", scheduler="wrr", weights=(3, 1), failover="return: {after: 0s}, spill_over: true"
        ),
    ]
)


@pytest.fixture
def office(network: Network, tmp_path: Path) -> Office:
    office = Office(network, tmp_path)
    office.serve(CASCADE, REFUSE, LAST, OPEN, SPILL)
    return office


def test_one_after_the_other_serves_one_that_is_down_is_passed_over_and_with_none_the_policy_holds(
    office: Office,
) -> None:
    office.start(TEXT)
    assert office.page(CASCADE) in LOCAL
    office.fall("rs1", "rs2")
    for port in (CASCADE, REFUSE, LAST, OPEN):
        office.until(lambda port=port: office.page(port) == "east")  # type: ignore[misc]
    office.fall("west")
    office.until(lambda: _down(office, "west"))
    office.fall("east")
    office.until(lambda: office.page(CASCADE) == "north")
    # Nobody is up for the others.
    office.until(lambda: office.refuses(REFUSE))
    office.until(lambda: office.page(LAST) == "east")
    office.until(lambda: office.page(OPEN) in LOCAL)
    sites = {each["name"]: each["site"] for each in office.status()["services"]}
    assert {name: (site["serves"], site["although_down"]) for name, site in sites.items() if name != "spilling"} == {
        "cascade": ("north", False),
        "refusing": ("east", False),
        "lasting": ("east", True),
        "open": ("local", True),
    }
    assert sites["lasting"]["why"] == "no local server and no backup is up: the site that served last goes on"
    assert {office.page(OPEN) for _ in range(6)} == set(LOCAL)
    office.rise("rs2")
    for port in (CASCADE, REFUSE, LAST, OPEN):
        office.until(lambda port=port: {office.page(port) for _ in range(4)} == {"rs2"})  # type: ignore[misc]


def test_a_backup_takes_the_share_that_is_missing_and_no_more(office: Office) -> None:
    """rs1 has 3 of 4 shares, rs2 1: by weighted round robin the shares are exact."""
    office.start(TEXT)

    def shares() -> dict[str, int]:
        return dict(Counter(office.page(SPILL) for _ in range(40)))

    office.until(lambda: shares() == {"rs1": 30, "rs2": 10})
    office.fall("rs1")
    office.until(lambda: shares() == {"east": 30, "rs2": 10})
    office.fall("rs2")
    office.until(lambda: shares() == {"east": 40})
    office.rise("rs1")
    office.until(lambda: shares() == {"rs1": 30, "east": 10})
    office.rise("rs2")
    office.until(lambda: shares() == {"rs1": 30, "rs2": 10})


# -- remotes that are worse than dead --------------------------------------------------------------------------------


class Remote:
    """asked: how many checks have come."""

    def __init__(self, sock: socket.socket) -> None:
        self.sock = sock
        self.asked = 0
        threading.Thread(target=self._until_closed, daemon=True).start()

    def _until_closed(self) -> None:
        with contextlib.suppress(OSError), self.sock:
            while True:
                self.play()
                self.asked += 1

    def play(self) -> None:
        raise NotImplementedError


class Slow(Remote):
    """A byte a quarter of a second."""

    def play(self) -> None:
        connection, _ = self.sock.accept()
        threading.Thread(target=self._dribble, args=(connection,), daemon=True).start()

    def _dribble(self, connection: socket.socket) -> None:
        with contextlib.suppress(OSError), connection:
            for byte in b"HTTP/1.1 200 OK\r\nX: " + b"x" * 10_000:
                connection.send(bytes([byte]))
                time.sleep(0.25)


class Resets(Remote):
    def play(self) -> None:
        connection, _ = self.sock.accept()
        connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        connection.close()


class Hangs(Remote):
    held: ClassVar[list[socket.socket]] = []

    def play(self) -> None:
        self.held.append(self.sock.accept()[0])


class Large(Remote):
    """65,507 bytes are what a UDP datagram over IPv4 may carry at most."""

    def play(self) -> None:
        _, client = self.sock.recvfrom(2048)
        self.sock.sendto(b"x" * 65_507, client)


HOSTILE: dict[str, tuple[type[Remote], int, str]] = {
    "slow": (Slow, 8081, "timeout_response"),
    "resets": (Resets, 8082, "reset"),
    "hangs": (Hangs, 8083, "timeout_response"),
    "large": (Large, 8084, "bad_answer"),
}


def _hostile(office: Office, name: str) -> Remote:
    play, port, _ = HOSTILE[name]
    kind = socket.SOCK_DGRAM if play is Large else socket.SOCK_STREAM
    sock: socket.socket = office.machines["east"].call(socket.socket, socket.AF_INET, kind)
    sock.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    sock.setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, 1 << 20)
    sock.bind((SITES["east"], port))
    if kind == socket.SOCK_STREAM:
        sock.listen()
    return play(sock)


def test_checks_of_hostile_remotes_end_with_a_reason_in_time_and_leak_nothing(office: Office) -> None:
    """They dribble, reset, accept and hang, answer with as much as a datagram holds: none is ever used, the good one
    behind them is, and the director holds no more sockets after twenty more such answers each."""
    text, remotes = HEAD, []
    for name, (_, port, _) in HOSTILE.items():
        udp = name == "large"
        remotes.append(_hostile(office, name))
        kind = 'udp: {send: "question", expect: "pong"}' if udp else "http: {path: /healthz}"
        bad = (
            f"{{name: {name}, address: {SITES['east']}, check: {{{kind}, port: {port}, interval: 100ms, timeout: 1s}}}}"
        )
        good = f"{{name: west, address: {SITES['west']}}}"
        one = service(name, 80 + port - 8080, "west", scheduler="rr", protocol="udp" if udp else "tcp")
        text += one.replace(f"backup: [{good}]", f"backup: [{bad}, {good}]")
    office.start(text)
    office.fall(*LOCAL)
    for name in HOSTILE:
        office.until(lambda name=name: office.site(name) == "west")  # type: ignore[misc]

    def sockets() -> int:
        folder = Path(f"/proc/{office.status()['pid']}/fd")
        return sum(_leads_to(each).startswith("socket:") for each in folder.iterdir())

    def asked_more(times: int) -> None:
        before = [remote.asked for remote in remotes]
        office.until(lambda: all(r.asked >= b + times for r, b in zip(remotes, before, strict=True)), 120.0)

    def checked() -> list[str]:
        """The services; what their hostile remotes' last checks said is as it must be."""
        found = []
        for each in office.status()["services"]:
            (server,) = each["backups"][0]["servers"]
            assert server["state"] == "down"
            assert server["last_check"]["outcome"] == HOSTILE[each["name"]][2], (each["name"], server["last_check"])
            found.append(each["name"])
        return found

    asked_more(3)
    before = sockets()
    asked_more(20)
    assert set(checked()) == set(HOSTILE)
    assert sockets() <= before + 2 * len(HOSTILE), "sockets leak"
    assert office.page(81) == "west"
    for remote in remotes:
        remote.sock.close()


def _leads_to(descriptor: Path) -> str:
    """Empty if it was closed meanwhile."""
    try:
        return os.readlink(descriptor)
    except FileNotFoundError:
        return ""


def _down(office: Office, name: str) -> bool:
    """Does the cascade know it?"""
    (cascade,) = (each for each in office.status()["services"] if each["name"] == "cascade")
    (backup,) = (each for each in cascade["backups"] if each["name"] == name)
    return bool(backup["state"] == "down")
