"""One question and its answers: asked again and again, one attempt at a time, exactly one Result for each.

A Prober is made once for a question; what is the same in every attempt (addresses, bytes to send) is prepared then.
What all types share is here: the deadline, the end, the names of errors. What is asked, and how, is the subclass's.
No exception leaves an attempt: an OSError becomes a Result.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from haman.probes.outcome import Outcome, Result, of_error

if TYPE_CHECKING:
    from collections.abc import Callable

    from haman.probes.equipment import Equipment
    from haman.probes.question import Question
    from haman.probes.watcher import Deadline

STALL = 0.05
"""A deadline noticed later than this (seconds) shows that we, not the server, were slow."""


class NotPrepared(Exception):
    """Something of this machine's own is missing or cannot be used; in words. Says nothing about the server."""


class Prober:
    """done: called once for each `start` with the Result, possibly from within it; never after `abandon`."""

    def __init__(self, equipment: Equipment, question: Question, done: Callable[[Result], None]) -> None:
        self.question = question
        self._equipment = equipment
        self._watcher = equipment.watcher
        self._done = done
        self._began = 0.0
        self._deadline: Deadline | None = None
        self._extended = False

    def start(self) -> None:
        """Ask. NOT before the last attempt has ended."""
        self._began = self._watcher.look()
        self._extended = False
        self._deadline = self._watcher.at(self._began + self.question.timeout, self._expired)
        try:
            self.ask()
        except OSError as error:
            self.fail(error)
        except NotPrepared as error:
            self.finish(Outcome.NOT_PREPARED, str(error))

    def abandon(self) -> None:
        """Idempotent: give up without a result."""
        if self._deadline is not None:
            self._watcher.cancel(self._deadline)
            self._deadline = None
        self.release()

    def ask(self) -> None:
        """For subclasses: begin an attempt. May raise OSError, NotPrepared."""
        raise NotImplementedError

    def release(self) -> None:
        """For subclasses: an attempt is over; give back what it held. Idempotent."""
        raise NotImplementedError

    def silence(self) -> tuple[Outcome, str]:
        """For subclasses: the time is up. Outcome, and what is to be said beside the timeout."""
        raise NotImplementedError

    def finish(
        self, outcome: Outcome, detail: str = "", weight: int | None = None, certificate_ends: float | None = None
    ) -> None:
        """For subclasses: this is the end of the attempt."""
        result = Result(outcome, self._watcher.now - self._began, detail, weight, certificate_ends)
        self.abandon()
        self._done(result)

    def fail(self, error: OSError) -> None:
        """For subclasses: the end, by an error of the kernel's."""
        result = of_error(error.errno or 0, self._watcher.now - self._began)
        self.abandon()
        self._done(result)

    def _expired(self) -> None:
        """Before believing silence: when this loop itself was stalled, answers may lie unread in the socket, and a
        dialogue of several steps had no chance. The stall is given back, once."""
        assert self._deadline is not None
        now = self._watcher.now
        late = now - self._deadline.when
        if late > STALL and not self._extended:
            self._extended = True
            self._deadline = self._watcher.at(now + min(late, self.question.timeout), self._expired)
            return
        self._deadline = None
        outcome, detail = self.silence()
        limit = f"{self.question.timeout:g} s"
        self.finish(outcome, f"{limit}; {detail}" if detail else limit)
