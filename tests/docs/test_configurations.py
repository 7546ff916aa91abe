"""Every configuration in README.md, docs/ and etc/ loads.

A block of YAML that begins with a key of haman's file is a configuration. One with `cluster:` is complete, and is
loaded as it is. Any other is a fragment: it is merged into the complete file below, mappings key by key, all else
replaced; a check or tracker of the same name is replaced as a whole. What a fragment needs beyond that file (a second
router) it brings along.
"""

from __future__ import annotations

import json
import re
from typing import Any

import pytest

from haman.config import examine, schema, source
from haman.config.tree import grow
from tests.docs.pages import PAGES, ROOT, Found, blocks

MINIMAL = """
cluster: web
directors: {lb1: {address: 10.0.0.1, priority: 150}, lb2: {address: 10.0.0.2, priority: 100}}
routers: {public: {interface: eth0, vrid: 51, addresses: [10.0.0.100/24]}}
checks: {front: {tcp: {}}}
services: {web: {address: 10.0.0.100, port: 80, check: front, servers: {rs1: {address: 10.0.0.11}}}}
"""

KEYS = tuple(schema()["properties"])
_FIRST = re.compile(rf"(?:#.*\n|\n)*(?:{'|'.join(KEYS)}):(?: |\n)")

FILES = [
    Found(path, 1, path.read_text(encoding="utf-8"))
    for path in sorted((ROOT / "etc").rglob("*.yaml"))
    if re.search("^cluster:", path.read_text(encoding="utf-8"), re.MULTILINE)
]
BLOCKS = [block for page in PAGES for block in blocks(page) if _FIRST.match(block.text)]
COMPLETE = [block for block in BLOCKS if re.search("^cluster:", block.text, re.MULTILINE)]
FRAGMENTS = [block for block in BLOCKS if block not in COMPLETE]


@pytest.mark.parametrize("file", [*FILES, *COMPLETE], ids=str)
def test_a_complete_file_is_fine(file: Found) -> None:
    assert complaints(file.text) == []


@pytest.mark.parametrize("fragment", FRAGMENTS, ids=str)
def test_a_fragment_has_its_place(fragment: Found) -> None:
    assert mistakes(complete(fragment.text)) == []


def test_a_mistake_is_noticed() -> None:
    assert mistakes(complete("routers: {public: {vird: 1}}")) != []


def complaints(text: str) -> list[str]:
    """Mistakes and warnings."""
    found = examine(source.from_text(text, "file"))
    return [str(each) for each in (*found.mistakes, *found.warnings)]


def mistakes(text: str) -> list[str]:
    return [str(each) for each in examine(source.from_text(text, "file")).mistakes]


def value(text: str) -> Any:
    """Plain values, as haman reads YAML."""
    root = grow(source.from_text(text, "fragment")).root
    assert root is not None, text
    return root.value


def complete(fragment: str) -> str:
    """The fragment within the minimal file, as JSON."""
    base, more = value(MINIMAL), value(fragment)
    base["checks"] = {name: check for name, check in base["checks"].items() if name not in more.get("checks", {})}
    return json.dumps(merged(base, more))


def merged(base: Any, more: Any) -> Any:
    if isinstance(base, dict) and isinstance(more, dict):
        return base | {key: merged(base.get(key), part) for key, part in more.items()}
    return more
