"""One takeover that asks whether it took: who else has the VIPs, and do the neighbours in view follow?

Rounds, each twice as long after the one before: a probe for every VIP in view, to which nobody but a second owner
answers, and a question from the VIP to every neighbour that has not answered one yet. From the second round on a VIP
that somebody does not follow, or somebody else has, is announced again before it is asked about.

- CONFIRMED: two rounds in a row in which nobody else answered for a VIP, and every fresh neighbour has answered since.
- UNCONFIRMED: the rounds are used up, and a fresh neighbour has not. Where none is fresh, one of the others will do.
- SECOND_OWNER: somebody answers for longer than an old active director's linger. It is announced against for as long
  as it answers, once in DEFEND seconds when the rounds are used up (RFC 5227, section 2.4).

Time is given, frames are somebody else's; docs/explanation/takeover.md derives all this.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, NamedTuple

from haman.model.confirmation import Confirmation, TakeoverVerdict

if TYPE_CHECKING:
    from collections.abc import Collection, Iterable, Mapping, Sequence

    from haman.model.addresses import Address
    from haman.model.confirmation import Confirm, Neighbour

DEFEND = 10.0
"""Seconds between announcements against a second owner that stays: RFC 5227's DEFEND_INTERVAL."""

RECHECK = 1.0
"""Seconds until a second owner that was silent once is asked again."""

QUIET = 2
"""Rounds in a row without another owner: one answer may be lost."""

GRACE = 0.25
"""Seconds beyond the linger in which an old active director may still answer: it is on its way."""

NAMED = 3
"""Neighbours that are named in words."""


class Place(NamedTuple):
    """A VIP on a device."""

    device: str
    vip: Address


@dataclass(frozen=True, slots=True)
class Announce:
    place: Place


@dataclass(frozen=True, slots=True)
class Probe:
    place: Place


@dataclass(frozen=True, slots=True)
class Question:
    place: Place
    neighbour: Neighbour


Frame = Announce | Probe | Question


class Asking:
    """decided: when the election made this director active. places: VIPs to ask about; neighbours: whom, by device.
    own: this machine's hardware addresses."""

    def __init__(
        self,
        settings: Confirm,
        places: Sequence[Place],
        neighbours: Mapping[str, Sequence[Neighbour]],
        own: Collection[bytes],
        linger: float,
        decided: float,
    ) -> None:
        self._settings = settings
        self._places = in_view(places, settings.addresses)
        self._whom = {
            place: {each.address: each for each in _family(neighbours.get(place.device, ()), place)}
            for place in self._places
        }
        self._whom = {place: dict(list(whom.items())[: settings.neighbours]) for place, whom in self._whom.items()}
        self._own = frozenset(own)
        self._decided = decided
        self._grace = linger + GRACE
        self._followed: dict[Place, set[Address]] = {place: set() for place in self._places}
        self._owners: dict[Place, set[bytes]] = {}  # heard since the last round
        self._last_owner: dict[Place, set[bytes]] = {}  # in the last round in which any was heard
        self._round = 0
        self._quiet = 0
        self._begun: float | None = None
        self._settled: float | None = None
        self._said: Confirmation | None = None
        self.deadline: float | None = None

    @property
    def over(self) -> bool:
        return self._begun is not None and self.deadline is None

    @property
    def lasting(self) -> bool:
        """The rounds are used up, and a second owner stays."""
        return self._round > self._settings.attempts

    def begin(self, now: float) -> tuple[Frame, ...]:
        """Call it when the first announcements are out."""
        self._begun = now
        return self._ask(now)

    def again(self) -> None:
        """They were announced again, for a reason: neighbours may have been told otherwise since they answered. In the
        rounds that are left they are asked anew."""
        self._quiet = 0
        for followed in self._followed.values():
            followed.clear()

    def heard(self, device: str, address: Address, hardware: bytes, to: Address, now: float) -> None:
        """An answer that came to this machine on `device`: `address` is at `hardware`, told to `to`."""
        place = Place(device, address)
        if place in self._followed:
            if hardware not in self._own:
                self._owners.setdefault(place, set()).add(hardware)
                self._settled = now
            return
        asker = Place(device, to)
        if address in self._whom.get(asker, {}) and address not in self._followed[asker]:
            self._followed[asker].add(address)
            self._settled = now

    def tick(self, now: float) -> tuple[tuple[Frame, ...], Confirmation | None]:
        """The deadline has passed. What to send now, and the outcome if it is another than was said before."""
        self._look()
        outcome = self._judge(now)
        if outcome is not None and outcome.verdict is not TakeoverVerdict.SECOND_OWNER:
            self.deadline = None
            return (), outcome
        frames = self._ask(now)
        if outcome is not None and (self._said is None or outcome.owners != self._said.owners):
            self._said = outcome
            return frames, outcome
        return frames, None

    # -- inside -------------------------------------------------------------------------------------------------

    def _look(self) -> None:
        """What the last round brought: whoever follows may have been told otherwise by a second owner."""
        self._quiet = 0 if self._owners else self._quiet + 1
        if self._owners:
            self._last_owner = self._owners
        for place in self._owners:
            self._followed[place].clear()

    def _judge(self, now: float) -> Confirmation | None:
        assert self._begun is not None
        if self._owners:
            if now - self._begun > self._grace:
                return self._second_owner(now)
            return None
        if self._quiet < QUIET:
            return None
        missing = self._missing()
        if not missing:
            return self._confirmed(now)
        if self._round >= self._settings.attempts:
            return self._unconfirmed(now, missing)
        return None

    def _ask(self, now: float) -> tuple[Frame, ...]:
        frames: list[Frame] = []
        contested = self._owners.keys() | (self._last_owner.keys() if self._quiet < QUIET else set())
        for place in self._places:
            silent = [each for ip, each in self._whom[place].items() if ip not in self._followed[place]]
            if self._round and (silent or place in contested):
                frames.append(Announce(place))
            frames.append(Probe(place))
            frames += [Question(place, each) for each in silent]
        used_up = self._round >= self._settings.attempts
        self._round += 1
        self._owners = {}
        if not used_up:
            self.deadline = now + self._settings.pause * 2 ** (self._round - 1)
        else:
            self.deadline = now + (RECHECK if self._quiet else DEFEND)
        return tuple(frames)

    def _missing(self) -> dict[Place, list[Neighbour]]:
        """Whose silence counts."""
        found = {}
        for place, whom in self._whom.items():
            followed = self._followed[place]
            fresh = [each for each in whom.values() if each.fresh]
            counted = fresh or (list(whom.values()) if not followed else [])
            silent = [each for each in counted if each.address not in followed]
            if silent:
                found[place] = silent
        return found

    def _confirmed(self, now: float) -> Confirmation:
        followers = {address for followed in self._followed.values() for address in followed}
        everybody = {address for whom in self._whom.values() for address in whom}
        seconds = (now if self._settled is None else self._settled) - self._decided
        count = len(followers)
        words = f"{count} neighbour{'s' if count > 1 else ''} in view follow{'s' if count == 1 else ''}"
        words = (
            f"confirmed in {span(seconds)}: {words if count else 'no neighbour is in view'}, and nobody else answers"
        )
        if self._said is not None:
            words += f"; {_macs(self._last_owner)} did, and is gone"
        if quiet := everybody - followers:
            words += f"; {_some(quiet)}, not heard of lately before, did not answer"
        return Confirmation(verdict=TakeoverVerdict.CONFIRMED, seconds=seconds, why=words)

    def _unconfirmed(self, now: float, missing: Mapping[Place, Sequence[Neighbour]]) -> Confirmation:
        silent = {each.address for of_place in missing.values() for each in of_place}
        vips = _some({place.vip for place in missing})
        words = f"unconfirmed: {_some(silent)} did not answer {vips}, told {self._settings.attempts} times; nobody else"
        return Confirmation(verdict=TakeoverVerdict.UNCONFIRMED, seconds=now - self._decided, why=f"{words} has it")

    def _second_owner(self, now: float) -> Confirmation:
        owners = tuple(sorted({mac for macs in self._owners.values() for mac in map(_text, macs)}))
        vips = _some({place.vip for place in self._owners})
        words = f"second owner {_macs(self._owners)} answers for {vips} too; announced again while it does"
        return Confirmation(verdict=TakeoverVerdict.SECOND_OWNER, seconds=now - self._decided, why=words, owners=owners)


