"""Words: names, choices, true and false, free text."""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from haman.config.forms.base import Form, text, wrong
from haman.config.mistakes import quoted, shown
from haman.config.suggest import listed, near

if TYPE_CHECKING:
    from collections.abc import Mapping
    from enum import Enum


@dataclass(frozen=True)
class Pattern(Form):
    """Text of one shape. `noun` with its article; `rule` is the cure."""

    noun: str
    pattern: str
    rule: str
    example: str

    @property
    def words(self) -> str:  # type: ignore[override]
        return self.noun

    def parse(self, value: Any) -> str:
        if isinstance(value, int | float) and re.fullmatch(self.pattern, shown(value)):
            raise wrong(f"{shown(value)} is a number or a truth value, not {self.noun}", f"write '{shown(value)}'")
        written = text(value, self.noun, self.example)
        if re.fullmatch(self.pattern, written):
            return written
        raise wrong(f"{quoted(written)} is not {self.noun}" if written else "this is empty", self.rule)

    def json(self) -> dict[str, Any]:
        return {"type": "string", "pattern": f"^{self.pattern}$"}


NAME = Pattern(
    "a name",
    "[A-Za-z0-9_][A-Za-z0-9_.-]{0,62}",
    "up to 63 letters, digits, '-', '_' and '.', of which the first is a letter, digit or '_'",
    "web",
)
"""Names go into log lines, metric labels and `service/server:port`: no blanks, slashes or colons."""

HOST_NAME = Pattern(
    "a host name",
    "[A-Za-z0-9]([A-Za-z0-9-]{0,62}[A-Za-z0-9])?([.][A-Za-z0-9]([A-Za-z0-9-]{0,62}[A-Za-z0-9])?){0,20}",
    "letters, digits and '-', parts divided by '.'",
    "lb1.example.com",
)

INTERFACE = Pattern(
    "an interface name",
    "(?![.]{1,2}$)[!-.0-9;-~]{1,15}",
    "up to 15 characters, no blanks, '/' or ':'",
    "eth0",
)
"""What the kernel accepts (dev_valid_name in net/core/dev.c). Aliases (`eth0:1`) are labels, not interfaces."""


FILE = Pattern("a file's absolute path", r"/[^\0]{0,4094}", "write it from the first '/' on", "/etc/haman/ca.pem")

PASSWORD = Pattern("a password", "[!-~]{1,8}", "1 to 8 printable ASCII characters without blanks", "s3cret")


LABEL = Pattern("a label", "[A-Za-z0-9_.-]{1,13}", "up to 13 letters, digits, '-', '_' and '.'", "web")
"""With the interface and a colon before it at most 15 characters (IFNAMSIZ)."""


@dataclass(frozen=True)
class Choice(Form):
    """One of an enum's values. `others`: what people write elsewhere -> what is meant here. `but`: members that are not
    to be chosen here."""

    noun: str
    kind: type[Enum]
    others: Mapping[str, str] = field(default_factory=dict)
    but: frozenset[Enum] = frozenset()

    @property
    def words(self) -> str:  # type: ignore[override]
        return "one of " + ", ".join(f"`{value}`" for value in self._values())

    def _values(self) -> list[str]:
        return [member.value for member in self.kind if member not in self.but]

    def parse(self, value: Any) -> Any:
        choices = self._values()
        if isinstance(value, str) and value in choices:
            return self.kind(value)
        word = value.lower() if isinstance(value, str) else ""
        meant = self.others.get(word) or near(word, choices)
        what = f"{shown(value)} is not {self.noun}"
        raise wrong(what, f"did you mean '{meant}'?" if meant else f"choose {listed(choices)}")

    def json(self) -> dict[str, Any]:
        return {"type": "string", "enum": self._values()}


class Boolean(Form):
    """`true` or `false`. `yes`, `on` and the like are text: half of YAML's readers disagree about them."""

    words = "`true` or `false`"

    def parse(self, value: Any) -> bool:
        if isinstance(value, bool):
            return value
        raise wrong(f"{shown(value)} is neither true nor false", f"write {self.meant(value) or 'true or false'}")

    @staticmethod
    def meant(value: Any) -> str:
        """`true` or `false` for what other programs, and YAML 1.1, write instead."""
        word = str(value).lower()
        return (
            "true"
            if word in ("true", "yes", "on", "y", "1")
            else "false"
            if word in ("false", "no", "off", "n", "0")
            else ""
        )

    def json(self) -> dict[str, Any]:
        return {"type": "boolean"}


class Off(Form):
    """`false`, where anything but that has a form of its own."""

    words = "`false`"

    def parse(self, value: Any) -> bool:
        if value is False:
            return False
        raise wrong("true says too little here", "write false for none, or say which")

    def json(self) -> dict[str, Any]:
        return {"const": False}
