"""Patterns for what servers say, matched in time that grows with the text and nothing else: RE2.

Python's own `re` goes back and tries again, and `(a*)*b` over a page of a's takes it longer than the universe is old: a
real server's page, or an attacker's, would stop every check of this process, and no thread could be told to give up.
RE2 has everything of Perl's patterns that does not need that: no backreferences, nothing that looks around.
"""

from __future__ import annotations

from typing import Any

MEMORY = 8 << 20
"""Bytes that one pattern may take, compiled and at work; RE2 goes on more slowly, never wrongly, when it needs more."""


class Pattern:
    """Raises ValueError, in words, for what is no pattern. Texts are bytes; letters of the pattern are UTF-8's."""

    def __init__(self, text: str) -> None:
        import re2  # only for who looks into answers

        options = re2.Options()
        options.max_mem = MEMORY
        options.log_errors = False
        options.never_capture = True
        try:
            self._compiled: Any = re2.compile(text, options)
        except re2.error as error:
            (words,) = error.args
            raise ValueError(words.decode("utf-8", "replace") if isinstance(words, bytes) else str(words)) from None

    def found_in(self, data: bytes) -> bool:
        return self._compiled.search(data) is not None
