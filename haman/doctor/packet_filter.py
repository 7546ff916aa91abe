"""What haman's own table in the packet filter needs, where the configuration needs one."""

from __future__ import annotations

from typing import TYPE_CHECKING

from haman.doctor.finding import Finding
from haman.plan import filter

if TYPE_CHECKING:
    from collections.abc import Iterator

    from haman.doctor.scene import Scene


def examine(scene: Scene) -> Iterator[Finding]:
    if scene.cluster is None or scene.node is None:
        return
    known = dict.fromkeys(scene.cluster.directors, ("told",))  # whether they are is another question, see below
    rules = filter.ruleset(scene.cluster, scene.node, known)
    if rules and not scene.nft:
        yield Finding(
            what="the program nft is missing, and services need packet-filter rules",
            evidence=f"no nft in /usr/sbin, and the configuration needs {len(rules.marks) + len(rules.nats)} rules",
            consequence="packets for marked services are not balanced, and full NAT's servers answer in vain",
            fix="apt install nftables",
        )
    for words in (scene.status or {}).get("problems", ()):
        if "the MAC addresses of director" in words:
            yield Finding(
                what="this director cannot tell another one's frames from clients'",
                evidence=f"haman status: {words}",
                consequence="it answers alone what reaches it, and its other servers idle",
                fix="start haman on the other director, see why the directors' channel is silent, or write its 'macs'",
            )