def others(neighbours: Sequence[Neighbour], kin: Collection[Address]) -> tuple[Neighbour, ...]:
    """Without those that need not be told, and would not answer a question from an address that they have themselves:
    directors and real servers by their addresses, and whatever else is at the hardware address of one of them."""
    known = {each.hardware for each in neighbours if each.address in kin}
    return tuple(each for each in neighbours if each.hardware not in known)


def in_view(places: Sequence[Place], limit: int) -> tuple[Place, ...]:
    """At most `limit` of a router's VIPs: one of each device and IP version in turn, in the order of the file."""
    lanes: dict[tuple[str, int], list[Place]] = {}
    for place in places:
        lanes.setdefault((place.device, place.vip.version), []).append(place)
    longest = max(map(len, lanes.values()), default=0)
    turns = [lane[number] for number in range(min(limit, longest)) for lane in lanes.values() if number < len(lane)]
    return tuple(turns[:limit])


def span(seconds: float) -> str:
    """`3.1 ms`, `1.2 s`."""
    return f"{seconds * 1000:.1f} ms" if seconds < 1 else f"{seconds:.1f} s"


def _family(neighbours: Iterable[Neighbour], place: Place) -> list[Neighbour]:
    """Of the VIP's IP version, those that were heard of lately first."""
    mine = [each for each in neighbours if each.address.version == place.vip.version and each.address != place.vip]
    return sorted(mine, key=lambda each: not each.fresh)


def _some(addresses: Collection[Address]) -> str:
    ordered = sorted(addresses, key=lambda ip: (ip.version, int(ip)))
    more = f" and {len(ordered) - NAMED} more" if len(ordered) > NAMED else ""
    return ", ".join(map(str, ordered[:NAMED])) + more


def _macs(owners: Mapping[Place, Collection[bytes]]) -> str:
    every = sorted({_text(mac) for macs in owners.values() for mac in macs})
    more = f" and {len(every) - NAMED} more" if len(every) > NAMED else ""
    return ", ".join(every[:NAMED]) + more


def _text(hardware: bytes) -> str:
    return hardware.hex(":")
