"""Which site serves one service, decided anew from the level of health whenever that, or the time, has changed.

Rule 1: a site changes for a reason that has lasted (`hold`, `after`), or because the one that serves has nothing left.
So servers that come and go do not make the site come and go: between two returns lies `after` at least.
Rule 2: whatever is up is better than refusing, be it few local servers, be it a backup that has only just returned.
Rule 3: what has not been checked yet is no evidence. A director that has just started sends nobody away, and one that
was cut off does not refuse those whom it served although nothing was up.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, NamedTuple

from haman.model.sites import LOCAL, AllDown, Order

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from haman.model.sites import Failover

HERE = "local"
"""What the site of the service's own servers is called."""


@dataclass(frozen=True, slots=True)
class Level:
    """How the sites stand. share: 0..1 of the local servers' weight that is up, of the poorest port. known: whether
    local servers were checked. up: by backup, whether every port has a server there; None is not checked yet."""

    share: float
    known: bool
    up: tuple[bool | None, ...]


class Seen(NamedTuple):
    """A backup. since: monotonic seconds when it was first seen up; None while it is not. failed: it was up once, and
    then was not."""

    since: float | None = None
    failed: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class Choice:
    """serving: LOCAL or the number of a backup. open: nothing is up, and `serving` is used all the same. since:
    monotonic seconds of the last change of either. poor_since, rich_since: since when there have been too few local
    servers up, and enough again."""

    serving: int
    open: bool
    why: str
    cause: str
    since: float
    order: Order = Order.AUTO
    poor_since: float | None = None
    rich_since: float | None = None
    seen: tuple[Seen, ...] = ()

    def same_site(self, other: Choice) -> bool:
        return (self.serving, self.open) == (other.serving, other.open)


class Said(NamedTuple):
    """What the director that is active says of its choice."""

    director: str
    serving: int
    open: bool
    order: Order


class _Verdict(NamedTuple):
    serving: int
    why: str
    cause: str
    open: bool = False


def begin(backups: int, now: float, serving: int = LOCAL, order: Order = Order.AUTO) -> Choice:
    """serving: what the kernel's table says serves when this process starts."""
    why = "from the start" if serving == LOCAL else "it served already when this director started"
    return Choice(
        serving=serving,
        open=False,
        why=why,
        cause="start" if serving == LOCAL else "adopted",
        since=now,
        order=order,
        seen=(Seen(),) * backups,
    )


def decide(choice: Choice, rules: Failover, level: Level, now: float) -> Choice:
    """The choice at `now`. Call it when the level has changed, and at `deadline`."""
    watched = _watch(choice, rules, level, now)
    return _settled(watched, _verdict(watched, rules, level, now), now)


def follow(choice: Choice, rules: Failover, level: Level, now: float, said: Said) -> Choice:
    """The same for a director that another one leads: it takes over the site, and keeps an eye on the level."""
    watched = replace(_watch(choice, rules, level, now), order=said.order)
    why = f"director {said.director} is active and has it so"
    return _settled(watched, _Verdict(said.serving, why, "followed", said.open), now)


def ordered(choice: Choice, order: Order) -> Choice:
    """The operator wants this from now on; `decide` acts on it."""
    return replace(choice, order=order)


def deadline(choice: Choice, rules: Failover, now: float) -> float | None:
    """When `decide` may come to something else though no level changes; always later than `now`."""
    times = [choice.poor_since + rules.hold] if choice.poor_since is not None else []
    times += [choice.rich_since + rules.after] if choice.rich_since is not None else []
    times += [seen.since + rules.after for seen in choice.seen if seen.since is not None]
    return min((each for each in times if each > now), default=None)


def _watch(choice: Choice, rules: Failover, level: Level, now: float) -> Choice:
    poor = level.known and (level.share <= 0 or level.share < rules.below)
    rich = level.known and level.share > 0 and level.share >= rules.above
    return replace(
        choice,
        poor_since=_since(choice.poor_since, poor, now),
        rich_since=_since(choice.rich_since, rich, now),
        seen=tuple(_look(seen, up, now) for seen, up in zip(choice.seen, level.up, strict=True)),
    )


def _since(before: float | None, holds: bool, now: float) -> float | None:
    return (now if before is None else before) if holds else None


def _look(seen: Seen, up: bool | None, now: float) -> Seen:
    if up:
        return seen if seen.since is not None else Seen(now, seen.failed)
    return Seen(None, seen.failed or seen.since is not None)


def _settled(choice: Choice, verdict: _Verdict, now: float) -> Choice:
    if (verdict.serving, verdict.open) == (choice.serving, choice.open):
        return choice
    return replace(choice, serving=verdict.serving, open=verdict.open, why=verdict.why, cause=verdict.cause, since=now)


