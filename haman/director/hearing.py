"""Has this director been told the connections that the active one has? Until then it leaves a living peer active. Pure.

The kernel's sync daemon tells a connection when it begins, and again whenever it carries a packet `SYNC_REFRESH`
seconds or more after it was told last. Nobody can ask for all of them at once. So who comes up, or comes back from a
fault (not who was active itself until now, and so knows them),

1. listens for one such period and the time that a message may lie in the teller's kernel: then every connection that
   carries packets was told once;
2. and then compares what it holds with what the active director says, on the directors' channel, that it has: it
   waits until it holds nearly as many, or until it has learnt nothing more for as long and a little (what is missing
   then is silent, or too short-lived ever to be told in time), or until the limit is over.

Without a word from the active director (a keepalived, no channel) the first part is all that can be done. Where it has
no connections at all, there is nothing to wait for.

What counts is how many are established, never which. A connection that ended while this director did not listen counts
as held until it times out here, so the count can only be too good: that is why the first part is never left out.

It is about a living peer alone. Whether anybody is active decides the election, and whoever is not ready for the want
of connections takes over from a dead one as soon as anybody would.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from haman.model.standing import Connections
from haman.model.transition import Kind, Role, Transition

if TYPE_CHECKING:
    from collections.abc import Callable, Collection, Container, Iterable, Mapping

    from haman.model.elector import RoleReport

DELAY = 4.0
"""Seconds between a packet and its connection being known to the others at most. The kernel sends what it has gathered
after two seconds, and looks once a second (IPVS_SYNC_FLUSH_TIME, IPVS_SYNC_CHECK_PERIOD); the fourth is for a busy
machine. Measured in the laboratory: 2 to 4."""

NEARLY = 0.99
"""Of what the active director has: some connections always begin and end between two counts."""

MORE = 0.01
"""Of what the active director has: fewer new ones than that are nothing learnt."""

STEADY = 3.0
"""Seconds for which a connection must have been held to count as learnt: the short ones of a web site come and go."""

QUIET = 60.0
"""Seconds for which nobody may have changed the table before a change counts anew."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Situation:
    """Of a router that this director is standby of, with its table loaded and its servers checked.

    since: when it became standby, monotonic seconds. hears: the kernel runs the daemon that is told. own: what is held
    here. active, theirs: who serves, and what it said it has; None if nobody says. said: when.
    """

    since: float
    hears: bool
    own: Connections
    active: str | None = None
    theirs: Connections | None = None
    said: float = 0.0


@dataclass(slots=True)
class _Watch:
    """began: when the waiting did; listening: when the hearing did, None while no daemon runs. recent: how many were
    held when, in the last STEADY seconds. most: the least of them, when that was more than ever; risen: when that was.
    shown: it was said that it waits. over: why it waits no longer, empty while it does.
    """

    since: float
    began: float
    listening: float | None = None
    recent: list[tuple[float, int]] = field(default_factory=list)
    most: int = 0
    risen: float = 0.0
    over: str = ""
    shown: bool = False
    words: str | None = None


_ACTIVE = "active"


