"""How a check can end: every way has a name (a metric label) and words (for the operator)."""

from __future__ import annotations

import errno
import os
from enum import Enum
from typing import NamedTuple


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
    GOOD_BODY = "good_body"
    BAD_BODY = "bad_body"
    TIMEOUT_TLS = "timeout_tls"
    BAD_TLS = "bad_tls"
    BAD_CERTIFICATE = "bad_certificate"
    GOOD_ANSWER = "good_answer"
    BAD_RCODE = "bad_rcode"
    WRONG_ANSWER = "wrong_answer"
    OLD_SERIAL = "old_serial"
    TRUNCATED = "truncated"
    BAD_MESSAGE = "bad_message"
    ANSWERED = "answered"
    SILENT = "silent"
    BAD_ANSWER = "bad_answer"
    TIMEOUT_ANSWER = "timeout_answer"
    PORT_UNREACHABLE = "port_unreachable"
    ECHOED = "echoed"
    TIMEOUT_ECHO = "timeout_echo"
    GOOD_EXIT = "good_exit"
    BAD_EXIT = "bad_exit"
    KILLED = "killed"
    TIMEOUT_SCRIPT = "timeout_script"
    NOT_STARTED = "not_started"
    NO_DESCRIPTORS = "no_descriptors"
    NO_RESOURCES = "no_resources"
    NO_ICMP = "no_icmp"
    NOT_PREPARED = "not_prepared"

    # There is one of each, and `==` is identity; Enum's own hash is a Python call, and every check asks for some.
    __hash__ = object.__hash__


PASSED = frozenset(
    {
        Outcome.CONNECTED,
        Outcome.GOOD_STATUS,
        Outcome.GOOD_BODY,
        Outcome.GOOD_ANSWER,
        Outcome.ANSWERED,
        Outcome.SILENT,
        Outcome.ECHOED,
        Outcome.GOOD_EXIT,
    }
)

INCONCLUSIVE = frozenset({Outcome.NO_DESCRIPTORS, Outcome.NO_RESOURCES, Outcome.NO_ICMP, Outcome.NOT_PREPARED})
"""This machine lacked something to ask with, for the moment: says nothing about the server, and must not take it out.
A program that cannot be started is none of these: it is missing until somebody mends it, and nobody would know what the
server does all that time."""

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
    Outcome.CLOSED: "connection closed before the end of the answer",
    Outcome.NOT_ALLOWED: "not allowed by this machine's firewall",
    Outcome.OTHER_ERROR: "failed",
    Outcome.GOOD_BODY: "good status and body",
    Outcome.BAD_BODY: "bad body",
    Outcome.TIMEOUT_TLS: "connected, but no TLS handshake within the timeout",
    Outcome.BAD_TLS: "no TLS",
    Outcome.BAD_CERTIFICATE: "certificate refused",
    Outcome.GOOD_ANSWER: "good answer",
    Outcome.BAD_RCODE: "bad response code",
    Outcome.WRONG_ANSWER: "not the expected records",
    Outcome.OLD_SERIAL: "the zone's serial is too old",
    Outcome.TRUNCATED: "the answer is truncated",
    Outcome.BAD_MESSAGE: "not a DNS answer",
    Outcome.ANSWERED: "answered",
    Outcome.SILENT: "no answer, and none is required",
    Outcome.BAD_ANSWER: "not the expected answer",
    Outcome.TIMEOUT_ANSWER: "no answer within the timeout",
    Outcome.PORT_UNREACHABLE: "port unreachable: nobody listens",
    Outcome.ECHOED: "echo reply",
    Outcome.TIMEOUT_ECHO: "no echo reply within the timeout",
    Outcome.GOOD_EXIT: "the program says healthy",
    Outcome.BAD_EXIT: "the program says failing",
    Outcome.KILLED: "the program did not end by itself",
    Outcome.TIMEOUT_SCRIPT: "the program did not end within the timeout and was killed",
    Outcome.NO_DESCRIPTORS: "not checked: this machine has no free file descriptors",
    Outcome.NO_RESOURCES: "not checked: this machine lacks memory or local ports",
    Outcome.NO_ICMP: "not checked: no ICMP socket without CAP_NET_RAW, or our group in net.ipv4.ping_group_range",
    Outcome.NOT_STARTED: "the program could not be started",
    Outcome.NOT_PREPARED: "not checked",
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


class Result(NamedTuple):
    """latency: seconds from the start of the check to its end, whatever the end. detail: what the server said.
    weight: what it asks for as its own, None for the configured one. certificate_ends: wall-clock seconds since the
    epoch."""

    outcome: Outcome
    latency: float
    detail: str = ""
    weight: int | None = None
    certificate_ends: float | None = None

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


def reference() -> str:
    """docs/reference/outcomes.md."""
    lines = [
        "# How a check can end",
        "",
        "Every check ends in one of these ways. `haman_checks_total` counts them by the label `outcome`, and",
        "`haman status` tells them in words. What says nothing about the server changes no verdict, and the server is",
        "asked again soon. This page is made from `haman/probes/outcome.py`.",
        "",
        "| outcome | the server | in words |",
        "|---|---|---|",
    ]
    for outcome in Outcome:
        means = "passes" if outcome in PASSED else "is not judged" if outcome in INCONCLUSIVE else "fails"
        lines.append(f"| `{outcome.value}` | {means} | {_WORDS[outcome]} |")
    return "\n".join(lines) + "\n"


def of_error(code: int, latency: float) -> Result:
    """The result that the kernel's error number means; words only where the outcome does not say it all."""
    outcome = _ERRORS.get(code, Outcome.OTHER_ERROR)
    telling = outcome in {Outcome.UNREACHABLE, Outcome.OTHER_ERROR, Outcome.NO_RESOURCES}
    return Result(outcome, latency, os.strerror(code).lower() if telling else "")
