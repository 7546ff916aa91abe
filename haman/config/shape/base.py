"""What every part of the file has in common: strict, nothing unknown, every key with its sentence and example."""

from __future__ import annotations

from dataclasses import dataclass
from types import NoneType
from typing import TYPE_CHECKING, Any, get_args

from pydantic import BaseModel, ConfigDict, Field
from pydantic_core import core_schema

if TYPE_CHECKING:
    from pydantic import GetCoreSchemaHandler, GetJsonSchemaHandler

KIND = "haman_kind"
"""The type of the error for a value of the wrong kind; its context holds `expected`."""

_KINDS = ((bool, "boolean"), (int | float, "number"), (str, "text"), (dict, "mapping"), (list, "list"))


class Shape(BaseModel):
    """A mapping of the file."""

    model_config = ConfigDict(strict=True, extra="forbid", frozen=True)


def setting(text: str, *, example: Any, default: Any = ..., otherwise: str = "", alias: str | None = None) -> Any:
    """A key of a Shape. text: its sentences in the reference. default: as an operator would write it; left out:
    the key must be there. otherwise: for a default that no value can express, what happens without the key. alias: the
    key, if Python cannot say it."""
    assert not otherwise or default is ..., "either a default, or words for it"
    value: Any = None if otherwise else default
    return Field(
        value,
        alias=alias,
        validate_default=value is not None and value is not ...,
        description=text,
        examples=[example],
        json_schema_extra={"x-default": otherwise} if otherwise else {},
    )


class LeftOut:
    """On `X | None`: the key may be left out, which is None; a null in the file is a mistake all the same."""

    def __get_pydantic_core_schema__(self, source: Any, handler: GetCoreSchemaHandler) -> core_schema.CoreSchema:
        (kind,) = (part for part in get_args(source) if part is not NoneType)
        return handler.generate_schema(kind)


class Some:
    """On a mapping that needs at least one entry. The schema says so; a rule checks it and not the model, so that
    a file whose only entry is wrong is still looked through."""

    def __get_pydantic_json_schema__(self, schema: Any, handler: GetJsonSchemaHandler) -> dict[str, Any]:
        return {**handler(schema), "minProperties": 1}


@dataclass(frozen=True)
class Either:
    """A value that may be of several kinds; its kind alone decides which, so that a mistake inside one is told
    as that and not as "fits none". kinds: `text`, `number`, `boolean`, `mapping`, `list` -> type."""

    expected: str
    kinds: dict[str, Any]

    def __get_pydantic_core_schema__(self, source: Any, handler: GetCoreSchemaHandler) -> core_schema.CoreSchema:
        return core_schema.tagged_union_schema(
            {tag(name): handler.generate_schema(kind) for name, kind in self.kinds.items()},
            discriminator=lambda value: next((tag(name) for kind, name in _KINDS if isinstance(value, kind)), None),
            custom_error_type=KIND,
            custom_error_message="not {expected}",
            custom_error_context={"expected": self.expected},
        )

    def __get_pydantic_json_schema__(self, schema: Any, handler: GetJsonSchemaHandler) -> dict[str, Any]:
        # Not `oneOf`: two kinds may be written alike, and a tagged union is read by one of them only.
        written = handler(schema)
        choices: list[dict[str, Any]] = []
        for choice in written.get("oneOf", [written]):
            if choice not in choices:
                choices.append(choice)
        return {"anyOf": choices, "x-form": self.expected}


def tag(kind: str) -> str:
    """How a kind appears in pydantic's locations; no name of the file can look like it."""
    return f"<{kind}>"


TAGS = frozenset(tag(name) for _, name in _KINDS)
