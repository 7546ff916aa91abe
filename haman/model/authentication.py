"""Who is believed: the keys that sign what directors tell each other, over VRRP and over their own channel.

The configuration knows the keys' files (Authentication); what was read from them (Credentials) goes to those who sign
and judge, and is in no configuration, no digest and no status.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from enum import Enum


class Mode(Enum):
    """ENFORCE: what is not signed as it should be is refused. PERMISSIVE: it is counted, told, and believed.
    RECEIVE_ONLY: the same, and nothing is signed here."""

    ENFORCE = "enforce"
    PERMISSIVE = "permissive"
    RECEIVE_ONLY = "receive-only"


@dataclass(frozen=True, slots=True, kw_only=True)
class KeyFile:
    """number: what the key is called on the wire, 1 to 255. path: absolute."""

    number: int
    path: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Authentication:
    """send: the number of the key that signs; all keys are accepted. window: seconds that the sender's clock may
    differ from ours; None: clocks do not matter, only that nothing is heard twice or out of order."""

    keys: tuple[KeyFile, ...]
    send: int
    mode: Mode = Mode.ENFORCE
    window: float | None = 5.0


@dataclass(frozen=True, slots=True, kw_only=True)
class Key:
    """secret: as hexadecimal digits, since it passes through JSON."""

    number: int
    secret: str = field(repr=False)

    @property
    def octets(self) -> bytes:
        """The secret itself."""
        return bytes.fromhex(self.secret)


@dataclass(frozen=True, slots=True, kw_only=True)
class Credentials:
    """An Authentication with its files read."""

    keys: tuple[Key, ...]
    send: int
    mode: Mode = Mode.ENFORCE
    window: float | None = 5.0

    @property
    def signing(self) -> Key | None:
        """None: nothing is signed here."""
        if self.mode is Mode.RECEIVE_ONLY:
            return None
        return self.key(self.send)

    @property
    def enforced(self) -> bool:
        return self.mode is Mode.ENFORCE

    def key(self, number: int) -> Key | None:
        return next((key for key in self.keys if key.number == number), None)
