"""Forms of single settings: the floor of a service, an operator's command."""

from __future__ import annotations

import shlex
from dataclasses import dataclass
from typing import Any

from haman.config.forms.base import Form, text, wrong
from haman.config.forms.numbers import Percent
from haman.config.mistakes import quoted, shown
from haman.model.services import Floor


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
