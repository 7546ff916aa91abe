"""roff, as the man macros of groff and mandoc have it (man(7), groff_man(7)): what becomes of text and Markdown.

Of Markdown as much as the project's own pages use: headings, paragraphs, hard breaks, lists, indented code, bold,
emphasis, code, links.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from haman import __version__

if TYPE_CHECKING:
    from collections.abc import Iterator

_INLINE = re.compile(r"`(?P<code>[^`]+)`|\*\*(?P<bold>.+?)\*\*|\*(?P<emphasis>[^*]+)\*|\[(?P<link>[^]]+)\]\([^)]*\)")


def head(name: str, section: int, purpose: str) -> list[str]:
    """The first lines of a page, up to its NAME."""
    return [f'.TH "{name}" {section} "" "haman {__version__}" "haman"', ".SH NAME", f"{name} \\- {plain(purpose)}"]


def plain(text: str) -> str:
    """Text without markup. A line's first dot or apostrophe would be a request; a bare `-` becomes a typeset hyphen,
    which nobody can paste into a shell."""
    escaped = text.replace("\\", "\\e").replace("-", "\\-")
    return re.sub(r"^([.'])", r"\\&\1", escaped, flags=re.MULTILINE)


def bold(text: str) -> str:
    return f"\\fB{plain(text)}\\fR"


def literal(text: str) -> list[str]:
    """As it stands, indented."""
    return [".PP", ".RS 4", ".nf", *(plain(line) for line in text.splitlines()), ".fi", ".RE"]


def inline(text: str) -> str:
    """Markdown within a paragraph. A link is its words."""

    def one(found: re.Match[str]) -> str:
        match found.lastgroup:
            case "emphasis":
                return f"\\fI{plain(found[0][1:-1])}\\fR"
            case "link":
                return inline(found["link"])
            case "bold":
                return bold(found["bold"].replace("`", ""))
            case _:
                return bold(found["code"])

    parts = []
    end = 0
    for found in _INLINE.finditer(text):
        parts += [plain(text[end : found.start()]), one(found)]
        end = found.end()
    whole = "".join([*parts, plain(text[end:])])
    return re.sub(r"^(?=[.'])", r"\\&", whole, flags=re.MULTILINE)


def markdown(text: str) -> list[str]:
    """The lines of a page's body. The title and comments are left out. A paragraph that begins with bold code is what
    a manual calls a tagged one: its first line is the tag."""
    lines: list[str] = []
    for block in re.split(r"\n\s*\n", text.strip("\n")):
        lines += _block(block)
    return lines


def _block(block: str) -> Iterator[str]:
    if block.startswith(("# ", "<!--")):
        return
    if block.startswith("#"):
        title = block.lstrip("# ")
        yield f'.SH "{plain(title.replace("`", "") if "`" in title else title.upper())}"'
    elif block.startswith("    "):
        yield from literal(re.sub("^ {4}", "", block, flags=re.MULTILINE))
    elif block.startswith("- "):
        for item in re.split(r"^- ", block, flags=re.MULTILINE)[1:]:
            yield from (".IP \\(bu 2", inline(" ".join(item.split())))
    else:
        tag, text = block.split("\n", 1) if block.startswith("**`") else ("", block)
        yield from (".TP", inline(tag.strip())) if tag else (".PP",)
        for number, line in enumerate(text.split("  \n")):
            yield from (".br",) if number else ()
            yield inline(" ".join(line.split()))
