"""The reference page is current, and its examples are true."""

from __future__ import annotations

import re
from pathlib import Path

import pytest
from pydantic import BaseModel, ValidationError

from haman.config import reference
from haman.config.flow import flow, pair
from haman.config.json_schema import schema
from haman.config.shape import around, authentication, checks, file, probes, routers, services, sites, trackers
from haman.config.source import from_text
from haman.config.tree import grow

PAGE = Path(__file__).parents[2] / "docs/reference/configuration.md"


def test_the_committed_page_is_what_the_models_say() -> None:
    written = PAGE.read_text(encoding="utf-8")
    assert written == reference.page(), "run: python -m haman.config.reference > docs/reference/configuration.md"


def test_every_link_leads_to_a_heading() -> None:
    text = PAGE.read_text(encoding="utf-8")
    headings = {re.sub(r"[^\w-]", "", heading.lower()) for heading in re.findall("^## `(.*)`$", text, re.MULTILINE)}
    links = set(re.findall(r"\(#([^)]*)\)", text))
    assert links
    assert links <= headings


def examples() -> list[tuple[str, str, object]]:
    root = schema()
    return [
        (name, key, place["examples"][0])
        for name, shape in {"File": root, **root["$defs"]}.items()
        for key, place in shape.get("properties", {}).items()
    ]


@pytest.mark.parametrize(("shape", "key", "example"), examples(), ids=lambda value: str(value)[:20])
def test_every_example_may_be_written(shape: str, key: str, example: object) -> None:
    """In the form in which the page shows it, at the place it is shown for."""
    modules = (around, authentication, checks, file, probes, routers, services, sites, trackers)
    kinds = {name: kind for module in modules for name, kind in vars(module).items() if isinstance(kind, type)}
    root = grow(from_text(pair(key, example), "f")).root
    assert root
    assert {
        (kind, place) for kind, place in problems(kinds[shape], root.value) if kind != "missing" or place == key
    } == set()


def problems(kind: type[BaseModel], value: object) -> list[tuple[str, object]]:
    try:
        kind.model_validate(value)
    except ValidationError as error:
        return [(detail["type"], detail["loc"][0]) for detail in error.errors()]
    return []


WORDS = """
a on true 12 1.5 10% 50ms *a it's [::1]:80 a: http://x %a @a `a é !a &a | > { } ? : - -- 0x1 012 ~ null <<
"""


@pytest.mark.parametrize(
    "value",
    [
        True,
        5,
        "",
        "a: b",
        "a #b",
        "- a",
        "--- a",
        "a, b",
        " a",
        "a ",
        ["a", {"b": [1, False]}],
        {"a b": {}},
        *WORDS.split(),
    ],
)
def test_what_is_shown_means_what_it_should(value: object) -> None:
    root = grow(from_text(f"x: [{flow(value)}]", "f")).root
    assert root
    assert root.value == {"x": [value]}
