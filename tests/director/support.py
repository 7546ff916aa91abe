"""A small cluster, and the elector's end of a link."""

from __future__ import annotations

import socket
import time
from dataclasses import replace
from ipaddress import IPv4Address, IPv4Interface
from typing import TYPE_CHECKING, Any

from haman.model.checks import Check, TcpProbe
from haman.model.cluster import Cluster
from haman.model.elector import Heartbeat, RoleReport
from haman.model.routers import Director, Member, Router, VirtualAddress
from haman.model.services import Protocol, Server, Service
from haman.model.transition import Kind, Role, Transition
from haman.wire import link

if TYPE_CHECKING:
    from haman.model.elector import Message

CHECK = Check(name="front", probe=TcpProbe(), interval=0.2, fast_interval=0.1, timeout=0.2, rise=1, fall=2, jitter=0.0)


def cluster(**changes: Any) -> Cluster:
    """`web`: directors lb1 (priority 150) and lb2 (100), router `public` with two VIPs, service `web` on one."""
    directors = {
        name: Director(name=name, address=IPv4Address(address))
        for name, address in (("lb1", "10.0.0.1"), ("lb2", "10.0.0.2"))
    }
    members = {
        name: Member(director=name, priority=priority, interface="eth0", address=directors[name].address)
        for name, priority in (("lb1", 150), ("lb2", 100))
    }
    vips = (
        VirtualAddress(interface=IPv4Interface("10.0.0.100/24"), device="eth0"),
        VirtualAddress(interface=IPv4Interface("10.0.1.100/24"), device="eth1", pinned=True),
    )
    router = Router(name="public", vrid=51, advert_interval=0.1, addresses=vips, members=members)
    plain = Cluster(name="web", directors=directors, routers={"public": router}, services={"web": service()})
    return replace(plain, **changes)


def service(name: str = "web", address: str = "10.0.0.100", port: int = 80, check: Check | None = CHECK) -> Service:
    servers = {
        f"rs{number}": Server(name=f"rs{number}", address=IPv4Address(f"127.0.0.{number}"), weight=number)
        for number in (1, 2)
    }
    return Service(
        name=name,
        servers=servers,
        scheduler="mh",
        protocol=Protocol.TCP,
        address=IPv4Address(address),
        ports=(port,),
        check=check,
    )


def report(role: Role, router: str = "public", **changes: Any) -> RoleReport:
    plain = RoleReport(
        router=router, role=role, priority=150, holds=role is Role.ACTIVE, since=time.monotonic(), why="said the test"
    )
    return replace(plain, **changes)


def change(before: str, after: str, who: str = "public", kind: Kind = Kind.ROUTER) -> Transition:
    return Transition(kind=kind, who=who, before=before, after=after, why="said the test", cause="test", at=time.time())


def stall(seconds: float) -> None:
    """Block the loop, as a starved or frozen machine does."""
    time.sleep(seconds)


class Elector:
    """The other end: speaks the same frames over a real socketpair, synchronously."""

    def __init__(self) -> None:
        self.socket, self.theirs = socket.socketpair()
        self.socket.settimeout(5)
        self._decoder = link.Decoder()
        self._read: list[Message] = []

    def send(self, *messages: Message) -> None:
        for message in messages:
            self.socket.sendall(link.encode(message))

    def beat(self, patience: float, *, ago: float = 0.0) -> None:
        self.send(Heartbeat(sent=time.monotonic() - ago, patience=patience))

    def receive(self) -> list[Message]:
        """What has come and was not given out yet; waits for something (5 s at most)."""
        while not self._read:
            data = self.socket.recv(1 << 16)
            if not data:
                return []
            self._read += self._decoder.feed(data)
        read, self._read = self._read, []
        return read

    def close(self) -> None:
        self.socket.close()
