"""The manual pages: everything is on them, and they are written where `man` looks."""

from __future__ import annotations

import re
import subprocess
from typing import TYPE_CHECKING

import pytest

from haman.cli import VERBS, parsers
from haman.config import reference
from haman.manual import settings, verbs
from haman.manual.__main__ import main

if TYPE_CHECKING:
    from pathlib import Path

PAGES = {"haman.8": verbs.page(), "haman.yaml.5": settings.page()}
MACROS = {"TH", "SH", "SS", "PP", "TP", "IP", "RS", "RE", "nf", "fi", "br"}


def shown(page: str) -> str:
    """Without the markup."""
    return re.sub(r"\\f[BIR]|\\&", "", page).replace("\\-", "-").replace("\\e", "\\")


def test_every_verb_and_option_is_there() -> None:
    sections = dict(re.findall(r'^\.SS "haman ([\w ]+)"\n(.*?)(?=^\.S)', PAGES["haman.8"], re.DOTALL | re.MULTILINE))
    assert list(sections) == list(VERBS)
    _, known = parsers(VERBS)
    for name, verb in known.items():
        text = shown(sections[name])
        for action in verb._actions:
            for option in set(action.option_strings) - {"-h", "--help"}:
                assert re.search(rf"^\S.*{option}\b", text, re.MULTILINE), (name, option)
        assert "Exit code" in text, name


def test_every_key_of_the_file_is_there() -> None:
    keys = re.findall(r"^\*\*`(\w+)`\*\* ", reference.page(), re.MULTILINE)
    assert len(keys) > 100
    assert re.findall(r"^\.TP\n(\w+) \(", shown(PAGES["haman.yaml.5"]), re.MULTILINE) == keys


@pytest.mark.parametrize("name", PAGES)
def test_a_page_is_made_of_known_macros_alone(name: str) -> None:
    """A line of text that began with a dot would vanish without a word."""
    requests = [line for line in PAGES[name].splitlines() if line.startswith((".", "'"))]
    assert {re.split(r"\W", line[1:])[0] for line in requests} <= MACROS
    assert PAGES[name].count("\n.nf\n") == PAGES[name].count("\n.fi\n")
    assert "`" not in PAGES[name]
    assert "**" not in PAGES[name]


@pytest.mark.parametrize("name", PAGES)
def test_groff_has_nothing_to_complain_of(name: str) -> None:
    done = subprocess.run(
        ["groff", "-man", "-ww", "-Tutf8", "-Kutf8"], input=PAGES[name].encode(), capture_output=True, check=True
    )
    assert done.stderr == b""
    assert b"SEE ALSO" in re.sub(rb"\x1b\[[0-9;]*m|.\x08", b"", done.stdout)


def test_they_are_written_where_man_looks(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main([str(tmp_path)]) == 0
    assert (tmp_path / "man8/haman.8").read_text() == PAGES["haman.8"]
    assert (tmp_path / "man5/haman.yaml.5").read_text() == PAGES["haman.yaml.5"]
    assert capsys.readouterr().out == f"{tmp_path}/man8/haman.8\n{tmp_path}/man5/haman.yaml.5\n"


def test_a_folder_that_cannot_be_written(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (tmp_path / "file").touch()
    assert main([str(tmp_path / "file")]) == 1
    assert "Not a directory" in capsys.readouterr().err


@pytest.mark.parametrize("words", [[], ["--help"], ["a", "b"]])
def test_called_wrong(words: list[str]) -> None:
    assert main(words) == 2
