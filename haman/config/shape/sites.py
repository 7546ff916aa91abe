"""Other sites that serve when local servers cannot, and when they do."""

from __future__ import annotations

from enum import Enum
from typing import Annotated

from pydantic import Field

from haman.config.forms.numbers import Duration, Percent, Size, Whole
from haman.config.forms.words import NAME, Choice
from haman.config.shape.base import Either, LeftOut, Shape, setting
from haman.config.shape.common import CheckOrName, Networks, Source
from haman.config.shape.tunnels import Tunnel
from haman.config.shape.types import Flag, Ip, IpOrNone, Name, PortOrNone
from haman.model.relay import Proxy
from haman.model.sites import AllDown


class Way(Enum):
    """How packets reach a backup."""

    FULLNAT = "fullnat"
    TUN = "tun"
    RELAY = "relay"


class Manual(Enum):
    MANUAL = "manual"


class BackupServer(Shape):
    """One of several servers of a backup."""

    address: Ip = setting("Its address.", example="203.0.113.11")
    weight: Annotated[int, Whole(1, 65535)] = setting(
        "Its share of the backup's new connections, in proportion to the others.", default=1, example=2
    )
    port: PortOrNone = setting(
        "The port there, with `forward: fullnat` or `relay`.", otherwise="the backup's `port`", example=8080
    )


class Backup(Shape):
    """Another site: the VIP that answers there, as `address`, or several `servers`."""

    name: Annotated[str | None, NAME] = setting(
        "What it is called in logs, metrics and commands.",
        otherwise="`backup1`, `backup2`, by its place",
        example="east",
    )
    address: IpOrNone = setting(
        "The address that serves there, usually a VIP.", otherwise="see `servers`", example="203.0.113.10"
    )
    servers: Annotated[dict[Name, BackupServer] | None, LeftOut(), Field(min_length=1)] = setting(
        "Several addresses there, by name, in place of `address`.",
        otherwise="see `address`",
        example={"e1": {"address": "203.0.113.11"}, "e2": {"address": "203.0.113.12"}},
    )
    port: PortOrNone = setting(
        "The port there, with `forward: fullnat` or `relay`.", otherwise="the port of the service", example=8080
    )
    forward: Annotated[
        Way | None,
        Choice(
            "a way to a backup",
            Way,
            others={
                **dict.fromkeys(("nat", "masq", "full-nat", "snat"), "fullnat"),
                **dict.fromkeys(("proxy", "userspace", "haproxy"), "relay"),
                **dict.fromkeys(("tunnel", "ipip", "gre", "gue"), "tun"),
            },
        ),
    ] = setting(
        "How packets get there. `fullnat`: readdressed, with a source of the director's; nothing is needed there."
        " `tun`: wrapped; whoever unwraps them there has the VIP, and answers clients directly. `relay`: a process of"
        " haman's takes the connection and makes one of its own; TCP and UDP.",
        otherwise="the first that fits: `fullnat`; `relay` with `proxy` or another setting of its own, and from IPv4 to"
        " IPv6 or back; `tun` with a `tunnel`",
        example="fullnat",
    )
    source: Source = setting(
        "The address that the other site sees, with `forward: fullnat` or `relay`. By the VIP a site knows another"
        " one's packets, and never sends them on; write something else only if that site lists it in `from`.",
        otherwise="the service's VIP; with a backup of the other family the director's own",
        example="10.0.0.101",
    )
    tunnel: Annotated[Tunnel | None, LeftOut()] = setting(
        "The tunnel, with `forward: tun`.", otherwise="`ipip`", example={"type": "gue", "port": 6080}
    )
    proxy: Annotated[Proxy | None, LeftOut(), Choice("a version of the PROXY protocol", Proxy)] = setting(
        "With `forward: relay`: the other site is told the client's address by the PROXY protocol of this version, and"
        " has to expect it. With UDP it is `v2`, and heads every datagram.",
        otherwise="it is told nothing",
        example="v2",
    )
    sessions: Annotated[int | None, LeftOut(), Whole(1, 100_000)] = setting(
        "With `forward: relay`: so many TCP sessions, or UDP flows, at a time, over all ports. One more is refused: TCP"
        " by a reset, a datagram is dropped.",
        otherwise="5000, or 20000 with `protocol: udp`",
        example=2000,
    )
    memory: Annotated[int | None, LeftOut(), Size(1 << 20, 1 << 30)] = setting(
        "With `forward: relay`: how much may wait in it for slow receivers, of all sessions together. When it is full,"
        " new sessions are refused.",
        otherwise="64MiB",
        example="256MiB",
    )
    idle: Annotated[float | None, LeftOut(), Duration("1s", "7d")] = setting(
        "With `forward: relay`: a session in which nothing moves for so long ends.",
        otherwise="10m, or 1m with `protocol: udp`",
        example="1h",
    )
    drain: Annotated[float | None, LeftOut(), Duration("0s", "1d")] = setting(
        "With `forward: relay`: when the backup does not serve any more, the sessions it has may go on for so long.",
        otherwise="30s",
        example="5m",
    )
    connect: Annotated[float | None, LeftOut(), Duration("100ms", "1m")] = setting(
        "With `forward: relay`: so long a server there may take to accept a connection; then the next one is tried.",
        otherwise="5s",
        example="2s",
    )
    check: CheckOrName = setting(
        "How every director finds out whether it would serve. It is never used before it has answered once.",
        otherwise="the check of the service",
        example="far",
    )
    origins: Networks = setting(
        "From where that site sends besides its `address`: its directors, for their checks. What comes from there goes"
        " to local servers only and never on to a backup, so two sites that back each other up send nothing in circles."
        " Of three sites in a ring each lists all others.",
        otherwise="only from its `address` or `servers`",
        example=["203.0.113.0/24"],
        alias="from",
    )


class Return(Shape):
    """When local servers serve again."""

    above: Annotated[float | None, Percent(0, 100)] = setting(
        "So much of their weight has to be up.",
        otherwise="halfway from `when_below` to all of it: 50% without one",
        example="75%",
    )
    after: Annotated[float, Duration("0s", "7d")] = setting(
        "For so long without a break. Between two returns lies this time at least.", default="30s", example="5m"
    )


class Failover(Shape):
    """When a backup serves in place of local servers, and what is done when nobody is up."""

    when_below: Annotated[float | None, Percent(0, 100)] = setting(
        "A backup serves already when less than this share of the local servers' weight is up, on any of the ports.",
        otherwise="only when no local server is left; with `spill_over` when any is down",
        example="30%",
    )
    hold: Annotated[float, Duration("0s", "1h")] = setting(
        "For so long it must be so before a backup serves.", default="0s", example="5s"
    )
    return_: Annotated[
        Manual | Return,
        Either(
            "manual, or a mapping with 'above' and 'after'",
            {"text": Annotated[Manual, Choice("a way to return", Manual)], "mapping": Return},
        ),
    ] = setting(
        "When local servers serve again. `manual`: when you say `haman site use local`.",
        default={},
        example={"above": "75%", "after": "5m"},
        alias="return",
    )
    all_down: Annotated[
        AllDown,
        Choice("a policy", AllDown, others={"reject": "refuse", "last": "last-known", "open": "fail-open"}),
    ] = setting(
        "What is done when neither a local server nor a backup is up. `refuse`: clients are told so at once."
        " `last-known`: the site that served last goes on. `fail-open`: all local servers are used.",
        default="refuse",
        example="last-known",
    )
    spill_over: Flag = setting(
        "Local servers that are up go on, and the backup gets only the share of those that are not.",
        default=False,
        example=True,
    )
