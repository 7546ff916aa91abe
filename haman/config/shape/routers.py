"""Directors and virtual routers: who takes part in the election, and for which addresses."""

from __future__ import annotations

from ipaddress import IPv4Interface
from typing import Annotated

from pydantic import Field

from haman.config.forms.numbers import Duration, Whole
from haman.config.forms.words import Choice
from haman.config.shape.base import Either, LeftOut, Shape, setting
from haman.config.shape.types import (
    Flag,
    HostName,
    InterfaceName,
    InterfaceNameOrNone,
    Ip4,
    Ip4OrNone,
    Name,
    Vip,
)
from haman.model.cluster import ChecksumForm, StandbyAddress, Transport

PRIORITY = Whole(
    1,
    254,
    why="write 1 to 254: 0 means 'I resign' on the wire, and 255 means 'I own the address', who takes over without"
    " listening first, which haman never does",
)


class RouterOverride(Shape):
    """Where one director differs from the others in one router."""

    interface: InterfaceNameOrNone = setting(
        "The interface that this director has for the router, when it is named otherwise here.",
        otherwise="the router's `interface`",
        example="ens3",
    )
    priority: Annotated[int | None, PRIORITY] = setting(
        "This director's priority in the router.", otherwise="the director's `priority`", example=200
    )
    address: Ip4OrNone = setting(
        "This director's own address on the router's interface: the source of its advertisements, and with"
        " `transport: unicast` where the others send theirs.",
        otherwise="the director's `address`",
        example="192.168.7.1",
    )


class Director(Shape):
    """A machine that runs haman."""

    address: Ip4 = setting(
        "The director's own address. It must be on the machine before haman starts; it is the source of"
        " advertisements, what a `director:` server is reached by, and one way for a machine to find itself here.",
        example="10.0.0.1",
    )
    priority: Annotated[int, PRIORITY] = setting(
        "Who of several living directors should be active: the highest. With equal priorities the higher address"
        " wins; write different ones, so that the file shows who.",
        default=100,
        example=150,
    )
    hostnames: list[HostName] = setting(
        "Further host names by which a machine knows that it is this director. Its name here, the short and the"
        " full host name are compared without regard to case.",
        default=[],
        example=["web-a.example.com"],
    )
    routers: dict[Name, RouterOverride] = setting(
        "What differs for this director, by router.", default={}, example={"public": {"interface": "ens3"}}
    )


class VirtualIp(Shape):
    """A VIP that lies on another interface than the router's."""

    address: Vip = setting("The VIP with the prefix it has on the interface.", example="10.0.1.100/24")
    dev: InterfaceNameOrNone = setting(
        "The interface it is put on, the same on every director.",
        otherwise="each director's own interface for the router",
        example="eth1",
    )


class PreemptAfter(Shape):
    """Preemption with a delay."""

    after: Annotated[float, Duration("0s", "1h")] = setting(
        "How long the better director waits, once it is ready, before it takes over.",
        example="30s",
    )


class TrackedInterface(Shape):
    """An interface whose carrier counts."""

    interface: InterfaceName = setting(
        "The interface that is watched. The router's own is always watched and need not be named.", example="eth1"
    )
    penalty: Annotated[int | None, Whole(1, 253)] = setting(
        "By how much a lost carrier lowers the priority, never below 1.",
        otherwise="a lost carrier is a fault: this director gives the router up",
        example=60,
    )


class Announce(Shape):
    """How a takeover is told to the neighbours (gratuitous ARP)."""

    count: Annotated[int, Whole(1, 20)] = setting("Copies of each announcement in one round.", default=2, example=2)
    spacing: Annotated[float, Duration("0s", "1s")] = setting(
        "Time between the copies of one round.", default="0s", example="5ms"
    )
    repeat: list[Annotated[float, Duration("1ms", "1h")]] = setting(
        "When further rounds follow the first, counted from the takeover: for neighbours that missed it or were"
        " told otherwise by an old owner.",
        default=["100ms", "1s", "5s"],
        example=["100ms", "1s", "5s"],
    )


