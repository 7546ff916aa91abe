"""What goes into an HTTP request and what its answer is compared with. Values that may be secret are never quoted."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Any

from haman.config.forms.base import Form, text, wrong
from haman.config.mistakes import quoted, shown
from haman.pattern import Pattern

_RANGE = re.compile("([1-5][0-9]{2})(?:-([1-5][0-9]{2}))?")
_TOKEN = "[!#$%&'*+.^_`|~0-9A-Za-z-]{1,64}"
_OURS = {
    "host": "write it as 'host', beside 'headers'",
    **dict.fromkeys(("content-length", "transfer-encoding"), "the length is counted from what is sent"),
    **dict.fromkeys(("connection", "upgrade", "te", "trailer", "keep-alive"), "each check has a connection of its own"),
    "expect": "what is sent is sent at once",
}
"""Header fields that haman sets or must do without."""


class HttpPath(Form):
    """Goes into the request line as it is."""

    words = "a path that begins with '/', without blanks"

    def parse(self, value: Any) -> str:
        written = text(value, "a path", "/healthz")
        if not written.startswith("/"):
            cure = "write only what follows the host name" if "://" in written else f"write {quoted('/' + written)}"
            raise wrong(f"{quoted(written)} does not begin with '/'", cure)
        if not re.fullmatch("[!-~]+", written):
            raise wrong(f"{quoted(written)} holds a character that no URL may hold", "write it as %20 and the like")
        return written

    def json(self) -> dict[str, Any]:
        return {"type": "string", "pattern": "^/[!-~]*$"}


class HostHeader(Form):
    """Goes into the Host header as it is."""

    words = "a host name or address, with a port if the server wants one"

    def parse(self, value: Any) -> str:
        written = text(value, "a host name", "www.example.com")
        if not re.fullmatch(r"[A-Za-z0-9._~\[\]:-]{1,255}", written):
            raise wrong(f"{quoted(written)} is not a host name", "write it like www.example.com")
        return written

    def json(self) -> dict[str, Any]:
        return {"type": "string", "pattern": r"^[A-Za-z0-9._~\[\]:-]{1,255}$"}


class StatusRange(Form):
    """One HTTP status or a range of them, as (first, last)."""

    words = "an HTTP status such as 200, or a range such as 200-299"

    def parse(self, value: Any) -> tuple[int, int]:
        found = _RANGE.fullmatch(str(value)) if isinstance(value, int | str) else None
        if not found:
            raise wrong(f"{shown(value)} is not an HTTP status", "write 100 to 599, or a range such as 200-299")
        first, last = int(found[1]), int(found[2] or found[1])
        if first > last:
            raise wrong(f"{value} ends before it begins", f"write {last}-{first}")
        return first, last

    def json(self) -> dict[str, Any]:
        number = {"type": "integer", "minimum": 100, "maximum": 599}
        return {"anyOf": [number, {"type": "string", "pattern": f"^{_RANGE.pattern}$"}]}


@dataclass(frozen=True)
class Version(Form):
    """A version of a protocol, as text; YAML takes 1.1 for a number."""

    protocol: str
    choices: tuple[str, ...]

    @property
    def words(self) -> str:  # type: ignore[override]
        return " or ".join(f"`{choice}`" for choice in self.choices)

    def parse(self, value: Any) -> str:
        written = str(value) if isinstance(value, float | str) else ""
        if written not in self.choices:
            raise wrong(f"{shown(value)} is not a version of {self.protocol} that checks speak", f"write {self.spoken}")
        return written

    def json(self) -> dict[str, Any]:
        numbers = [float(choice) for choice in self.choices]
        return {"anyOf": [{"type": "number", "enum": numbers}, {"type": "string", "enum": list(self.choices)}]}


class HeaderName(Form):
    """The name of a header field (RFC 9110, section 5.1)."""

    words = "the name of a header field"

    def parse(self, value: Any) -> str:
        written = text(value, "the name of a header field", "X-Check")
        if not re.fullmatch(_TOKEN, written):
            raise wrong(f"{quoted(written)} is not the name of a header field", "write it like X-Check")
        if written.lower() in _OURS:
            raise wrong(f"{quoted(written)} cannot be set here", _OURS[written.lower()])
        return written

    def json(self) -> dict[str, Any]:
        return {"type": "string", "pattern": f"^{_TOKEN}$"}


class HeaderValue(Form):
    """Goes into the request as it is; a line break would begin another header field."""

    words = "text without line breaks"

    def parse(self, value: Any) -> str:
        if isinstance(value, int | float):
            raise wrong("this value is a number or a truth value, not text", "write it in quotes")
        if not isinstance(value, str):
            raise wrong("this value is not text", "write it in quotes")
        if not re.fullmatch(r"[\t -~\u00a0-\u00ff]{0,8192}", value):
            raise wrong("this value holds a sign that no header field may hold", "remove line breaks and the like")
        return value.strip()

    def json(self) -> dict[str, Any]:
        return {"type": "string", "maxLength": 8192}


class PatternText(Form):
    """An RE2 pattern: matched in time that grows with the text, whatever a server sends."""

    words = "a pattern in RE2's syntax (Perl's, without backreferences and lookaround)"

    def parse(self, value: Any) -> str:
        written = text(value, "a pattern", "'status.*ok'")
        try:
            Pattern(written)
        except ValueError as error:
            raise wrong(
                f"{quoted(written)} is not a pattern ({error})", "see github.com/google/re2/wiki/Syntax"
            ) from error
        return written

    def json(self) -> dict[str, Any]:
        return {"type": "string"}
