"""haman on one director and another program that speaks VRRP on the second, of the same settings: what tests of any
peer share. lb1 runs haman, lb2 the peer. Both are started anew for each story, with the priorities that it needs.
"""

from __future__ import annotations

import signal
import sys
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import yaml

from haman.director.ask import ask
from haman.errors import Unreachable
from tests.kernel.patience import until

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from haman.lab.hosts import Host
    from haman.lab.processes import Process

VIP, VIP6 = "10.0.0.100", "2001:db8::100"
LINK_LOCAL_VIP = "fe80::100"
ADDRESSES = {4: [f"{VIP}/24"], 6: [f"{LINK_LOCAL_VIP}/64", f"{VIP6}/64"]}
VRID = 51


@dataclass(frozen=True)
class Way:
    """One way to speak. interval: short, but for version 2, which counts seconds."""

    name: str
    families: tuple[int, ...]
    settings: dict[str, Any]

    @property
    def interval(self) -> float:
        return 1.0 if self.settings.get("version") == 2 else 0.1

    @property
    def vips(self) -> list[str]:
        return [{4: VIP, 6: VIP6}[family] for family in self.families]


class Side:
    """A director's host with one program on it."""

    def __init__(self, host: Host, work: Path) -> None:
        self.host = host
        self.work = work
        self.log = work / f"{host.name}.log"
        self.process: Process | None = None

    def begin(self, file: Path) -> None:
        """Start the program; `file` is haman's, with this host's priority and its peer's."""
        raise NotImplementedError

    def stop(self) -> None:
        """In good order."""
        if self.process is not None and self.process.running():
            self.process.signal(signal.SIGTERM)
            self.process.wait(20)

    def holds(self, vip: str) -> bool:
        """Is it the one that answers for the VIP?"""
        return f" {vip}/" in self.host.run("ip", "-brief", "address", "show", "dev", "eth0").stdout


class Haman(Side):
    def begin(self, file: Path) -> None:
        argv = [sys.executable, "-m", "haman", "run", "--config", str(file), "--node", self.host.name]
        self.process = self.host.spawn(*argv, log=self.log)

    def status(self) -> dict[str, Any]:
        try:
            return self.host.call(ask, "status")
        except Unreachable:
            return {"routers": [], "problems": ["not there yet"]}

    def standby(self) -> bool:
        routers = self.status()["routers"]
        return bool(routers) and all(router["role"] == "standby" and not router["waiting"] for router in routers)


class Pair:
    def __init__(self, way: Way, haman: Haman, peer: Side) -> None:
        self.way = way
        self.haman, self.peer = haman, peer

    def file(self, ours: int, theirs: int, **changes: Any) -> Path:
        addresses = [each for family in self.way.families for each in ADDRESSES[family]]
        router = {"interface": "eth0", "vrid": VRID, "addresses": addresses, "preempt": True, **self.way.settings}
        whole = {
            "cluster": "mixed",
            "directors": {
                "lb1": {"address": "10.0.0.1", "address6": "2001:db8::1", "priority": ours},
                "lb2": {"address": "10.0.0.2", "address6": "2001:db8::2", "priority": theirs},
            },
            "routers": {"public": router | changes},
        }
        path = self.haman.work / f"{ours}-{theirs}.yaml"
        path.write_text(yaml.safe_dump(whole))
        return path

    def alone(self, owner: Side) -> bool:
        """It has all VIPs; what the other one has is not asked."""
        return all(owner.holds(vip) for vip in self.way.vips)

    def owned_by(self, owner: Side) -> bool:
        """It alone has all VIPs."""
        other = self.peer if owner is self.haman else self.haman
        return self.alone(owner) and not any(other.holds(vip) for vip in self.way.vips)

    def until(self, what: str, condition: Callable[[], bool], within: float = 60.0) -> float:
        """Seconds it took; fails with both logs when it does not come true."""
        return until(condition, within, what=what, logs=[side.log for side in (self.haman, self.peer)])
