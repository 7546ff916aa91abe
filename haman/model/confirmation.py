"""A takeover that is asked about: how the new active director asks, whom, and what came of it."""

from __future__ import annotations

from dataclasses import dataclass
from enum import Enum

from haman.model.addresses import Address


@dataclass(frozen=True, slots=True, kw_only=True)
class Confirm:
    """attempts: how often whoever does not answer is told again, `pause` seconds after the first time, then each time
    after twice as long. addresses, neighbours: how many VIPs of a router, and neighbours of each interface, are asked
    about at most."""

    attempts: int = 6
    pause: float = 0.1
    addresses: int = 8
    neighbours: int = 16


@dataclass(frozen=True, slots=True, kw_only=True)
class Neighbour:
    """One that the kernel knows by hardware address (6 bytes). fresh: it was heard of lately or is being spoken to, so
    that its silence means something."""

    address: Address
    hardware: bytes
    fresh: bool


class TakeoverVerdict(Enum):
    CONFIRMED = "confirmed"  # the neighbours in view follow, and nobody else has the VIPs
    SECOND_OWNER = "second_owner"  # somebody else answers for a VIP
    UNCONFIRMED = "unconfirmed"  # nobody else does, and a neighbour did not answer to the end


@dataclass(frozen=True, slots=True, kw_only=True)
class Confirmation:
    """What came of it. seconds: from the election's decision to the last thing that was still to be seen. why: in
    words. owners: hardware addresses of others that answer for a VIP, as text."""

    verdict: TakeoverVerdict
    seconds: float
    why: str
    owners: tuple[str, ...] = ()
