"""The arbiter: is it reached now, and can enough of those that are asked ever say yes?"""

from __future__ import annotations

from ipaddress import ip_network
from typing import TYPE_CHECKING

from haman.doctor.finding import Finding

if TYPE_CHECKING:
    from collections.abc import Iterator

    from haman.doctor.scene import Scene
    from haman.model.arbiter import Arbiter


def examine(scene: Scene) -> Iterator[Finding]:
    if scene.cluster is None or scene.node is None or scene.cluster.arbiter is None:
        return
    arbiter, said = scene.cluster.arbiter, (scene.status or {}).get("arbiter")
    asked = len(arbiter.ping) + len(arbiter.arp) + len(arbiter.directors)
    hopeless = dict(_hopeless(scene, arbiter))
    if asked - len(hopeless) < arbiter.quorum:
        yield Finding(
            what="the arbiter can never say yes to this director",
            evidence=f"{arbiter.quorum} of {asked} must, and {_listed(hopeless)}",
            consequence=_without(arbiter),
            fix="name machines that this director reaches, or mend the way to those that are named",
        )
    elif said is not None and said["state"] == "down":
        yield Finding(
            what="the arbiter is not reached from this director",
            evidence=said["why"],
            consequence=f"{_without(arbiter)}, as long as another director reaches it",
            fix="ask it by hand (arping, ping), and look at what is in between; if it is dead, name another machine",
        )
    elif hopeless:
        yield Finding(
            what="some of those that the arbiter is made of cannot say yes to this director",
            evidence=f"{_listed(hopeless)}; {arbiter.quorum} of {asked} must",
            consequence="so many fewer may fail before nobody takes over",
            fix="mend the way to them, or name others",
            problem=False,
        )
    if arbiter.strict and asked == arbiter.quorum:
        yield Finding(
            what="the VIPs are lost with any one of those that the arbiter is made of",
            evidence=f"strict: true, and {arbiter.quorum} of {asked} must say yes",
            consequence="no director is active while one of them does not answer",
            fix="name more machines than 'quorum'",
            problem=False,
        )
    for other in (scene.status or {}).get("directors", ()):
        if other.get("reaches_arbiter") is False:
            yield Finding(
                what=f"director {other['name']} does not reach the arbiter",
                evidence=f"it says so on the directors' channel; `haman status` on {other['name']} says why",
                consequence="it takes over from nobody",
                fix=f"look at the way to it from {other['name']}",
                problem=False,
            )


def _hopeless(scene: Scene, arbiter: Arbiter) -> Iterator[tuple[str, str]]:
    """Those that cannot say yes, as this machine stands, with why."""
    networks = [ip_network((key.ip, key.prefix), strict=False) for key in scene.addresses]
    for address in arbiter.arp:
        if networks and not any(address in network for network in networks):
            yield f"ARP {address}", "it is on no network of this machine"
    silent = {each["name"] for each in (scene.status or {}).get("directors", ()) if not each["heard"]}
    for name in arbiter.directors:
        if name in silent:
            yield f"director {name}", "it is not heard on the directors' channel"


def _listed(hopeless: dict[str, str]) -> str:
    return "; ".join(f"{name}: {why}" for name, why in hopeless.items())


def _without(arbiter: Arbiter) -> str:
    return "it is active for no router" if arbiter.strict else "it takes over from nobody"
