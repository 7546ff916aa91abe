"""A developer's cluster: `haman lab up` brings it up from an example, it lives through a director's death, and `down`
leaves nothing. It runs on the kernel that the story runs on, in namespaces within those of the laboratory.
"""

from __future__ import annotations

import json
import os
import sys
from pathlib import Path
from typing import TYPE_CHECKING, ClassVar

from haman.lab.box.folder import VARIABLE
from haman.lab.stories.base import Story
from haman.lab.stories.directors import EXAMPLES

if TYPE_CHECKING:
    import subprocess

    from haman.lab.hosts import Host
    from haman.lab.stories.scene import Scene

EXAMPLE = "one-box.yaml"
VIP = "10.0.0.100"
ASK = f"""
import urllib.request
for _ in range(8):
    try:
        print(urllib.request.urlopen("http://{VIP}/", timeout=2).read().decode().strip())
    except OSError:
        print("nobody")
"""
LONG = 600.0
"""Seconds any of these verbs may take on a starved machine."""
PATIENCE = 240.0
"""Seconds for the cluster to serve there: it runs in namespaces within namespaces, and each verb starts Python anew."""


class OneBox(Story):
    name = "one-box"
    title = "a cluster for a developer: haman lab up and down"
    examples = (EXAMPLE,)
    plants: ClassVar = {
        "idle-server": "rs2 runs a program that serves nobody",
        "no-heir": "the second director dies before the first one",
        "left-behind": "nobody calls haman lab down",
    }

    def play(self, scene: Scene) -> None:
        desk = _Desk(scene.network.host("desk", {}), Path("/tmp", f"one-box-{scene.work.name}"))
        before = desk.traces()
        with scene.act("haman lab up"):
            idle = ("--serve", "rs2=sleep 1000") if scene.planted("idle-server") else ()
            wait = ("--wait", "5" if idle else str(PATIENCE))
            done = desk.lab("up", EXAMPLES / EXAMPLE, *idle, *wait)
            scene.proved("it ends when clients are served", done.returncode == 0)
            if done.returncode:
                scene.note(done.stdout + done.stderr)
            scene.until("both servers answer through the VIP", lambda: desk.answers() == {"rs1", "rs2"}, PATIENCE)
            scene.proved("a second one says that there is one", desk.lab("up", EXAMPLES / EXAMPLE).returncode == 3)
        with scene.act("a director dies"):
            active = scene.until("one is active", desk.active, PATIENCE)
            if scene.planted("no-heir"):
                desk.lab("kill", *({"lb1", "lb2"} - {active}))
            desk.lab("kill", active)
            scene.until("both servers answer again", lambda: desk.answers() == {"rs1", "rs2"}, PATIENCE)
            scene.proved("the other director is active", desk.active() not in ("", active))
            desk.lab("start", active)
            scene.until("the first one is back, and all is well", lambda: desk.lab("status").returncode == 0, PATIENCE)
        with scene.act("haman lab down"):
            if not scene.planted("left-behind"):
                scene.proved("it ends well", desk.lab("down").returncode == 0)
            for what, found in desk.traces().items():
                scene.proved(f"no {what} is left", found <= before[what])


class _Desk:
    """Where the developer sits: his machine, and the folder of his cluster."""

    def __init__(self, host: Host, folder: Path) -> None:
        self._host = host
        self._folder = folder

    def lab(self, *words: str | Path) -> subprocess.CompletedProcess[str]:
        environment = (f"{VARIABLE}={self._folder}", "HAMAN_LAB_KERNEL=host")
        command = (sys.executable, "-m", "haman", "lab", *words)
        return self._host.run("env", *environment, *command, timeout=LONG, check=False)

    def answers(self) -> set[str]:
        return set(self.lab("on", "client", sys.executable, "-c", ASK).stdout.split())

    def active(self) -> str:
        """The active director; empty unless it is exactly one."""
        said = self.lab("status", "--json").stdout
        hosts = json.loads(said)["hosts"] if said else []
        found = [str(host["name"]) for host in hosts if "active" in host["roles"].values()]
        return found[0] if len(found) == 1 else ""

    def traces(self) -> dict[str, set[str]]:
        """What a cluster could leave on this machine, beside what was here before it."""
        return {
            "process": {pid for pid in _pids() if str(self._folder).encode() in _told(pid)},
            "namespace": {inode for pid in _pids() if (inode := _network(pid))},
            "mount": set(self._host.read("/proc/thread-self/mounts").splitlines()),
            "file": {str(path) for path in self._folder.parent.iterdir() if path == self._folder},
        }


def _pids() -> list[str]:
    return [name for name in os.listdir("/proc") if name.isdigit()]


def _told(pid: str) -> bytes:
    """Command line and environment, by which all of a cluster's processes know its folder."""
    try:
        return Path("/proc", pid, "cmdline").read_bytes() + Path("/proc", pid, "environ").read_bytes()
    except OSError:
        return b""


def _network(pid: str) -> str:
    try:
        return os.readlink(f"/proc/{pid}/ns/net")
    except OSError:
        return ""