class Hearing:
    """refresh: seconds, the kernel's `sync_refresh_period`. limit: seconds, `sync.wait`."""

    def __init__(self, refresh: float, limit: float) -> None:
        self.configure(refresh, limit)
        self._watches: dict[str, _Watch] = {}
        self._disturbed = -QUIET

    def configure(self, refresh: float, limit: float) -> None:
        self._listens = refresh + DELAY
        self._limit = limit

    @property
    def waiting(self) -> dict[str, str]:
        """By router that waits for connections, how far it is, in words."""
        return {name: each.words for name, each in self._watches.items() if each.words is not None}

    def restart(self, now: float) -> None:
        """What was told until now may be bound to no server: the table was not whole. It is told again. Somebody who
        changes the table again and again keeps nobody waiting by it: only the first time counts."""
        quiet, self._disturbed = now - self._disturbed, now
        if quiet >= QUIET:
            self._watches.clear()

    def forget(self, routers: Iterable[str]) -> None:
        """What is known of their connections is worth nothing any more: they were in fault."""
        for name in routers:
            self._watches.pop(name, None)

    def look(
        self, routers: Mapping[str, Situation], now: float, at: float, active: Collection[str] = ()
    ) -> list[Transition]:
        """Call it once a second and when something has changed. routers: those that this director is standby of and
        nothing else keeps from being taken over. active: those that it is active for. One that is in neither is
        forgotten, and begins anew. Returns who began or ceased to wait."""
        self._watches = {name: each for name, each in self._watches.items() if name in routers}
        self._watches |= {name: _Watch(since=now, began=now, over=_ACTIVE) for name in active}
        changes = []
        for name, situation in routers.items():
            watch = self._watches.get(name)
            if watch is not None and watch.over == _ACTIVE:
                watch.since, watch.over = situation.since, "was_active"
            elif watch is None or watch.since != situation.since:
                shown = watch is not None and watch.shown and not watch.over
                watch = self._watches[name] = _Watch(since=situation.since, began=now, shown=shown)
            if watch.over:
                continue
            cause, words = self._judge(watch, situation, now)
            if cause:
                watch.over, watch.words = cause, None
                if watch.shown:
                    changes.append(_transition(name, "waiting", "ready", cause, words, at))
                continue
            watch.words = words
            if not watch.shown:
                watch.shown = True
                changes.append(_transition(name, "ready", "waiting", "listening", words, at))
        return changes

    def _judge(self, watch: _Watch, situation: Situation, now: float) -> tuple[str, str]:
        """Why it need wait no longer (a cause, empty while it must), and how it stands, in words."""
        own, theirs = situation.own.established, None
        if situation.theirs is not None and situation.said >= watch.began:
            theirs = situation.theirs
        if theirs is not None:
            watch.recent = [each for each in watch.recent if now - each[0] <= STEADY] + [(now, own)]
            learnt = min(held for _, held in watch.recent)
            if learnt >= watch.most + max(1, theirs.established * MORE):
                watch.most, watch.risen = learnt, now
        if not situation.hears:
            watch.listening = None
        elif watch.listening is None:
            watch.listening = watch.risen = now
        listened = 0.0 if watch.listening is None else now - watch.listening
        if theirs is None:
            held = "the active director does not say how many there are"
        else:
            held = f"holds {own:,} of {theirs.established:,} connections of {situation.active}"
        if now - watch.began >= self._limit:
            return "limit", f"{held}; the limit of {self._limit:g} s is over"
        if watch.listening is None:
            return "", f"no sync daemon listens here; {held}"
        if theirs == Connections(0, 0):
            return "nothing_to_hear", f"{situation.active} has no connections"
        if listened < self._listens:
            return "", f"listens to connections for {self._listens:g} s; {held}"
        if theirs is None:
            return "listened", f"listened for {self._listens:g} s; {held}"
        if own >= theirs.established * NEARLY:
            return "held", held
        if now - watch.risen >= self._listens + STEADY:
            return "nothing_new", f"{held}; nothing more was learnt for {self._listens + STEADY:g} s"
        return "", held


def _transition(router: str, before: str, after: str, cause: str, why: str, at: float) -> Transition:
    return Transition(kind=Kind.SYNC, who=router, before=before, after=after, why=why, cause=cause, at=at)


def situations(
    roles: Iterable[RoleReport],
    held: Mapping[str, Connections],
    missing: Container[str],
    *,
    hears: bool,
    serving: Callable[[str], tuple[str, Connections, float] | None],
) -> dict[str, Situation]:
    """held: by router that has anything to be told of. missing: routers that something else keeps from being taken
    over. serving: see `Peers.serving`. A router whose role is not known yet counts as standby: to be told too late that
    it must wait would be too late."""
    reports = {report.router: report for report in roles}
    found = {}
    for name, own in held.items():
        report = reports.get(name)
        if name in missing or (report is not None and report.role is not Role.STANDBY):
            continue
        active, theirs, said = serving(name) or (None, None, 0.0)
        since = 0.0 if report is None else report.since
        found[name] = Situation(since=since, hears=hears, own=own, active=active, theirs=theirs, said=said)
    return found
