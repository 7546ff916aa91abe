"""YAML text -> plain values, each with its place. No schema here: any YAML of harmless size passes.

What a plain word means is decided here and by nobody else, after YAML 1.2's core schema with one change (below):
`on`, `yes`, `22:22` and dates are text; `true`, `false`, `null`, `~`, decimal and 0x numbers are what they look like.
The change: a number with a leading zero stays text. YAML 1.1 reads `012` as ten, 1.2 as twelve; who wants a
number then gets a mistake that says which one to write.

The events are put together here and not by PyYAML's composer, because that one recurses in C once per level and
dies by SIGSEGV on a file of opening brackets; and because it takes four times as long.
"""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import yaml

from haman.config.mistakes import Mistake, Path, Spot, quoted
from haman.config.syntax import explained

if TYPE_CHECKING:
    from haman.config.source import Source

START = Spot(1, 1)

DEPTH = 24
"""Levels of nesting; the configuration has eight."""
LIMIT = 1_000_000
"""Values after all aliases are followed ("billion laughs"); 10,000 servers make about 50,000."""

_WORDS = {
    **dict.fromkeys(("", "~", "null", "Null", "NULL")),
    **dict.fromkeys(("true", "True", "TRUE"), True),
    **dict.fromkeys(("false", "False", "FALSE"), False),
}
_WHOLE = re.compile("[-+]?(0|[1-9][0-9]{0,17})")
_HEX = re.compile("0x[0-9a-fA-F]{1,16}")
_FRACTION = re.compile(r"[-+]?(\.[0-9]{1,18}|(0|[1-9][0-9]{0,17})(\.[0-9]{0,18})?)([eE][-+]?[0-9]{1,2})?")


class Fraction(float):
    """A number with a fraction that remembers how it was written: 1.10 is a version, and not 1.1."""

    def __new__(cls, text: str) -> Fraction:
        number = super().__new__(cls, text)
        number.text = text
        return number

    text: str

    def __str__(self) -> str:
        return self.text


class Node:
    """A value of the file. `keys` and `children` of a mapping go by the key's text; `children` of a list is a
    list; a scalar has neither. A node that several aliases name exists once."""

    __slots__ = ("children", "end", "keys", "mark", "plain", "size", "value")

    def __init__(self, value: Any, mark: yaml.Mark, end: yaml.Mark, *, plain: bool = False) -> None:
        self.value = value
        self.mark = mark
        self.end = end
        self.plain = plain  # a scalar without quotes
        self.size = 1  # values inside, itself included, all aliases followed
        self.keys: dict[str, Node] = {}
        self.children: dict[str, Node] | list[Node] | None = None

    @property
    def spot(self) -> Spot:
        """Where it begins; the width of a scalar that ends on its own line."""
        line, column = self.mark.line, self.mark.column
        if self.children is not None:
            return Spot(line + 1, column + 1)
        return Spot(line + 1, column + 1, self.end.column - column if self.end.line == line else 0)


@dataclass(slots=True)
class Tree:
    """root None: the text is not YAML, or cannot be ours; `mistakes` then says why."""

    source: Source
    root: Node | None = None
    mistakes: list[Mistake] = field(default_factory=list)

    def spot(self, path: Path, *, at_key: bool = False) -> Spot:
        """The place of the value at `path`, or of its key. Where the path leads out of the file (something is
        missing), the key of the last mapping on the way."""
        node, key = self.root, None
        for part in path:
            below = self._child(node, part)
            if below is None:
                at_key = key is not None
                break
            key = node.keys.get(part) if node and isinstance(part, str) else None
            node = below
        chosen = key if at_key and key else node
        return chosen.spot if chosen else START

    def has(self, path: Path) -> bool:
        return self._node(path) is not None

    def value(self, path: Path) -> Any:
        """The value at `path`; None too where there is nothing."""
        node = self._node(path)
        return node.value if node else None

    def _node(self, path: Path) -> Node | None:
        node = self.root
        for part in path:
            node = self._child(node, part)
        return node

    @staticmethod
    def _child(node: Node | None, part: str | int) -> Node | None:
        children = node.children if node else None
        if isinstance(children, dict):
            return children.get(part) if isinstance(part, str) else None
        if isinstance(children, list):
            return children[part] if isinstance(part, int) and part < len(children) else None
        return None


def grow(source: Source) -> Tree:
    """Read `source`. Never raises; at a mistake of syntax the reading ends, after the others it goes on."""
    tree = Tree(source)
    try:
        _Builder(tree).build()
    except yaml.YAMLError as error:
        tree.mistakes.append(explained(error, source))
    except _GiveUp as reason:
        tree.mistakes.append(reason.args[0])
    else:
        return tree
    tree.root = None
    return tree


def resolve(text: str) -> Any:
    """What a plain (unquoted) scalar means."""
    if text in _WORDS:
        return _WORDS[text]
    if text[0] in "0123456789+-.":
        if _WHOLE.fullmatch(text):
            return int(text)
        if _HEX.fullmatch(text):
            return int(text, 16)
        if _FRACTION.fullmatch(text):
            return Fraction(text)
    return text


class _GiveUp(Exception):
    """Carries the mistake after which nothing more can be made of the file."""


@dataclass(slots=True)
class _Open:
    """A collection whose end has not come yet."""

    node: Node
    anchor: str | None
    counted: int
    key: Node | None = None
    merges: list[Node] = field(default_factory=list)


