"""The segments between directors: who hears whom, what gets lost, late, twice or garbled, what neighbours believe.

Beside each director stands a neighbour, behind the same port of the switch: what gets through to the director's place
gets through to it. It believes whoever announced an address last, or asked it from that address.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from ipaddress import IPv4Address, IPv6Address
from itertools import product
from typing import TYPE_CHECKING, Protocol

from haman.model.confirmation import Neighbour
from haman.simulation.frames import Announcement, Probe, read
from haman.wire.advertisement import GROUPS
from haman.wire.neighbours import Answer

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping
    from random import Random

    from haman.model.addresses import Address
    from haman.simulation.host import Host
    from haman.simulation.timeline import Timeline
    from haman.wire.packet import Packet


@dataclass(frozen=True, slots=True)
class Weather:
    """Shares of all packets that are lost, come twice, come garbled; delay: shortest and longest, seconds. What is
    delayed differently overtakes. deaf: the share that is lost of what directors and neighbours say to each other."""

    loss: float = 0.0
    deaf: float = 0.0
    twice: float = 0.0
    garbage: float = 0.0
    delay: tuple[float, float] = (0.0002, 0.0002)


class Audience(Protocol):
    """The world, as the network needs it."""

    def arrived(self, host: Host, device: str, packet: Packet) -> None: ...

    def lost(self, sender: str, receiver: str, *, cut: bool) -> None: ...

    def told(self, place: str, address: Address, believed: str, *, anew: bool) -> None:
        """anew: it has believed somebody else, or nobody."""

    def untold(self, place: str, address: Address, sender: str, *, cut: bool) -> None: ...

    def answered(self, host: Host, device: str, answer: Answer) -> None: ...

    def answers_too(self, asker: Host, vip: Address) -> None:
        """Somebody else has the VIP, and says so."""


class Network:
    """blocked: (sender, receiver, IP version) of directors by name, on all segments."""

    def __init__(self, hosts: Mapping[str, Host], timeline: Timeline, dice: Random, audience: Audience) -> None:
        self._hosts = hosts
        self._timeline = timeline
        self._dice = dice
        self._audience = audience
        self.weather = Weather()
        self.blocked: set[tuple[str, str, int]] = set()
        self.believed: dict[tuple[str, Address], str] = {}  # by place and address: a director's name
        self._beside = {address: host for host in hosts.values() for address in _addresses(host)}  # neighbours
        self._neighbours = tuple(
            Neighbour(address=address, hardware=bytes([2, 1, 0, 0, 0, host.number]), fresh=True)
            for address, host in self._beside.items()
        )

    def open(self, sender: str, receiver: str, version: int) -> bool:
        """Does the wire between the two carry it that way?"""
        return (sender, receiver, version) not in self.blocked

    def reaches(self, sender: Host, receiver: Host, device: str, version: int = 4) -> bool:
        return sender.up(device) and receiver.up(device) and self.open(sender.name, receiver.name, version)

    def carry(self, sender: Host, device: str, packet: Packet) -> None:
        """An advertisement, to the group or to one director."""
        version = packet.source.version
        everybody = packet.destination == GROUPS[version]
        for receiver in self._hosts.values():
            if receiver is sender or not (everybody or packet.destination == receiver.sources[device]):
                continue
            if not self.reaches(sender, receiver, device, version):
                self._audience.lost(sender.name, receiver.name, cut=True)
                continue
            for delay in self._fates(self._losing(sender.name, receiver.name), self.weather.loss):
                arrives = self._garbled(packet)
                if arrives is not packet:
                    self._audience.lost(sender.name, receiver.name, cut=False)
                self._timeline.after(delay, self._delivery(sender, receiver, device, arrives))

    def neighbours(self) -> tuple[Neighbour, ...]:
        """Of every segment, as every director's kernel knows them."""
        return self._neighbours

    def tell(self, sender: Host, device: str, frame: bytes) -> bool:
        """An announcement, a probe, or a question to a neighbour. Whether it left."""
        if not sender.up(device):
            return False
        match read(frame):
            case Announcement(vip=vip):
                self._announce(sender, vip)
            case Probe(vip=vip, to=to):
                self._probe(sender, device, vip, to)
            case said:
                self._ask(sender, device, said.vip, said.neighbour)
        return True

    def _probe(self, sender: Host, device: str, vip: Address, to: Address) -> None:
        """Others that have the VIP on their NIC answer."""
        for other in self._hosts.values():
            if other is not sender and any(key.ip == vip and key.device == device for key in other.addresses):
                self._audience.answers_too(sender, vip)
                answer = Answer(vip, other.mac[device], to)
                for there, back in product(self._spoken(), self._spoken()):
                    self._timeline.after(there + back, self._answering(other, sender, device, answer))

    def _ask(self, sender: Host, device: str, vip: Address, neighbour: Address) -> None:
        """The neighbour at this address writes down who asks, and answers it."""
        place = self._beside.get(neighbour)
        if place is None or not (place is sender or self.open(sender.name, place.name, vip.version)):
            return
        answer = Answer(neighbour, bytes([2, 1, 0, 0, 0, place.number]), vip)
        for there in self._spoken():
            self._timeline.after(there, self._telling(place.name, vip, sender.name))
            for back in self._spoken():
                self._timeline.after(there + back, self._answering(place, sender, device, answer))

    def _answering(self, place: Host, sender: Host, device: str, answer: Answer) -> Callable[[], None]:
        """What answers is at that place: the director, or the neighbour beside it, which is always there."""
        itself = answer.hardware == place.mac[device]

        def arrive() -> None:
            if itself and not self.reaches(place, sender, device, answer.address.version):
                return
            if sender.up(device) and (place is sender or self.open(place.name, sender.name, answer.address.version)):
                self._audience.answered(sender, device, answer)

        return arrive

    def _announce(self, sender: Host, address: Address) -> None:
        for place in self._hosts:
            if not (place == sender.name or self.open(sender.name, place, address.version)):
                self._audience.untold(place, address, sender.name, cut=True)
                continue
            lost = self._untelling(place, address, sender.name)
            for delay in self._spoken(lost):
                self._timeline.after(delay, self._telling(place, address, sender.name))

    def ask(self, host: Host, address: Address) -> None:
        """Neighbours that believe nobody have asked all the time, and now this one answers."""
        for place in self._hosts:
            if place == host.name or (self.open(host.name, place, 4) and self.open(place, host.name, 4)):
                self.believed.setdefault((place, address), host.name)

    def forget(self, director: str) -> None:
        """Neighbours that find nobody where they look ask again: nobody believes it any more."""
        for key in [key for key, believed in self.believed.items() if believed == director]:
            del self.believed[key]

    def _spoken(self, lost: Callable[[], None] = lambda: None) -> Iterable[float]:
        """Of a word to a neighbour, or its answer. Whose question is lost learns nothing by it."""
        weather = self.weather
        return self._fates(lost, 1 - (1 - weather.loss) * (1 - weather.deaf))

    def _fates(self, lost: Callable[[], None], share: float) -> Iterable[float]:
        """The delays of what arrives of it, if it is not in the share that is lost."""
        weather, dice = self.weather, self._dice
        if share and dice.random() < share:
            lost()
            return
        yield dice.uniform(*weather.delay)
        if weather.twice and dice.random() < weather.twice:
            yield dice.uniform(*weather.delay)

    def _garbled(self, packet: Packet) -> Packet:
        weather, dice = self.weather, self._dice
        if not weather.garbage or dice.random() >= weather.garbage:
            return packet
        payload = bytearray(packet.payload)
        payload[dice.randrange(len(payload))] ^= 1 << dice.randrange(8)
        return replace(packet, payload=bytes(payload[: dice.choice((len(payload), dice.randrange(len(payload))))]))

    def _delivery(self, sender: Host, receiver: Host, device: str, packet: Packet) -> Callable[[], None]:
        version = packet.source.version

        def deliver() -> None:
            if receiver.up(device) and (not self.blocked or self.open(sender.name, receiver.name, version)):
                self._audience.arrived(receiver, device, packet)
            else:
                self._audience.lost(sender.name, receiver.name, cut=True)

        return deliver

    def _telling(self, place: str, address: Address, sender: str) -> Callable[[], None]:
        def tell() -> None:
            if place == sender or self.open(sender, place, address.version):
                anew = self.believed.get((place, address)) != sender
                self.believed[place, address] = sender
                self._audience.told(place, address, sender, anew=anew)
            else:
                self._audience.untold(place, address, sender, cut=True)

        return tell

    def _losing(self, sender: str, receiver: str) -> Callable[[], None]:
        return lambda: self._audience.lost(sender, receiver, cut=False)

    def _untelling(self, place: str, address: Address, sender: str) -> Callable[[], None]:
        return lambda: self._audience.untold(place, address, sender, cut=False)


def _addresses(host: Host) -> tuple[Address, Address]:
    """Of the neighbour beside it."""
    return IPv4Address(f"10.0.0.{200 + host.number}"), IPv6Address(f"2001:db8::{200 + host.number}")
