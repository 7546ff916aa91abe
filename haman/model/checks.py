"""What real servers are asked, and when. Durations are seconds."""

from __future__ import annotations

from dataclasses import dataclass, field


@dataclass(frozen=True, slots=True, kw_only=True)
class TcpProbe:
    """Healthy when a TCP connection is established."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Tls:
    """verify: the certificate must be issued by `ca` (a file; None: whom this machine trusts) for `server_name` (None:
    for the server's address). certificate, key: files with our own ones. warn_before: seconds before the end of the
    server's certificate."""

    verify: bool = True
    server_name: str | None = None
    ca: str | None = None
    certificate: str | None = None
    key: str | None = None  # None: in the certificate's file
    minimum_version: str = "1.2"
    warn_before: float = 14 * 86400.0


@dataclass(frozen=True, slots=True, kw_only=True)
class HttpProbe:
    """Healthy when the request is answered with a status inside one of `statuses` (inclusive ranges), and the first
    `read` bytes of the body hold something that `expect` matches and nothing that `reject` does (RE2 patterns).

    What may be secret is not in its repr."""

    path: str = field(default="/", repr=False)
    host: str | None = None
    statuses: tuple[tuple[int, int], ...] = ((200, 299),)
    method: str = "GET"
    version: str = "1.1"
    headers: tuple[tuple[str, str], ...] = field(default=(), repr=False)
    body: bytes | None = field(default=None, repr=False)
    expect: str | None = None
    reject: str | None = None
    read: int = 65536
    tls: Tls | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class DnsProbe:
    """Healthy when the question is answered with one of `rcodes`, with all of `answers` (in the form of wire.rdata)
    among the records of the type asked, and with an SOA serial that is not older than `serial`.

    tcp: over TCP in place of UDP. tcp_fallback: a truncated answer is asked for again over TCP. both: over UDP, and
    after a good or truncated answer over TCP too, whose answer counts."""

    name: str
    type: int
    class_: int = 1
    rcodes: frozenset[int] = frozenset({0})
    answers: tuple[str, ...] = ()
    serial: int | None = None
    recursion: bool = True
    tcp: bool = False
    tcp_fallback: bool = False
    both: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class UdpProbe:
    """Healthy when `send` is answered by a datagram that begins with `prefix` and holds something that `expect` (an RE2
    pattern) matches; without `require_reply` also when nothing comes back within the timeout."""

    send: bytes = field(default=b"", repr=False)
    prefix: bytes = b""
    expect: str | None = None
    require_reply: bool = True


@dataclass(frozen=True, slots=True, kw_only=True)
class PingProbe:
    """Healthy when an ICMP echo request is answered."""


@dataclass(frozen=True, slots=True, kw_only=True)
class ScriptProbe:
    """Healthy when the program exits with 0; with `dynamic` also with 2..255, which makes its weight two less.

    argv[0] is absolute, no shell is involved; `{address}` and `{port}` in the other words become the server's. user
    None: see haman.accounts."""

    argv: tuple[str, ...]
    user: str | None = None
    dynamic: bool = False


Probe = TcpProbe | HttpProbe | DnsProbe | UdpProbe | PingProbe | ScriptProbe


@dataclass(frozen=True, slots=True, kw_only=True)
class Source:
    """Where a check's packets leave: over this interface, with this firewall mark, for `ip rule`."""

    interface: str | None = None
    mark: int | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Check:
    """When and how a server is asked. interval, fast_interval (used while in doubt), timeout: seconds;
    jitter: share of the interval, 0..0.5; rise and fall: results in a row that change the verdict."""

    name: str
    probe: Probe
    interval: float = 2.0
    fast_interval: float = 0.5
    timeout: float = 1.0
    rise: int = 2
    fall: int = 3
    jitter: float = 0.05
    port: int | None = None  # None: the server's own port
    source: Source | None = None  # None: as the routing table has it

    @property
    def sets_weight(self) -> bool:
        """Its answers say with which weight a server is to serve."""
        return isinstance(self.probe, ScriptProbe) and self.probe.dynamic
