"""Text -> everything that can be said about it: the cluster, or every mistake, and the warnings."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from pydantic import ValidationError

from haman.config import build, explain, rules, tree
from haman.config.mistakes import Finding, Mistake, Path
from haman.config.shape.file import File
from haman.config.view import View

if TYPE_CHECKING:
    from haman.config.source import Source
    from haman.model.cluster import Cluster

_NAMED = ("directors", "routers", "checks", "services")
"""Sections whose entries can be left out one by one."""


@dataclass(frozen=True, slots=True)
class Examination:
    """cluster is None exactly if there are mistakes. Both lists are in the order of the file."""

    source: Source
    cluster: Cluster | None
    mistakes: tuple[Mistake, ...]
    warnings: tuple[Mistake, ...]


def examine(source: Source) -> Examination:
    """Read, check and build. Never raises for what stands in the text."""
    grown = tree.grow(source)
    mistakes = list(grown.mistakes)
    if grown.root is None:
        return _examination(source, None, mistakes or [_empty(source)])
    if grown.root.value is None:
        return _examination(source, None, [*mistakes, _empty(source)])
    file, broken, wrong = _shaped(grown)
    # Where the YAML itself is wrong, what the schema then says about the same place helps nobody.
    places = {(mistake.spot.line, mistake.spot.column) for mistake in mistakes}
    mistakes += (mistake for mistake in wrong if (mistake.spot.line, mistake.spot.column) not in places)
    if file is None:
        return _examination(source, None, mistakes)
    names = {section: frozenset(map(str, grown.value((section,)) or ())) for section in _NAMED}
    view = View(file, names, broken)
    mistakes += (_located(finding, grown) for finding in rules.findings(view) if not (mistakes and finding.warning))
    cluster = None if any(not mistake.warning for mistake in mistakes) else build.cluster(view)
    return _examination(source, cluster, mistakes)


def _shaped(grown: tree.Tree) -> tuple[File | None, frozenset[str], list[Mistake]]:
    """The file by its schema. If parts are wrong: the file without them (None if nothing is left of it), the
    sections they were taken from, and the mistakes."""
    assert grown.root
    value = grown.root.value
    try:
        return File.model_validate(value), frozenset(), []
    except ValidationError as error:
        mistakes = list(explain.explained(error, grown))
    rest, broken = _without(value, [mistake.path for mistake in mistakes])
    try:
        return File.model_validate(rest), broken, mistakes
    except ValidationError:
        return None, broken, mistakes


def _without(value: Any, paths: list[Path]) -> tuple[Any, frozenset[str]]:
    """`value` without the entries that the paths lead into, and the sections that lost one."""
    if not isinstance(value, dict):
        return value, frozenset()
    rest = {key: dict(part) if key in _NAMED and isinstance(part, dict) else part for key, part in value.items()}
    broken = set()
    for path in paths:
        section, name = str(path[0]) if path else "", path[1] if len(path) > 1 else None
        broken.add(section)
        if section == "cluster":
            rest[section] = "cluster"
        elif section in _NAMED and isinstance(rest.get(section), dict) and isinstance(name, str):
            rest[section].pop(name, None)
        else:
            rest.pop(section, None)
    return rest, frozenset(broken)


def _located(finding: Finding, grown: tree.Tree) -> Mistake:
    spot = grown.spot(finding.path, at_key=finding.at_key)
    return Mistake(grown.source, spot, finding.path, finding.what, finding.cure, finding.warning)


def _empty(source: Source) -> Mistake:
    what, cure = "the file is empty", "write a cluster into it (see etc/haman.yaml)"
    return Mistake(source, tree.START, (), what, cure)


def _examination(source: Source, cluster: Cluster | None, found: list[Mistake]) -> Examination:
    found = sorted(dict.fromkeys(found), key=lambda mistake: (mistake.spot.line, mistake.spot.column))
    return Examination(
        source,
        cluster,
        tuple(mistake for mistake in found if not mistake.warning),
        tuple(mistake for mistake in found if mistake.warning),
    )
