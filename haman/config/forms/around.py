"""Forms of single settings: HTTP paths and statuses, the floor of a service, an operator's command."""

from __future__ import annotations

import re
import shlex
from dataclasses import dataclass
from typing import Any

from haman.config.forms.base import Form, text, wrong
from haman.config.forms.numbers import Percent
from haman.config.mistakes import quoted, shown
from haman.model.cluster import Floor

_RANGE = re.compile("([1-5][0-9]{2})(?:-([1-5][0-9]{2}))?")


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
class FloorText(Form):
    """A count of servers or a share of them."""

    words = "a number of servers, or a percentage of them"

    def parse(self, value: Any) -> Floor:
        if isinstance(value, int) and not isinstance(value, bool) and 0 <= value <= 65535:
            return Floor(count=value)
        if isinstance(value, str) and value.endswith("%"):
            return Floor(share=Percent(0, 100).parse(value))
        raise wrong(f"{shown(value)} is neither a number of servers nor a percentage", "write 2 or 50%")

    def json(self) -> dict[str, Any]:
        return {"anyOf": [{"type": "integer", "minimum": 0, "maximum": 65535}, Percent(0, 100).json()]}


class Argument(Form):
    """One word of a command."""

    words = "text"

    def parse(self, value: Any) -> str:
        if isinstance(value, int | float):
            raise wrong(f"{shown(value)} is not text", f"write '{shown(value)}', in quotes")
        written = text(value, "text", "notify")
        if "\0" in written:
            raise wrong("this holds a zero byte", "no program can be given one: remove it")
        return written

    def json(self) -> dict[str, Any]:
        return {"type": "string"}


class CommandText(Form):
    """A command line, split into words as a shell would split it; nothing else of a shell is done."""

    words = "a command line; blanks divide, quotes hold together"

    def parse(self, value: Any) -> list[str]:
        written = Argument().parse(value)
        try:
            return shlex.split(written)
        except ValueError as error:
            cure = "close the quote, or write the words as a list"
            raise wrong(f"{quoted(written)} cannot be split into words ({str(error).lower()})", cure) from error

    def json(self) -> dict[str, Any]:
        return {"type": "string"}
