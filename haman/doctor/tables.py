"""Tables of the kernel that fill up: tracked connections, and the hash of IPVS connections."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from haman.doctor.finding import Finding

if TYPE_CHECKING:
    from collections.abc import Iterator

    from haman.doctor.scene import Scene

FULL = 0.8
CROWDED = 8
"""Connections per place of the IPVS hash, from which on finding one takes noticeably longer."""

_SIZE = re.compile(r"size=(\d+)")


def examine(scene: Scene) -> Iterator[Finding]:
    count, most = (scene.read(f"sys/net/netfilter/nf_conntrack_{what}") for what in ("count", "max"))
    if count is not None and most is not None and int(count) >= FULL * int(most):
        yield Finding(
            what="the table of tracked connections is almost full",
            evidence=f"net.netfilter.nf_conntrack_count = {count} of {most}",
            consequence="beyond it new connections are dropped, of all services of this machine",
            fix=f"sysctl -w net.netfilter.nf_conntrack_max={int(most) * 4}, or nft notrack for balanced traffic",
        )
    places = _SIZE.search(scene.read("net/ip_vs") or "")
    connections = scene.read("net/ip_vs_stats")
    if places is None or connections is None:
        return
    held = scene.read("net/ip_vs_conn")
    entries = len(held.splitlines()) - 1 if held else 0
    if entries > CROWDED * int(places[1]):
        yield Finding(
            what="the hash of IPVS connections is small for this many",
            evidence=f"{entries} connections in {places[1]} places (first line of /proc/net/ip_vs)",
            consequence="each packet takes longer to find its connection",
            fix="options ip_vs conn_tab_bits=20 in /etc/modprobe.d/ip_vs.conf, then reboot",
            problem=False,
        )
