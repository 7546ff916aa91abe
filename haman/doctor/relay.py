"""Has the relay what its limits promise? One that is out of descriptors refuses whoever comes, on every backup."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from haman.doctor.finding import Finding
from haman.model.services import Protocol
from haman.relay.worker import ORDERED, for_sessions

if TYPE_CHECKING:
    from collections.abc import Iterator

    from haman.doctor.scene import Scene

_EACH = {Protocol.TCP: 2, Protocol.UDP: 1}
"""Descriptors of a session: the client's and the server's; of a flow: the server's."""


def examine(scene: Scene) -> Iterator[Finding]:
    """The relay's process inherits its limit from the director's, which answers."""
    if scene.cluster is None or scene.node is None or scene.status is None:
        return
    wanted = {
        f"{service.name}@{backup.name}": backup.relay.sessions * _EACH[service.protocol or Protocol.TCP]
        for service in scene.cluster.services_of(scene.node)
        for backup in service.backups
        if backup.relay is not None
    }
    pid = scene.status["pid"]
    limit = re.search(r"^Max open files +\d+ +(\d+)", scene.read(f"{pid}/limits") or "", re.MULTILINE)
    if limit is None:
        return
    most, needed = int(limit[1]), sum(wanted.values())
    may = for_sessions(most)
    if needed > may:
        yield Finding(
            what=f"the relay may take more sessions than it has file descriptors for: {needed:,} of {may:,}",
            evidence=f"/proc/{pid}/limits: Max open files {most}, a {ORDERED}th of it for orders; two for each of"
            f" `sessions` over TCP, one over UDP: {', '.join(f'{way} {count:,}' for way, count in wanted.items())}",
            consequence="when that many come, all who come after are refused, to whichever backup, before `sessions` is"
            " reached",
            fix=f"LimitNOFILE=1024:{-(-needed * ORDERED // (ORDERED - 1)) + ORDERED} in a drop-in of the unit, or fewer"
            " `sessions`",
        )
