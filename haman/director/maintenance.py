"""`haman maintenance`: this node takes no VIP until the operator says so, over restarts and reboots.

It leaves what it serves in good order, as for a fault that is no accident: serving on until the successor speaks.
Its IPVS table stays loaded and its own servers serve on.
"""

from __future__ import annotations

import time
from dataclasses import replace
from typing import TYPE_CHECKING, Any

from haman.director import moves
from haman.director.orders import Maintenance, said
from haman.errors import Refused
from haman.model.transition import Kind, Role, Transition

if TYPE_CHECKING:
    from collections.abc import Callable

    from haman.director.changing import Changing
    from haman.director.company import Own
    from haman.director.orders import Book
    from haman.director.peers import Peers

LEFT = 90.0
"""Seconds in which every router must have been left; at the longest interval it takes 82."""


async def answer(
    asked: dict[str, Any],
    own: Callable[[], Own],
    peers: Peers,
    book: Book,
    changing: Changing,
    record: Callable[[Transition], None],
) -> dict[str, Any]:
    """asked: `on` (true or false), `why`, `by`, `force`. changing: told of roles. The answer: `ok`, and
    `lines` for a person."""
    before, now = book.orders.maintenance, time.time()
    why, by = said(asked.get("why")), said(asked.get("by"), "somebody")
    wanted = Maintenance(why=why, by=by, at=now) if asked.get("on") is True else None
    if wanted is None and before is None:
        return {"ok": True, "lines": ["it is off"]}
    active = _active(own())
    try:
        heirs: dict[str, str] = {}
        if wanted is not None and active and asked.get("force") is not True:
            heirs = {
                name: move.to for move in moves.moves(own(), peers, active, None, force=False) for name in move.names
            }
        book.change(replace(book.orders, maintenance=wanted))
    except Refused as error:
        return {"ok": False, "lines": [str(error)]}
    before_word, after_word = "off" if before is None else "on", "off" if wanted is None else "on"
    words = f"ordered by {by}{f': {why}' if why else ''}"
    record(
        Transition(
            kind=Kind.ORDER,
            who=own().node,
            before=before_word,
            after=after_word,
            why=words,
            cause="maintenance",
            at=now,
        )
    )
    if wanted is None:
        return {"ok": True, "lines": ["off: this director takes part again"]}
    await changing.until(lambda: not _active(own()), LEFT)
    lines = [f"{name}: left, to {heirs.get(name, 'whoever takes it')}" for name in active if name not in _active(own())]
    return {"ok": True, "lines": [*lines, "on: this director takes no VIP until haman maintenance off"]}


def _active(own: Own) -> list[str]:
    return [report.router for report in own.roles if report.role is Role.ACTIVE]