class Router(Shape):
    """A VRRP virtual router (RFC 9568): a set of VIPs that are on one director at a time."""

    vrid: Annotated[int, Whole(1, 255)] = setting(
        "The virtual router's number in VRRP. It must be the same on all directors and unused by anybody else on"
        " the same network segment.",
        example=51,
    )
    interface: InterfaceNameOrNone = setting(
        "The interface on which the router is elected and, unless a VIP says otherwise, carries its VIPs.",
        otherwise="every director of the router must have one under `directors.<name>.routers.<router>.interface`",
        example="eth0",
    )
    addresses: Annotated[
        list[
            Annotated[
                IPv4Interface | VirtualIp,
                Either("an address, or a mapping with 'address' and 'dev'", {"text": Vip, "mapping": VirtualIp}),
            ]
        ],
        Field(min_length=1, max_length=255),
    ] = setting(
        "The VIPs. Each with the prefix it shall have on the interface; the others of its network are then reached"
        " from it directly. An advertisement has room for 255 of them.",
        example=["10.0.0.100/24", {"address": "10.0.1.100/24", "dev": "eth1"}],
    )
    advert_interval: Annotated[
        float,
        Duration("10ms", "40.95s", "10ms", why="VRRPv3 counts hundredths of a second in 12 bits: write 10ms to 40.95s"),
    ] = setting(
        "How often the active director says that it lives. A standby takes over after three of them plus a share of"
        " one more that shrinks with its priority, so the gap after a crash is about 3.5 times this. Short ones want"
        " a network and a machine that never stall for so long.",
        default="1s",
        example="100ms",
    )
    directors: Annotated[list[Name] | None, LeftOut(), Field(min_length=1)] = setting(
        "The directors that take part.", otherwise="all of them", example=["lb1", "lb2"]
    )
    preempt: Annotated[
        bool | PreemptAfter,
        Either("true, false or a mapping with 'after'", {"boolean": Flag, "mapping": PreemptAfter}),
    ] = setting(
        "Whether a better director that comes back takes the router from a living, worse one. `true`: as soon as it"
        " is ready; `{after: 30s}`: after that time; `false`: never, since every move of a VIP is a risk.",
        default=False,
        example={"after": "30s"},
    )
    track: list[TrackedInterface] = setting(
        "Further interfaces whose carrier this router needs.",
        default=[],
        example=[{"interface": "eth1", "penalty": 60}],
    )
    standby_address: Annotated[
        StandbyAddress | None,
        Choice("a place for a standby's VIP", StandbyAddress, others={"lo": "loopback", "none": "nowhere"}),
    ] = setting(
        "Where a standby keeps the VIPs. `loopback`: on `lo`, where it answers no ARP; packets that still reach it"
        " after a move are balanced and not reset, but its own processes that call a VIP stay on it. `nowhere`: not"
        " at all, which is right for VIPs that only stand before a proxy or a database.",
        otherwise="`loopback` if the address of a service is among the VIPs, else `nowhere`",
        example="loopback",
    )
    linger: Annotated[
        float,
        Duration(
            "0s",
            "1s",
            why="write 0s to 1s: meanwhile two directors own the VIP, and the last announcements"
            " of a takeover follow after 1 s and later",
        ),
    ] = setting(
        "How long a director that gives up the router keeps the VIPs on its interface after another one has taken"
        " over, so that packets on their way to it are still served.",
        default="50ms",
        example="50ms",
    )
    transport: Annotated[
        Transport, Choice("a transport", Transport, others={"broadcast": "multicast", "mcast": "multicast"})
    ] = setting(
        "How advertisements travel: `multicast` to 224.0.0.18, or `unicast` to the address of every other director,"
        " for networks that drop multicast.",
        default="multicast",
        example="unicast",
    )
    minimum_ttl: Annotated[int, Whole(1, 255)] = setting(
        "Advertisements that arrive with a smaller TTL are dropped. They are sent with 255, so 255 lets in only"
        " what was sent on the same segment; with `unicast` through routers, take off one for each.",
        default=255,
        example=254,
    )
    checksum: Annotated[
        ChecksumForm, Choice("a checksum form", ChecksumForm, others={"v2": "rfc9568", "pseudo": "pseudo-header"})
    ] = setting(
        "How the VRRPv3 checksum is computed in what is sent: `rfc9568` without, `pseudo-header` with the IPv4"
        " pseudo-header, as keepalived and others do unless told otherwise. Both are accepted.",
        default="rfc9568",
        example="pseudo-header",
    )
    announce: Announce = setting(
        "Gratuitous ARP after a takeover.", default={}, example={"count": 3, "repeat": ["1s", "10s"]}
    )