class _Builder:
    def __init__(self, tree: Tree) -> None:
        self.tree = tree
        self.stack: list[_Open] = []
        self.anchors: dict[str, Node] = {}
        self.counted = 0
        self.documents = 0

    def build(self) -> None:
        parser = yaml.CSafeLoader(self.tree.source.text)
        steps = {
            yaml.ScalarEvent: self._scalar,
            yaml.MappingStartEvent: self._open,
            yaml.MappingEndEvent: self._close,
            yaml.SequenceStartEvent: self._open,
            yaml.SequenceEndEvent: self._close,
            yaml.AliasEvent: self._alias,
            yaml.DocumentStartEvent: self._document,
        }
        while True:
            event = parser.get_event()
            if step := steps.get(event.__class__):
                step(event)
            elif event.__class__ is yaml.StreamEndEvent:
                return

    def _document(self, event: Any) -> None:
        self.documents += 1
        if self.documents > 1:
            what = "a second document begins here"
            raise _GiveUp(self._mistake(event, what, "one file holds one cluster: remove the '---' line"))

    def _scalar(self, event: Any) -> None:
        plain = event.tag is None and event.implicit[0]
        value = resolve(event.value) if plain else event.value
        node = Node(value, event.start_mark, event.end_mark, plain=plain)
        self._common(event, node)
        frame = self.stack[-1] if self.stack else None
        if frame and frame.node.children.__class__ is dict and frame.key is None:
            node.value = event.value  # a key is its text, whatever it looks like
        self._add(node)

    def _open(self, event: Any) -> None:
        if len(self.stack) >= DEPTH:
            raise _GiveUp(self._mistake(event, f"nested more than {DEPTH} levels deep", "check the brackets"))
        node = Node(None, event.start_mark, event.end_mark)
        node.children = {} if isinstance(event, yaml.MappingStartEvent) else []
        self._common(event, node)
        self.anchors.pop(event.anchor, None)
        self.stack.append(_Open(node, event.anchor, self.counted))

    def _close(self, event: Any) -> None:
        frame = self.stack.pop()
        node = frame.node
        node.end = event.end_mark
        node.size += self.counted - frame.counted
        if isinstance(node.children, dict):
            for merged in frame.merges:
                self._merge(node, merged)
            node.value = {key: child.value for key, child in node.children.items()}
        elif node.children is not None:
            node.value = [child.value for child in node.children]
        if frame.anchor:
            self.anchors[frame.anchor] = node
        self._add(node)

    def _alias(self, event: Any) -> None:
        name = quoted(event.anchor, "")
        if any(frame.anchor == event.anchor for frame in self.stack):
            raise _GiveUp(self._mistake(event, f"*{name} stands inside what &{name} names", "write it out"))
        node = self.anchors.get(event.anchor)
        if node is None:
            what = f"nothing above is named &{name}"
            self.tree.mistakes.append(self._mistake(event, what, "put the text in quotes if it is no alias"))
            node = Node(None, event.start_mark, event.end_mark)
        self.counted += node.size
        if self.counted > LIMIT:
            what = f"the aliases make more than {LIMIT:,} values"
            raise _GiveUp(self._mistake(event, what, "write out what is needed"))
        self._add(node)

    def _common(self, event: Any, node: Node) -> None:
        self.counted += 1
        if event.tag is not None:
            tag = event.tag.replace("tag:yaml.org,2002:", "!!")
            what = f"the tag {quoted(tag)} is not used here"
            self.tree.mistakes.append(self._mistake(event, what, "remove it; text is written in quotes"))
        if event.anchor:
            self.anchors[event.anchor] = node

    def _add(self, node: Node) -> None:
        if not self.stack:
            self.tree.root = node
            return
        frame = self.stack[-1]
        children = frame.node.children
        if isinstance(children, list):
            children.append(node)
        elif frame.key is None:
            frame.key = node
        else:
            self._pair(frame, frame.key, node)
            frame.key = None

    def _pair(self, frame: _Open, key: Node, value: Node) -> None:
        keys, children = frame.node.keys, frame.node.children
        assert isinstance(children, dict)
        if key.children is not None:
            self._note(key, "a key is a word, not a list or a mapping", "check the brackets and the '?'")
        elif key.value == "<<" and key.plain:
            frame.merges.append(value)
        elif (name := _text(key.value)) in children:
            what = f"the key {quoted(name)} is here a second time (the first is on line {keys[name].spot.line})"
            self._note(key, what, "remove one of the two")
        else:
            keys[name] = key
            children[name] = value

    def _merge(self, into: Node, merged: Node) -> None:
        """`<<: *base`, `<<: [*one, *two]`: what is written here wins, then the first base that has the key."""
        assert isinstance(into.children, dict)
        bases = merged.children if isinstance(merged.children, list) else [merged]
        for base in bases:
            if not isinstance(base.children, dict):
                self._note(base, "'<<' takes over the keys of a mapping, and this is none", "name one: '<<: *base'")
                continue
            for name, child in base.children.items():
                if name not in into.children:
                    into.keys[name] = base.keys[name]
                    into.children[name] = child

    def _note(self, node: Node, what: str, cure: str) -> None:
        self.tree.mistakes.append(Mistake(self.tree.source, node.spot, self._path(), what, cure))

    def _mistake(self, event: Any, what: str, cure: str) -> Mistake:
        start, end = event.start_mark, event.end_mark
        width = max(1, end.column - start.column) if end.line == start.line else 0
        spot = Spot(start.line + 1, start.column + 1, width)
        return Mistake(self.tree.source, spot, self._path(), what, cure)

    def _path(self) -> Path:
        """Where the builder is."""
        path: list[str | int] = []
        for frame in self.stack:
            if isinstance(frame.node.children, list):
                path.append(len(frame.node.children))
            elif frame.key and frame.key.children is None:
                path.append(_text(frame.key.value))
        return tuple(path)


def _text(value: Any) -> str:
    """A key that is an alias to a scalar has that scalar's value, which may be a number."""
    return value if isinstance(value, str) else "" if value is None else str(value).lower()
