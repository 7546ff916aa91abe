"""How a check can end: every way has a name (a metric label) and words (for the operator)."""

from __future__ import annotations

import errno
import os
from dataclasses import dataclass
from enum import Enum


class Outcome(Enum):
    CONNECTED = "connected"
    GOOD_STATUS = "good_status"
    REFUSED = "refused"
    TIMEOUT_CONNECT = "timeout_connect"
    TIMEOUT_RESPONSE = "timeout_response"
    RESET = "reset"
    UNREACHABLE = "unreachable"
    BAD_STATUS = "bad_status"
    BAD_RESPONSE = "bad_response"
    TOO_LARGE = "too_large"
    CLOSED = "closed"
    NOT_ALLOWED = "not_allowed"
    OTHER_ERROR = "other_error"
    NO_DESCRIPTORS = "no_descriptors"
    NO_RESOURCES = "no_resources"


PASSED = frozenset({Outcome.CONNECTED, Outcome.GOOD_STATUS})

INCONCLUSIVE = frozenset({Outcome.NO_DESCRIPTORS, Outcome.NO_RESOURCES})
"""This machine lacked something to ask with: says nothing about the server, and must not take it out."""

_WORDS = {
    Outcome.CONNECTED: "connected",
    Outcome.GOOD_STATUS: "good status",
    Outcome.REFUSED: "connection refused",
    Outcome.TIMEOUT_CONNECT: "no connection within the timeout",
    Outcome.TIMEOUT_RESPONSE: "connected, but no complete answer within the timeout",
    Outcome.RESET: "connection reset",
    Outcome.UNREACHABLE: "unreachable",
    Outcome.BAD_STATUS: "bad status",
    Outcome.BAD_RESPONSE: "not an HTTP answer",
    Outcome.TOO_LARGE: "answer's headers too large",
    Outcome.CLOSED: "connection closed before the end of the answer's headers",
    Outcome.NOT_ALLOWED: "not allowed by this machine's firewall",
    Outcome.OTHER_ERROR: "failed",
    Outcome.NO_DESCRIPTORS: "not checked: this machine has no free file descriptors",
    Outcome.NO_RESOURCES: "not checked: this machine lacks memory or local ports",
}

_ERRORS = {
    errno.ECONNREFUSED: Outcome.REFUSED,
    errno.ECONNRESET: Outcome.RESET,
    errno.EPIPE: Outcome.RESET,
    errno.ECONNABORTED: Outcome.RESET,
    errno.ETIMEDOUT: Outcome.TIMEOUT_CONNECT,
    errno.EHOSTUNREACH: Outcome.UNREACHABLE,
    errno.ENETUNREACH: Outcome.UNREACHABLE,
    errno.EHOSTDOWN: Outcome.UNREACHABLE,
    errno.ENETDOWN: Outcome.UNREACHABLE,
    errno.ENONET: Outcome.UNREACHABLE,
    errno.EPERM: Outcome.NOT_ALLOWED,
    errno.EACCES: Outcome.NOT_ALLOWED,
    errno.EMFILE: Outcome.NO_DESCRIPTORS,
    errno.ENFILE: Outcome.NO_DESCRIPTORS,
    errno.EADDRNOTAVAIL: Outcome.NO_RESOURCES,
    errno.EADDRINUSE: Outcome.NO_RESOURCES,
    errno.EAGAIN: Outcome.NO_RESOURCES,
    errno.ENOBUFS: Outcome.NO_RESOURCES,
    errno.ENOMEM: Outcome.NO_RESOURCES,
}


@dataclass(frozen=True, slots=True)
class Result:
    """latency: seconds from the start of the check to its end, whatever the end. detail: what the server said."""

    outcome: Outcome
    latency: float
    detail: str = ""

    @property
    def passed(self) -> bool:
        return self.outcome in PASSED

    @property
    def conclusive(self) -> bool:
        return self.outcome not in INCONCLUSIVE

    @property
    def words(self) -> str:
        words = _WORDS[self.outcome]
        return f"{words}: {self.detail}" if self.detail else words


def of_error(code: int, latency: float) -> Result:
    """The result that the kernel's error number means; words only where the outcome does not say it all."""
    outcome = _ERRORS.get(code, Outcome.OTHER_ERROR)
    telling = outcome in {Outcome.UNREACHABLE, Outcome.OTHER_ERROR, Outcome.NO_RESOURCES}
    return Result(outcome, latency, os.strerror(code).lower() if telling else "")
