"""Text -> everything that can be said about it: the cluster, or every mistake, and the warnings."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from pydantic import ValidationError

from haman.config import build, explain, rules, tree
from haman.config.mistakes import Finding, Mistake, Path
from haman.config.shape.file import File
from haman.config.view import View

if TYPE_CHECKING:
    from collections.abc import Collection

    from haman.config.source import Source
    from haman.model.cluster import Cluster

_NAMED = ("directors", "routers", "groups", "trackers", "checks", "services")
"""Sections whose entries other parts of the file refer to by name."""


@dataclass(frozen=True, slots=True)
class Examination:
    """cluster is None exactly if there are mistakes. Both lists are in the order of the file."""

    source: Source
    cluster: Cluster | None
    mistakes: tuple[Mistake, ...]
    warnings: tuple[Mistake, ...]
    tree: tree.Tree = field(repr=False, compare=False)

    def located(self, finding: Finding) -> Mistake:
        """For what is found out elsewhere than in the text: about the machine that reads it."""
        return _located(self.tree, finding)


def examine(source: Source) -> Examination:
    """Read, check and build. Never raises for what stands in the text."""
    grown = tree.grow(source)
    mistakes = list(grown.mistakes)
    if grown.root is None:
        return _examination(grown, None, mistakes or [_empty(source)])
    if grown.root.value is None:
        return _examination(grown, None, [*mistakes, _empty(source)])
    file, wrong, entries = _shaped(grown)
    # Where the YAML itself is wrong, what the schema then says about the same place helps nobody.
    places = {(mistake.spot.line, mistake.spot.column) for mistake in mistakes}
    mistakes += (mistake for mistake in wrong if (mistake.spot.line, mistake.spot.column) not in places)
    if file is None:
        return _examination(grown, None, mistakes)
    entries |= {mistake.path[:2] for mistake in grown.mistakes}
    view = _view(file, grown, entries)
    mistakes += _ruled(view, grown, entries)
    cluster = None if any(not mistake.warning for mistake in mistakes) else build.cluster(view)
    return _examination(grown, cluster, mistakes)


def _shaped(grown: tree.Tree) -> tuple[File | None, list[Mistake], set[Path]]:
    """The file by its schema, without the parts that are wrong (None: too little is left); what is wrong with those,
    and in which entries of the file they were."""
    assert grown.root
    value, mistakes, entries = grown.root.value, list[Mistake](), set[Path]()
    # Each round takes something out; what then is missing takes out what needed it, and so one level more at most.
    for _ in range(tree.DEPTH):
        try:
            return File.model_validate(value), mistakes, entries
        except ValidationError as error:
            wrong, paths = explain.explained(error, grown)
        mistakes = mistakes or wrong
        entries |= {path[:2] for path in paths}
        for path in {_part(path, value) for path in paths}:
            if not path:
                return None, mistakes, entries
            value = _without(value, path)
    return None, mistakes, entries


def _part(path: Path, value: Any) -> Path:
    """The part of `value` to take out for a mistake at `path`. Never a list's entry: the others would change their
    places. What is missing takes out the mapping that it is missing in."""
    found: list[str | int] = []
    for part in path:
        if not isinstance(value, dict) or part not in value:
            break
        found.append(part)
        value = value[part]
    return tuple(found)


def _without(value: Any, path: Path) -> Any:
    """A copy of `value` without what is at `path`; aliases may share the parts, so none is changed in place."""
    if not isinstance(value, dict) or path[0] not in value:
        return value
    if len(path) == 1:
        return {key: part for key, part in value.items() if key != path[0]}
    return {**value, path[0]: _without(value[path[0]], path[1:])}


def _ruled(view: View, grown: tree.Tree, wrong: Collection[Path]) -> list[Mistake]:
    """What the rules find. Of an entry that is wrong by itself only what is certain, and no warnings beside it."""
    return [
        _located(grown, finding)
        for finding in rules.findings(view)
        if not (wrong and finding.warning) and (finding.certain or finding.path[:2] not in wrong)
    ]


def _located(grown: tree.Tree, finding: Finding) -> Mistake:
    spot = grown.spot(finding.path, at_key=finding.at_key)
    return Mistake(grown.source, spot, finding.path, finding.what, finding.cure, finding.warning)


def _view(file: File, grown: tree.Tree, entries: Collection[Path]) -> View:
    sections = {section: grown.value((section,)) if grown.has((section,)) else {} for section in _NAMED}
    names = {section: frozenset(entries) for section, entries in sections.items() if isinstance(entries, dict)}
    return View(file, names, frozenset(str(entry[0]) for entry in entries if entry))


def _empty(source: Source) -> Mistake:
    what, cure = "the file is empty", "write a cluster into it (see etc/haman.yaml)"
    return Mistake(source, tree.START, (), what, cure)


def _examination(grown: tree.Tree, cluster: Cluster | None, found: list[Mistake]) -> Examination:
    # What aliases repeat is one mistake, at several paths.
    once: dict[object, Mistake] = {}
    for mistake in found:
        once.setdefault((mistake.spot, mistake.what), mistake)
    found = sorted(once.values(), key=lambda mistake: (mistake.spot.line, mistake.spot.column))
    return Examination(
        grown.source,
        cluster,
        tuple(mistake for mistake in found if not mistake.warning),
        tuple(mistake for mistake in found if mistake.warning),
        grown,
    )
