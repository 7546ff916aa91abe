"""What the director is told of one router: its role and why, in one record; and what of a change is worth a line."""

from __future__ import annotations

from typing import TYPE_CHECKING

from haman.model.confirmation import TakeoverVerdict
from haman.model.elector import RoleReport
from haman.model.transition import Role

if TYPE_CHECKING:
    from haman.election.router import Router
    from haman.model.confirmation import Confirmation


def report(name: str, router: Router, complaints: tuple[str, ...], confirmation: Confirmation | None) -> RoleReport:
    """name: the router's own; of a sync group all are told what its leader does. complaints: about what is heard."""
    peer = router.peer
    if confirmation is not None and confirmation.verdict is TakeoverVerdict.SECOND_OWNER:
        complaints += (confirmation.why,)
    return RoleReport(
        router=name,
        role=router.role,
        priority=router.priority,
        holds=router.holds is True,
        since=router.since,
        why=router.why,
        peer=peer.address if peer is not None else None,
        peer_priority=peer.priority if peer is not None else 0,
        complaints=complaints,
        confirmation=confirmation,
        rival=router.rival.address if router.rival is not None else None,
        held=router.held,
    )


def held(before: RoleReport | None, after: RoleReport) -> tuple[str, str, str, str] | None:
    """Whether the arbiter began or ceased to hold it back: before, after, cause and why of a transition."""
    was = before is not None and before.held is not None
    if after.held is not None and not was:
        return "free", "held", "arbiter_refuses", after.held
    if was and after.held is None:
        why = "the arbiter answers, or an active router is heard"
        if after.role is not Role.STANDBY:
            why = f"{after.role.value}: {after.why}"
        return "held", "free", "arbiter_done", why
    return None
