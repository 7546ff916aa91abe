"""What a check asks: one mapping for each kind of question."""

from __future__ import annotations

from enum import Enum
from typing import Annotated

from pydantic import Field

from haman.config.forms.around import Argument, CommandText
from haman.config.forms.dns import DomainName, Mnemonic
from haman.config.forms.http import HeaderName, HeaderValue, HostHeader, HttpPath, PatternText, StatusRange, Version
from haman.config.forms.numbers import Duration, Size, Whole
from haman.config.forms.payload import HexBytes, TextBytes
from haman.config.forms.words import FILE, HOST_NAME, NAME, Choice
from haman.config.shape.base import Either, Shape, setting
from haman.config.shape.types import Flag, InterfaceNameOrNone
from haman.wire import dns

Status = Annotated[tuple[int, int], StatusRange()]
Rcode = Annotated[int, Mnemonic("a response code", dns.Rcode, upper=False)]
RE2 = Annotated[str | None, PatternText()]
FileOrNone = Annotated[str | None, FILE]


class Method(Enum):
    GET = "GET"
    HEAD = "HEAD"
    OPTIONS = "OPTIONS"
    POST = "POST"
    PUT = "PUT"
    PATCH = "PATCH"


class Transport(Enum):
    UDP = "udp"
    TCP = "tcp"
    BOTH = "both"


class Tcp(Shape):
    """Healthy when a TCP connection is established. There is nothing to set: `tcp: {}`."""


class Ping(Shape):
    """Healthy when an ICMP echo request is answered: the machine is there, whatever its services do. There is nothing
    to set: `ping: {}`."""


class Http(Shape):
    """Healthy when a request is answered with one of the wanted statuses, and the wanted body if one is asked for. A
    redirect is an answer like any other, and is not followed."""

    path: Annotated[str, HttpPath()] = setting("What is asked for.", default="/", example="/healthz")
    host: Annotated[str | None, HostHeader()] = setting(
        "The Host header. With TLS also the name that the server is asked for and that its certificate must bear,"
        " unless `server_name` says another.",
        otherwise="the server's address, with its port if that is not the usual one",
        example="www.example.com",
    )
    status: Annotated[
        list[tuple[int, int]] | tuple[int, int],
        Either("a status or a list of them", {"number": Status, "text": Status, "list": list[Status]}),
    ] = setting(
        "The statuses of a healthy server: one, a range, or a list of both.",
        default="200-299",
        example=[200, "300-399"],
    )
    expect: RE2 = setting(
        "What the body must hold somewhere. `^` and `$` are its beginning and its end, `(?s)` lets `.` match line"
        " breaks.",
        otherwise="the body is not read",
        example="database: (up|degraded)",
    )
    reject: RE2 = setting("What the body must not hold.", otherwise="the body is not read", example="(?i)maintenance")
    read: Annotated[int, Size(1, 1 << 20)] = setting(
        "How much of the body is looked at. Of a longer one the rest is not read.", default="64KiB", example="4KiB"
    )
    method: Annotated[Method, Choice("a method", Method, others={m.value.lower(): m.value for m in Method})] = setting(
        "The request's method.", default="GET", example="HEAD"
    )
    headers: dict[Annotated[str, HeaderName()], Annotated[str, HeaderValue()]] = setting(
        "Further header fields. They may be secrets: they are never logged.",
        default={},
        example={"X-Check": "haman"},
    )
    send: Annotated[bytes | None, TextBytes()] = setting(
        "The request's body. Its type is a header field: `headers: {Content-Type: application/json}`.",
        otherwise="there is none",
        example='{"ping": true}',
    )
    protocol: Annotated[str, Version("HTTP", ("1.1", "1.0"))] = setting(
        "The version of HTTP in the request. Answers of both are understood.", default="1.1", example="1.0"
    )


class Https(Http):
    """The same over TLS. The server's certificate is verified unless that is turned off, and its end is watched."""

    verify: Flag = setting(
        "Whether the certificate must be valid: issued by a known authority, for this name, and for today.",
        default=True,
        example=False,
    )
    server_name: Annotated[str | None, HOST_NAME] = setting(
        "The name that the server is asked for (SNI) and that its certificate must bear.",
        otherwise="`host` without its port; without that the server's address",
        example="www.example.com",
    )
    ca: FileOrNone = setting(
        "A file with the authorities that count, in PEM form.",
        otherwise="those that this machine trusts",
        example="/etc/haman/ca.pem",
    )
    certificate: FileOrNone = setting(
        "A file with a certificate of our own for servers that ask for one, in PEM form.",
        otherwise="none is shown",
        example="/etc/haman/client.pem",
    )
    key: FileOrNone = setting(
        "A file with the key to that, without a password.",
        otherwise="it is in the file of the `certificate`",
        example="/etc/haman/client.key",
    )
    minimum_version: Annotated[str, Version("TLS", ("1.2", "1.3"))] = setting(
        "The oldest version of TLS that is good enough.", default="1.2", example="1.3"
    )
    warn_before: Annotated[float, Duration("0s", "365d")] = setting(
        "How long before the end of the server's certificate haman warns, in the log and in `haman status`. The server"
        " stays in until the certificate is really over. `0s`: never.",
        default="14d",
        example="30d",
    )


