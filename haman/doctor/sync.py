"""Connection synchronisation: daemons that look alive and are not, and the switch that turns balancing off."""

from __future__ import annotations

from typing import TYPE_CHECKING

from haman.doctor.finding import Finding
from haman.model.kernel import DaemonKey, DaemonRole
from haman.plan import desired

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from haman.doctor.scene import Scene
    from haman.model.kernel import DaemonConfig


def examine(scene: Scene) -> Iterator[Finding]:
    if scene.table is None:
        return
    for key, config in scene.table.daemons.items():
        if scene.links and config.interface not in scene.links:
            yield Finding(
                what=f"the {key} is bound to {config.interface}, which is gone",
                evidence=f"ipvsadm -l --daemon lists it, ip link show {config.interface} finds nothing",
                consequence="it sends and hears nothing, although it lists as running: a takeover resets connections",
                fix=f"ipvsadm --stop-daemon {key.role.value}; haman starts it anew as soon as the interface is there",
            )
        elif scene.links and not scene.links[config.interface]:
            yield Finding(
                what=f"the {key} is on {config.interface}, which is down or has no carrier",
                evidence=f"ip link show {config.interface}",
                consequence="connections are not told to the other directors: a takeover resets them",
                fix="bring it up; the daemon survives that",
            )
    yield from _other(scene, scene.table.daemons)
    backup = DaemonKey(DaemonRole.BACKUP) in scene.table.daemons
    closed = scene.read("sys/net/ipv4/vs/backup_only") == "1"
    if closed and not backup:
        yield Finding(
            what="IPVS balances on this machine although it is to leave that to the active director",
            evidence="net.ipv4.vs.backup_only = 1, and no backup daemon runs: the kernel wants both",
            consequence="where directors are real servers too, what the active one sends here is balanced once more,"
            " and goes to and fro until its TTL ends",
            fix="start haman, which keeps that daemon; by hand: ipvsadm --start-daemon backup --mcast-interface IF"
            " --syncid ID, with those of the active director; without such a standby: sysctl -w"
            " net.ipv4.vs.backup_only=0",
        )
    if closed and backup and _active(scene):
        yield Finding(
            what="IPVS is switched off on this active director",
            evidence="net.ipv4.vs.backup_only = 1, and a backup daemon runs",
            consequence="nothing is balanced: this machine answers every request of the VIP itself, or nobody does",
            fix="sysctl -w net.ipv4.vs.backup_only=0, and look for it in /etc/sysctl.d/",
            settings=(("net/ipv4/vs/backup_only", "0"),),
        )


def _other(scene: Scene, daemons: Mapping[DaemonKey, DaemonConfig]) -> Iterator[Finding]:
    """Daemons that are not as the configuration has them. One that is missing is wrong only where haman runs."""
    if scene.cluster is None or scene.node is None:
        return
    for key, wanted in desired.ipvs(scene.cluster, scene.node, {}).daemons.items():
        now = daemons.get(key)
        if now is None and scene.status is not None:
            yield Finding(
                what=f"the {key} does not run",
                evidence="ipvsadm -l --daemon does not list it",
                consequence="connections are not told between the directors: a takeover resets them",
                fix="see haman status and the log for a refusal; the one that listens waits until servers were checked",
            )
        elif now is not None and now.sync_id != wanted.sync_id:
            yield Finding(
                what=f"the {key} has the id {now.sync_id}, in the configuration it is {wanted.sync_id}",
                evidence="ipvsadm -l --daemon",
                consequence="directors hear daemons with their own id only: a takeover resets connections",
                fix=f"ipvsadm --stop-daemon {key.role.value}; haman starts it anew with the right one",
            )


def _active(scene: Scene) -> bool:
    return scene.status is not None and any(router["role"] == "active" for router in scene.status["routers"])
