"""The other directors: can they be reached as the routers reach them, and who speaks for our routers?"""

from __future__ import annotations

import socket
from typing import TYPE_CHECKING

from haman.doctor.finding import Finding

if TYPE_CHECKING:
    from collections.abc import Iterator

    from haman.doctor.scene import Scene

_DISCARD = 9


def examine(scene: Scene) -> Iterator[Finding]:
    if scene.cluster is None or scene.node is None:
        return
    for router in scene.cluster.routers_of(scene.node):
        me = router.members[scene.node]
        if len(router.members) == 1:
            yield Finding(
                what=f"router {router.name} has one director",
                evidence="its members are " + ", ".join(router.members),
                consequence="nobody takes over when this machine fails",
                fix="add a second director",
                problem=False,
            )
        for member in router.members.values():
            if member.director == scene.node:
                continue
            source = _source(str(member.address))
            if source is None:
                yield Finding(
                    what=f"there is no way to director {member.director}",
                    evidence=f"ip route get {member.address}: unreachable",
                    consequence="unicast advertisements do not arrive: both become active",
                    fix="look at this machine's routes and at the director's `address`",
                )
            elif source != str(me.address):
                yield Finding(
                    what=f"packets to {member.director} leave from another address than router {router.name}'s",
                    evidence=f"ip route get {member.address}: src {source}, configured is {me.address}",
                    consequence="the two are on different networks, or a route goes before",
                    fix="correct the director's `address`, or the interface of the router on this director",
                    problem=False,
                )
    for each in scene.status["routers"] if scene.status is not None else ():
        peer = each["active_peer"]
        if peer is not None and peer["director"] is None:
            yield Finding(
                what=f"router {each['name']}: somebody who is no director of this cluster speaks for it",
                evidence=f"{peer['address']} advertises VRID {each['vrid']} with priority {peer['priority']}",
                consequence="another cluster uses this VRID on the same network, or a director is missing in the file: "
                "whoever has the higher priority takes the role from the other cluster",
                fix="give one of the two clusters another VRID",
            )
        if each["role"] == "fault":
            yield Finding(
                what=f"router {each['name']} is in fault",
                evidence=each["why"],
                consequence="this node takes no part in its election",
                fix="remove the cause; it comes back by itself",
            )


def _source(address: str) -> str | None:
    """From where packets to `address` would leave. Nothing is sent."""
    family = socket.AF_INET6 if ":" in address else socket.AF_INET
    with socket.socket(family, socket.SOCK_DGRAM) as probe:
        try:
            probe.connect((address, _DISCARD))
        except OSError:
            return None
        return str(probe.getsockname()[0])
