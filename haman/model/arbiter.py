"""What tells a dead peer from a cut cable: who is asked before a standby takes the role of one that is silent."""

from __future__ import annotations

from dataclasses import dataclass
from ipaddress import IPv4Address

from haman.model.addresses import Address


@dataclass(frozen=True, slots=True, kw_only=True)
class Arbiter:
    """ping, arp: machines that are asked for an echo, or by ARP; one that answers says yes. directors: by name; their
    votes are asked for, over the directors' channel. quorum: so many of all these must say yes. strict: without them
    nobody is active, else nobody becomes active. interface: that machines are asked through; None: by whatever way the
    routing table has. interval: seconds between two looks at it while nothing happens.
    timeout: seconds until no answer is a no, then and at a question."""

    ping: tuple[Address, ...] = ()
    arp: tuple[IPv4Address, ...] = ()
    directors: tuple[str, ...] = ()
    quorum: int = 1
    strict: bool = False
    interface: str | None = None
    interval: float = 1.0
    timeout: float = 0.5


@dataclass(frozen=True, slots=True, kw_only=True)
class Arbitration:
    """What the election of one router has to know of it."""

    strict: bool = False


TRACKER = "the arbiter"
"""The tracker that a strict arbiter is for every router: without it the router is in fault. With blanks in it, it is no
name that an operator could give."""
