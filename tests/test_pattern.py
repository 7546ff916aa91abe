from __future__ import annotations

import pytest

from haman.pattern import Pattern


def test_bytes_are_searched_and_letters_are_utf_8() -> None:
    assert Pattern("gr(ö|oe)ße").found_in("die größe".encode())
    assert Pattern("b+c").found_in(b"\xff\x00abbc\xfe")
    assert not Pattern("^b").found_in(b"ab")


@pytest.mark.parametrize("text", ["(a", "(?<=a)b", r"(a)\1", "a{2000}", "*"])
def test_what_is_no_pattern(text: str) -> None:
    with pytest.raises(ValueError, match=r"\w"):
        Pattern(text)
