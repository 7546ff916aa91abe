"""What the state of the links means for a virtual router: a fault, a penalty, or nothing."""

from __future__ import annotations

from typing import TYPE_CHECKING

from haman.election.events import Assessed

if TYPE_CHECKING:
    from collections.abc import Mapping

    from haman.model.elector import RouterConfig


def assess(config: RouterConfig, carrier: Mapping[str, bool]) -> Assessed:
    """`carrier` has every interface that exists, with whether it is up and has carrier.

    A router's own interface is always tracked: without it nobody hears us, and we hear nobody.
    """
    if not carrier.get(config.interface, False):
        return Assessed(_words(config.interface, carrier), deaf=True)
    lost = [track for track in config.track if not carrier.get(track.interface, False)]
    faults = [_words(track.interface, carrier) for track in lost if track.penalty is None]
    penalty = sum(track.penalty for track in lost if track.penalty is not None)
    return Assessed("; ".join(faults) or None, penalty)


def _words(interface: str, carrier: Mapping[str, bool]) -> str:
    return f"interface {interface} " + ("has no carrier" if interface in carrier else "does not exist")
