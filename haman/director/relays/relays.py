"""The relay kept at work: its process runs while a backup is reached by it, has the sockets it needs, and knows who
serves. What it is told follows from level: whatever was missed is in the next look.
"""

from __future__ import annotations

import asyncio
import errno
import os
import time
from dataclasses import replace
from typing import TYPE_CHECKING, Any

from haman.director.relays import sockets
from haman.director.relays.fronts import fronts, weights
from haman.director.relays.process import Process
from haman.director.relays.words import Words
from haman.model.transition import Kind, Transition
from haman.observe.journal import log
from haman.relay import orders

if TYPE_CHECKING:
    import socket
    from collections.abc import Callable, Mapping

    from haman.health.hysteresis import Health
    from haman.model.cluster import Cluster
    from haman.model.services import Target
    from haman.relay.orders import Front, Weights

EVERY = 0.5
"""Seconds between two looks."""


class Relays:
    """weighed: what every server is to have now. health: what its check says. loaded: whether the kernel has its table;
    before that the relay takes nothing, since whoever calls the VIP would come to it, local servers or not. record:
    takes what becomes of the process."""

    def __init__(
        self,
        weighed: Callable[[], Mapping[Target, int | None]],
        health: Callable[[], Mapping[Target, Health]],
        loaded: Callable[[], bool],
        record: Callable[[Transition], None],
    ) -> None:
        self._weighed = weighed
        self._health = health
        self._loaded = loaded
        self._record = record
        self._cluster: Cluster | None = None
        self._node = ""
        self._fronts: dict[str, Front] = {}
        self._sockets: dict[str, socket.socket] = {}
        self._open: dict[str, Front] = {}
        self._told: dict[str, Weights] = {}
        self._figures: dict[str, Mapping[str, Any]] = {}
        self._problems: dict[str, str] = {}
        self._words = Words()
        self._process: Process | None = None

    @property
    def figures(self) -> Mapping[str, Mapping[str, Any]]:
        """By way (`web@east`), as the relay has told them last. See relay.account."""
        return self._known(self._figures)

    def _known(self, figures: Mapping[str, Mapping[str, Any]]) -> dict[str, Mapping[str, Any]]:
        ways = {way.name for front in self._fronts.values() for way in front.ways}
        return {name: each for name, each in figures.items() if name in ways}

    @property
    def problems(self) -> tuple[str, ...]:
        """What keeps it from its work, in words."""
        return tuple(self._problems.values())

    @property
    def pid(self) -> int | None:
        return None if self._process is None else self._process.pid

    def configure(self, cluster: Cluster, node: str) -> None:
        relayed = {
            service.name: service
            for service in cluster.services_of(node)
            if any(backup.relay is not None for backup in service.backups)
        }
        self._cluster, self._node = replace(cluster, services=relayed), node
        self._fronts = fronts(self._cluster, node)
        self.look()

    def look(self) -> None:
        """Make it as it is to be. Call it whenever a weight may have changed, and BEFORE the kernel's table follows."""
        if self._cluster is None:
            return
        if not self._fronts:
            self._rest()
            return
        if self._process is None:
            self._process = Process(asyncio.get_running_loop(), self._begin, self._hear, self._lost)
        if not self._process.wanted:
            self._process.start()
        self._level()

    async def run(self) -> None:
        """For ever; cancelled, the relay is left to the next director."""
        try:
            while True:
                await asyncio.sleep(EVERY)
                self.look()
                _log(self._words.due(time.monotonic()))
                if self._process is not None:
                    self._process.watch()
        finally:
            if self._process is not None:
                self._process.leave()
            self._let_go()

    def stop(self) -> None:
        """The VIPs are gone from here: its sessions are nobody's any more."""
        self._cluster = None
        if self._process is not None:
            self._process.stop()
            self._process = None
        self._let_go()

    def _let_go(self) -> None:
        for sock in self._sockets.values():
            sock.close()
        self._sockets.clear()

    def _rest(self) -> None:
        if self._process is not None:
            for name in list(self._open):
                self._close(name)
            self._process.leave()  # it drains what it has, and ends
            self._process = None
            self._problems.clear()

    def _begin(self) -> None:
        """There is a new process, which knows nothing."""
        self._note("stopped", "running", "relay_started", f"started as pid {self.pid}")
        self._open, self._told, self._figures = {}, {}, {}
        self._level()

    def _level(self) -> None:
        assert self._process is not None
        assert self._cluster is not None
        for name in (self._sockets.keys() | self._problems.keys()) - self._fronts.keys() - {""}:
            self._close(name)
        for name, front in self._fronts.items():
            if self._open.get(name) == front:
                continue
            was = self._open.get(name)
            if was is not None and _place(was) != _place(front):
                self._close(name)
                was = None
            if name not in self._sockets and not (self._loaded() and self._listen(front)):
                continue
            self._process.send(orders.opened(front), () if was is not None else (self._sockets[name],))
            self._open[name] = front
            self._told.pop(name, None)
        wanted = weights(self._cluster, self._node, self._weighed(), self._health())
        for name in self._open:
            if self._told.get(name) != wanted[name]:
                self._process.send(orders.weighed(name, wanted[name]))
                self._told[name] = wanted[name]

    def _listen(self, front: Front) -> bool:
        try:
            self._sockets[front.name] = sockets.listening(front)
        except OSError as error:
            words = f"the relay of service {front.name} cannot listen on {front.address}: {_why(error)}"
            if self._problems.get(front.name) != words:
                log.error("%s", words)
            self._problems[front.name] = words
            return False
        self._problems.pop(front.name, None)
        return True

    def _close(self, name: str) -> None:
        sock = self._sockets.pop(name, None)
        if sock is not None:
            sock.close()
        self._problems.pop(name, None)
        self._told.pop(name, None)
        if self._open.pop(name, None) is not None and self._process is not None:
            self._process.send(orders.closed(name))

    def _hear(self, said: dict[str, dict[str, Any]] | str) -> None:
        if isinstance(said, str):
            _log(self._words.take(said, time.monotonic()))
            return
        self._figures |= self._known(said)
        self._problems.pop("", None)

    def _lost(self, why: str) -> None:
        words = f"the relay {why}; it is started again, its sessions are broken off"
        self._note("running", "restarting", "relay_ended", words)
        self._problems[""] = words

    def _note(self, before: str, after: str, cause: str, why: str) -> None:
        self._record(
            Transition(kind=Kind.PROCESS, who="relay", before=before, after=after, why=why, cause=cause, at=time.time())
        )


def _log(lines: list[str]) -> None:
    for line in lines:
        log.warning("%s", line)


def _place(front: Front) -> tuple[object, ...]:
    return front.protocol, front.address, front.port


def _why(error: OSError) -> str:
    match error.errno:
        case errno.EADDRINUSE:
            return "another program listens there; let it listen on other addresses"
        case errno.EACCES:
            return "haman may not use ports below 1024 (CAP_NET_BIND_SERVICE)"
    return os.strerror(error.errno or 0)
