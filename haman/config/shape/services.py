"""Virtual services and their real servers: what IPVS balances, and how."""

from __future__ import annotations

from enum import Enum
from typing import Annotated

from pydantic import Field

from haman.config.forms.around import FloorText
from haman.config.forms.numbers import Duration, PortRange, Whole
from haman.config.forms.words import NAME, Choice
from haman.config.shape.base import LeftOut, Shape, setting
from haman.config.shape.common import CheckOrName, Networks, Source
from haman.config.shape.sites import Backup, Failover
from haman.config.shape.tunnels import Tunnel
from haman.config.shape.types import Flag, InterfaceNameOrNone, IpOrNone, Name, Port, PortOrNone, ServerIpOrNone
from haman.model.services import Floor, Forward, OnFailure, Protocol

FAR = "31d"
"""The longest time that ipvsadm accepts for persistence; the kernel itself would count to 68 years."""


class Scheduler(Enum):
    """The schedulers of Linux 6.12 (net/netfilter/ipvs/ip_vs_*.c)."""

    MH = "mh"
    RR = "rr"
    WRR = "wrr"
    LC = "lc"
    WLC = "wlc"
    SED = "sed"
    NQ = "nq"
    SH = "sh"
    DH = "dh"
    LBLC = "lblc"
    LBLCR = "lblcr"
    FO = "fo"
    OVF = "ovf"
    TWOS = "twos"


class SchedulerFlag(Enum):
    """`sh` and `mh` share the kernel's bits for these, so each is only legal with its own scheduler."""

    MH_PORT = "mh-port"
    MH_FALLBACK = "mh-fallback"
    SH_PORT = "sh-port"
    SH_FALLBACK = "sh-fallback"


class Family(Enum):
    IPV4 = "ipv4"
    IPV6 = "ipv6"


class Engine(Enum):
    """The persistence engines of Linux 6.12."""

    SIP = "sip"


FORWARD = Choice(
    "a forwarding method",
    Forward,
    others={
        **dict.fromkeys(("droute", "direct", "direct-routing", "gatewaying", "gateway"), "dr"),
        **dict.fromkeys(("masq", "masquerade", "masquerading", "dnat"), "nat"),
        **dict.fromkeys(("tunnel", "ipip", "gre", "gue"), "tun"),
        **dict.fromkeys(("full-nat", "full_nat", "snat", "f5", "proxy"), "fullnat"),
    },
    but=frozenset({Forward.RELAY}),  # to backups only
)


class Server(Shape):
    """A real server of one service. It has either an `address`, or is a `director`."""

    address: ServerIpOrNone = setting(
        "The server's own address. `127.0.0.1` is the active director itself, with `forward: dr` only.",
        otherwise="that of the `director`",
        example="10.0.0.11",
    )
    director: Annotated[str | None, NAME] = setting(
        "The server is this director, reached by its own address from the other ones.",
        otherwise="the server is none, unless it has a director's address",
        example="lb1",
    )
    weight: Annotated[int, Whole(0, 65535)] = setting(
        "The server's share of new connections, in proportion to the others. 0: none; existing ones go on.",
        default=1,
        example=2,
    )
    port: PortOrNone = setting(
        "The port on the server, with `forward: nat` or `fullnat`. The other methods leave packets as they are, so"
        " the port cannot change.",
        otherwise="the port of the service",
        example=8080,
    )
    forward: Annotated[Forward | None, FORWARD] = setting(
        "How packets reach this server.", otherwise="the service's `forward`", example="nat"
    )
    source: Source = setting(
        "The address that this server sees, with `forward: fullnat`.",
        otherwise="the service's `source`",
        example="10.0.0.100",
    )
    tunnel: Annotated[Tunnel | None, LeftOut()] = setting(
        "The tunnel to this server.", otherwise="the service's `tunnel`", example={"type": "gre"}
    )
    upper_threshold: Annotated[int, Whole(0, 2**31 - 1)] = setting(
        "From so many connections on the server gets no new ones. 0: no limit.", default=0, example=2000
    )
    lower_threshold: Annotated[int, Whole(0, 2**31 - 1)] = setting(
        "Below so many it gets new ones again. 0: three quarters of `upper_threshold`.", default=0, example=1500
    )


