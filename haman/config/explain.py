"""pydantic's errors -> mistakes in an operator's words, each at its place in the file."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from haman.config import json_schema
from haman.config.flow import pair
from haman.config.forms.base import WRONG
from haman.config.forms.words import Boolean
from haman.config.mistakes import Mistake, Path, Spot, quoted, shown
from haman.config.shape.base import KIND, TAGS
from haman.config.suggest import listed, near_key

if TYPE_CHECKING:
    from pydantic import ValidationError
    from pydantic_core import ErrorDetails

    from haman.config.tree import Tree

_KEY = "[key]"
"""pydantic's last location part for a mistake in a mapping's key."""

_UNKNOWN = "extra_forbidden"
"""pydantic's word for a key that a model has not."""

_LATER = {
    **dict.fromkeys(
        (f"{check}.{kind}" for check in ("checks.*", "services.*.check") for kind in ("smtp", "grpc")),
        "this kind of check is not supported yet",
    ),
}  # fmt: skip
"""Keys that the design has and this version has not."""


def explained(error: ValidationError, tree: Tree) -> tuple[list[Mistake], set[Path]]:
    """The mistakes, and the paths of all errors. What aliases repeat is one mistake, at several paths."""
    mistakes: dict[tuple[Spot, str], Mistake] = {}
    paths = set()
    for detail in error.errors(include_url=False, include_input=False):
        path, at_key = _path(detail["loc"], tree)
        paths.add(path)
        at_key = at_key or detail["type"] == _UNKNOWN
        place = tree.spot(path, at_key=at_key), str(path[-1:]) + detail["type"]
        if place not in mistakes:
            mistakes[place] = _explained(detail, path, at_key, tree)
    return list(mistakes.values()), paths


def _explained(detail: ErrorDetails, path: Path, at_key: bool, tree: Tree) -> Mistake:
    context = detail.get("ctx", {})
    value = tree.value(path)
    match detail["type"]:
        case t if t == WRONG:
            what, cure = context["what"], context["cure"]
        case t if t == KIND:
            word = Boolean.meant(value) if "true" in context["expected"] else ""
            what = f"{shown(value)} is not {context['expected']}"
            cure = f"write {word}" if word else _write(path)
        case "missing":
            what, cure = f"{quoted(str(path[-1]))} is missing", f"add {_example(path)}"
        case t if t == _UNKNOWN:
            what, cure = _unknown(path)
        case "too_short":
            what, cure = "this is empty", f"write at least one: {_example(path)}"
        case "too_long":
            what, cure = f"there are more than {context['max_length']} of them", "divide them among several"
        case "list_type":
            what, cure = f"{shown(value)} is not a list", _list_cure(value)
        case _:
            what, cure = f"{shown(value)} is not a mapping", _write(path)
    if value is None and tree.has(path) and not at_key:
        what = "there is nothing here"
        cure += ", or remove the key" if json_schema.may_be_left_out(path) else ""
    return Mistake(tree.source, tree.spot(path, at_key=at_key), path, what, cure)


def _path(location: tuple[int | str, ...], tree: Tree) -> tuple[Path, bool]:
    """pydantic's location without its own marks; whether it is about a key."""
    at_key = bool(location) and location[-1] == _KEY and not tree.has(location)
    path: list[int | str] = []
    for part in location[:-1] if at_key else location:
        if part in TAGS and not tree.has((*path, part)):
            continue
        path.append(part)
    return tuple(path), at_key


def _unknown(path: Path) -> tuple[str, str]:
    """A key that is none here."""
    word = str(path[-1])
    known = json_schema.keys(path[:-1])
    _, place = json_schema.places(path[:-1])
    what = f"there is no key {quoted(word)} here"
    if later := _LATER.get(f"{place}.{word}"):
        return what, f"{later}: remove it"
    if meant := near_key(word, known):
        return what, f"did you mean '{meant}'?"
    return what, f"use {listed(known)}" if known else "remove it, nothing can be set here"


def _write(path: Path) -> str:
    if not path:
        return "begin it with 'cluster: web', and see etc/haman.yaml for the rest"
    return f"write it like {_example(path)}"


def _example(path: Path) -> str:
    """`key: value` from the example of the setting, or of the one it is an entry of."""
    for end in range(len(path), 0, -1):
        key = path[end - 1]
        for place in json_schema.places(path[:end])[0]:
            if "examples" in place and isinstance(key, str):
                return f"'{pair(key, place['examples'][0])}'"
    return "the example in the reference"


def _list_cure(value: Any) -> str:
    if isinstance(value, str | int) and str(value):
        return f"write [{value}]"
    return "write it as [a, b], or as lines with '- '"
