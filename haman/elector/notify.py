"""What systemd is told: sd_notify(3), a datagram to the socket that $NOTIFY_SOCKET names. Nothing without one.

READY when the first configuration is taken up, RELOADING and READY around a reload, STOPPING, WATCHDOG while both
processes are in order, and STATUS: one line, shown by `systemctl status`.
"""

from __future__ import annotations

import contextlib
import os
import socket
import time


class Notify:
    """watchdog: seconds between two pings at most; None if systemd does not watch."""

    def __init__(self) -> None:
        """The variables are taken out of the environment: they are not for the director, nor for hooks."""
        name = os.environ.pop("NOTIFY_SOCKET", "")
        microseconds = os.environ.pop("WATCHDOG_USEC", "")
        pid = os.environ.pop("WATCHDOG_PID", str(os.getpid()))
        self._address = b"\0" + name[1:].encode() if name.startswith("@") else name.encode()
        self._socket: socket.socket | None = None
        self.watchdog: float | None = None
        if name:
            self._socket = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM | socket.SOCK_CLOEXEC | socket.SOCK_NONBLOCK)
            if microseconds.isdecimal() and pid == str(os.getpid()):
                self.watchdog = int(microseconds) / 2_000_000  # half of it, as sd_watchdog_enabled(3) advises
        self._status = ""

    def ready(self) -> None:
        self._send("READY=1")

    def reloading(self) -> None:
        """CLOCK_MONOTONIC goes along, so that systemd knows which of several reloads is meant (sd_notify(3))."""
        self._send(f"RELOADING=1\nMONOTONIC_USEC={time.monotonic_ns() // 1000}")

    def stopping(self) -> None:
        self._send("STOPPING=1")

    def alive(self) -> None:
        self._send("WATCHDOG=1")

    def status(self, words: str) -> None:
        """Once per change."""
        if words != self._status:
            self._status = words
            self._send(f"STATUS={words}")

    def _send(self, text: str) -> None:
        """A manager that is busy or gone must not hold up an election."""
        if self._socket is not None:
            with contextlib.suppress(OSError):
                self._socket.sendto(text.encode(), self._address)
