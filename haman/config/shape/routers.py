"""Directors and virtual routers: who takes part in the election, and for which addresses."""

from __future__ import annotations

from enum import Enum
from ipaddress import IPv4Network, IPv6Network
from typing import Annotated

from pydantic import Field

from haman.config.forms.addresses import MacText
from haman.config.forms.numbers import Duration, Whole
from haman.config.forms.trackers import RouteTable, RouteText
from haman.config.forms.words import LABEL, PASSWORD, Boolean, Choice
from haman.config.shape.base import Either, LeftOut, Shape, setting
from haman.config.shape.trackers import Uses
from haman.config.shape.types import (
    Flag,
    HostName,
    InterfaceNameOrNone,
    IpOrNone,
    Name,
    OwnIp,
    OwnIp6OrNone,
    OwnIpOrNone,
    Vip,
)
from haman.model.addresses import Interface
from haman.model.routers import ChecksumForm, StandbyAddress, Transport

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
    address: OwnIpOrNone = setting(
        "This director's own address on the router's interface: the source of its advertisements, and with"
        " `transport: unicast` where the others send theirs.",
        otherwise="the director's `address`",
        example="192.168.7.1",
    )
    address6: OwnIp6OrNone = setting(
        "The same for IPv6, beside an IPv4 `address`.", otherwise="the director's `address6`", example="2001:db8:7::1"
    )


