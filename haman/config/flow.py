"""A value as an operator would write it, in one line of YAML."""

from __future__ import annotations

import re
from typing import Any

from haman.config.tree import resolve

_PLAIN = re.compile(r"[\w/.$-]([\w/.$ :%~+-]*[\w/.$%~+-])?")
"""Text that needs no quotes, inside brackets either."""


def flow(value: Any) -> str:
    """`{a: 1, b: [x, '*y']}`."""
    match value:
        case bool():
            return "true" if value else "false"
        case dict():
            return "{" + ", ".join(f"{flow(key)}: {flow(part)}" for key, part in value.items()) + "}"
        case list():
            return "[" + ", ".join(map(flow, value)) + "]"
        case str():
            plain = _PLAIN.fullmatch(value) and ": " not in value and resolve(value) == value
            return value if plain and not value.startswith(("- ", "--")) else "'" + value.replace("'", "''") + "'"
        case _:
            return str(value)


def pair(key: str, value: Any) -> str:
    """`key: value`."""
    return f"{flow(key)}: {flow(value)}"
