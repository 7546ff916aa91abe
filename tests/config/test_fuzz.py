"""No bytes raise anything but ConfigError, and the schema never refuses what we accept."""

from __future__ import annotations

import copy
from pathlib import Path

import jsonschema
from hypothesis import given, settings
from hypothesis import strategies as st

from haman import config
from haman.config import source
from haman.config.flow import flow
from haman.config.tree import grow
from haman.errors import ConfigError
from tests.config import casebook
from tests.config.test_build import FULL

ROOT = Path(__file__).parents[2]
TEXTS = [FULL, *(path.read_text(encoding="utf-8") for path in sorted((ROOT / "etc").rglob("*.yaml")))]
TEXTS += [case.yaml for case in casebook.every()]
VALIDATOR = jsonschema.Draft202012Validator(config.schema())
PIECES = [
    "&a ",
    "*a",
    "<<: ",
    "- ",
    "? ",
    ": ",
    "{",
    "}",
    "[",
    "]",
    "'",
    '"',
    "|\n",
    "\t",
    "\n",
    "---\n",
    "!!x ",
    "%",
    "#",
    "\\",
]
PIECES += ["0x", "9" * 30, "null", "~", "[key]", "<text>", "\u2028", "é", "\U0001f600", ",", "false", "1e9"]


def survives(data: bytes) -> None:
    """Either a cluster, or mistakes that can be printed."""
    try:
        text = source.decode(data, "f")
    except ConfigError:
        return
    examination = config.examine(text)
    assert (examination.cluster is None) == bool(examination.mistakes)
    for mistake in (*examination.mistakes, *examination.warnings):
        place, line, column, _ = str(mistake).split(":", 3)
        assert (place, line.isdigit(), column.isdigit()) == ("f", True, True)
        assert "\n" not in str(mistake)
        mistake.picture().encode()


@given(st.binary(max_size=200))
def test_any_bytes(data: bytes) -> None:
    survives(data)


@given(st.text(max_size=200))
def test_any_text(text: str) -> None:
    survives(text.encode("utf-8", "surrogatepass"))


@settings(max_examples=400)
@given(st.sampled_from(TEXTS), st.lists(st.tuples(st.floats(0, 1), st.integers(0, 30), st.sampled_from(["", *PIECES]))))
def test_damaged_files(text: str, damages: list[tuple[float, int, str]]) -> None:
    for where, removed, piece in damages[:6]:
        at = int(where * len(text))
        text = text[:at] + piece + text[at + removed :]
    survives(text.encode())


SCALARS = ["", "web", "lb1", "public", "10.0.0.1", "10.0.0.100/24", "1s", "50%", "tcp", "mh", "eth0", "a b"]
NUMBERS = st.integers(-(2**70), 2**70) | st.floats(allow_nan=False)
KEYS = st.sampled_from(["address", "port", "a", "", "[key]"])
VALUES = st.recursive(
    st.none() | st.booleans() | NUMBERS | st.sampled_from(SCALARS) | st.text(max_size=5),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(KEYS, inner),
    max_leaves=6,
)


@settings(max_examples=400)
@given(st.data())
def test_any_value_in_any_place(data: st.DataObject) -> None:
    """A right file with one value replaced or one key added: the schema accepts whatever we accept."""
    root = grow(source.from_text(data.draw(st.sampled_from(TEXTS[:8])), "f")).root
    assert root
    value = copy.deepcopy(root.value)
    here = value
    while True:
        keys = list(here) if isinstance(here, dict) else list(range(len(here)))
        key = data.draw(st.sampled_from(keys))
        if not isinstance(here[key], dict | list) or not here[key] or data.draw(st.integers(0, 3)) == 0:
            break
        here = here[key]
    if isinstance(here, dict) and data.draw(st.booleans()):
        key = data.draw(st.sampled_from(["", "a", "port", "check", "tunnel", "interface", "<<"]))
    here[key] = data.draw(VALUES)
    text = flow(value)
    survives(text.encode("utf-8", "surrogatepass"))
    try:
        config.parse(text, "f")
    except ConfigError:
        return
    accepted = grow(source.from_text(text, "f")).root
    assert accepted
    VALIDATOR.validate(accepted.value)
