"""Every recipe of docs/how-to/checks.md is a check that haman takes, and every kind of check has one."""

from __future__ import annotations

import re
import textwrap
from pathlib import Path

import pytest

from haman.config import examine, source
from haman.config.shape.checks import KINDS

PAGE = Path(__file__).parents[2] / "docs/how-to/checks.md"
RECIPES = re.findall(r"^```yaml\n(.*?)^```$", PAGE.read_text(encoding="utf-8"), re.DOTALL | re.MULTILINE)


def clusterof(recipe: str) -> str:
    """A cluster whose services use every check of the recipe."""
    names = re.findall(r"^  ([a-z]+):", recipe, re.MULTILINE)
    services = "".join(
        f"  {name}: {{address: 10.0.0.100, port: {number}, check: {name}, servers: {{rs1: {{address: 10.0.0.11}}}}}}\n"
        for number, name in enumerate(names, 1)
    )
    return (
        textwrap.dedent(
            """\
            cluster: web
            directors: {lb1: {address: 10.0.0.1, priority: 150}, lb2: {address: 10.0.0.2, priority: 100}}
            routers: {public: {interface: eth0, vrid: 51, addresses: [10.0.0.100/24]}}
            """
        )
        + recipe
        + "services:\n"
        + services
    )


@pytest.mark.parametrize("recipe", RECIPES, ids=lambda recipe: recipe.split("\n")[1].strip(" :"))
def test_a_recipe_is_fine(recipe: str) -> None:
    found = examine(source.from_text(clusterof(recipe), "checks.md"))
    assert [str(each) for each in (*found.mistakes, *found.warnings)] == []


@pytest.mark.parametrize("kind", KINDS)
def test_every_kind_has_a_recipe(kind: str) -> None:
    assert any(re.search(rf"^    {kind}:", recipe, re.MULTILINE) for recipe in RECIPES)
