"""Which routers this director is about to take from a worse one that serves them. Pure.

The election decides about it, as soon as nothing is waited for. What is found here is so a moment earlier, so that what
the old director alone knows can be asked for in time (`second_chance`).
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from haman.model.transition import Role
from haman.plan import filter as rules

if TYPE_CHECKING:
    from collections.abc import Container

    from haman.director.company import Own
    from haman.director.peers import Peers

LEAD = 5.0
"""Seconds before a preemption that has a delay: the rules are there in time, and not for all of the delay."""


@dataclass(frozen=True, slots=True)
class Preemption:
    """giver: the director that serves. begins: seconds from readiness on until there is something to prepare. takes:
    seconds from readiness on that it may last at most until the role has moved. held: readiness may be withheld for a
    moment, since nothing else is waited for."""

    giver: str
    begins: float
    takes: float
    held: bool


def preemptions(own: Own, peers: Peers, unready: Container[str]) -> dict[str, Preemption]:
    """By router. unready: those that something is lacking for. Left out are those with nothing to send on."""
    found = {}
    for report in own.roles:
        router = own.cluster.routers.get(report.router)
        if router is None or report.role is not Role.STANDBY or router.name in unready or not router.preempt.allowed:
            continue
        if not 0 < report.peer_priority < report.priority:
            continue
        giver = peers.active(router.name)
        if giver is not None and rules.gives_second_chances(own.cluster, own.node, router.name, giver):
            after = router.preempt.after
            takes = after + 4 * router.advert_interval
            found[router.name] = Preemption(giver, max(0.0, after - LEAD), takes, held=after <= 0)
    return found
