"""What is around election and balancing: connection sync, timeouts, hooks, metrics, log."""

from __future__ import annotations

from enum import Enum
from ipaddress import IPv4Address
from typing import Annotated

from pydantic import Field

from haman.config.forms.addresses import Endpoint, Group
from haman.config.forms.around import Argument, CommandText
from haman.config.forms.numbers import Duration, Size, Whole
from haman.config.forms.trackers import FilePath
from haman.config.forms.words import NAME, Choice
from haman.config.shape.base import Either, LeftOut, Shape, setting
from haman.config.shape.services import FAR
from haman.config.shape.types import Flag, InterfaceName, InterfaceNameOrNone, Name, Port
from haman.model.cluster import HookEvent, Listen, LogFormat


class LogLevel(Enum):
    DEBUG = "debug"
    INFO = "info"
    WARNING = "warning"
    ERROR = "error"


_OTHER_EVENTS = {
    "master": "active",
    "backup": "standby",
    "notify": "active",
    "up": "server-up",
    "down": "server-down",
    "stopped": "stop",
    "quorum-up": "service-up",
    "quorum-down": "service-down",
    "master_rx_lower_pri": "rival",
}
"""Words that people know from elsewhere, and ours for them."""


class Sync(Shape):
    """Connection synchronisation: every director tells the others its connections, so that they survive a
    takeover. Both of the kernel's sync daemons run on every director for ever."""

    interface: InterfaceNameOrNone = setting(
        "The interface that connections are told over. A network of its own keeps them off the clients' one.",
        otherwise="each director's interface for the first router",
        example="eth1",
    )
    interfaces: dict[Name, InterfaceName] = setting(
        "The same by director, where names differ.", default={}, example={"lb1": "ens4", "lb2": "enp1s0"}
    )
    id: Annotated[int | None, Whole(1, 255, why="write 1 to 255: a backup with 0 would take any cluster's")] = setting(
        "The cluster's number on that network; two clusters on one network need two.",
        otherwise="the `vrid` of the first router",
        example=51,
    )
    group: Annotated[IPv4Address, Group()] = setting("The multicast group.", default="224.0.0.81", example="224.0.0.82")
    port: Port = setting("The UDP port.", default=8848, example=8849)
    ttl: Annotated[int, Whole(1, 255)] = setting("How many routers a message may pass, plus one.", default=1, example=2)
    max_length: Annotated[int | None, Size(1, 65507)] = setting(
        "The longest message. A short one is full sooner and so arrives sooner, at the price of more of them.",
        otherwise="what fits into one Ethernet frame",
        example="500B",
    )
    wait: Annotated[float, Duration("0s", "1h")] = setting(
        "How long a director that came up leaves a living, worse one active at most, because it does not hold its"
        " connections yet. `0s`: it does not wait for them. Nobody waits where nobody is active.",
        default="60s",
        example="5m",
    )
    backup_only: Flag = setting(
        "A standby schedules nothing (`net.ipv4.vs.backup_only`): for directors that are real servers, with any"
        " scheduler and without a packet filter. A takeover costs some new connections; docs/how-to/two-box.md"
        " compares the ways. All routers have to be one election.",
        default=False,
        example=True,
    )


class Channel(Shape):
    """The directors' channel: once a second, beside VRRP, each tells the others whether its table is loaded and its
    servers are checked, and by which configuration it lives. It goes between the directors' addresses, and is never
    needed for an election."""

    port: Port = setting("The UDP port.", default=8850, example=8851)
    key_file: Annotated[str | None, FilePath()] = setting(
        "A file with a secret of 16 bytes or more, the same on every director: messages that are not signed with it are"
        " refused. Only root may read it. With `authentication` its keys sign, and this is left out.",
        otherwise="without `authentication` messages are not signed; only those from directors' addresses are read",
        example="/etc/haman/channel.key",
    )