class Persistence(Shape):
    """Clients stay with their server."""

    timeout: Annotated[float, Duration("1s", FAR, "1s")] = setting(
        "How long after its last connection a client is still sent to the same server.", default="5m", example="10m"
    )
    prefix: Annotated[int | None, Whole(1, 128)] = setting(
        "Clients with the same first bits of their address count as one: 24 holds together whole /24 networks.",
        otherwise="every address by itself (32, IPv6 128)",
        example=24,
    )
    engine: Annotated[Engine | None, Choice("a persistence engine", Engine)] = setting(
        "Recognise clients by something in their packets: `sip` takes the Call-ID of SIP over UDP.",
        otherwise="clients are recognised by their address",
        example="sip",
    )


class Match(Shape):
    """Packets that haman marks: those that fit all that is written. A `fwmark` service of IPv4 takes the IPv4 addresses
    of it, one of IPv6 the others."""

    router: Annotated[str | None, NAME] = setting(
        "They go to a VIP of this router.", otherwise="see `addresses`", example="public"
    )
    addresses: Networks = setting(
        "They go to one of these addresses or networks. What is no VIP need not be an address of this machine: haman"
        " takes such packets out of those that pass it as a router.",
        otherwise="to anywhere, if there is no `router` either",
        example=["10.0.0.100", "203.0.113.0/28"],
    )
    exclude: Networks = setting(
        "They do not go to one of these.", otherwise="nothing is left out", example=["10.0.0.0/8"]
    )
    sources: Networks = setting(
        "They come from one of these networks.", otherwise="from anywhere", example=["192.168.0.0/16"]
    )
    dev: InterfaceNameOrNone = setting("They came in by this interface.", otherwise="by any", example="eth1")
    protocol: Annotated[Protocol | None, Choice("a protocol", Protocol)] = setting(
        "They are of this protocol.", otherwise="all that IPVS balances: TCP, UDP and SCTP", example="udp"
    )
    ports: Annotated[list[Annotated[tuple[int, int], PortRange()]] | None, LeftOut(), Field(min_length=1)] = setting(
        "They go to one of these ports.", otherwise="to any", example=[80, 443, "8000-8100"]
    )


