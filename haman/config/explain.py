"""pydantic's errors -> mistakes in an operator's words, each at its place in the file."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from haman.config import schema
from haman.config.flow import pair
from haman.config.forms.base import WRONG
from haman.config.mistakes import Mistake, Path, quoted, shown
from haman.config.shape.base import KIND, TAGS
from haman.config.suggest import listed, near_key

if TYPE_CHECKING:
    from collections.abc import Iterator

    from pydantic import ValidationError
    from pydantic_core import ErrorDetails

    from haman.config.tree import Tree

_KEY = "[key]"
"""pydantic's last location part for a mistake in a mapping's key."""

_LATER = {
    "services.*.backup": "a remote site that takes over is not supported yet",
    "routers.*.track.*.ping": "tracking by ping is not supported yet",
    "routers.*.track.*.script": "tracking by a program is not supported yet",
    **dict.fromkeys(
        (f"{check}.{kind}" for check in ("checks.*", "services.*.check") for kind in
         ("https", "ssl", "dns", "ping", "udp", "smtp", "exec", "run", "script", "grpc")),
        "this kind of check is not supported yet",
    ),
}  # fmt: skip
"""Keys that the design has and this version has not."""


def explained(error: ValidationError, tree: Tree) -> Iterator[Mistake]:
    """One mistake for each error."""
    for detail in error.errors(include_url=False, include_input=False):
        yield _explained(detail, tree)


def _explained(detail: ErrorDetails, tree: Tree) -> Mistake:
    path, at_key = _path(detail["loc"], tree)
    context = detail.get("ctx", {})
    value = tree.value(path)
    match detail["type"]:
        case t if t == WRONG:
            what, cure = context["what"], context["cure"]
        case t if t == KIND:
            what, cure = f"{shown(value)} is not {context['expected']}", _write(path)
        case "missing":
            what, cure = f"{quoted(str(path[-1]))} is missing", f"add {_example(path)}"
        case "extra_forbidden":
            at_key = True
            what, cure = _unknown(path)
        case "too_short":
            what, cure = "this is empty", f"write at least one: {_example(path)}"
        case "too_long":
            what = f"more than {context['max_length']} entries"
            cure = "divide them among several"
        case "list_type":
            what, cure = f"{shown(value)} is not a list", _list_cure(value)
        case _:
            what, cure = f"{shown(value)} is not a mapping", _write(path)
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
    known = schema.keys(path[:-1])
    _, place = schema.places(path[:-1])
    what = f"there is no key {quoted(word)} here"
    if later := _LATER.get(f"{place}.{word}"):
        return what, f"{later}: remove it"
    if meant := near_key(word, known):
        return what, f"did you mean '{meant}'?"
    return what, f"known are {listed(known)}" if known else "remove it, nothing can be set here"


def _write(path: Path) -> str:
    return f"write it like {example}" if (example := _example(path)) else "check the indentation"


def _example(path: Path) -> str:
    """`key: value` from the setting's own example; empty where none is known."""
    for place in schema.places(path)[0]:
        if "examples" in place and isinstance(path[-1], str):
            return f"'{pair(path[-1], place['examples'][0])}'"
    return ""


def _list_cure(value: Any) -> str:
    return (
        f"write [{value}]"
        if isinstance(value, str | int) and str(value)
        else "write it as [a, b], or as lines with '- '"
    )
