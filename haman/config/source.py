"""The file as text: read, bounded, decoded. Everything that can go wrong before there is any YAML.

Raises ConfigError only. The text it hands on holds no character that YAML forbids.
"""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path

from haman.config.mistakes import Mistake, Spot
from haman.errors import ConfigError

LIMIT = 16 << 20
"""Bytes. 10,000 servers take about one megabyte; beyond this it is some other file."""

_BREAK = re.compile("\r\n|[\r\n\x85\u2028\u2029]")
"""What YAML 1.1 calls a line break (the parser counts lines by it)."""

_FORBIDDEN = re.compile("[^\t\n\r\x20-\x7e\x85\xa0-\ud7ff\ue000-\ufefe\uff00-\ufffd\U00010000-\U0010ffff]")
"""What may not stand in a YAML file (YAML 1.2, production c-printable; a byte order mark only at the start)."""

_UTF16 = (b"\xff\xfe", b"\xfe\xff")


@dataclass(frozen=True)
class Source:
    """A file's name as the operator gave it, and its text."""

    name: str
    text: str = field(repr=False)

    @cached_property
    def _lines(self) -> list[str]:
        return _BREAK.split(self.text)

    def line(self, number: int) -> str:
        """Line `number`, from 1, without its end; empty beyond the file."""
        return self._lines[number - 1] if 0 < number <= len(self._lines) else ""


def read(path: str | Path) -> Source:
    """The file at `path`; ConfigError when it cannot be read, is too large, or is not text."""
    name = str(path)
    try:
        with Path(path).open("rb") as file:
            data = file.read(LIMIT + 1)
    except FileNotFoundError as error:
        raise _refused(name, "there is no such file", "check the path, or write one (see etc/haman.yaml)") from error
    except IsADirectoryError as error:
        raise _refused(name, "this is a directory", f"name the file in it, such as {name}/haman.yaml") from error
    except PermissionError as error:
        raise _refused(name, "it may not be read by this user", "run as root or change the file's owner") from error
    except (OSError, ValueError) as error:
        words = error.strerror if isinstance(error, OSError) else None
        raise _refused(name, f"it cannot be read ({words or error})", "check the path") from error
    return decode(data, name)


def decode(data: bytes, name: str) -> Source:
    """Bytes as text; ConfigError at the first byte that is none."""
    if len(data) > LIMIT:
        raise _refused(name, f"it is larger than {LIMIT >> 20} MiB", "check that this is haman's configuration")
    if data.startswith(_UTF16):
        raise _refused(name, "it is written in UTF-16", "save it as UTF-8")
    try:
        text = data.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        before = data[: error.start].decode("utf-8-sig", "replace")
        what = f"byte 0x{data[error.start]:02x} is not UTF-8"
        raise _refused(name, what, "save the file as UTF-8", before) from error
    return from_text(text, name)


def from_text(text: str, name: str) -> Source:
    """Text as a Source; ConfigError at the first character that YAML forbids."""
    text = text.removeprefix("\ufeff")
    if wrong := _FORBIDDEN.search(text):
        what = f"the character U+{ord(wrong[0]):04X} may not stand in a YAML file"
        raise _refused(name, what, "remove it, or write it as an escape in double quotes", text[: wrong.start()])
    return Source(name, text)


def _refused(name: str, what: str, cure: str, before: str = "") -> ConfigError:
    lines = _BREAK.split(before)
    mistake = Mistake(Source(name, ""), Spot(len(lines), len(lines[-1]) + 1), (), what, cure)
    return ConfigError([str(mistake)])
