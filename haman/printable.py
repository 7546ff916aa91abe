"""What others wrote, as a terminal, a log and a program's environment may have it."""

from __future__ import annotations


def printable(text: str) -> str:
    """With `?` for every sign that moves a cursor, ends a line or cannot be shown."""
    return "".join(sign if sign.isprintable() else "?" for sign in text)
