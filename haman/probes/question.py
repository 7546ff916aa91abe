"""What exactly is asked of whom, and how often. Targets with the same Question share one check's answers."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from haman.model.checks import PingProbe

if TYPE_CHECKING:
    from haman.model.addresses import Address
    from haman.model.checks import Check, Probe, Source
    from haman.model.services import Server, Target


@dataclass(frozen=True, slots=True)
class Question:
    """The check goes to the server's own address, so it can be asked from a standby and proves nothing about VIPs.

    Everything that decides when and how is asked is part of the identity; `rise`, `fall` and the check's name
    are not: they only interpret the answer, so services that differ in them still share it. Seconds.
    address None, port 0: a program that is not about one machine.
    """

    address: Address | None
    port: int
    probe: Probe
    timeout: float
    interval: float
    fast_interval: float
    jitter: float
    source: Source | None = None
    _hash: int = field(default=0, init=False, repr=False, compare=False)

    def __post_init__(self) -> None:
        asked = (self.address, self.port, self.probe, self.source)
        object.__setattr__(self, "_hash", hash((asked, self.timeout, self.interval, self.fast_interval, self.jitter)))

    def __hash__(self) -> int:
        """Worked out once: every answer is looked up by its question."""
        return self._hash

    @classmethod
    def about(cls, target: Target, server: Server, check: Check) -> Question:
        port = 0 if isinstance(check.probe, PingProbe) else target.port if check.port is None else check.port
        return cls(
            server.address,
            port,
            check.probe,
            check.timeout,
            check.interval,
            check.fast_interval,
            check.jitter,
            check.source,
        )
