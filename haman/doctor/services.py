"""Services: schedulers that refuse clients, and marks that nobody sets."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from haman.doctor.finding import Finding

if TYPE_CHECKING:
    from collections.abc import Iterator

    from haman.doctor.scene import Scene
    from haman.model.services import Service


def examine(scene: Scene) -> Iterator[Finding]:
    if scene.cluster is None or scene.node is None:
        return
    for service in scene.cluster.services_of(scene.node):
        yield from _refusing(scene, service)
        if service.fwmark is not None and not service.match:  # what haman marks itself is in its own table
            yield from _unmarked(scene, service)


def _refusing(scene: Scene, service: Service) -> Iterator[Finding]:
    if service.scheduler not in ("sh", "mh") or f"{service.scheduler}-fallback" in service.flags:
        return
    idle = {server.name for server in service.servers.values() if server.weight == 0}
    if scene.status is not None:
        idle |= {
            server["name"]
            for each in scene.status.get("services", ())
            if each["name"] == service.name
            for server in each["servers"]
            if server["weight"] == 0
        }
    if idle:
        yield Finding(
            what=f"service {service.name} refuses the clients of {', '.join(sorted(idle))}",
            evidence=f"scheduler {service.scheduler} without {service.scheduler}-fallback, and weight 0 there",
            consequence=f"{service.scheduler} chooses first and looks at the weight then: that share of the clients is"
            " refused",
            fix=f"flags: [{service.scheduler}-port, {service.scheduler}-fallback]",
        )


def _unmarked(scene: Scene, service: Service) -> Iterator[Finding]:
    """Nothing else tells: unmarked packets are simply answered by the active director itself."""
    if scene.rules is None or (scene.read("net/ip_tables_names") or scene.read("net/ip6_tables_names")):
        return  # rules of the old iptables do not show here
    if service.fwmark in set(_marks(list(scene.rules))):
        return
    yield Finding(
        what=f"nothing marks packets with {service.fwmark} for service {service.name}",
        evidence="nft list ruleset has no rule that sets this mark",
        consequence="the service gets no packet: the active director answers, or refuses, everything itself",
        fix="load the rules, for example: nft add rule inet mangle prerouting ip daddr VIP tcp dport 80 meta mark set"
        f" {service.fwmark} (chain of type filter, hook prerouting, priority mangle)",
    )


def _marks(value: Any) -> Iterator[int]:
    """Every number that a `mangle` statement gives to the packet's mark, maps included."""
    if isinstance(value, dict):
        mangle = value.get("mangle")
        if isinstance(mangle, dict) and mangle.get("key") == {"meta": {"key": "mark"}}:
            yield from _numbers(mangle.get("value"))
        if value.get("map") in ("mark", ["mark"]):  # a named map's elements
            yield from _numbers(value.get("elem"))
        for each in value.values():
            yield from _marks(each)
    elif isinstance(value, list):
        for each in value:
            yield from _marks(each)


def _numbers(value: Any) -> Iterator[int]:
    if isinstance(value, bool):
        return
    if isinstance(value, int):
        yield value
    elif isinstance(value, dict):
        for each in value.values():
            yield from _numbers(each)
    elif isinstance(value, list):
        for each in value:
            yield from _numbers(each)
