"""Log lines: from a Transition, or a plain sentence, to text or JSON on standard error.

Both processes use it and the elector may never wait, so only the standard library is imported here and a line is
written only when that cannot block: a terminal that is stopped, or a pipe nobody reads, must not stop an election.
"""

from __future__ import annotations

import json
import logging
import os
import select
import sys
import time
from collections import deque
from typing import TYPE_CHECKING, Any

from haman.model.cluster import LogFormat
from haman.model.transition import Kind, Role, Transition

if TYPE_CHECKING:
    from typing import TextIO

PIECE = 4096
"""Bytes written at once: what a pipe or socket that `poll` calls writable takes without blocking (PIPE_BUF)."""

LONGEST = 65536
"""Bytes of a line; what is longer is cut."""

BACKLOG = 1000
"""Lines kept for a reader that is slow; older ones are dropped and counted."""

log = logging.getLogger("haman")
"""For plain sentences. `setup` gives it its handler; before that only warnings appear."""

_LEVELS = {"debug": logging.DEBUG, "info": logging.INFO, "warning": logging.WARNING, "error": logging.ERROR}
_SYSLOG = {logging.DEBUG: 7, logging.INFO: 6, logging.WARNING: 4, logging.ERROR: 3, logging.CRITICAL: 2}

_BAD = {
    Kind.ROUTER: {Role.FAULT.value: logging.WARNING},
    Kind.TAKEOVER: {"second_owner": logging.WARNING, "unconfirmed": logging.WARNING},
    Kind.ARBITER: {"held": logging.ERROR},
    Kind.PACKET: {"refused": logging.WARNING, "mismatch": logging.WARNING},
    Kind.SERVER: {"down": logging.WARNING},
    Kind.CERTIFICATE: {"ending": logging.WARNING},
    Kind.SERVICE: {"down": logging.ERROR, "floor": logging.WARNING},
    Kind.PROCESS: {"limited": logging.WARNING, "restarting": logging.WARNING},
    Kind.CONFIG: {"refused": logging.ERROR},
    Kind.KERNEL: {"refused": logging.ERROR, "unavailable": logging.ERROR},
}


def setup(process: str, form: LogFormat = LogFormat.TEXT, level: str = "info", stream: TextIO | None = None) -> None:
    """Send the log to `stream` (standard error). May be called again when the configuration says otherwise.

    process: `elector` or `director`. level: debug, info, warning or error.
    """
    stream = stream or sys.stderr
    formatter: logging.Formatter
    if form is LogFormat.JSON:
        formatter = JsonFormatter(process)
    else:
        formatter = TextFormatter(process, systemd=_is_journal(stream))
    handler = next((handler for handler in log.handlers if isinstance(handler, Writer)), None)
    if handler is None or handler.stream is not stream:
        log.handlers[:] = [Writer(stream)]
        handler = log.handlers[0]  # type: ignore[assignment]
    assert handler is not None
    handler.setFormatter(formatter)
    log.setLevel(_LEVELS[level])
    log.propagate = False


def record(transition: Transition) -> None:
    """Write a transition down, at the level its outcome deserves."""
    log.log(level_of(transition), "%s", sentence(transition), extra={"transition": transition})


def flush() -> None:
    """Write what a slow reader left unwritten, as far as it now goes without blocking."""
    for handler in log.handlers:
        handler.flush()


def sentence(transition: Transition) -> str:
    """`router public: standby -> active: nothing heard for 3.61 s`."""
    return f"{transition.kind.value} {transition.who}: {transition.before} -> {transition.after}: {transition.why}"


def level_of(transition: Transition) -> int:
    if transition.kind in (Kind.DRIFT, Kind.RIVAL):
        return logging.WARNING
    if transition.kind is Kind.SPLIT:
        return logging.INFO if transition.after == "none" else logging.ERROR
    if transition.kind is Kind.HOOK:
        return logging.INFO if transition.after == "exit 0" else logging.WARNING
    return _BAD.get(transition.kind, {}).get(transition.after, logging.INFO)


