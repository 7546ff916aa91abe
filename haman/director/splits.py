"""Is another router active beside this one, and since when? From what the elector hears by VRRP, and from what the
other directors say on their channel: where advertisements do not pass, that may be the only sign. Pure: time comes in.

It decides nothing: two active directors end by the election, as soon as one hears the other.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from haman.election.parameters import longest_patience
from haman.model.transition import Kind, Role, Transition

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from haman.director.peers import Peers
    from haman.model.addresses import Address
    from haman.model.cluster import Cluster
    from haman.model.elector import RoleReport
    from haman.model.routers import Member, Router

NONE = "none"
"""The state of a router that is active nowhere else."""

SAID_AGAIN = 1.0
"""Seconds for which a peer must go on saying that it is active, beside what a move takes: the channel speaks each
second, so a word that was lost does not make two of one."""


@dataclass(frozen=True, slots=True)
class Split:
    """since: monotonic seconds. rivals: addresses, as text. words: who they are, and how that is known."""

    since: float
    rivals: tuple[str, ...]
    words: str

    @property
    def state(self) -> str:
        return ",".join(self.rivals)


class Splits:
    """current: by router that is active here and elsewhere."""

    def __init__(self) -> None:
        self.current: dict[str, Split] = {}
        self._both: dict[tuple[str, str], float] = {}  # by router and director, since when its words say so

    def state(self, router: str) -> str:
        """Addresses with commas between, or NONE."""
        split = self.current.get(router)
        return NONE if split is None else split.state

    def look(
        self, cluster: Cluster, roles: Sequence[RoleReport], peers: Peers, now: float, at: float
    ) -> list[Transition]:
        """Call it when roles have changed or a peer has spoken. Returns what has begun, changed or ended."""
        reports = {report.router: report for report in roles if report.router in cluster.routers}
        self._both = {key: since for key, since in self._both.items() if key[0] in reports}
        changes = []
        for name in list(self.current):
            if name not in reports:
                changes.append(_over(name, self.current.pop(name), "it is not played here any more", now, at))
        for name, report in reports.items():
            found = dict(self._beside(cluster.routers[name], report, peers))
            before = self.current.get(name)
            rivals = tuple(sorted(found))
            if before is not None and before.rivals == rivals:
                continue
            if rivals:
                since = now if before is None else before.since
                split = self.current[name] = Split(since, rivals, "; ".join(found[each] for each in rivals))
                state = NONE if before is None else before.state
                why = f"two directors are active: {split.words}"
                changes.append(_transition(name, state, split.state, "split_brain", why, at))
            elif before is not None:
                del self.current[name]
                ended = "nobody else is" if report.role is Role.ACTIVE else f"this director is {report.role.value}"
                changes.append(_over(name, before, ended, now, at))
        return changes

    def _beside(self, router: Router, report: RoleReport, peers: Peers) -> Iterator[tuple[str, str]]:
        """Who else is active, by address, with words."""
        names = {str(address): each.director for each in router.members.values() for address in _own(each)}
        if report.role is not Role.ACTIVE:
            self._both = {key: since for key, since in self._both.items() if key[0] != router.name}
            return
        for peer in peers.all.values():
            standing, key = peer.standing, (router.name, peer.name)
            active = standing is not None and standing.roles.get(router.name) == Role.ACTIVE.value
            if not active or peer.silent or peer.heard is None or peer.name not in router.members:
                self._both.pop(key, None)
            elif peer.heard > report.since:  # said before, it is no word about two
                since = self._both.setdefault(key, peer.heard)
                if peer.heard - since >= SAID_AGAIN + router.linger + longest_patience(router.advert_interval):
                    address = str(next(iter(_own(router.members[peer.name])), peer.name))
                    yield address, f"{peer.name} ({address}) says so on the directors' channel"
        if report.rival is not None:
            who = names.get(str(report.rival))
            name = f"{who} ({report.rival})" if who is not None else str(report.rival)
            yield str(report.rival), f"{name} advertises priority {report.peer_priority}"


def _own(member: Member) -> list[Address]:
    return [address for address in (member.address, member.address6) if address is not None]


def _over(router: str, split: Split, why: str, now: float, at: float) -> Transition:
    words = f"{why}; for {now - split.since:.3g} s there were two"
    return _transition(router, split.state, NONE, "split_brain_over", words, at)


def _transition(router: str, before: str, after: str, cause: str, why: str, at: float) -> Transition:
    return Transition(kind=Kind.SPLIT, who=router, before=before, after=after, why=why, cause=cause, at=at)
