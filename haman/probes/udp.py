"""A datagram is sent, and its answer compared with what is expected.

With `require_reply: false` silence is healthy: UDP services that answer nobody can only be told from dead ones by the
ICMP "port unreachable" that the server's own kernel sends. A host that is off is then found out too late, by ARP, or
not at all; hence `require_reply` is on unless turned off.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from haman.model.checks import UdpProbe
from haman.probes.datagram import DatagramProber
from haman.probes.outcome import Outcome

if TYPE_CHECKING:
    from collections.abc import Callable

    from haman.probes.equipment import Equipment
    from haman.probes.outcome import Result
    from haman.probes.question import Question

SHOWN = 24
"""Bytes of a wrong answer that are told."""


class UdpProber(DatagramProber):
    largest = 65535

    def __init__(self, equipment: Equipment, question: Question, done: Callable[[Result], None]) -> None:
        super().__init__(equipment, question, done)
        assert isinstance(question.probe, UdpProbe)
        self._probe = question.probe
        self._pattern = equipment.pattern(question.probe.expect) if question.probe.expect is not None else None

    def payload(self) -> bytes:
        return self._probe.send

    def answered(self, data: bytes) -> None:
        good = data.startswith(self._probe.prefix) and (self._pattern is None or self._pattern.found_in(data))
        if good:
            self.finish(Outcome.ANSWERED)
        else:
            self.finish(Outcome.BAD_ANSWER, f"{len(data)} bytes, {data[:SHOWN]!r}".replace(", b", ", "))

    def silence(self) -> tuple[Outcome, str]:
        if self._probe.require_reply:
            return super().silence()
        return Outcome.SILENT, self.strange()
