"""What is known of the other directors, from what they say on the channel. Pure: time comes in as `now`.

It decides nothing about roles: VRRP does that, with or without the channel. It answers who is there, who could take a
router, and whether all of them live by the same file.
"""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from haman.model.transition import Kind, Role, Transition

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping

    from haman.model.standing import Connections, Shares, Standing

PATIENCE = 5.0
"""Seconds of silence after which a peer counts as silent: four of its messages were lost."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Peer:
    """standing: what it said last. heard: when, monotonic seconds; None before the first time.
    shares: which of what it said of its table came last, by life and number.
    refused: why what came last was not believed, in words; empty when it was. doubted: what is wrong with the signature
    of what was believed last all the same."""

    name: str
    standing: Standing | None = None
    heard: float | None = None
    silent: bool = True
    shares: tuple[int, int] = (0, 0)
    refused: str = ""
    doubted: str = ""


class Peers:
    """config: digest of the cluster as this director reads it."""

    def __init__(self, cluster: str, names: Iterable[str], config: str) -> None:
        self._cluster = cluster
        self._config = config
        self._peers = {name: Peer(name=name) for name in sorted(names)}
        self.refusals: Counter[tuple[str, str]] = Counter()  # by director and reason

    @property
    def all(self) -> Mapping[str, Peer]:
        return self._peers

    def configure(self, cluster: str, names: Iterable[str], config: str) -> None:
        """Another configuration here; what is known of those who stay is kept."""
        self._cluster, self._config = cluster, config
        self._peers = {name: self._peers.get(name, Peer(name=name)) for name in sorted(names)}

    def same_config(self, peer: Peer) -> bool | None:
        """Does it live by the same file as we do? None before it was heard."""
        return None if peer.standing is None else peer.standing.config == self._config

    def could_take(self, router: str, *, soon: bool = False) -> list[str]:
        """The directors, heard lately, that could serve this router at once. soon: or once they have heard the
        connections."""
        heard = [peer for peer in self._peers.values() if not peer.silent]
        return [
            peer.name
            for peer in heard
            if (standing := peer.standing) is not None
            and (standing.could_take_soon(router) if soon else standing.could_take(router))
        ]

    def making_room(self, node: str) -> dict[str, str]:
        """By router that a director gives to another one than `node`, words about it: `node` lets that one go first."""
        return {router: f"{giver} gives it to {to}" for router, giver, to in self._given() if to != node}

    def offers(self, node: str) -> dict[str, str]:
        """By router that a director is about to give to `node`, that director."""
        return {router: giver for router, giver, to in self._given() if to == node}

    def _given(self) -> Iterator[tuple[str, str, str]]:
        """Routers, who gives them, and to whom."""
        for peer in self._peers.values():
            if not peer.silent and peer.standing is not None:
                for router, to in peer.standing.giving.items():
                    if peer.standing.roles.get(router) == Role.ACTIVE.value:
                        yield router, peer.name, to

    def active(self, router: str) -> str | None:
        """The director, heard lately, that says it is active for this router; None for none, and for several."""
        found = [
            peer.name
            for peer in self._peers.values()
            if not peer.silent and peer.standing is not None and peer.standing.roles.get(router) == Role.ACTIVE.value
        ]
        return found[0] if len(found) == 1 else None

    def has_part(self, name: str, router: str) -> bool:
        """Is this director heard, and active or standby for the router?"""
        peer = self._peers.get(name)
        if peer is None or peer.silent or peer.standing is None:
            return False
        return peer.standing.roles.get(router) in (Role.ACTIVE.value, Role.STANDBY.value)

    def all_miss_the_arbiter(self) -> bool:
        """Is there another director, and has each of them said last that it does not reach the arbiter?"""
        said = [peer.standing.arbiter if peer.standing is not None else None for peer in self._peers.values()]
        return bool(said) and all(reached is False for reached in said)

    def serving(self, router: str) -> tuple[str, Connections, float] | None:
        """The director, heard lately, that is active for this router and says how many connections it has: its name,
        the count, and when it was heard, monotonic seconds. Of several, which is trouble, the one that has most."""
        found = [
            (peer.name, peer.standing.connections[router], peer.heard)
            for peer in self._peers.values()
            if not peer.silent
            and peer.heard is not None
            and peer.standing is not None
            and peer.standing.roles.get(router) == Role.ACTIVE.value
            and router in peer.standing.connections
        ]
        return max(found, key=lambda each: each[1].established, default=None)

    def take(self, name: str, standing: Standing, now: float, at: float) -> list[Transition]:
        """`standing` came from the address of director `name`. Returns what changed."""
        before = self._peers[name]
        last = before.standing
        if not self.belongs(name, standing.cluster, standing.node):
            return self.refuse(name, f"it calls itself {standing.node} of cluster {standing.cluster}", at)
        if last is not None and not before.silent and (standing.life, standing.number) <= (last.life, last.number):
            return []  # late, doubled or played back; after a silence its clock may have been set back
        after = replace(before, standing=standing, heard=now, silent=False, refused="")
        if before.silent:
            after = replace(after, shares=(0, 0))
        self._peers[name] = after
        changes = []
        if before.silent:
            changes.append(_transition(name, "silent", "heard", "heard", f"director {name} is heard", at))
        if self.same_config(after) is False and self.same_config(before) is not False:
            why = f"director {name} runs another configuration than this one: compare the files, reload the older one"
            changes.append(_transition(name, "same configuration", "another configuration", "config_differs", why, at))
        elif self.same_config(after) and self.same_config(before) is False:
            why = f"director {name} runs the same configuration as this one"
            changes.append(_transition(name, "another configuration", "same configuration", "config_agrees", why, at))
        return changes

    def belongs(self, name: str, cluster: str, node: str) -> bool:
        """Is what came from the address of director `name` said by it, in this cluster?"""
        return name in self._peers and (cluster, node) == (self._cluster, name)

    def believes(self, name: str, shares: Shares) -> bool:
        """`shares` came from the address of director `name`. Is it of this cluster, from one that is heard otherwise,
        and not older than what came before?"""
        peer = self._peers[name]
        if peer.silent or not self.belongs(name, shares.cluster, shares.node):
            return False
        if (shares.life, shares.number) <= peer.shares:
            return False
        self._peers[name] = replace(peer, shares=(shares.life, shares.number))
        return True

    def refuse(self, name: str, why: str, at: float) -> list[Transition]:
        """What came from the address of director `name` is not believed. Told once, until it is something else."""
        before = self._peers[name]
        if before.refused == why:
            return []
        self._peers[name] = replace(before, refused=why)
        words = f"a message from director {name} is refused: {why}"
        return [_transition(name, "believed", "refused", "refused", words, at)]

    def doubt(self, name: str, why: str, at: float) -> list[Transition]:
        """What director `name` said is believed, though its signature is no proof (`why`; empty: it is). Told once,
        until it is something else."""
        before = self._peers[name]
        if before.doubted == why:
            return []
        self._peers[name] = replace(before, doubted=why)
        if not why:
            return [_transition(name, "not signed", "signed", "signed", f"director {name} signs what it says", at)]
        words = f"a message from director {name} is believed, since authentication is not enforced: {why}"
        return [_transition(name, "signed", "not signed", "not_signed", words, at)]

    def look(self, now: float, at: float) -> list[Transition]:
        """Call it now and then. Returns who has fallen silent."""
        changes = []
        for name, peer in self._peers.items():
            if not peer.silent and peer.heard is not None and now - peer.heard > PATIENCE:
                self._peers[name] = replace(peer, silent=True)
                why = f"director {name} has not been heard for {now - peer.heard:.3g} s"
                changes.append(_transition(name, "heard", "silent", "silent", why, at))
        return changes


def _transition(name: str, before: str, after: str, cause: str, why: str, at: float) -> Transition:
    return Transition(kind=Kind.PEER, who=name, before=before, after=after, why=why, cause=cause, at=at)
