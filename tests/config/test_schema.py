"""The JSON Schema: valid by itself, of use in editors, and of one mind with our own check."""

from __future__ import annotations

import json
from pathlib import Path

import jsonschema
import pytest

from haman import config
from haman.config import source, tree
from tests.config import casebook

ROOT = Path(__file__).parents[2]
SCHEMA = config.schema()
VALIDATOR = jsonschema.Draft202012Validator(SCHEMA)


def fits(text: str) -> bool:
    root = tree.grow(source.from_text(text, "f")).root
    return root is not None and VALIDATOR.is_valid(root.value)


def test_it_is_a_schema_and_plain_json() -> None:
    jsonschema.Draft202012Validator.check_schema(SCHEMA)
    assert json.loads(json.dumps(SCHEMA)) == SCHEMA
    assert SCHEMA["$schema"] == "https://json-schema.org/draft/2020-12/schema"


def test_what_is_no_name_is_refused() -> None:
    assert fits(casebook.BASE + "checks: {ok: {tcp: {}}}\n")
    assert not fits(casebook.BASE + "checks: {not ok: {tcp: {}}}\n")
    assert not fits(casebook.BASE.replace("directors: {", "directors: {-: {address: 10.0.0.9}, "))


def test_every_key_says_what_it_is_for() -> None:
    shapes = [SCHEMA, *SCHEMA["$defs"].values()]
    places = [place for shape in shapes for place in shape.get("properties", {}).values()]
    assert len(places) > 80
    for place in places:
        assert place["description"].endswith(".")
        assert len(place["examples"]) == 1
        assert place.get("default", ...) is not None, "null may not be written"


@pytest.mark.parametrize("path", sorted((ROOT / "etc").rglob("*.yaml")), ids=lambda path: path.name)
def test_every_example_file_loads_without_a_warning(path: Path) -> None:
    examination = config.examine(source.read(path))
    assert (examination.mistakes, examination.warnings) == ((), ())
    assert examination.cluster == config.load(path)
    assert fits(path.read_text(encoding="utf-8"))


SAID_BY_SCHEMA = (
    "there is no key",
    "is missing",
    "is not a mapping",
    "is not a list",
    "this is empty",
    "is not a scheduler",
)


@pytest.mark.parametrize("case", casebook.every(), ids=lambda case: f"{case.book}-{case.title}")
def test_of_one_mind_on_broken_files(case: casebook.Case) -> None:
    """What we accept, the schema accepts; what is wrong with keys and kinds, it refuses too."""
    if ": warning: " in case.expected or case.expected == "fine\n":
        assert fits(case.yaml) or " is that of service 'a' already" in case.expected
    elif any(words in case.expected for words in SAID_BY_SCHEMA) and "a second time" not in case.expected:
        assert not fits(case.yaml)