class Timeouts(Shape):
    """After how long without packets the kernel forgets a connection of IPVS. What is left out is left alone: a time
    that was written here before a reload stays in the kernel until another is written, or until the next boot."""

    tcp: Annotated[float | None, Duration("1s", FAR, "1s")] = setting(
        "Established TCP connections.", otherwise="the kernel's, 15m", example="15m"
    )
    tcp_fin: Annotated[float | None, Duration("1s", FAR, "1s")] = setting(
        "TCP connections after the first FIN.", otherwise="the kernel's, 2m", example="2m"
    )
    udp: Annotated[float | None, Duration("1s", FAR, "1s")] = setting(
        "UDP, from the last packet.", otherwise="the kernel's, 5m", example="5m"
    )


class Hook(Shape):
    """A program of yours that is run when a router's role, or a service's or server's state, changes here. Of one
    object the programs run one after the other, in the order of events. A program is given `INSTANCE <router>
    MASTER|BACKUP|FAULT|STOP <priority>` as its last arguments, as keepalived does, and the whole event in its
    environment and as JSON on standard input: see docs/reference/hooks.md."""

    on: Annotated[
        list[
            Annotated[
                HookEvent,
                Choice("an event", HookEvent, others=_OTHER_EVENTS),
            ]
        ],
        Field(min_length=1),
    ] = setting(
        "What runs it: a router's new role; `rival`, another router heard speaking as active; `split-brain`, one that"
        " goes on being active beside this one, and its end; what came of asking about"
        " a takeover (`takeover-confirmed`, `takeover-unconfirmed`, `second-owner`); a service's new state"
        " (`service-floor`: kept up by `minimum_up` alone); a server's.",
        example=["active", "standby", "fault", "stop"],
    )
    run: Annotated[
        list[str],
        Either(
            "a command line, or a list of its words",
            {
                "text": Annotated[list[str], CommandText()],
                "list": Annotated[list[Annotated[str, Argument()]], Field(min_length=1)],
            },
        ),
    ] = setting(
        "The program by its absolute path, and its arguments. No shell is involved: no `|`, `>`, `$` or `*`.",
        example="/etc/haman/hooks/notify.sh --quiet",
    )
    timeout: Annotated[float, Duration("100ms", "10m")] = setting(
        "After that it is killed with all it has started, and the next hook runs.", default="10s", example="30s"
    )
    user: Annotated[str | None, NAME] = setting(
        "The user it runs as. As root runs only what root alone can change: the program and every directory above it.",
        otherwise="`haman-hooks` where there is such a user, else `nobody`; never root",
        example="root",
    )
    routers: Annotated[list[Name] | None, LeftOut(), Field(min_length=1)] = setting(
        "The routers whose changes run it.", otherwise="all of them, unless `groups` is written", example=["public"]
    )
    groups: Annotated[list[Name] | None, LeftOut(), Field(min_length=1)] = setting(
        "The sync groups whose changes run it. It is told once for the group, and not for its routers.",
        otherwise="none",
        example=["both"],
    )
    services: Annotated[list[Name] | None, LeftOut(), Field(min_length=1)] = setting(
        "The services whose changes, and whose servers' changes, run it.", otherwise="all of them", example=["web"]
    )
    arguments: Flag = setting(
        "Whether it is told in its arguments, behind its own, what happened. keepalived does so for `notify`, and not"
        " for `notify_master` and its kin.",
        default=True,
        example=False,
    )


class Metrics(Shape):
    """Figures for Prometheus, at `/metrics`."""

    listen: Annotated[Listen, Endpoint()] = setting("Where they can be fetched.", example="127.0.0.1:9112")


class Control(Shape):
    """The socket that `haman status` and the other verbs ask: a file, so who may is decided by its owner and mode."""

    group: Annotated[str | None, NAME] = setting(
        "The group of /run/haman/control.sock (mode 0660): its members may ask everything and reload.",
        otherwise="root's: nobody but root",
        example="haman",
    )


class Log(Shape):
    """What haman says, on standard error."""

    format: Annotated[LogFormat, Choice("a log format", LogFormat)] = setting(
        "`text` for people, `json` for one JSON object a line.", default="text", example="json"
    )
    level: Annotated[LogLevel, Choice("a log level", LogLevel, others={"warn": "warning", "err": "error"})] = setting(
        "The least that is said.", default="info", example="debug"
    )
