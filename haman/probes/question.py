"""What exactly is asked of whom, and how often. Targets with the same Question share one check's answers."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from haman.model.cluster import Address, Check, Probe, Server, Target


@dataclass(frozen=True, slots=True)
class Question:
    """The check goes to the server's own address, so it can be asked from a standby and proves nothing about VIPs.

    Everything that decides when and how is asked is part of the identity; `rise`, `fall` and the check's name
    are not: they only interpret the answer, so services that differ in them still share it. Seconds.
    """

    address: Address
    port: int
    probe: Probe
    timeout: float
    interval: float
    fast_interval: float
    jitter: float

    @classmethod
    def about(cls, target: Target, server: Server, check: Check) -> Question:
        port = target.port if check.port is None else check.port
        return cls(server.address, port, check.probe, check.timeout, check.interval, check.fast_interval, check.jitter)
