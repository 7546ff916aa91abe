"""The reference page, from the same models that check the file: `python -m haman.config.reference > docs/...md`.

A test compares the committed page with this output, so the two cannot part.
"""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING, Any

from haman.config.flow import flow, pair
from haman.config.json_schema import schema

if TYPE_CHECKING:
    from collections.abc import Iterator

_HEAD = """\
# Configuration

<!-- Written by `python -m haman.config.reference`; change haman/config/shape and run that again. -->

One YAML file describes the whole cluster, and the same file lies on every director, as `/etc/haman/haman.yaml`.
A machine finds itself in it by its host name, else by its address; `--node NAME` says it outright.
`haman check FILE` lists every mistake with its line, column and cure (exit code 2) and warns of what may surprise
(exit code 0). `haman schema` prints the JSON Schema, with which editors complete and explain.
[`etc/haman.yaml`](../../etc/haman.yaml) is a commented example, [`etc/examples`](../../etc/examples) holds more.

## How values are written

- **Times, sizes and shares carry their unit**: `100ms`, `1s`, `5m`, `2h`, `1d`; `500B`, `1KiB`; `50%`. A bare number is
  refused, because nobody can see what it counts.
- **Addresses are numbers.** No name is looked up, so haman never waits for DNS.
- **Names** (of directors, routers, checks, services, servers) are up to 63 letters, digits, `-`, `_` and `.`, of which
  the first is a letter, a digit or `_`.
- **Words mean what they look like.** `on`, `off`, `yes`, `no`, `22:22` and `2026-01-01` are text, as in YAML 1.2; only
  `true` and `false` are true and false. A number with a leading zero (`012`) is refused where a number is wanted: some
  readers take it for octal. `0x10` is sixteen.
- A key that stands twice, a key that haman does not know, and a key with nothing behind it are mistakes. To leave
  something out, leave its key out.
- **What repeats can be written once**: `web: &web {...}`, then `web2: {<<: *web, port: 8080}` takes over every key that
  it does not write itself.

"""


def page() -> str:
    """The whole page, in Markdown."""
    return _HEAD + "\n".join(_Writer(schema()).sections()).rstrip() + "\n"


class _Writer:
    def __init__(self, root: dict[str, Any]) -> None:
        self.root = root
        self.places: dict[str, list[str]] = {}
        self.order: list[str] = []

    def sections(self) -> Iterator[str]:
        """One section for each mapping, in the order of the file."""
        self._find(self.root, "")
        yield "## The file\n"
        yield from self._keys(self.root)
        for name in self.order:
            shape = self.root["$defs"][name]
            first, *others = self.places[name]
            yield f"## `{first}`\n"
            also = f" The same keys are in {' and '.join(f'`{other}`' for other in others)}." if others else ""
            yield f"{_line(shape['description'])}{also}\n"
            yield from self._keys(shape)

    def _find(self, shape: dict[str, Any], path: str) -> None:
        """Note every shape below, with each place it has in the file."""
        for key, place in shape.get("properties", {}).items():
            here = f"{path}.{key}" if path else key
            for below, name in self._shapes(place, here):
                known = self.places.setdefault(name, [])
                known.append(below)
                if len(known) == 1:
                    self.order.append(name)
                    self._find(self.root["$defs"][name], below)

    def _shapes(self, place: dict[str, Any], path: str) -> Iterator[tuple[str, str]]:
        if "$ref" in place:
            yield path, place["$ref"].rsplit("/", 1)[1]
        for choice in place.get("anyOf", ()):
            yield from self._shapes(choice, path)
        for below in place.get("patternProperties", {}).values():
            yield from self._shapes(below, f"{path}.<name>")
        if "items" in place:
            yield from self._shapes(place["items"], f"{path}[]")

    def _keys(self, shape: dict[str, Any]) -> Iterator[str]:
        for key, place in shape.get("properties", {}).items():
            yield f"**`{key}`** ({self._need(shape, key, place)})  "
            yield f"{place['description']}  "
            yield f"*Written as* {self._form(place)}.  "
            yield f"*Example:* `{pair(key, place['examples'][0])}`\n"

    def _need(self, shape: dict[str, Any], key: str, place: dict[str, Any]) -> str:
        if key in shape.get("required", ()):
            return "must be given"
        if "x-default" in place:
            return f"left out: {place['x-default']}"
        if "$ref" in place:
            return "left out: as its keys say"
        default = place["default"]
        return f"default `{flow(default)}`" if default not in ({}, []) else "default: empty"

    def _form(self, place: dict[str, Any]) -> str:
        """In words how a value is written, with links to the mappings in it."""
        if "$ref" in place:
            first = self.places[place["$ref"].rsplit("/", 1)[1]][0]
            return f"a mapping, see [`{first}`](#{_anchor(first)})"
        if "anyOf" in place:
            links = [self._form(choice) for choice in place["anyOf"] if "$ref" in choice]
            return "; ".join([place["x-form"], *links]) if "x-form" in place else " or ".join(links)
        if "x-form" in place:
            return str(place["x-form"])
        if "items" in place:
            return f"a list; each entry: {self._form(place['items'])}"
        (below,) = place["patternProperties"].values()
        return f"a mapping of names; each: {self._form(below)}"


def _line(text: str) -> str:
    return " ".join(text.split())


def _anchor(title: str) -> str:
    """As GitHub makes anchors of headings."""
    return "".join(letter for letter in title.lower() if letter.isalnum() or letter in "-_")


if __name__ == "__main__":
    sys.stdout.write(page())
