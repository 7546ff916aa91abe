"""May haman do its work, and in time? Privileges, scheduling, locked memory."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING

from haman.director.privileges import CAPABILITIES
from haman.doctor.finding import Finding

if TYPE_CHECKING:
    from collections.abc import Iterator

    from haman.doctor.scene import Scene

NEEDED = ("CAP_NET_ADMIN", "CAP_NET_RAW")


def examine(scene: Scene) -> Iterator[Finding]:
    if scene.parts and scene.node is None:
        return  # of a real server nothing runs that needs them
    who, pid = ("haman", _elector(scene)) if scene.status is not None else ("this user", "self")
    if pid is None:
        return
    fields = _fields(scene, pid)
    bits = int(fields.get("CapPrm", "0"), 16)
    lacking = [name for name in NEEDED if not bits >> CAPABILITIES[name] & 1]
    if "CapPrm" in fields and lacking:
        running = scene.status is not None
        yield Finding(
            what=f"{who} lacks {' and '.join(lacking)}",
            evidence=f"/proc/{pid}/status: CapPrm {fields['CapPrm']}",
            consequence="haman cannot be started so"
            if running
            else "haman run does not start as this user, and the doctor sees less than root would",
            fix="run it by the systemd unit, or as root",
            problem=running,
        )
    if scene.status is None:
        return
    if not _real_time(pid):
        yield Finding(
            what="the elector is not scheduled in real time",
            evidence=f"chrt -p {pid}",
            consequence="on a busy machine its advertisements are late, and a peer may take over for no other reason",
            fix="LimitRTPRIO=50 in the unit, or CAP_SYS_NICE; a container's runtime may forbid it (--ulimit rtprio=50)",
        )
    if fields.get("VmLck", "0 kB").split()[0] == "0":
        yield Finding(
            what="the elector's memory is not locked",
            evidence=f"/proc/{pid}/status: VmLck 0 kB",
            consequence="when memory is short its pages go to disk, and it is late",
            fix="LimitMEMLOCK=infinity in the unit, or CAP_IPC_LOCK",
        )


def _elector(scene: Scene) -> str | None:
    """Its number: the director that answers is its child."""
    assert scene.status is not None
    return _fields(scene, str(scene.status["pid"])).get("PPid")


def _fields(scene: Scene, pid: str) -> dict[str, str]:
    lines = (scene.read(f"{pid}/status") or "").splitlines()
    return {name: value.strip() for name, _, value in (line.partition(":") for line in lines)}


def _real_time(pid: str) -> bool:
    try:
        return os.sched_getscheduler(int(pid)) & ~os.SCHED_RESET_ON_FORK in (os.SCHED_FIFO, os.SCHED_RR)
    except OSError:
        return True  # it has ended meanwhile, or is another user's: nothing is known
