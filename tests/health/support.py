"""Small clusters for the tests of health."""

from __future__ import annotations

from ipaddress import IPv4Address

from haman.model.checks import Check, TcpProbe
from haman.model.services import Floor, OnFailure, Protocol, Server, Service, Target

CHECK = Check(name="front", probe=TcpProbe(), interval=2.0, fast_interval=0.5, timeout=1.0, rise=2, fall=3, jitter=0.0)


def service(
    *weights: int,
    floor: Floor = Floor(),  # noqa: B008 - frozen
    ports: tuple[int, ...] = (80,),
    check: Check | None = CHECK,
    on_failure: OnFailure = OnFailure.REMOVE,
    own_ports: dict[str, int] | None = None,
) -> Service:
    """`web` at 192.0.2.1 with servers rs1, rs2, ... of the given weights."""
    servers = {
        f"rs{number}": Server(
            name=f"rs{number}",
            address=IPv4Address(f"10.0.0.{number}"),
            weight=weight,
            port=(own_ports or {}).get(f"rs{number}"),
        )
        for number, weight in enumerate(weights, 1)
    }
    return Service(
        name="web",
        servers=servers,
        scheduler="mh",
        protocol=Protocol.TCP,
        address=IPv4Address("192.0.2.1"),
        ports=ports,
        check=check,
        minimum_up=floor,
        on_failure=on_failure,
    )


def target(number: int, port: int = 80) -> Target:
    return Target("web", f"rs{number}", port)
