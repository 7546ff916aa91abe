"""What every form has in common, and how a form says no."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from pydantic_core import PydanticCustomError, core_schema

from haman.config.mistakes import shown

if TYPE_CHECKING:
    from pydantic import GetCoreSchemaHandler, GetJsonSchemaHandler

WRONG = "haman"
"""The type of every error that a form raises; its context holds `what` and `cure`."""


class Form:
    """words: how the value is written, as a noun phrase for the reference page, code in backticks."""

    words: str

    @property
    def spoken(self) -> str:
        """The same for a terminal."""
        return self.words.replace("`", "")

    def parse(self, value: Any) -> Any:
        """The value as the model has it. Raises the exception that `wrong` makes."""
        raise NotImplementedError

    def json(self) -> dict[str, Any]:
        """JSON Schema of what may be written: accepts at least what `parse` accepts."""
        raise NotImplementedError

    def __get_pydantic_core_schema__(self, source: Any, handler: GetCoreSchemaHandler) -> core_schema.CoreSchema:
        return core_schema.no_info_plain_validator_function(self.parse)

    def __get_pydantic_json_schema__(
        self, schema: core_schema.CoreSchema, handler: GetJsonSchemaHandler
    ) -> dict[str, Any]:
        return {**self.json(), "x-form": self.words}


def wrong(what: str, cure: str) -> PydanticCustomError:
    """What is wrong with a value, and what to do; both are parts of one printed sentence."""
    return PydanticCustomError(WRONG, "{what}; {cure}", {"what": what, "cure": cure})


def text(value: Any, noun: str, example: str) -> str:
    """`value` if it is text; else the mistake that says which text is wanted."""
    if isinstance(value, str):
        return value
    raise wrong(f"{shown(value)} is not {noun}", f"write {noun} such as {example}")
