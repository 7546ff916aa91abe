"""An operator's program is asked, with keepalived's exit codes: 0 is healthy, 1 is not.

With `dynamic`, 2..255 is healthy too, and two less is the server's weight. Without, any status but 0 is a failure.
At the timeout the whole process group is killed; so is what a program leaves behind when it ends by itself. A program
that cannot be started, or may not run as root, is a failure: it says nothing of the server, for as long as nobody mends
it.
"""

from __future__ import annotations

import errno
from typing import TYPE_CHECKING

from haman import accounts
from haman.model.checks import ScriptProbe
from haman.probes.outcome import Outcome
from haman.probes.prober import Prober
from haman.program import NOT_STARTED, Ended, Run

if TYPE_CHECKING:
    from collections.abc import Callable

    from haman.probes.equipment import Equipment
    from haman.probes.outcome import Result
    from haman.probes.question import Question

_LACKING = {
    errno.EMFILE: Outcome.NO_DESCRIPTORS,
    errno.ENFILE: Outcome.NO_DESCRIPTORS,
    errno.EAGAIN: Outcome.NO_RESOURCES,
    errno.ENOMEM: Outcome.NO_RESOURCES,
}
"""Why a program could not be started that could be at another time."""

SAID = 200
"""Characters of the last output line that are shown."""


class ScriptProber(Prober):
    def __init__(self, equipment: Equipment, question: Question, done: Callable[[Result], None]) -> None:
        super().__init__(equipment, question, done)
        assert isinstance(question.probe, ScriptProbe)
        self._scripts = equipment.scripts
        self._user = question.probe.user
        self._dynamic = question.probe.dynamic
        self._argv, self._environment = command(question, question.probe)
        self._run: Run | None = None
        self._said = ""

    def start(self) -> None:
        """The time runs from the program's start, not while others have their turn."""
        self._scripts.queue(self._turn)

    def abandon(self) -> None:
        self._scripts.forget(self._turn)
        super().abandon()

    def _turn(self) -> None:
        super().start()

    def ask(self) -> None:
        self._said = ""

        def ended(how: Ended) -> None:
            self._scripts.ended(run)
            if self._run is run:
                self._run = None
                self._ended(how)

        user, why = self._user, ""
        try:
            user = accounts.to_run(self._argv[0], user)
        except accounts.Refused as refused:
            why = str(refused)
        run = Run(
            self._argv,
            environment=self._environment,
            stdin=b"",
            user=user,
            output=self._say,
            ended=ended,
            sweep=True,
        )
        self._run = run
        self._scripts.began(run)
        if why:
            ended(Ended("not_started", NOT_STARTED, 0.0, why))
        else:
            run.start()

    def release(self) -> None:
        if self._run is not None:
            self._run.kill()
            self._run = None

    def silence(self) -> tuple[Outcome, str]:
        return Outcome.TIMEOUT_SCRIPT, self._said

    def _say(self, line: str) -> None:
        if line.strip():
            self._said = line.strip()[:SAID]

    def _ended(self, how: Ended) -> None:
        self._watcher.look()
        if how.status == NOT_STARTED:
            outcome = _LACKING.get(how.code, Outcome.NOT_STARTED)
            self.finish(outcome, how.words.removeprefix("could not be started: "))
        elif how.status < 0:
            self.finish(Outcome.KILLED, how.words)
        else:
            outcome, weight = judge(how.status, dynamic=self._dynamic)
            words = f"exit status {how.status}" if how.status else ""
            if weight is not None:
                words += f", weight {weight}"
            self.finish(outcome, "; ".join(filter(None, (words, self._said))), weight)


def judge(status: int, *, dynamic: bool) -> tuple[Outcome, int | None]:
    """What an exit status means, and the weight that it asks for (None: the configured one)."""
    if status == 0:
        return Outcome.GOOD_EXIT, None
    if dynamic and status >= 2:
        return Outcome.GOOD_EXIT, status - 2
    return Outcome.BAD_EXIT, None


def command(question: Question, probe: ScriptProbe) -> tuple[tuple[str, ...], dict[str, str]]:
    """The program's words and environment. `{address}` and `{port}` in a word become those of the server."""
    environment = {"HAMAN_TIMEOUT": f"{question.timeout:g}"}
    argv = probe.argv
    if question.address is not None:
        known = {"{address}": str(question.address), "{port}": str(question.port)}
        environment |= {"HAMAN_ADDRESS": known["{address}"], "HAMAN_PORT": known["{port}"]}
        for name, value in known.items():
            argv = (argv[0], *(word.replace(name, value) for word in argv[1:]))
    return argv, environment
