"""A director that has just booted, with preemption at once, learns 2,000 connections before it takes over."""

from __future__ import annotations

from typing import TYPE_CHECKING, ClassVar

from haman.lab.plants import PLANTS
from haman.lab.stories import servers
from haman.lab.stories.base import Story
from haman.lab.stories.held import hold
from haman.lab.stories.kept_connections import DR, VIP, Site

if TYPE_CHECKING:
    from haman.lab.stories.directors import Directors
    from haman.lab.stories.held import Held
    from haman.lab.stories.scene import Scene

MANY = 2000
FEW = MANY // 100
"""What a director may lack that says it holds them (director.hearing)."""

PATIENCE = 90.0
"""Seconds until it preempts; it waits for 60 at most, by its configuration."""

GO_ON = 60.0
"""Seconds until something has come back on all of them: what was said in the gap is said again by TCP."""


class Returning(Story):
    name = "returning-director"
    title = "a director that has just booted preempts when it holds the connections"
    examples = ("synchronised.yaml",)
    plants: ClassVar = {"unheard": PLANTS["unheard"].words}

    def play(self, scene: Scene) -> None:
        site = Site(scene, inner=True, serve=servers.parrot)
        pair = scene.directors(self.examples[0], site.balancers)
        pair.start()
        with hold(site.client, VIP, DR, MANY) as held:
            with scene.act(f"a client holds {MANY:,} TCP connections"):
                begun = held.begun()
                scene.until("each is answered", lambda: not held.silent(begun))
                scene.until("lb2 has been told of all of them", lambda: _held(pair, "lb2") >= MANY)
            with scene.act("haman on lb1 is stopped, and its machine goes"):
                pair.stop("lb1")
                scene.until("lb2 is active", lambda: pair.active() == "lb2")
                _goes_on(scene, held)
                site.balancers["lb1"].close()
            with scene.act("a machine that has just booted takes its place, and preempts"):
                pair.replace("lb1", site.balancer(1))
                pair.nodes["lb1"].launch()
                waited: set[str] = set()
                scene.until("lb1 is active", lambda: _seen(pair, waited), PATIENCE)
                _goes_on(scene, held)
                scene.proved("status said that it waits for connections", any("connections" in each for each in waited))
                told = [each for each in pair.status("lb1")["transitions"] if each["kind"] == "sync"]
                scene.proved("it preempted because it held them", any(each["cause"] == "held" for each in told))
                scene.note("; ".join(f"{each['after']}: {each['why']}" for each in told))


def _goes_on(scene: Scene, held: Held) -> None:
    begun = held.begun()
    scene.until("all that live have gone on", lambda: not held.silent(begun), GO_ON)
    scene.at_most(f"connections lost of {MANY:,}", FEW, held.lost)


def _seen(pair: Directors, waited: set[str]) -> bool:
    """Is lb1 the active one? Until then, what it waits for is kept."""
    if words := pair.router("lb1").get("waiting"):
        waited.add(str(words))
    return pair.active() == "lb1"


def _held(pair: Directors, name: str) -> int:
    """Established connections in the table of this director, by its own account."""
    counted = pair.router(name).get("connections")
    return int(counted["held"]) if counted else 0
