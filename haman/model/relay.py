"""A relay in user space to a backup: what it may do, and with how much."""

from __future__ import annotations

from dataclasses import dataclass
from enum import Enum


class Proxy(Enum):
    """The version of the PROXY protocol by which the other site is told the client."""

    V1 = "v1"
    V2 = "v2"


@dataclass(frozen=True, slots=True, kw_only=True)
class Terms:
    """Of the relay to one backup. sessions: TCP sessions, or UDP flows, at a time, over all ports. memory: bytes of
    these that wait in the relay because a receiver is slow. idle: seconds without a byte in either direction after
    which a session ends. drain: seconds that sessions go on after the backup has ceased to serve. connect: seconds a
    server there has to accept. proxy None: the other site is not told."""

    proxy: Proxy | None = None
    sessions: int = 5000
    memory: int = 64 << 20
    idle: float = 600.0
    drain: float = 30.0
    connect: float = 5.0
