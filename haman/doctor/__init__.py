"""What may be wrong with this director or real server: examinations, one file per subject, for `haman doctor`.

    finding      what an examination says        scene     what it looks at
    config       the file, and what runs of it   ipvs      the kernel's balancer
    settings     kernel settings                 rights    privileges and scheduling
    interfaces   links, addresses, MTU           peers     the other directors
    clock        time                            others    programs that would do the same work
    tables       connection tables that fill up   services  what each service needs beside servers
    sync         connection synchronisation       filters   the packet filter in between
    realserver   the other side: VIP, silence, tunnels, the way back
    ipv6         VIPs that are there and cannot be used, or are used as source
    packet_filter   what haman's own rules need
    arbiter      who is asked before a takeover
    relay        what the sessions to other sites need

An examination reads and never changes anything; it works with and without a running haman, and what it cannot see it
passes over. The order of EXAMINATIONS is that of the report: what explains the most comes first.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from haman.doctor import (
    arbiter,
    clock,
    config,
    filters,
    interfaces,
    ipv6,
    ipvs,
    others,
    packet_filter,
    peers,
    realserver,
    relay,
    rights,
    services,
    settings,
    sync,
    tables,
)

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from haman.doctor.finding import Finding
    from haman.doctor.scene import Scene

EXAMINATIONS: dict[str, Callable[[Scene], Iterator[Finding]]] = {
    "config": config.examine,
    "ipvs": ipvs.examine,
    "interfaces": interfaces.examine,
    "ipv6": ipv6.examine,
    "realserver": realserver.examine,
    "settings": settings.examine,
    "services": services.examine,
    "sync": sync.examine,
    "filters": filters.examine,
    "packet_filter": packet_filter.examine,
    "rights": rights.examine,
    "peers": peers.examine,
    "arbiter": arbiter.examine,
    "others": others.examine,
    "tables": tables.examine,
    "relay": relay.examine,
    "clock": clock.examine,
}
"""By subject."""


def examine(scene: Scene) -> list[tuple[str, Finding]]:
    """Every finding with its subject, problems first."""
    found = [(subject, finding) for subject, look in EXAMINATIONS.items() for finding in look(scene)]
    return sorted(found, key=lambda each: not each[1].problem)
