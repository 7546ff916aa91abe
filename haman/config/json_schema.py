"""The JSON Schema of the file: for editors, for `haman schema`, for the reference page, and for ourselves, to say
which keys a place knows."""

from __future__ import annotations

from functools import cache
from typing import TYPE_CHECKING, Any

from pydantic.json_schema import GenerateJsonSchema

from haman.config.shape.file import File

if TYPE_CHECKING:
    from collections.abc import Iterator

    from pydantic_core import core_schema

    from haman.config.mistakes import Path


def schema() -> dict[str, Any]:
    """JSON Schema, draft 2020-12. Everything haman accepts fits it; what only several settings together can get
    wrong (references, ranges of durations) it cannot say."""
    title = {"$schema": GenerateJsonSchema.schema_dialect, "title": "haman"}
    return title | File.model_json_schema(schema_generator=_Generator)


class _Generator(GenerateJsonSchema):
    def default_schema(self, schema: core_schema.WithDefaultSchema) -> dict[str, Any]:
        """Without `default: null`: there None means "left out", and null may not be written."""
        written = super().default_schema(schema)
        if written.get("default", ...) is None:
            del written["default"]
        return written

    def dict_schema(self, schema: core_schema.DictSchema) -> dict[str, Any]:
        """A key that is no name is a mistake."""
        return {**super().dict_schema(schema), "additionalProperties": False}

    def field_title_should_be_set(self, schema: Any) -> bool:
        return False

    def sort(self, value: dict[str, Any], parent_key: str | None = None) -> dict[str, Any]:
        """As the models have it, which is the order in which an operator writes."""
        return value

    def model_schema(self, schema: core_schema.ModelSchema) -> dict[str, Any]:
        written = super().model_schema(schema)
        written.pop("title", None)
        return written


def places(path: Path) -> tuple[tuple[dict[str, Any], ...], str]:
    """The schemas that a value at `path` may have (none: the path leads out of the schema), and the path with
    names and positions as `*`."""
    root = _root()
    found = [root]
    pattern: list[str] = []
    for part in path:
        below = [step for place in found for step in _below(root, place, part)]
        found = [place for place, _ in below]
        pattern.append(below[0][1] if below else str(part))
    return tuple(found), ".".join(pattern)


def keys(path: Path) -> tuple[str, ...]:
    """The keys that the mapping at `path` may have."""
    found, _ = places(path)
    names = (name for place in found for choice in _choices(_root(), place) for name in choice.get("properties", ()))
    return tuple(dict.fromkeys(names))


def may_be_left_out(path: Path) -> bool:
    """Whether the key at the end of `path` is one that a mapping can do without."""
    if not path or not isinstance(path[-1], str):
        return False
    choices = [choice for place in places(path[:-1])[0] for choice in _choices(_root(), place)]
    return any(path[-1] in choice.get("properties", ()) for choice in choices) and not any(
        path[-1] in choice.get("required", ()) for choice in choices
    )


def _below(root: dict[str, Any], place: dict[str, Any], part: str | int) -> Iterator[tuple[dict[str, Any], str]]:
    for choice in _choices(root, place):
        if part in choice.get("properties", ()):
            yield choice["properties"][part], str(part)
        elif isinstance(part, str):
            yield from ((below, "*") for below in choice.get("patternProperties", {}).values())
        elif "items" in choice:
            yield choice["items"], "*"


def _choices(root: dict[str, Any], place: dict[str, Any]) -> Iterator[dict[str, Any]]:
    if "$ref" in place:
        place = root["$defs"][place["$ref"].rsplit("/", 1)[1]]
    if "anyOf" in place:
        for choice in place["anyOf"]:
            yield from _choices(root, choice)
    else:
        yield place


@cache
def _root() -> dict[str, Any]:
    return schema()
