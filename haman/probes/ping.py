"""Healthy when an ICMP echo request is answered: the machine is there, whatever its services do."""

from __future__ import annotations

from typing import TYPE_CHECKING

from haman.probes.outcome import Outcome
from haman.probes.prober import Prober

if TYPE_CHECKING:
    from haman.probes.echo import EchoSocket


class PingProber(Prober):
    _echo: EchoSocket | None = None
    _sequence = 0

    def ask(self) -> None:
        assert self.question.address is not None
        try:
            echo = self._equipment.echo(six=self.question.address.version == 6, source=self.question.source)
        except PermissionError:
            self.finish(Outcome.NO_ICMP)
            return
        self._echo = echo
        self._sequence = echo.send(self.question.address, self._heard)

    def release(self) -> None:
        if self._echo is not None:
            self._echo.forget(self._sequence)
            self._echo = None

    def silence(self) -> tuple[Outcome, str]:
        return Outcome.TIMEOUT_ECHO, ""

    def _heard(self, code: int) -> None:
        if code:
            self.fail(OSError(code, ""))
        else:
            self.finish(Outcome.ECHOED)
