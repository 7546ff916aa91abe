"""What happened, for who asks over the control socket: the past (`history`), from now on (`events`), and what came of a
reload."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Any

from haman.config.suggest import near
from haman.observe.objects import about, told_of

if TYPE_CHECKING:
    from collections.abc import AsyncGenerator, Callable

    from haman.director.changes import Difference
    from haman.director.state import Configured
    from haman.model.cluster import Cluster
    from haman.model.transition import Transition
    from haman.observe.history import History

MOST = 10_000
"""Entries in one answer."""


async def history(asked: dict[str, Any], told: History, cluster: Cluster, node: str) -> dict[str, Any]:
    """asked: `object` (a word of observe.objects), `since` (wall-clock seconds), `last` (how many). `meant` is there
    when nothing of that name is known: what may have been meant, or null."""
    word = _text(asked.get("object"))
    found = told.last(_whole(asked.get("last"), MOST), _wanted(word, _number(asked.get("since"))))
    answer: dict[str, Any] = {"number": told.number, "entries": [each.plain() for each in found]}
    if word is not None and not found:
        names = told_of(cluster, node)
        if word not in names and not any(True for _ in told.entries(_wanted(word, None))):
            answer["meant"] = await asyncio.to_thread(near, word, names)
    return answer


async def events(asked: dict[str, Any], told: History) -> AsyncGenerator[list[dict[str, Any]]]:
    """asked: `object`, and `after`, the number read last, or `last`, how many of the past come first (0).

    Lists of lines: the head `{"v": 1, "answer": {"number": n}}`, then `{"event": {...}}`, and `{"gap": n}` where n
    could not be kept for this follower. Until the follower goes.
    """
    wanted = _wanted(_text(asked.get("object")), None)
    with told.feed.follow() as follower:
        read = _whole(asked.get("after"), None)
        number = told.number
        lines: list[dict[str, Any]] = [{"v": 1, "answer": {"number": number}}]
        if read is None:
            past = told.last(_whole(asked.get("last"), 0), wanted)
        else:
            past = [each for each in told.entries(after=read) if each.number <= number]
            missing = max(0, number - read) - len(past)
            lines += [{"gap": missing}] if missing > 0 else []
            past = [each for each in past if wanted(each.transition)]
        yield [*lines, *({"event": each.plain()} for each in past)]
        while True:
            lost, news = await follower.next()
            lines = [{"gap": lost}] if lost else []
            lines += [{"event": each.plain()} for each in news if wanted(each.transition)]
            if lines:
                yield lines


def reloaded(state: Configured, words: str, difference: Difference | None) -> dict[str, Any]:
    """state: after it. words, difference: see `Rereading.now`."""
    return {
        "ok": state.ok,
        "words": words,
        "generation": state.generation,
        "digest": state.digest,
        "mistakes": list(state.mistakes),
        "warnings": list(state.warnings),
        "changes": None if difference is None else difference.plain(),
        "lines": [] if difference is None else difference.lines(),
    }


def _wanted(word: str | None, since: float | None) -> Callable[[Transition], bool]:
    def wanted(transition: Transition) -> bool:
        return (word is None or about(transition, word)) and (since is None or transition.at >= since)

    return wanted


def _text(value: Any) -> str | None:
    return value if isinstance(value, str) else None


def _number(value: Any) -> float | None:
    return float(value) if isinstance(value, int | float) else None


def _whole(value: Any, otherwise: Any) -> Any:
    return value if isinstance(value, int) and 0 <= value <= 1 << 62 else otherwise