class Service(Shape):
    """A virtual service: an `address` with a `port` or `ports`, or a firewall mark. Each port becomes one IPVS
    service, and a server's health counts for each port by itself."""

    address: IpOrNone = setting(
        "The VIP that clients call, one of a router's.", otherwise="the service has a `fwmark`", example="10.0.0.100"
    )
    port: PortOrNone = setting("The port that clients call.", otherwise="see `ports`", example=80)
    ports: Annotated[list[Port] | None, LeftOut(), Field(min_length=1)] = setting(
        "Several ports, in place of `port`.", otherwise="see `port`", example=[80, 443]
    )
    protocol: Annotated[Protocol | None, Choice("a protocol", Protocol)] = setting(
        "The transport protocol. A service with a `fwmark` has none: the mark decides.",
        otherwise="`tcp`",
        example="udp",
    )
    fwmark: Annotated[int | None, Whole(1, 2**32 - 1)] = setting(
        "In place of `address`: whatever bears this firewall mark, be it many VIPs, ports and protocols. With `match`"
        " haman sets it, without a packet filter of yours. Hexadecimal is fine: `0x10`.",
        otherwise="the service has an `address`",
        example=7,
    )
    match: Annotated[list[Match] | None, LeftOut(), Field(min_length=1)] = setting(
        "Which packets haman marks with the `fwmark`: those that fit one of these entries.",
        otherwise="none: a packet filter of yours does",
        example=[{"router": "public", "protocol": "tcp", "ports": [80, 443, "8000-8100"]}],
    )
    masquerade: Flag = setting(
        "Packets leave with the director's own address, although they go on to the address they had: for servers that"
        " are routers to the outside. Needs a `match`.",
        default=False,
        example=True,
    )
    family: Annotated[Family | None, Choice("an address family", Family)] = setting(
        "Which marked packets are meant; IPv4 and IPv6 with one mark are two services.",
        otherwise="`ipv4`",
        example="ipv6",
    )
    scheduler: Annotated[Scheduler, Choice("a scheduler", Scheduler)] = setting(
        "How new connections are shared out. `mh` (Maglev hashing) chooses by the client's address and port alone,"
        " so every director chooses alike: connections that are too young to have been synchronised survive a"
        " takeover, and directors can be real servers themselves. `wlc` follows the number of connections.",
        default="mh",
        example="wlc",
    )
    flags: Annotated[list[Annotated[SchedulerFlag, Choice("a scheduler flag", SchedulerFlag)]] | None, LeftOut()] = (
        setting(
            "Options of `mh` and `sh`. `mh-port`, `sh-port`: hash the client's port too, without it all connections of"
            " a client go to one server; `mh-fallback`, `sh-fallback`: choose another server when the first has no"
            " weight any more, where without it those clients are refused.",
            otherwise="`[mh-port, mh-fallback]` with `mh`, else none",
            example=["sh-port", "sh-fallback"],
        )
    )
    forward: Annotated[Forward, FORWARD] = setting(
        "How packets reach the servers. `dr`: unchanged, over a common segment; the server has the VIP on `lo` and"
        " answers the client itself. `nat`: addressed to the server; its answers must come back through the"
        " director. `tun`: wrapped, over any distance; the server answers the client itself. `fullnat`: addressed to"
        " the server, and coming from the director: the server needs nothing, wherever it stands, and does not see the"
        " client's address.",
        default="dr",
        example="nat",
    )
    source: Source = setting(
        "The address that servers see, with `forward: fullnat`. An address written here must be one of the active"
        " director's, best a VIP: a server's answers go there. Of several each client keeps one.",
        otherwise="`masquerade`",
        example=["10.0.0.100", "10.0.0.101"],
    )
    tunnel: Annotated[Tunnel | None, LeftOut()] = setting(
        "The tunnel, with `forward: tun`.", otherwise="`ipip`", example={"type": "gue", "port": 6080}
    )
    check: CheckOrName = setting(
        "The health check: a name from `checks`, or a check written here. `false`: none, the servers count as"
        " healthy for ever.",
        otherwise="none, with a warning",
        example="front",
    )
    servers: Annotated[dict[Name, Server], Field(min_length=1)] = setting(
        "The real servers, by name. The name appears in logs, metrics and commands.",
        example={"rs1": {"address": "10.0.0.11", "weight": 2}, "lb1": {"director": "lb1"}},
    )
    minimum_up: Annotated[Floor, FloorText()] = setting(
        "Checks never take out more servers than this leaves: when the check itself is broken, the service goes on."
        " A percentage is rounded up.",
        default=0,
        example="50%",
    )
    on_failure: Annotated[
        OnFailure, Choice("an action", OnFailure, others={"drain": "quiesce", "inhibit": "quiesce", "delete": "remove"})
    ] = setting(
        "What happens to a failed server. `remove`: it leaves the kernel's table, and its connections are moved or"
        " reset. `quiesce`: it stays with weight 0, and its connections stay with it.",
        default="remove",
        example="quiesce",
    )
    persistence: Annotated[Persistence | None, LeftOut()] = setting(
        "Keep a client with its server.", otherwise="every connection by itself", example={"timeout": "10m"}
    )
    one_packet: Flag = setting(
        "Schedule every UDP packet by itself, for protocols of one question and one answer such as DNS.",
        default=False,
        example=True,
    )
    backup: Annotated[list[Backup] | None, LeftOut(), Field(min_length=1)] = setting(
        "Other sites that serve when local servers cannot, in the order in which they are used; one that is down is"
        " passed over.",
        otherwise="none",
        example=[{"address": "203.0.113.10", "check": "far"}],
    )
    failover: Annotated[Failover | None, LeftOut()] = setting(
        "When a backup serves, and when no more.",
        otherwise="when no local server is left, until 50% were up for 30 s",
        example={"when_below": "30%", "hold": "5s"},
    )
