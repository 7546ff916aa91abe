"""Health checks: what is asked, how often, and how many answers change the verdict."""

from __future__ import annotations

from typing import Annotated

from haman.config.forms.around import HostHeader, HttpPath, StatusRange
from haman.config.forms.numbers import Duration, Percent, Whole
from haman.config.shape.base import Either, LeftOut, Shape, setting
from haman.config.shape.types import PortOrNone

Status = Annotated[tuple[int, int], StatusRange()]


class Tcp(Shape):
    """Healthy when a TCP connection is established. There is nothing to set: `tcp: {}`."""


class Http(Shape):
    """Healthy when a GET is answered with one of the wanted statuses."""

    path: Annotated[str, HttpPath()] = setting("What is asked for.", default="/", example="/healthz")
    host: Annotated[str | None, HostHeader()] = setting(
        "The Host header.", otherwise="the server's address, with its port if that is not 80", example="www.example.com"
    )
    status: Annotated[
        list[tuple[int, int]] | tuple[int, int],
        Either("a status or a list of them", {"number": Status, "text": Status, "list": list[Status]}),
    ] = setting(
        "The statuses of a healthy server: one, a range, or a list of both. A redirect is not followed.",
        default="200-299",
        example=[200, "300-399"],
    )


class Check(Shape):
    """A check has exactly one of `tcp` and `http`, which says what is asked."""

    tcp: Annotated[Tcp | None, LeftOut()] = setting(
        "Ask by establishing a TCP connection: `tcp: {}`.", otherwise="not asked that way", example={}
    )
    http: Annotated[Http | None, LeftOut()] = setting(
        "Ask by an HTTP GET.", otherwise="not asked that way", example={"path": "/healthz"}
    )
    port: PortOrNone = setting(
        "The port that is asked, for instance that of a status page.",
        otherwise="the port that the server's traffic goes to",
        example=8080,
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
