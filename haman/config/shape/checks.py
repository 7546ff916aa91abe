"""Health checks: what is asked, how often, and how many answers change the verdict."""

from __future__ import annotations

from typing import Annotated

from haman.config.forms.numbers import Duration, Percent, Whole
from haman.config.shape.base import LeftOut, Shape, setting
from haman.config.shape.probes import Dns, Http, Https, Ping, Script, Source, Tcp, Udp
from haman.config.shape.types import PortOrNone

KINDS = ("tcp", "http", "https", "dns", "udp", "ping", "script")
"""The keys of which a check has exactly one."""


class Check(Shape):
    """A check has exactly one of `tcp`, `http`, `https`, `dns`, `udp`, `ping` and `script`: that is what is asked."""

    tcp: Annotated[Tcp | None, LeftOut()] = setting(
        "Ask by establishing a TCP connection: `tcp: {}`.", otherwise="not asked that way", example={}
    )
    http: Annotated[Http | None, LeftOut()] = setting(
        "Ask by an HTTP request.", otherwise="not asked that way", example={"path": "/healthz"}
    )
    https: Annotated[Https | None, LeftOut()] = setting(
        "Ask by an HTTP request over TLS.",
        otherwise="not asked that way",
        example={"path": "/healthz", "host": "www.example.com"},
    )
    dns: Annotated[Dns | None, LeftOut()] = setting(
        "Ask a name server a question.", otherwise="not asked that way", example={"name": "www.example.com"}
    )
    udp: Annotated[Udp | None, LeftOut()] = setting(
        "Ask by a UDP datagram of your own.", otherwise="not asked that way", example={"send": "ping"}
    )
    ping: Annotated[Ping | None, LeftOut()] = setting(
        "Ask for an ICMP echo: `ping: {}`.", otherwise="not asked that way", example={}
    )
    script: Annotated[Script | None, LeftOut()] = setting(
        "Ask a program of yours.", otherwise="not asked that way", example={"run": "/etc/haman/checks/queue.sh"}
    )
    port: PortOrNone = setting(
        "The port that is asked, for instance that of a status page. A ping has none.",
        otherwise="the port that the server's traffic goes to",
        example=8080,
    )
    source: Annotated[Source | None, LeftOut()] = setting(
        "Where the packets of this check leave.", otherwise="as the routing table has it", example={"interface": "eth1"}
    )
    interval: Annotated[float, Duration("10ms", "1h")] = setting(
        "How often a server is asked while nothing changes. It is never asked twice at once: an answer that takes"
        " longer delays the next question.",
        default="2s",
        example="1s",
    )
    fast_interval: Annotated[float | None, Duration("10ms", "1h")] = setting(
        "How often it is asked while in doubt: from the first answer that differs until the verdict.",
        otherwise="`500ms`, or `interval` if that is shorter",
        example="200ms",
    )
    timeout: Annotated[float, Duration("1ms", "10m")] = setting(
        "After how long no answer is a failure. It may be longer than `interval`, for servers that are slow now and"
        " then.",
        default="1s",
        example="500ms",
    )
    rise: Annotated[int, Whole(1, 100)] = setting(
        "Good answers in a row that bring a server back.", default=2, example=2
    )
    fall: Annotated[int, Whole(1, 100)] = setting("Failures in a row that take a server out.", default=3, example=3)
    jitter: Annotated[float, Percent(0, 50)] = setting(
        "By how much of `interval` each question is moved at random, so that many servers are not asked in one"
        " moment, nor one server by all directors.",
        default="5%",
        example="10%",
    )
