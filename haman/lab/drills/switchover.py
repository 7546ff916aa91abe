"""The operator moves the VIP by command, ten times in a row, there and back: nobody notices."""

from __future__ import annotations

import errno
import secrets
import socket
import threading
import time
from collections import Counter
from concurrent.futures import ThreadPoolExecutor
from ipaddress import IPv4Network
from itertools import count
from typing import TYPE_CHECKING, Any

from haman.director.ask import ask
from haman.lab.cluster import SOURCES
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
        young: list[Young] = []
        sources = _sources()
        for _ in range(MOVES):
            answer, opened = self._move(stage, here, sources)
            for each in opened:
                each.ask()
            young += opened
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
        lost = Counter(each.lost for each in young if each.lost)
        course.facts["young lost"] = lost.total()
        course.notes.append(f"{len(young)} connections were opened during the moves")
        course.notes += [f"of them were lost: {number} ({how})" for how, number in lost.items()]
        course.notes.append(f"the slowest move took {slowest * 1000:.0f} ms")
        for node in stage.ranking[:2]:
            node.host.call(ask, "switchover", patience=RETURN, back=True, by="the drill")

    def _move(self, stage: Stage, here: Node, sources: Iterator[str]) -> tuple[dict[str, Any], list[Young]]:
        """The order's outcome, and connections that were opened until it was there."""
        place = (stage.cluster.vip, stage.cluster.port(WLC))
        stopped = threading.Event()
        with ThreadPoolExecutor(1) as beside:
            opening = beside.submit(stage.cluster.client.call, _young, stopped, place, sources)
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


class Young:
    """A connection that has said nothing yet. lost: how, if it was; the seconds are those since it was begun."""

    def __init__(self, place: tuple[str, int], source: str) -> None:
        self.begun = time.monotonic()
        self.lost = ""
        self._socket: socket.socket | None = None
        try:
            self._socket = socket.create_connection(place, ANSWER, (source, 0))
        except OSError as error:
            self._end("not opened", error)

    def ask(self) -> None:
        if self._socket is None:
            return
        with self._socket as opened:
            try:
                opened.sendall(b"GET / HTTP/1.0\r\n\r\n")
                if not opened.recv(64).startswith(b"HTTP/"):
                    self._end("ended without an answer")
            except OSError as error:
                self._end("not answered", error)

    def _end(self, how: str, error: OSError | None = None) -> None:
        why = f": {errno.errorcode.get(error.errno or 0, 'too late')}" if error else ""
        self.lost = f"{how}{why}, after {time.monotonic() - self.begun:.1f} s"


def _young(stopped: threading.Event, place: tuple[str, int], sources: Iterator[str]) -> list[Young]:
    """One after the other until told to stop. Sync tells of each a moment later, so whenever the role moves some are
    unknown to the other director."""
    opened = []
    while not stopped.wait(EVERY):
        opened.append(Young(place, next(sources)))
    return opened


def _sources() -> Iterator[str]:
    """Addresses that no connection came from yet. An address and port that come again could meet what the other
    director still knows of an earlier connection: tests/kernel/test_used_again.py."""
    addresses = IPv4Network(SOURCES)
    first = secrets.randbelow(addresses.num_addresses)
    return (str(addresses[(first + number) % addresses.num_addresses]) for number in count())