class Dns(Shape):
    """Healthy when a name server answers a question as expected. What is not an answer to this very question, by its
    id, its question or its source, is passed over."""

    name: Annotated[str, DomainName()] = setting("The name that is asked about.", example="www.example.com")
    type: Annotated[int, Mnemonic("a record type", dns.Type, upper=True)] = setting(
        "The type of record that is asked for.", default="A", example="SOA"
    )
    class_: Annotated[int, Mnemonic("a class", dns.Class, upper=True)] = setting(
        "The class. `CH` with the name `version.bind` and the type `TXT` asks many servers for their version.",
        default="IN",
        example="CH",
        alias="class",
    )
    rcode: Annotated[
        list[int] | int, Either("a response code or a list of them", {"text": Rcode, "list": list[Rcode]})
    ] = setting("The response codes of a healthy server.", default="noerror", example=["noerror", "nxdomain"])
    answers: list[Annotated[str, Argument()]] = setting(
        "Records that must all be among the answers, as a zone file has them: an address, a name, `10 mail.example.com`"
        " for MX, the text of a TXT record, hexadecimal digits for other types (`'\\# 2 0a0b'`).",
        default=[],
        example=["192.0.2.10", "192.0.2.11"],
    )
    serial: Annotated[int | None, Whole(0, 2**32 - 1)] = setting(
        "The oldest serial number of the zone that is good enough, with `type: SOA`. Serial numbers go round, as RFC"
        " 1982 has it.",
        otherwise="any",
        example=2026112200,
    )
    recursion: Flag = setting(
        "Whether the server is asked to ask others. Without, only what it knows itself counts.",
        default=True,
        example=False,
    )
    transport: Annotated[Transport, Choice("a transport", Transport)] = setting(
        "How the question travels. `both`: over UDP, and once that was answered well, over TCP, within the same"
        " `timeout`; a healthy server answers both.",
        default="udp",
        example="tcp",
    )
    tcp_fallback: Flag = setting(
        "Whether an answer that was cut off for want of room is asked for again over TCP, within the same `timeout`."
        " Without, it counts as it is.",
        default=False,
        example=True,
    )


class Hex(Shape):
    """Bytes that are no text."""

    hex: Annotated[bytes, HexBytes()] = setting("The bytes, in hexadecimal digits.", example="0a0b 0c")


Payload = Either("text, or a mapping with 'hex'", {"text": Annotated[bytes, TextBytes()], "mapping": Hex})


class Udp(Shape):
    """Healthy when a datagram is answered as expected. An ICMP "port unreachable" is a failure at once."""

    send: Annotated[bytes | Hex, Payload] = setting("What is sent.", example={"hex": "ff ff ff ff 54"})
    starts_with: Annotated[bytes | Hex | None, Payload] = setting(
        "How the answer must begin.", otherwise="in any way", example={"hex": "ff ff ff ff 49"}
    )
    expect: RE2 = setting("What the answer must hold somewhere.", otherwise="anything", example="players: [0-9]+")
    require_reply: Flag = setting(
        "Whether silence is a failure. With `false` a server is healthy unless its machine says within the `timeout`"
        " that nobody listens on the port: a machine that is off, or a firewall that drops, then passes too.",
        default=True,
        example=False,
    )


class Source(Shape):
    """Where a check's packets leave this machine. Servers are asked from each director's own addresses; one with
    several ways to them may have to be told which."""

    interface: InterfaceNameOrNone = setting(
        "They leave over this interface, which must have the same name on every director.",
        otherwise="as the routing table has it",
        example="eth1",
    )
    mark: Annotated[int | None, Whole(1, 2**32 - 1)] = setting(
        "They bear this firewall mark: `ip rule add fwmark 7 table 7` gives them a routing table of their own, which"
        " can also choose their source address.",
        otherwise="they bear none",
        example=7,
    )


class Script(Shape):
    """Healthy when a program of yours ends with status 0, as keepalived's MISC_CHECK has it. At the `timeout` it is
    killed with all it has started; at most 32 run at a time. It is given `HAMAN_ADDRESS`, `HAMAN_PORT` and
    `HAMAN_TIMEOUT` in its environment, and the last line it prints is shown."""

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
        "The program by its absolute path, and its arguments, in which `{address}` and `{port}` become the server's. No"
        " shell is involved.",
        example="/usr/lib/nagios/plugins/check_pgsql -H {address} -P {port}",
    )
    user: Annotated[str | None, NAME] = setting(
        "The user it runs as.",
        otherwise="`haman-hooks` where there is such a user, else `nobody`; never root",
        example="nagios",
    )
    dynamic: Flag = setting(
        "Whether 2 to 255 is healthy too and sets the server's weight to two less: 2 is weight 0, 255 is 253. 0 is"
        " healthy with the configured weight, 1 is a failure.",
        default=False,
        example=True,
    )
