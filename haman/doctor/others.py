"""Programs on this machine that would do the same work: two that move one VIP are worse than none."""

from __future__ import annotations

from typing import TYPE_CHECKING

from haman.doctor.finding import Finding

if TYPE_CHECKING:
    from collections.abc import Iterator

    from haman.doctor.scene import Scene

RIVALS = {
    "keepalived": "keepalived",
    "ldirectord": "ldirectord",
    "heartbeat": "heartbeat",
    "pacemakerd": "Pacemaker",
    "corosync": "Corosync",
    "ucarp": "ucarp",
    "vrrpd": "vrrpd",
    "kube-proxy": "kube-proxy (in mode ipvs it removes services that are not its own)",
}
"""By the process's name."""


def examine(scene: Scene) -> Iterator[Finding]:
    found: dict[str, list[str]] = {}
    for path in scene.proc.glob("[0-9]*/comm"):
        name = scene.read(f"{path.parent.name}/comm")
        if name in RIVALS:
            found.setdefault(name, []).append(path.parent.name)
    for name, pids in sorted(found.items()):
        yield Finding(
            what=f"{RIVALS[name]} runs here too",
            evidence=f"process {', '.join(sorted(pids, key=int))} ({name})",
            consequence="if it has a VIP, a VRID or IPVS services in common with haman, each undoes the other's work",
            fix=f"systemctl disable --now {name}, unless it serves something else entirely",
        )
