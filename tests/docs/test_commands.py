"""Every `haman ...` in README.md, docs/ and etc/ is a command line that haman takes.

A line in a code block is parsed as it stands, without what a shell does with it (prompt, sudo, redirection, comment).
A line with brackets or a word in capitals, and `haman ...` within a text, is a way of speaking: its verb and its
options must exist.
"""

from __future__ import annotations

import re
import shlex

import pytest

from haman.cli import VERBS, joined, parsers
from tests.docs.pages import PAGES, ROOT, Found, blocks, words

_LINE = re.compile(r"^(?:[$#] )?(?:sudo )?(?:\S*/)?haman [^|>&;]*")
_PLACEHOLDER = re.compile(r"[\[\]{}|]|\b[A-Z]{2,}\b|\.\.\.")


def lines() -> list[Found]:
    """The command lines of all code blocks, and of the comments of the YAML files."""
    found = []
    for page in PAGES:
        for block in blocks(page):
            found += [
                Found(page, block.line + number, line.strip())
                for number, line in enumerate(block.text.splitlines())
                if _LINE.match(line.strip())
            ]
    for page in sorted((ROOT / "etc").rglob("*.yaml")):
        for number, line in enumerate(page.read_text(encoding="utf-8").splitlines(), 1):
            comment = line.strip().removeprefix("#").strip()
            if line.lstrip().startswith("#") and re.match(r"haman [a-z]", comment):
                found.append(Found(page, number, re.split("  +", comment)[0]))
    return found


def spoken() -> list[Found]:
    """What is said within a text."""
    return [word for page in PAGES for word in words(page) if re.match(r"haman [a-z]", word.text)]


def command(line: str) -> list[str]:
    """The arguments, without what the shell takes."""
    matched = _LINE.match(line)
    assert matched
    return shlex.split(matched[0].removeprefix("# "), comments=True)


LINES = [line for line in lines() if not _PLACEHOLDER.search(line.text.partition("  #")[0])]
SPOKEN = [*spoken(), *(line for line in lines() if line not in LINES)]


@pytest.mark.parametrize("line", LINES, ids=lambda line: f"{line} {line.text}")
def test_a_command_line_is_taken(line: Found, capsys: pytest.CaptureFixture[str]) -> None:
    arguments = command(line.text)
    arguments = arguments[next(n for n, word in enumerate(arguments) if word.endswith("haman")) + 1 :]
    parser, _ = parsers(VERBS)
    try:
        parser.parse_args(joined(arguments))
    except SystemExit:  # as for `haman --version`, which has nothing to complain of
        assert capsys.readouterr().err == "", line


@pytest.mark.parametrize("line", SPOKEN, ids=lambda line: f"{line} {line.text}")
def test_what_is_spoken_of_exists(line: Found) -> None:
    verb, *rest = joined(re.findall(r"[\w-]+", line.text.partition("haman ")[2]))
    if verb == "VERB":
        return
    assert verb in VERBS, f"{line}: no verb {verb}"
    _, verbs = parsers([verb])
    known = {option for action in verbs[verb]._actions for option in action.option_strings}
    assert {word for word in rest if re.match("-+[a-z]", word)} <= known, f"{line}: {line.text}"


def test_a_wrong_option_is_noticed() -> None:
    """The reason for this file: `check` takes its file without an option."""
    parser, _ = parsers(VERBS)
    with pytest.raises(SystemExit):
        parser.parse_args(command("sudo haman check --config haman.yaml  # no")[2:])
