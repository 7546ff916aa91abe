"""libyaml's words for broken syntax, in an operator's words.

libyaml names the state of its parser ("did not find expected key"), at the place where it gave up; what helps is
what was written, and where it began.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

from haman.config.mistakes import Mistake, Spot, quoted

if TYPE_CHECKING:
    import yaml

    from haman.config.source import Source


class _Words(NamedTuple):
    """problem, context: parts of libyaml's own texts. at_context: point at where the construct began."""

    problem: str
    context: str
    what: str
    cure: str
    at_context: bool = False


_TABLE = (
    _Words("tab character", "", "a tab is used to indent", "indent with spaces"),
    _Words("cannot start any token", "", "text cannot begin with {char}", "put it in quotes"),
    _Words(
        "mapping values are not allowed",
        "",
        "a second ':' on one line, or a line that is indented too far",
        "put a value that holds ': ' in quotes, or check the indentation",
    ),
    _Words(
        "could not find expected ':'",
        "",
        "this line is no 'key: value'",
        "add the ':' and a blank after it, or check the indentation",
        at_context=True,
    ),
    _Words("unexpected end of stream", "quoted scalar", "this quote is never closed", "close it", at_context=True),
    _Words("unexpected document indicator", "quoted", "this quote is never closed", "close it", at_context=True),
    _Words("expected ',' or ']'", "", "this '[' is not closed, or a ',' is missing", "check the brackets", True),
    _Words("expected ',' or '}'", "", "this '{{' is not closed, or a ',' is missing", "check the brackets", True),
    _Words(
        "did not find expected key",
        "block mapping",
        "this does not go on with the mapping that begins on line {line}",
        "indent it like that line; quotes must enclose the whole value",
    ),
    _Words(
        "did not find expected '-'",
        "",
        "this does not go on with the list that begins on line {line}",
        "begin it with '- ', indented like that line",
    ),
    _Words(
        "block sequence entries are not allowed",
        "",
        "a '- ' cannot stand here",
        "put each '- ' of a list on a line of its own, or write [a, b]",
    ),
    _Words(
        "did not find expected node content",
        "flow",
        "a value is missing or cannot be read here",
        'put a value with brackets of its own in quotes, such as "[::1]:9112"',
    ),
    _Words("alphabetic or numeric", "alias", "'*' begins the use of an anchor", "put the text in quotes", True),
    _Words("alphabetic or numeric", "anchor", "'&' begins an anchor", "put the text in quotes", True),
    _Words("escape", "quoted", "unknown escape in double quotes", "double the '\\', or use single quotes"),
    _Words("expected <document start>", "", "this stands after the end of the document", "check the indentation"),
    _Words("incompatible YAML document", "", "this version of YAML is not known", "remove the %YAML line"),
    _Words("", "directive", "a line that begins with '%' is a directive", "remove it"),
    _Words("undefined tag handle", "", "'!' begins a tag, and tags are not used here", "put the text in quotes"),
    _Words("", "tag", "'!' begins a tag, and tags are not used here", "put the text in quotes", True),
)


def explained(error: yaml.YAMLError, source: Source) -> Mistake:
    """The mistake for an exception of the parser."""
    problem = getattr(error, "problem", None) or "it cannot be read"
    context = getattr(error, "context", None) or ""
    mark = getattr(error, "problem_mark", None)
    begun = getattr(error, "context_mark", None) or mark
    spot = _spot(mark)
    char = quoted(source.line(spot.line)[spot.column - 1 : spot.column])
    if char == "'\\t'":
        problem = "tab character"
    for words in _TABLE:
        if words.problem in problem and words.context in context:
            what = words.what.format(char=char, line=begun.line + 1 if begun else 1)
            return Mistake(source, _spot(begun) if words.at_context else spot, (), what, words.cure)
    return Mistake(source, spot, (), f"this is not YAML ({problem})", "check this line and the one above it")


def _spot(mark: yaml.Mark | None) -> Spot:
    return Spot(mark.line + 1, mark.column + 1) if mark else Spot(1, 1)
