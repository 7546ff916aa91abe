"""From records and a stretch of time to the numbers of a drill. Pure: no clock, no files, seconds throughout."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass
from itertools import accumulate, pairwise
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterable

    from haman.lab.records import Chunk, Claim, Request, Short


@dataclass(frozen=True, slots=True, kw_only=True)
class Answered:
    """What became of the requests of one stretch.

    gap: the longest time without any answer, from one answer's arrival to the next one's (or to the stretch's end).
    last_lost: when the last lost one was sent, None if none was.
    """

    sent: int
    lost: int
    gap: float
    last_lost: float | None


def answered(requests: Iterable[Request], begin: float, end: float) -> Answered:
    """Requests sent in [begin, end). The gap reaches back to the last answer before `begin`.

    Requests that queued somewhere and were answered late are not lost, but the time nobody was answered is a gap all
    the same: that is why arrivals count and not what was lost.
    """
    within = [request for request in requests if begin <= request.sent < end]
    arrivals = [request.answered for request in requests if request.answered is not None]
    lost = [request.sent for request in within if request.answered is None]
    return Answered(
        sent=len(within),
        lost=len(lost),
        gap=gap(arrivals, begin, end),
        last_lost=lost[-1] if lost else None,
    )


def gap(arrivals: Iterable[float], begin: float, end: float) -> float:
    """The longest time in [begin, end) without an answer. It reaches back to the last answer before `begin`."""
    known = sorted(arrival for arrival in arrivals if arrival < end)
    before = [arrival for arrival in known if arrival < begin]
    edges = [before[-1] if before else begin, *known[len(before) :], end]
    return max(later - earlier for earlier, later in pairwise(edges))


@dataclass(frozen=True, slots=True, kw_only=True)
class Shorts:
    """Short TCP requests of one stretch: outcomes per port, and those that failed."""

    outcomes: dict[int, Counter[str]]
    failed: tuple[Short, ...]

    def count(self, port: int) -> int:
        return self.outcomes.get(port, Counter()).total()

    def failures(self, port: int) -> Counter[str]:
        """How many of a port's requests failed, by kind."""
        return Counter({kind: count for kind, count in self.outcomes.get(port, Counter()).items() if kind != "ok"})


def shorts(records: Iterable[Short], begin: float, end: float) -> Shorts:
    """Requests that touch [begin, end): those that were under way at `begin` are the ones a move can break."""
    outcomes: dict[int, Counter[str]] = {}
    failed = []
    for record in records:
        if record.begun < end and record.ended >= begin:
            outcomes.setdefault(record.port, Counter())[record.outcome] += 1
            if record.outcome != "ok":
                failed.append(record)
    return Shorts(outcomes=outcomes, failed=tuple(failed))


def under_way(records: Iterable[Short], begin: float, end: float) -> int:
    """The most requests that were open at one moment of [begin, end)."""
    changes = sorted(
        (max(at, begin), change)
        for record in records
        if record.begun < end and record.ended >= begin
        for at, change in ((record.begun, 1), (record.ended, -1))
    )
    return max(accumulate(change for _, change in changes), default=0)


@dataclass(frozen=True, slots=True, kw_only=True)
class Downloads:
    """The downloads that ran at the beginning of a stretch: how many of them, what became of those that were lost,
    and which still owe their first chunk since it (an empty set once all have gone on)."""

    running: int
    lost: Counter[str]
    silent: frozenset[int]

    @property
    def kept(self) -> int:
        return self.running - self.lost.total() - len(self.silent)

    @property
    def fate(self) -> str:
        """In words: "of 20 downloads 3 were lost (2 reset, 1 hung)"."""
        causes = ", ".join(f"{count} {cause}" for cause, count in sorted(self.lost.items()))
        return f"of {self.running} downloads {self.lost.total()} were lost{f' ({causes})' if causes else ''}"


def downloads(chunks: Iterable[Chunk], begin: float, since: float) -> Downloads:
    """Streams that ran at `begin`; to be kept each must have got a chunk after `since`, when all was well again."""
    running: set[int] = set()
    gone_on: set[int] = set()
    lost: dict[int, str] = {}
    for chunk in chunks:
        if chunk.at < begin:
            if chunk.event == "data":
                running.add(chunk.stream)
            else:
                running.discard(chunk.stream)
        elif chunk.stream in running and chunk.event != "data":
            lost[chunk.stream] = chunk.event
        elif chunk.at >= since:
            gone_on.add(chunk.stream)
    return Downloads(
        running=len(running), lost=Counter(lost.values()), silent=frozenset(running - gone_on - lost.keys())
    )


@dataclass(frozen=True, slots=True, kw_only=True)
class Ownership:
    """Who answered for the VIP in a stretch. first: when each owner (by MAC) was heard first, monotonic seconds.
    nobody, several: the longest time on end without an answer, and with answers of two owners, seconds. unanswered: the
    most questions in a row that nobody answered, whatever the time between them."""

    first: dict[str, float]
    nobody: float
    several: float
    unanswered: int


QUIET = 0.02
"""An owner that has not answered for so long, asked at 1 kHz, is none any more (seconds)."""


def ownership(claims: Iterable[Claim], begin: float, end: float) -> Ownership:
    """Each owner's answers are joined to spells (no pause longer than QUIET); where spells of two owners overlap there
    were two. Announcements do not count: they say who wants the VIP, an answer says who has it."""
    answers = sorted(claim for claim in claims if claim.kind == "answer" and begin <= claim.at < end)
    first: dict[str, float] = {}
    last: dict[str, float] = {}
    spell: dict[str, float] = {}
    several = 0.0
    for claim in answers:
        first.setdefault(claim.mac, claim.at)
        if claim.at - last.get(claim.mac, claim.at) > QUIET or claim.mac not in spell:
            spell[claim.mac] = claim.at
        last[claim.mac] = claim.at
        for other, heard in last.items():
            if other != claim.mac and claim.at - heard <= QUIET:
                several = max(several, heard - max(spell[claim.mac], spell[other]))
    edges = [begin, *(claim.at for claim in answers), end]
    nobody = max(later - earlier for earlier, later in pairwise(edges))
    unanswered = max((later.asked - earlier.asked - 1 for earlier, later in pairwise(answers)), default=0)
    return Ownership(first=first, nobody=nobody, several=several, unanswered=max(0, unanswered))


@dataclass(frozen=True, slots=True, kw_only=True)
class Pace:
    """How the 1 kHz client kept its deadlines in a stretch, seconds late; skipped: deadlines it never met."""

    met: int
    skipped: int
    p99: float
    worst: float


def pace(requests: Iterable[Request], start: float, interval: float, begin: float, end: float) -> Pace:
    """start, interval: the client's deadlines (its file's head). The worst lateness counts skipped deadlines too:
    a client that slept through a hundred of them was late by a hundred intervals, however punctual it is again."""
    sent = [request for request in requests if begin <= request.sent < end]
    if not sent:
        missed = int((end - begin) / interval)
        return Pace(met=0, skipped=missed, p99=end - begin, worst=end - begin)
    late = sorted(request.sent - start - request.number * interval for request in sent)
    pause = max((after.sent - before.sent - interval for before, after in pairwise(sent)), default=0.0)
    return Pace(
        met=len(sent),
        skipped=sent[-1].number - sent[0].number + 1 - len(sent),
        p99=late[min(len(late) - 1, len(late) * 99 // 100)],
        worst=max(late[-1], pause),
    )
