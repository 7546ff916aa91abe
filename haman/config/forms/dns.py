"""What a DNS check asks, and the response code it wants. What an expected record looks like depends on its type:
see rules."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from haman.config.forms.base import Form, text, wrong
from haman.config.mistakes import quoted, shown
from haman.config.suggest import listed, near
from haman.wire.dns import encode_name

if TYPE_CHECKING:
    from enum import IntEnum


class DomainName(Form):
    """Absolute, with or without its last dot."""

    words = "a domain name, `.` for the root"

    def parse(self, value: Any) -> str:
        written = text(value, "a domain name", "www.example.com")
        try:
            encode_name(written)
        except ValueError as error:
            raise wrong(f"{quoted(written)} is not a domain name ({error})", "write it like www.example.com") from error
        return written

    def json(self) -> dict[str, Any]:
        return {"type": "string", "pattern": "^[!-~]{1,255}$"}


@dataclass(frozen=True)
class Mnemonic(Form):
    """A number of the DNS by its name, as int. upper: names are written in capitals."""

    noun: str
    kind: type[IntEnum]
    upper: bool

    @property
    def names(self) -> list[str]:
        return [each.name if self.upper else each.name.lower() for each in self.kind]

    @property
    def words(self) -> str:  # type: ignore[override]
        return "one of " + ", ".join(f"`{name}`" for name in self.names)

    def parse(self, value: Any) -> int:
        if isinstance(value, str) and value in self.names:
            return int(self.kind[value.upper()])
        word = value if isinstance(value, str) else ""
        turned = word.upper() if self.upper else word.lower()
        meant = turned if turned in self.names else near(turned, self.names)
        raise wrong(f"{shown(value)} is not {self.noun}", f"write {meant}" if meant else f"choose {listed(self.names)}")

    def json(self) -> dict[str, Any]:
        return {"type": "string", "enum": self.names}
