"""Two directors that also serve, plus three real servers (Jan Klopper's): the VIP goes between `lo` and the NIC."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING, ClassVar

from haman.lab import measure
from haman.lab.plants import PLANTS
from haman.lab.stories import callers, servers
from haman.lab.stories.base import Story

if TYPE_CHECKING:
    from collections.abc import Callable

    from haman.lab.hosts import Host
    from haman.lab.records import Claim, Short
    from haman.lab.stories.callers import Caller
    from haman.lab.stories.directors import Directors
    from haman.lab.stories.scene import Scene

VIP = "10.0.0.100"

IN_A_ROW = 5
"""Questions at 1 kHz that may pass without an answer: each is answered at once, but the kernel may put off a few."""


class ServingDirectors(Story):
    name = "serving-directors"
    title = "two directors that also serve, three real servers"
    examples = ("serving-directors.yaml",)
    plants: ClassVar = {"abrupt-stop": PLANTS["abrupt-stop"].words}

    def play(self, scene: Scene) -> None:
        lan = scene.network.segment("lan")
        addresses = {"node1": 1, "node2": 2, "rs1": 11, "rs2": 12, "rs3": 13}
        hosts = {
            name: scene.network.host(name, {"eth0": (lan, f"10.0.0.{number}/24")}) for name, number in addresses.items()
        }
        client = scene.network.host("client", {"eth0": (lan, "10.0.0.9/24")})
        watch = scene.network.host("watch", {"eth0": (lan, "10.0.0.253/24")})
        for name, host in hosts.items():
            if name.startswith("rs"):
                servers.silent_vip(host, VIP)
            servers.web(host, 80)
        pair = scene.directors("serving-directors.yaml", hosts)
        pair.start()
        with scene.act("all five run"):
            self.all_answer(scene, client, set(hosts))
            scene.proved("node1 has the VIP on eth0, and on lo", _devices(hosts["node1"]) == {"lo", "eth0"})
            scene.proved("node2 has it on lo alone", _devices(hosts["node2"]) == {"lo"})
        asking = callers.arp(watch, scene.work, "10.0.0.253", VIP)
        browsing = callers.shorts(client, scene.work, VIP, 80)
        with scene.act("haman on node1 is stopped (SIGTERM), and nothing else on it"):
            self.moves(scene, pair, asking, browsing, "node2", lambda: pair.stop("node1"))
            self.all_answer(scene, client, set(hosts))
        with scene.act("haman on node1 is started, and preempts"):
            self.moves(scene, pair, asking, browsing, "node1", pair.nodes["node1"].launch)
            self.all_answer(scene, client, set(hosts))

    def moves(
        self,
        scene: Scene,
        pair: Directors,
        asking: Caller[Claim],
        browsing: Caller[Short],
        to: str,
        act: Callable[[], object],
    ) -> None:
        """What holds for every orderly move."""
        begin = time.monotonic()
        act()
        hosts = pair.hosts
        (other,) = hosts.keys() - {to}
        macs = {host.mac("eth0"): name for name, host in hosts.items()}
        scene.until(f"{to} has the VIP on eth0, and on lo", lambda: _devices(hosts[to]) == {"lo", "eth0"})
        scene.until(f"{to} alone answers for it", lambda: _now(asking) == {hosts[to].mac("eth0")})
        end = time.monotonic()
        seen = measure.ownership(asking.covered(end), begin, end)
        scene.at_most("questions in a row that nobody answered, at 1 kHz", IN_A_ROW, seen.unanswered)
        scene.proved("only the two of them ever answered", {macs.get(mac) for mac in seen.first} == {to, other})
        scene.until(f"{other} has it on lo alone", lambda: _devices(hosts[other]) == {"lo"})
        asked = measure.shorts(browsing.covered(end), begin, end)
        scene.at_most(f"requests that failed, of {asked.count(80)}", 0, asked.failures(80).total())

    def all_answer(self, scene: Scene, client: Host, names: set[str]) -> None:
        answered: set[str] = set()

        def all_of_them() -> bool:
            answered.update(callers.pages(client, VIP, 10))
            return answered >= names

        scene.until(f"all {len(names)} answer", all_of_them)
        scene.proved("and nobody else, and every request was answered", answered == names)


def _now(asking: Caller[Claim]) -> set[str]:
    """The MACs that answered for the VIP the last hundred times."""
    return {claim.mac for claim in asking.records()[-100:] if claim.kind == "answer"}


def _devices(host: Host) -> set[str]:
    """Where this host has the VIP."""
    lines = host.run("ip", "-4", "-oneline", "address").stdout.splitlines()
    return {line.split()[1] for line in lines if f" {VIP}/" in line}
