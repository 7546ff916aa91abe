"""Who is asked before a standby takes over from a director that has fallen silent."""

from __future__ import annotations

from ipaddress import IPv4Address
from typing import Annotated

from pydantic import Field

from haman.config.forms.addresses import HostAddress
from haman.config.forms.numbers import Duration, Whole
from haman.config.shape.base import Shape, setting
from haman.config.shape.types import Flag, InterfaceNameOrNone, Name
from haman.model.addresses import Address


class Arbiter(Shape):
    """An arbiter: machines that tell a dead director from a cut cable, because they are reached from one side of the
    cut only, such as the gateway; or directors that vote. A standby takes the VIPs of a silent director only while
    enough of them say yes. docs/how-to/arbiter.md says what follows."""

    ping: Annotated[list[Annotated[Address, HostAddress(link_local=True)]], Field(max_length=16)] = setting(
        "Machines that are asked for an ICMP echo.", default=[], example=["10.0.0.254"]
    )
    arp: Annotated[list[Annotated[IPv4Address, HostAddress(six=False)]], Field(max_length=16)] = setting(
        "Machines on a network of the directors that are asked by ARP, which no packet filter of theirs prevents.",
        default=[],
        example=["10.0.0.254"],
    )
    directors: Annotated[list[Name], Field(max_length=16)] = setting(
        "Directors that are asked for their votes over the directors' channel. One gives its vote for a router to one"
        " director at a time, and to none while a director that it reaches says that it is active. The one that asks"
        " votes too, if it is named.",
        default=[],
        example=["lb1", "lb2", "lb3"],
    )
    quorum: Annotated[int | None, Whole(1, 48)] = setting(
        "How many of all these must say yes.", otherwise="more than half of them", example=2
    )
    strict: Flag = setting(
        "Whether an active director gives its routers up when it does not reach the arbiter any more, too. Then no"
        " director serves while the arbiter is dead. Without it, an active director goes on.",
        default=False,
        example=True,
    )
    dev: InterfaceNameOrNone = setting(
        "The interface that machines are asked through; a link-local address needs one.",
        otherwise="the way that the routing table has",
        example="eth0",
    )
    interval: Annotated[float, Duration("100ms", "1m")] = setting(
        "How often it is looked at while nothing happens; three looks in vain make it lost, for `haman status` and for"
        " `strict`. When a director falls silent it is asked at once.",
        default="1s",
        example="500ms",
    )
    timeout: Annotated[float, Duration("10ms", "10s")] = setting(
        "After how long no answer is a no.", default="500ms", example="200ms"
    )
