"""A real server dies, freezes or is cut off, and comes back."""

from __future__ import annotations

from typing import TYPE_CHECKING

from haman.lab.cluster import INTERFACE
from haman.lab.drills.base import Course, Drill, Seen
from haman.lab.drills.limits import RETURN, came_true, detection, last_error, no_short_failed, nothing_lost
from haman.lab.results import Limit

if TYPE_CHECKING:
    from collections.abc import Iterator

    from haman.lab.stage import Stage

VICTIM = "rs2"
RATE = 1000


class ServerKilled(Drill):
    """kill -9 for everything it serves with: its connections are refused from then on, its UDP not answered."""

    name = "server-killed"
    title = "real server's services killed"
    plants = ("blind-checks",)
    costs_downloads = True

    def hit(self, stage: Stage) -> None:
        stage.servers.kill(VICTIM)

    def act(self, stage: Stage, course: Course) -> None:
        course.faulted()
        self.hit(stage)
        stage.served(course.fault, within=3 * detection())

    def limits(self, stage: Stage, seen: Seen) -> Iterator[Limit]:
        bound = detection()
        yield Limit(name="lost", bound=round(bound * RATE), measured=seen.answered.lost)
        yield from last_error(bound, seen)


class ServerFrozen(ServerKilled):
    """All its processes stop; its kernel still accepts connections, so only a check that asks something sees it."""

    name = "server-frozen"
    title = "real server frozen"
    plants = ("connect-checks",)

    def hit(self, stage: Stage) -> None:
        stage.servers.freeze(VICTIM)


class ServerUnplugged(ServerKilled):
    """Its frames vanish: nothing is refused, everything times out."""

    name = "server-unplugged"
    title = "real server unplugged"
    plants = ("blind-checks",)

    def hit(self, stage: Stage) -> None:
        stage.cluster.servers[VICTIM].unplug_switch(INTERFACE)


class ServerRestored(Drill):
    """Back again after it had been taken out: it gets traffic no sooner than it can serve it."""

    name = "server-restored"
    title = "real server restored"
    plants = ("half-restored",)
    requests = 3000

    def arrange(self, stage: Stage) -> None:
        stage.servers.kill(VICTIM)
        stage.need_servers(without=VICTIM)

    def act(self, stage: Stage, course: Course) -> None:
        course.faulted()
        stage.servers.start(VICTIM)
        course.facts["back"] = stage.has_servers(RETURN)

    def limits(self, stage: Stage, seen: Seen) -> Iterator[Limit]:
        yield nothing_lost(seen)
        yield from no_short_failed(stage, seen)
        yield came_true("back in the table", seen.course.facts["back"])


class CheckBroken(Drill):
    """Every server's health page says 503 while all of them serve: `minimum_up` keeps the service alive."""

    name = "check-broken"
    title = "all servers' check broken"
    plants = ("no-minimum",)
    requests = 4000

    def act(self, stage: Stage, course: Course) -> None:
        course.faulted()
        stage.servers.break_health()
        stage.requests_since(course.fault, round(2 * detection() * RATE))

    def limits(self, stage: Stage, seen: Seen) -> Iterator[Limit]:
        yield nothing_lost(seen)
        late = [failed for failed in seen.shorts.failed if failed.begun > seen.course.fault + detection()]
        yield Limit(name="short TCP failed afterwards", bound=0, measured=len(late))
