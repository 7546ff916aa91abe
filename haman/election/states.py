"""The states of one virtual router: what each has to remember, and when it wants to be called again.

Which event leads from which state to which is `router`'s alone. A state carries its own deadlines, as monotonic
seconds.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from haman.model.transition import Role

if TYPE_CHECKING:
    from haman.model.addresses import Address

RIVALS = 16
"""How many rivals are announced against, each at once, in one Active_Down_Interval."""


@dataclass(frozen=True, slots=True)
class Peer:
    """The active router last heard: its interval decides our patience (section 6.1). named_at: when `address` itself
    was heard, since one router speaks from two addresses when it has both families."""

    address: Address
    priority: int
    interval: float
    at: float
    named_at: float


@dataclass(frozen=True, slots=True)
class Down:
    """Stopped (fault None), or kept out of the election by a fault."""

    fault: str | None = None


@dataclass(frozen=True, slots=True)
class Standby:
    """linger_until: the addresses stay on the NIC so long. adopting: they stay as they were found until somebody else
    is heard, and then until `linger_until`. first_asked, asked: the arbiter, about this silence, first and last.
    living: it was no silence then, but a worse router is to be preempted. held: its time has come, and it may not, with
    the reason in words; empty: the answer is not there yet."""

    active_down_at: float
    peer: Peer | None = None
    linger_until: float | None = None
    preempt_at: float | None = None
    adopting: bool = False
    first_asked: float | None = None
    asked: float | None = None
    living: bool = False
    held: str | None = None


@dataclass(frozen=True, slots=True)
class Tie:
    """Rivals of our own priority, heard over the following family and not the leading one: since when, and last.
    patience: after so long without a word they are gone."""

    since: float
    at: float
    patience: float


@dataclass(frozen=True, slots=True)
class Active:
    """rivals: who else was heard speaking as active since `announced_at` and answered with an announcement. owed: who
    spoke again after that; they are answered together at `announce_at`, so that the last word to the neighbours is
    ours. rival_until: another active router beside this one is a fact until then, unless it is heard again.
    predecessor: who gave it the role."""

    advertise_at: float
    advertised_at: float
    announced_at: float
    peer: Peer | None = None
    rivals: frozenset[Address] = frozenset()
    owed: tuple[Peer, ...] = ()
    announce_at: float | None = None
    tie: Tie | None = None
    rival_until: float | None = None
    predecessor: Address | None = None


@dataclass(frozen=True, slots=True)
class Leaving:
    """Serving on until `release_at`; `fault` says where it goes then: None is a stop. offered: it goes to standby if
    there is a successor then, and stays active if there is none. owed: as in Active, for the case that it stays."""

    release_at: float
    goodbye_at: float
    fault: str | None
    why: str
    successor: Peer | None = None
    offered: bool = False
    owed: tuple[Peer, ...] = ()


State = Down | Standby | Active | Leaving


def role(state: State) -> Role:
    match state:
        case Down(fault=None):
            return Role.STOPPED
        case Down():
            return Role.FAULT
        case Standby():
            return Role.STANDBY
        case Active() | Leaving():
            return Role.ACTIVE


def deadline(state: State, reluctance: float, question: float | None = None) -> float | None:
    """When a Tick is due; None when only an event can change anything. reluctance: seconds that a standby waits beyond
    its Active_Down_Timer. question: when it is to ask the arbiter; while it is held, nothing else is waited for."""
    match state:
        case Down():
            return None
        case Standby(held=str()) if question is not None:
            return _first(question, state.linger_until)
        case Standby():
            return _first(state.active_down_at + reluctance, state.linger_until, state.preempt_at, question)
        case Active():
            return _first(state.advertise_at, state.announce_at, state.rival_until)
        case Leaving():
            return _first(state.release_at, state.goodbye_at)


def peer(state: State) -> Peer | None:
    """The other router that was heard as active."""
    match state:
        case Standby(peer=known) | Active(peer=known) | Leaving(successor=known):
            return known
        case Down():
            return None


def _first(first: float, *others: float | None) -> float:
    for at in others:
        if at is not None and at < first:
            first = at
    return first