class Director(Shape):
    """A machine that runs haman."""

    address: OwnIp = setting(
        "The director's own address, IPv4 where it has one. It must be on the machine before haman starts; it is the"
        " source of advertisements, what a `director:` server is reached by, and one way for a machine to find itself"
        " here.",
        example="10.0.0.1",
    )
    address6: OwnIp6OrNone = setting(
        "Its IPv6 address, beside an IPv4 `address`. Wanted by `transport: unicast` in a router with IPv6 addresses,"
        " and by a `director:` server of an IPv6 service. Multicast needs none: IPv6 advertisements come from the"
        " interface's link-local address, which haman finds by itself.",
        otherwise="none",
        example="2001:db8::1",
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
    macs: list[Annotated[str, MacText()]] = setting(
        "The MAC addresses of the interfaces from which it sends to other directors. Only services that two directors"
        " serve themselves, by a scheduler other than `mh`, `sh` and `dh`, need them; the directors tell each other on"
        " their channel, so they are to be written only where there is no channel.",
        default=[],
        example=["02:00:5e:10:00:01"],
    )
    routers: dict[Name, RouterOverride] = setting(
        "What differs for this director, by router.", default={}, example={"public": {"interface": "ens3"}}
    )


class VirtualIp(Shape):
    """A VIP of which more is said than its address."""

    address: Vip = setting("The VIP with the prefix it has on the interface.", example="10.0.1.100/24")
    dev: InterfaceNameOrNone = setting(
        "The interface it is put on, the same on every director.",
        otherwise="each director's own interface for the router",
        example="eth1",
    )
    excluded: Flag = setting(
        "Whether advertisements leave it out: it follows the role all the same. For more VIPs than an advertisement has"
        " room for, for those of the other family, and for peers that insist on another list.",
        default=False,
        example=True,
    )
    label: Annotated[str | None, LABEL] = setting(
        "What old tools show behind the interface's name, as in `eth0:web`. IPv4 only.", otherwise="none", example="web"
    )


class VirtualRoute(Shape):
    """A route that the active director has, and no other."""

    to: Annotated[IPv4Network | IPv6Network, RouteText()] = setting("Where it leads.", example="default")
    via: IpOrNone = setting(
        "The gateway.", otherwise="none: it is on the interface's own network", example="10.0.0.254"
    )
    dev: InterfaceNameOrNone = setting(
        "The interface it leads through.",
        otherwise="the one on whose network the gateway is; without a gateway each director's own for the router",
        example="eth1",
    )
    source: IpOrNone = setting(
        "What the director's own packets on this route come from: best a VIP of the router.",
        otherwise="what the kernel chooses",
        example="10.0.0.100",
    )
    metric: Annotated[int | None, Whole(1, 4294967295)] = setting(
        "Of several routes to one place the lowest is taken.", otherwise="0, for IPv6 1024", example=50
    )
    table: Annotated[int | None, RouteTable()] = setting("The routing table.", otherwise="`main`", example=100)


class VirtualRule(Shape):
    """A rule of policy routing that the active director has, and no other: packets that fit all of `source`, `to`,
    `fwmark` and `dev` are routed by `table`. It is one of IPv4 unless `source` or `to` is IPv6; `to: "::/0"` says that
    and no more."""

    priority: Annotated[int, Whole(1, 32765, why="write 1 to 32765: all others are the kernel's")] = setting(
        "Its place among the rules; lower ones come first.", example=1000
    )
    table: Annotated[int, RouteTable()] = setting("The routing table that is asked.", example=100)
    source: Annotated[IPv4Network | IPv6Network | None, RouteText()] = setting(
        "Where the packets come from.", otherwise="from anywhere", example="10.0.0.100/32"
    )
    to: Annotated[IPv4Network | IPv6Network | None, RouteText()] = setting(
        "Where they go.", otherwise="to anywhere", example="10.9.0.0/16"
    )
    fwmark: Annotated[int | None, Whole(1, 4294967295)] = setting(
        "The firewall mark they bear.", otherwise="any", example=7
    )
    dev: InterfaceNameOrNone = setting("The interface they came in by.", otherwise="any", example="eth1")


class PreemptAfter(Shape):
    """Preemption with a delay."""

    after: Annotated[float, Duration("0s", "1h")] = setting(
        "How long the better director waits, once it is ready, before it takes over.",
        example="30s",
    )


class AuthenticationType(Enum):
    PASS = "pass"


class Authentication(Shape):
    """The password of VRRPv2, as keepalived's `auth_type PASS`. It crosses the network readable by everybody: it keeps
    two clusters that chose the same `vrid` apart, and is no protection against anybody."""

    type: Annotated[
        AuthenticationType, Choice("a type of authentication", AuthenticationType, others={"password": "pass"})
    ] = setting("The only type there is.", default="pass", example="pass")
    password: Annotated[str, PASSWORD] = setting(
        "1 to 8 characters, the same on all routers of this `vrid`. keepalived cuts a longer one off after 8.",
        example="s3cret",
    )


class Announce(Shape):
    """How a takeover is told to the neighbours (gratuitous ARP, unsolicited neighbour advertisements)."""

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


class Confirm(Shape):
    """How the director that took over asks whether it did: everybody, who else has the VIPs, and its neighbours one by
    one, so that they follow. See docs/explanation/takeover.md."""

    attempts: Annotated[int, Whole(2, 12, why="write 2 to 12: each comes twice as long after the one before")] = (
        setting(
            "How often a VIP is announced and a neighbour asked that does not answer.",
            default=6,
            example=8,
        )
    )
    pause: Annotated[float, Duration("10ms", "1s")] = setting(
        "From the first to the second; after each the time doubles. With the default six the last come after 3.1 s, and"
        " 3.2 s later whoever has not answered is given up.",
        default="100ms",
        example="50ms",
    )
    addresses: Annotated[int, Whole(1, 64)] = setting(
        "How many of the router's VIPs are asked about: the first of each interface and IP version, in turn. The others"
        " are announced as ever.",
        default=8,
        example=16,
    )
    neighbours: Annotated[int, Whole(0, 64)] = setting(
        "How many neighbours are asked for each of them, those heard of lately first; 0: none, only others' claims are"
        " looked for.",
        default=16,
        example=32,
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
                Interface | VirtualIp,
                Either("an address, or a mapping with 'address' and 'dev'", {"text": Vip, "mapping": VirtualIp}),
            ]
        ],
        Field(min_length=1, max_length=4096),
    ] = setting(
        "The VIPs, IPv4, IPv6 or both: those of both families are elected as one and move together. Each with the"
        " prefix it shall have on the interface; the others of its network are then reached from it directly. An"
        " advertisement has room for 255 of them, over IPv6 for 90; mark the others `excluded: true`.",
        example=["10.0.0.100/24", "2001:db8::100/64", {"address": "10.0.1.100/24", "dev": "eth1"}],
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
    track: Uses = setting(
        "What this router depends on beside its own interface: trackers by name, or written here.",
        default=[],
        example=[{"interface": "eth1"}, {"ping": "10.0.0.254", "penalty": 60}, "database"],
    )
    routes: list[VirtualRoute] = setting(
        "Routes that follow the role.",
        default=[],
        example=[{"to": "default", "via": "10.0.0.254", "source": "10.0.0.100", "table": 100}],
    )
    rules: list[VirtualRule] = setting(
        "Rules of policy routing that follow the role.",
        default=[],
        example=[{"source": "10.0.0.100/32", "table": 100, "priority": 1000}],
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
    version: Annotated[
        int,
        Whole(2, 3, why="write 3 (RFC 9568), or 2 beside routers that know nothing newer"),
    ] = setting(
        "The version of VRRP. 3 is today's. 2 is for older peers: IPv4 only, and `advert_interval` in whole seconds,"
        " the same on all, since advertisements with another one are refused.",
        default=3,
        example=2,
    )
    auth: Annotated[Authentication | None, LeftOut()] = setting(
        "The password of VRRPv2. Version 3 has none.",
        otherwise="no password",
        example={"type": "pass", "password": "s3cret"},
    )
    authenticate: Annotated[bool | None, Boolean()] = setting(
        "Whether its advertisements are signed and judged by the file's `authentication`. `false` leaves it open to"
        " everybody, beside peers that know no signatures.",
        otherwise="yes, if there is an `authentication`",
        example=False,
    )
    transport: Annotated[
        Transport, Choice("a transport", Transport, others={"broadcast": "multicast", "mcast": "multicast"})
    ] = setting(
        "How advertisements travel: `multicast` to 224.0.0.18 and ff02::12, or `unicast` to the address (over IPv6 the"
        " `address6`) of every other director, for networks that drop multicast.",
        default="multicast",
        example="unicast",
    )
    minimum_ttl: Annotated[int, Whole(1, 255)] = setting(
        "Advertisements that arrive with a smaller TTL (hop limit) are dropped. They are sent with 255, so 255 lets in"
        " only what was sent on the same segment; with `unicast` through routers, take off one for each.",
        default=255,
        example=254,
    )
    checksum: Annotated[
        ChecksumForm, Choice("a checksum form", ChecksumForm, others={"v2": "rfc9568", "pseudo": "pseudo-header"})
    ] = setting(
        "How the VRRPv3 checksum is computed in what is sent over IPv4: `rfc9568` without, `pseudo-header` with the"
        " IPv4 pseudo-header, as keepalived and others do unless told otherwise. Both are accepted. Over IPv6, and in"
        " version 2, there is one form.",
        default="rfc9568",
        example="pseudo-header",
    )
    announce: Announce = setting(
        "Gratuitous ARP and neighbour advertisements after a takeover.",
        default={},
        example={"count": 3, "repeat": ["1s", "10s"]},
    )
    confirm: Annotated[bool | Confirm, Either("true, false or a mapping", {"boolean": Flag, "mapping": Confirm})] = (
        setting(
            "Whether a takeover is asked about afterwards: does somebody else have the VIPs, do the neighbours in view"
            " follow? Nothing waits for it.",
            default=True,
            example={"attempts": 8, "pause": "50ms"},
        )
    )