def _verdict(choice: Choice, rules: Failover, level: Level, now: float) -> _Verdict:
    match choice.order:
        case Order.LOCAL:
            return _local_only(choice, rules, level)
        case Order.BACKUP:
            return _moved(choice, rules, level)
        case Order.AUTO if choice.serving == LOCAL:
            return _at_home(choice, rules, level, now)
        case Order.AUTO:
            return _away(choice, rules, level, now)


def _local_only(choice: Choice, rules: Failover, level: Level) -> _Verdict:
    nothing = (level.known or choice.open) and level.share <= 0 and rules.all_down is not AllDown.REFUSE
    return _Verdict(LOCAL, "the operator wants the local servers", "operator", open=nothing)


def _moved(choice: Choice, rules: Failover, level: Level) -> _Verdict:
    up = list(_up(level))
    if choice.serving in up:
        return _Verdict(choice.serving, choice.why, choice.cause)
    if choice.serving != LOCAL and _unsure(level) and not (choice.open and up):
        return _Verdict(choice.serving, choice.why, choice.cause, choice.open)
    if up:
        return _Verdict(up[0], "the operator wants a backup", "operator")
    return _nowhere(choice, rules, level)


def _at_home(choice: Choice, rules: Failover, level: Level, now: float) -> _Verdict:
    stay = _Verdict(LOCAL, choice.why, choice.cause, choice.open)
    if choice.poor_since is None or now < choice.poor_since + rules.hold:
        if choice.open and level.share > 0:
            return _Verdict(LOCAL, "a local server is up again", "local_back")
        return stay
    # Few local servers are better than a backup that comes and goes; none are not.
    fit = [n for n in _up(level) if level.share <= 0 or not choice.seen[n - 1].failed or _steady(choice, rules, n, now)]
    if not fit:
        return stay if level.share > 0 and not choice.open else _nowhere(choice, rules, level)
    return _Verdict(fit[0], _poor(rules, level), "local_down" if level.share <= 0 else "local_below")


def _away(choice: Choice, rules: Failover, level: Level, now: float) -> _Verdict:
    rich = choice.rich_since is not None and now >= choice.rich_since + rules.after
    if rich and not rules.manual:
        why = f"{level.share:.0%} of the local weight is up, {rules.above:.0%} was for {rules.after:g} s"
        return _Verdict(LOCAL, why, "local_back")
    up = list(_up(level))
    if choice.serving in up:
        better = [n for n in up if n < choice.serving and _steady(choice, rules, n, now)]
        if better and not rules.manual:
            return _Verdict(better[0], f"a backup before it was up for {rules.after:g} s", "backup_back")
        return _Verdict(choice.serving, choice.why if not choice.open else "it is up again", choice.cause)
    if level.up[choice.serving - 1] is None and not (choice.open and up):
        return _Verdict(choice.serving, choice.why, choice.cause, choice.open)
    if up:
        return _Verdict(up[0], "the backup that served is down", "backup_down")
    return _nowhere(choice, rules, level)


def _nowhere(choice: Choice, rules: Failover, level: Level) -> _Verdict:
    """No backup is up."""
    if level.share > 0:
        return _Verdict(LOCAL, "no backup is up, and some local servers are", "backup_down")
    if rules.all_down is AllDown.REFUSE:
        return _Verdict(choice.serving, choice.why, choice.cause)
    if not level.known or _unsure(level):
        return _Verdict(choice.serving, choice.why, choice.cause, choice.open)
    if rules.all_down is AllDown.LAST_KNOWN:
        why = "no local server and no backup is up: the site that served last goes on"
        return _Verdict(choice.serving, why, "last_known", open=True)
    return _Verdict(LOCAL, "no local server and no backup is up: all local servers are used", "fail_open", open=True)


def _poor(rules: Failover, level: Level) -> str:
    lasted = f" for {rules.hold:g} s" if rules.hold else ""
    if level.share <= 0:
        return f"no local server is up{lasted}"
    return f"{level.share:.0%} of the local weight is up, less than {rules.below:.0%}{lasted}"


def _up(level: Level) -> Iterator[int]:
    return (number for number, up in enumerate(level.up, 1) if up)


def _unsure(level: Level) -> bool:
    return any(up is None for up in level.up)


def _steady(choice: Choice, rules: Failover, number: int, now: float) -> bool:
    since = choice.seen[number - 1].since
    return since is not None and now >= since + rules.after


def words(serving: int, names: Sequence[str]) -> str:
    """A site by its name."""
    return HERE if serving == LOCAL else names[serving - 1]
