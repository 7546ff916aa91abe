"""The present state of a service, server, site or split, in the words of hooks: for hooks that have missed changes."""

from __future__ import annotations

from typing import TYPE_CHECKING

from haman.director.news import Sort
from haman.health.hysteresis import Verdict
from haman.model.services import Target

if TYPE_CHECKING:
    from haman.director.news import Subject
    from haman.director.sites import Sites
    from haman.director.splits import Splits
    from haman.health.board import Board


def of(subject: Subject, board: Board, sites: Sites, splits: Splits) -> str | None:
    """None if it is none of ours."""
    if subject.sort is Sort.SPLIT:
        return splits.state(subject.name)
    if subject.sort is Sort.SITE:
        choice = sites.choices.get(subject.name)
        return None if choice is None else sites.name_of(subject.name, choice.serving)
    if subject.sort is Sort.SERVICE:
        return board.service(subject.name).state.value if board.knows(subject.name) else None
    service, _, rest = subject.name.partition("/")
    server, _, port = rest.rpartition(":")
    health = board.health.get(Target(service, server, int(port)))
    if health is None:
        return None
    return health.verdict.value if health.checked else Verdict.UNKNOWN.value
