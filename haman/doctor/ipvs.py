"""Has the kernel a balancer, and does it take what haman asks of it?"""

from __future__ import annotations

from typing import TYPE_CHECKING

from haman.doctor.finding import Finding

if TYPE_CHECKING:
    from collections.abc import Iterator

    from haman.doctor.scene import Scene


def examine(scene: Scene) -> Iterator[Finding]:
    if scene.cluster is None or scene.node is None or not any(True for _ in scene.cluster.services_of(scene.node)):
        return
    if scene.ipvs is not None:
        yield Finding(
            what="this kernel has no IPVS",
            evidence=scene.ipvs,
            consequence="nothing is balanced here; this node does not take a router from a living peer",
            fix="modprobe ip_vs; a container needs it from its host, a trimmed cloud kernel another kernel package",
        )
        return
    if scene.status is None:
        return
    for refusal in scene.status["kernel"]["refused"][:3]:
        yield Finding(
            what=f"the kernel refuses to {refusal['operation']}",
            evidence=refusal["why"],
            consequence="this part of the table is not there; routers that need it are not ready",
            fix="errno 2: the module of a scheduler or persistence engine is missing (modprobe ip_vs_<name>)",
        )
