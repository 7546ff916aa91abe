"""One router on the bench: a configuration, advertisements to hand it, and routers already in a given state.

Priority 100 and one second unless said, so that the numbers in the tests are those of RFC 9568, section 6.1:
Skew_Time 156/256 = 0.609375 s, Active_Down_Interval 3.609375 s.
"""

from __future__ import annotations

from dataclasses import replace
from ipaddress import IPv4Address, IPv4Interface, IPv6Interface, ip_address
from typing import Any

from haman.election.effects import Advertise, Announce, Ask, Changed, Effect
from haman.election.events import Assessed, Event, Heard, Readiness, Start, Stop, Tick
from haman.election.router import Router
from haman.model.elector import RouterConfig
from haman.model.routers import Preempt, VirtualAddress
from haman.wire.advertisement import Advertisement

VIP = IPv4Address("10.0.0.100")
SELF = "10.0.0.5"
LOW = "10.0.0.4"  # an address below ours
HIGH = "10.0.0.40"  # and one above: as numbers, though not as text

CONFIG = RouterConfig(
    name="public",
    vrid=51,
    priority=100,
    interface="eth0",
    source=IPv4Address(SELF),
    advert_interval=1.0,
    addresses=(VirtualAddress(interface=IPv4Interface("10.0.0.100/24"), device="eth0"),),
)

BOTH_FAMILIES = (
    *CONFIG.addresses,
    VirtualAddress(interface=IPv6Interface("2001:db8::100/64"), device="eth0"),
)
SELF6 = "fe80::5"
LOW6 = "fe80::4"
HIGH6 = "fe80::40"

PREEMPT = Preempt(allowed=True)
READY = Readiness(None)
FAULT = Assessed("interface eth1 has no carrier")
DEAF = Assessed("interface eth0 has no carrier", deaf=True)
FINE = Assessed(None)


def config(**changes: Any) -> RouterConfig:
    return replace(CONFIG, **changes)


def heard(priority: int, source: str = HIGH, interval: float = 1.0, own: str = SELF, leads: bool = True) -> Heard:
    return Heard(Advertisement(51, priority, interval, (VIP,)), ip_address(source), ip_address(own), leads)


def router(
    *events: tuple[Event, float], ready: bool = True, adopting: bool = False, believed: bool = False, **changes: Any
) -> Router:
    """A router of `config(**changes)` that has seen `events`, each with its time."""
    made = Router(config(**changes), adopting=adopting, believed=believed)
    if ready:
        made.handle(READY, 0.0)
    for event, now in events:
        made.handle(event, now)
    return made


def standby(*events: tuple[Event, float], **changes: Any) -> Router:
    """Started at 0.0, so that its Active_Down_Timer stands at 3.609375 with the usual configuration."""
    return router((Start(), 0.0), *events, **changes)


def active(*events: tuple[Event, float], **changes: Any) -> Router:
    """Took over from silence at 10.0: its next advertisement is due at 11.0."""
    wait = standby(ready=False, **changes).deadline
    assert wait is not None
    made = router((Start(), 9.999 - wait), (Tick(), 10.0), ready=False, **changes)
    made.handle(READY, 10.0)
    for event, now in events:
        made.handle(event, now)
    return made


def leaving(*events: tuple[Event, float], **changes: Any) -> Router:
    """Asked to stop at 10.5; gives up waiting for a successor at 13.0, says goodbye again at 11.5."""
    return active((Stop(), 10.5), *events, **changes)


def said(effects: list[Effect]) -> str:
    """Effects in short: `advertise 100, standby -> active (nobody_active), announce`."""
    words = []
    for effect in effects:
        match effect:
            case Advertise(priority):
                words.append(f"advertise {priority}")
            case Announce():
                words.append("announce")
            case Ask(at):
                words.append(f"ask at {at:g}")
            case Changed(before, after, cause):
                words.append(f"{before.value} -> {after.value} ({cause})")
    return ", ".join(words)
