"""Files that are no text, or no file."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING

import pytest

from haman import config
from haman.config import source
from haman.errors import ConfigError

if TYPE_CHECKING:
    from pathlib import Path


def said(data: bytes) -> str:
    with pytest.raises(ConfigError) as caught:
        source.decode(data, "f.yaml")
    assert len(caught.value.mistakes) == 1
    return str(caught.value)


def test_a_file_that_is_not_there(tmp_path: Path) -> None:
    with pytest.raises(ConfigError) as caught:
        config.load(tmp_path / "none.yaml")
    expected = f"{tmp_path}/none.yaml:1:1: there is no such file; check the path, or write one (see etc/haman.yaml)"
    assert str(caught.value) == expected
    assert isinstance(caught.value.__cause__, FileNotFoundError)


def test_a_directory(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match=r":1:1: this is a directory; name the file in it"):
        config.load(tmp_path)


def test_a_name_that_no_file_can_have() -> None:
    with pytest.raises(ConfigError, match="it cannot be read"):
        config.load("/tmp/a\0b")


@pytest.mark.skipif(os.geteuid() == 0, reason="root may read everything")
def test_a_file_that_may_not_be_read(tmp_path: Path) -> None:
    path = tmp_path / "f.yaml"
    path.touch(mode=0)
    with pytest.raises(ConfigError, match="may not be read by this user"):
        config.load(path)


def test_a_file_of_another_kind_is_not_read_to_its_end() -> None:
    with pytest.raises(ConfigError, match="it is larger than 16 MiB"):
        config.load("/dev/zero")


def test_bytes_that_are_not_utf8() -> None:
    assert said("cluster: wéb\n# grö\n".encode() + b"log: {level: \xe9}\n") == (
        "f.yaml:3:14: byte 0xe9 is not UTF-8; save the file as UTF-8"
    )


@pytest.mark.parametrize("codec", ["utf-16", "utf-16-le", "utf-16-be"])
def test_utf16(codec: str) -> None:
    assert "f.yaml:1:" in said("cluster: web".encode(codec))


def test_a_byte_order_mark_is_no_part_of_the_first_word() -> None:
    assert source.decode(b"\xef\xbb\xbfcluster: web", "f").text == "cluster: web"
    assert source.from_text("\ufeffcluster: web", "f").text == "cluster: web"


@pytest.mark.parametrize("char", ["\0", "\x07", "\x1b", "\x7f", "\x9b", "\ud800", "\ufffe", "\ufeff"])
def test_characters_that_no_yaml_may_hold(char: str) -> None:
    with pytest.raises(ConfigError) as caught:
        source.from_text(f"a: 1\nb: x{char}", "f")
    assert str(caught.value).startswith(f"f:2:5: the character U+{ord(char):04X} may not stand in a YAML file; ")


def test_lines_are_counted_as_the_parser_counts_them() -> None:
    text = source.from_text("a\r\nb\rc\nd\u2028e", "f")
    assert [text.line(number) for number in range(7)] == ["", "a", "b", "c", "d", "e", ""]
