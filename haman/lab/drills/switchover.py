"""The operator moves the VIP by command, ten times in a row, there and back: nobody notices."""

from __future__ import annotations

import socket
import threading
import time
from concurrent.futures import ThreadPoolExecutor
from typing import TYPE_CHECKING, Any

from haman.director.ask import ask
from haman.lab.drills.base import Course, Drill, Seen
from haman.lab.drills.limits import RETURN, downloads_kept, nothing_lost
from haman.lab.results import Limit
from haman.lab.workload import WLC

if TYPE_CHECKING:
    from collections.abc import Iterator

    from haman.lab.software import Node
    from haman.lab.stage import Stage

MOVES = 10
ANSWER = 5.0
"""Seconds that a young connection's answer may take: one lost packet is sent again within three."""

EVERY = 0.005
"""Seconds between two connections that are opened during a move."""

PAUSE = 1.0
"""Seconds between two moves; the better director must not take the VIP back in it."""


class TenSwitchovers(Drill):
    name = "switchover"
    title = "ten planned moves by order"
    plants = ("no-second-chance", "sync-off")
    requests = 10_000

    def act(self, stage: Stage, course: Course) -> None:
        here, there = stage.ranking[:2]
        course.faulted()
        done, slowest = 0, 0.0
        going_on: list[bool] = []
        for _ in range(MOVES):
            answer, young = self._move(stage, here)
            going_on.extend(map(_goes_on, young))
            if not answer["ok"]:
                course.notes.append(f"on {here.name}: {'; '.join(answer['lines'])}")
                break
            done += 1
            slowest = max(slowest, *(move["seconds"] for move in answer["moves"]))
            time.sleep(PAUSE)
            if not stage.owned_by(there, 0.0):
                course.notes.append(f"the VIP was given to {there.name}, and {stage.owner()} has it")
                break
            stage.need_ready(there)
            here, there = there, here
        course.moved = time.monotonic()
        course.facts["moves"] = done
        course.facts["young lost"] = going_on.count(False)
        course.notes.append(f"{len(going_on)} connections were opened during the moves")
        course.notes.append(f"the slowest move took {slowest * 1000:.0f} ms")
        for node in stage.ranking[:2]:
            node.host.call(ask, "switchover", patience=RETURN, back=True, by="the drill")

    def _move(self, stage: Stage, here: Node) -> tuple[dict[str, Any], list[socket.socket | None]]:
        """The order's outcome, and connections that were opened until it was there."""
        place = (stage.cluster.vip, stage.cluster.port(WLC))
        stopped = threading.Event()
        with ThreadPoolExecutor(1) as beside:
            opening = beside.submit(stage.cluster.client.call, _young, stopped, place)
            try:
                answer = here.host.call(ask, "switchover", patience=RETURN, by="the drill")
            finally:
                stopped.set()
            return answer, opening.result()

    def limits(self, stage: Stage, seen: Seen) -> Iterator[Limit]:
        yield nothing_lost(seen)
        yield downloads_kept(seen)
        # Whatever the scheduler, and however young: what sync has not told of gets a second chance.
        yield Limit(name="short TCP failed", bound=0, measured=len(seen.shorts.failed))
        yield Limit(name="young connections lost", bound=0, measured=seen.course.facts["young lost"])
        yield Limit(name="moves", bound=MOVES, measured=seen.course.facts["moves"], at_least=True)


def _young(stopped: threading.Event, place: tuple[str, int]) -> list[socket.socket | None]:
    """Connections that have said nothing yet, one after the other until told to stop. Sync tells of each a moment
    later, so whenever the role moves some are unknown to the other director. None: it could not be opened."""
    opened: list[socket.socket | None] = []
    while not stopped.wait(EVERY):
        try:
            opened.append(socket.create_connection(place, ANSWER))
        except OSError:
            opened.append(None)
    return opened


def _goes_on(connection: socket.socket | None) -> bool:
    if connection is None:
        return False
    with connection:
        try:
            connection.sendall(b"GET / HTTP/1.0\r\n\r\n")
            return connection.recv(64).startswith(b"HTTP/")
        except OSError:
            return False
