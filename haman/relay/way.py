"""The relay to one backup, on one port: its servers, its sessions or flows, their limits, and its end."""

from __future__ import annotations

from ipaddress import ip_address
from typing import TYPE_CHECKING, Generic, Protocol, TypeVar

from haman.relay.wheel import Wheel
from haman.wire import proxy

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

    from haman.model.addresses import Address
    from haman.model.services import Protocol as Transport
    from haman.relay.account import Account
    from haman.relay.poll import Poll
    from haman.relay.pool import Pool, Server


class Member(Protocol):
    """A session, or a flow."""

    seen: float
    over: bool
    to: Server | None

    @property
    def tried(self) -> tuple[str, ...]: ...

    @property
    def peer(self) -> tuple[str, int]: ...

    @property
    def port(self) -> int: ...

    def end(self, reason: str | None) -> None: ...


M = TypeVar("M", bound=Member)


class Way(Generic[M]):
    """name: `web@east`. called: the address clients call. told: takes lines for the log. account: of all ports.

    It is `idle` when it neither serves nor has sessions."""

    def __init__(
        self,
        name: str,
        protocol: Transport,
        called: Address,
        poll: Poll,
        account: Account,
        pool: Pool,
        told: Callable[[str], None],
    ) -> None:
        self.name = name
        self.poll = poll
        self.account = account
        self.pool = pool
        self.members: set[M] = set()
        self._protocol = protocol
        self._called = called
        self._told = told
        self._wheel: Wheel[M] = Wheel(account.terms.idle)
        self._ends_at: float | None = None

    # -- what a session asks of its owner ----------------------------------------------------------------------------

    def another(self, member: Member) -> Server | None:
        return self.pool.choose(member.peer[0], member.tried)

    def header(self, member: Member) -> bytes:
        version = self.account.terms.proxy
        if version is None:
            return b""
        client = ip_address(member.peer[0].partition("%")[0]), member.peer[1]
        return proxy.header(version, self._protocol, client, (self._called, member.port))

    def left(self, member: M, reason: str | None) -> None:
        self.members.discard(member)
        self._wheel.remove(member)
        self.account.leave()
        if reason is not None:
            self.refuse(reason)

    # -- what its front asks -----------------------------------------------------------------------------------------

    def refuse(self, reason: str) -> None:
        """One more was refused, or ended early."""
        if words := self.account.refuse(reason, self.poll.now):
            self._told(f"relay {self.name}: {words}")

    def take(self, member: M) -> None:
        """It has begun."""
        self.members.add(member)
        self._wheel.add(member)
        if self._ends_at is None and not self.pool.serves:  # it has come before the kernel's table followed
            self._ends_at = self.poll.now + self.account.terms.drain

    # -- what its worker asks ----------------------------------------------------------------------------------------

    def weigh(self, weights: Mapping[str, tuple[int, bool]]) -> None:
        """Sessions of a server that is down and does not serve end at once; those of a site that does not serve any
        more have `drain` seconds."""
        self.pool.weigh(weights)
        for member in [each for each in self.members if _lost(each.to)]:
            member.end("server_down")
        if self.pool.serves:
            self._ends_at = None
        elif self._ends_at is None and self.members:
            self._ends_at = self.poll.now + self.account.terms.drain

    def drain(self) -> None:
        """Whoever is left has `drain` seconds, whatever serves."""
        self.pool.weigh({name: (0, server.up) for name, server in self.pool.servers.items()})
        self._ends_at = self.poll.now + self.account.terms.drain

    def tick(self) -> None:
        """Call it now and then."""
        if self._wheel.idle != self.account.terms.idle:
            self._wheel.retime(self.account.terms.idle)
        for member in self._wheel.due(self.poll.now):
            if not member.over:
                member.end("idle")
        if self._ends_at is not None and self.poll.now >= self._ends_at:
            self._ends_at = None
            self.end("drained")

    def end(self, reason: str | None) -> None:
        """All of them, at once."""
        for member in list(self.members):
            member.end(reason)


def chosen(ways: Sequence[Way[M]]) -> Way[M]:
    """Of a port's ways, in the order of the backups: the one that takes what comes."""
    return next((each for each in ways if each.pool.serves), ways[0])


def _lost(server: Server | None) -> bool:
    return server is not None and not server.up and not server.weight
