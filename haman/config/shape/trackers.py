"""Tracking: what virtual routers depend on beside their own interface, and what its loss costs them."""

from __future__ import annotations

from ipaddress import IPv4Address, IPv4Network, IPv6Network
from typing import Annotated

from pydantic import Field

from haman.config.forms.addresses import HostAddress
from haman.config.forms.around import Argument, CommandText
from haman.config.forms.numbers import Duration, Whole
from haman.config.forms.trackers import FilePath, ProcessName, RouteTable, RouteText
from haman.config.forms.words import NAME
from haman.config.shape.base import Either, Shape, setting
from haman.config.shape.types import Flag, InterfaceNameOrNone, Name
from haman.model.addresses import Address
from haman.model.trackers import HEAVIEST

KINDS = ("interface", "ping", "arp", "script", "file", "process", "route", "service")
"""The keys of which a tracker has exactly one: what is watched."""


class Tracker(Shape):
    """Something that a virtual router depends on: exactly one of `interface`, `ping`, `arp`, `script`, `file`,
    `process`, `route` and `service` says what."""

    interface: InterfaceNameOrNone = setting(
        "An interface: good while it is up and has carrier. The router's own is always watched.",
        otherwise="not watched that way",
        example="eth1",
    )
    ping: Annotated[Address | None, HostAddress(link_local=True)] = setting(
        "A machine, such as a gateway: good while it answers ICMP echo.",
        otherwise="not watched that way",
        example="10.0.0.254",
    )
    arp: Annotated[IPv4Address | None, HostAddress(six=False)] = setting(
        "A machine on a network of this one: good while it answers ARP, which no packet filter of it prevents.",
        otherwise="not watched that way",
        example="10.0.0.254",
    )
    script: Annotated[
        list[str] | None,
        Either(
            "a command line, or a list of its words",
            {
                "text": Annotated[list[str], CommandText()],
                "list": Annotated[list[Annotated[str, Argument()]], Field(min_length=1)],
            },
        ),
    ] = setting(
        "A program by its absolute path, and its arguments: good while it ends with exit status 0. No shell is"
        " involved.",
        otherwise="not watched that way",
        example="/etc/haman/track/database.sh --fast",
    )
    file: Annotated[str | None, FilePath()] = setting(
        "A file with a whole number in it: good while that is 0, or there is no file. A change is seen at once. What is"
        " no number counts as the last one that was there.",
        otherwise="not watched that way",
        example="/run/haman/drain",
    )
    process: Annotated[str | None, ProcessName()] = setting(
        "Running programs of this name: good while there are at least `quorum` of them in haman's network namespace."
        " The end of one is seen at once, a new one within `interval`.",
        otherwise="not watched that way",
        example="haproxy",
    )
    route: Annotated[IPv4Network | IPv6Network | None, RouteText()] = setting(
        "A route: good while the kernel has one to exactly this network. A change is seen at once.",
        otherwise="not watched that way",
        example="default",
    )
    service: Annotated[str | None, NAME] = setting(
        "A service of this file: good while checks leave it a server. Kept up by its `minimum_up`, it counts as good.",
        otherwise="not watched that way",
        example="web",
    )
    arguments: list[Annotated[str, Argument()]] = setting(
        "With `process`: words that must all be on its command line.", default=[], example=["--role", "primary"]
    )
    quorum: Annotated[int | None, Whole(1, 10000)] = setting(
        "With `process`: so many must run.", otherwise="1", example=2
    )
    user: Annotated[str | None, NAME] = setting(
        "With `script`: the user it runs as.",
        otherwise="`haman-hooks` where there is such a user, else `nobody`; never root",
        example="root",
    )
    dev: InterfaceNameOrNone = setting(
        "With `ping` and `arp`: the interface that is asked through; a link-local address needs one. With `route`: the"
        " one it must lead to.",
        otherwise="the way that the routing table has; for a route any",
        example="eth1",
    )
    via: Annotated[Address | None, HostAddress(link_local=True)] = setting(
        "With `route`: the gateway it must have.", otherwise="any, or none", example="10.0.0.254"
    )
    table: Annotated[int | None, RouteTable()] = setting(
        "With `route`: the routing table it must be in.", otherwise="`main`", example=100
    )
    interval: Annotated[float | None, Duration("100ms", "1h")] = setting(
        "How often it is looked at; never twice at once.", otherwise="1s", example="2s"
    )
    timeout: Annotated[float | None, Duration("1ms", "10m")] = setting(
        "With `ping`, `arp` and `script`: after how long no answer is a failure. A script is then killed.",
        otherwise="`interval`, at most 1s; for a script `interval`",
        example="500ms",
    )
    rise: Annotated[int | None, Whole(1, 100)] = setting(
        "Good results in a row that make it good again. The very first one counts at once.",
        otherwise="1; for `ping`, `arp` and `script` 2",
        example=3,
    )
    fall: Annotated[int | None, Whole(1, 100)] = setting(
        "Failures in a row that make it bad.", otherwise="1; for `ping`, `arp` and `script` 3", example=2
    )
    down_after: Annotated[float | None, Duration("0s", "1h")] = setting(
        "With `interface`: how long carrier must be lost before that counts.", otherwise="0s", example="500ms"
    )
    up_after: Annotated[float | None, Duration("0s", "1h")] = setting(
        "With `interface`: how long carrier must be back before that counts: switches forward late.",
        otherwise="0s",
        example="5s",
    )


class Track(Tracker):
    """A use of a tracker: `tracker` names one of `trackers`, or one is written here. What it costs when it is bad:
    without `penalty` and `weight` it is a fault, and this director gives the router up."""

    tracker: Annotated[str | None, NAME] = setting(
        "The name of one of `trackers`.", otherwise="the tracker is written here", example="gateway"
    )
    penalty: Annotated[int | None, Whole(1, HEAVIEST)] = setting(
        "By how much it lowers the priority while it is bad, never below 1.",
        otherwise="it is a fault: this director gives the router up",
        example=60,
    )
    weight: Annotated[int | None, Whole(-HEAVIEST, HEAVIEST)] = setting(
        "With `file`: the file's number times this is added to the priority, which stays within 1 and 254. A sum below"
        f" -{HEAVIEST} is a fault.",
        otherwise="any number but 0 is bad",
        example=1,
    )
    reverse: Flag = setting(
        "The other way round: it costs something while it is good. With `weight` the number is taken off.",
        default=False,
        example=True,
    )


Uses = list[
    Annotated[
        str | Track,
        Either("the name of a tracker, or a mapping", {"text": Name, "mapping": Track}),
    ]
]


class Group(Shape):
    """Virtual routers that are elected as one: they share one priority and change their role together."""

    routers: Annotated[list[Name], Field(min_length=1)] = setting(
        "The routers. They have the same directors with the same priorities, and the same `advert_interval`, `preempt`"
        " and `linger`, since there is one election for all of them.",
        example=["outside", "inside"],
    )
    track: Uses = setting(
        "What all of them depend on together, beside what each tracks by itself: a fault of one is a fault of all, and"
        " penalties are added up.",
        default=[],
        example=[{"ping": "10.0.0.254", "penalty": 60}],
    )