class TextFormatter(logging.Formatter):
    """systemd: its journal has the time itself, and reads the level from a `<n>` before the line."""

    def __init__(self, process: str, *, systemd: bool) -> None:
        super().__init__()
        self._process = process
        self._systemd = systemd

    def format(self, record: logging.LogRecord) -> str:
        message = _message(record)
        if self._systemd:
            prefix = f"<{_SYSLOG.get(record.levelno, 6)}>"
            return "\n".join(f"{prefix}{self._process}: {line}" for line in message.splitlines())
        moment = time.strftime("%Y-%m-%d %H:%M:%S", time.localtime(record.created))
        level = record.levelname.lower()
        return f"{moment}.{int(record.msecs):03d} {self._process} {level}: {message}"


class JsonFormatter(logging.Formatter):
    """One object per line: time (RFC 3339, UTC), process, level, message; for a transition its fields too."""

    def __init__(self, process: str) -> None:
        super().__init__()
        self._process = process

    def format(self, record: logging.LogRecord) -> str:
        moment = time.strftime("%Y-%m-%dT%H:%M:%S", time.gmtime(record.created))
        line: dict[str, Any] = {
            "time": f"{moment}.{int(record.msecs):03d}Z",
            "process": self._process,
            "level": record.levelname.lower(),
            "message": _message(record),
        }
        transition = getattr(record, "transition", None)
        if isinstance(transition, Transition):
            line |= fields(transition)
        return json.dumps(line, ensure_ascii=False)


def fields(transition: Transition) -> dict[str, Any]:
    """A transition as plain JSON: for log lines, hooks' standard input and the control socket alike."""
    return {
        "kind": transition.kind.value,
        "who": transition.who,
        "before": transition.before,
        "after": transition.after,
        "why": transition.why,
        "cause": transition.cause,
        "at": transition.at,
    }


class Writer(logging.Handler):
    """Writes a line only where `poll` says it fits; the rest waits, bounded, for the next line or `flush`."""

    def __init__(self, stream: TextIO) -> None:
        super().__init__()
        self.stream = stream
        self._rest = b""  # of a line that is written in part
        self._waiting: deque[bytes] = deque()
        self._lost = 0

    def emit(self, record: logging.LogRecord) -> None:
        try:
            line = self.format(record).encode("utf-8", "replace")[:LONGEST] + b"\n"
        except Exception:
            self.handleError(record)
            return
        if len(self._waiting) >= BACKLOG:
            self._waiting.popleft()
            self._lost += 1
        self._waiting.append(line)
        self.flush()

    def flush(self) -> None:
        try:
            descriptor = self.stream.fileno()
            poll = select.poll()
            poll.register(descriptor, select.POLLOUT)
            while (self._rest or self._waiting) and poll.poll(0):
                if self._lost and not self._rest:
                    os.write(descriptor, f"({self._lost} log lines lost: nobody read them in time)\n".encode())
                    self._lost = 0
                    continue
                line = self._rest or self._waiting.popleft()
                self._rest = line[os.write(descriptor, line[:PIECE]) :]
        except (OSError, ValueError):
            self._rest = b""
            self._waiting.clear()  # standard error is closed or its reader gone: there is nobody left to tell


def _message(record: logging.LogRecord) -> str:
    message = record.getMessage()
    if record.exc_info:
        message += "\n" + logging.Formatter().formatException(record.exc_info)
    return message


def _is_journal(stream: TextIO) -> bool:
    """systemd names the device and inode of the stream it reads (systemd.exec(5), $JOURNAL_STREAM)."""
    try:
        status = os.fstat(stream.fileno())
    except (OSError, ValueError):
        return False
    return os.environ.get("JOURNAL_STREAM") == f"{status.st_dev}:{status.st_ino}"
