"""The elector's view of the director, with real processes in the director's place."""

from __future__ import annotations

import asyncio
import os
import re
import signal
import sys
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from haman.elector.child import Child
from haman.model.elector import Goodbye, Heartbeat, Roles
from tests.wire.test_link import many

if TYPE_CHECKING:
    import pytest

    from haman.model.elector import Message

PRELUDE = """
import socket, sys, time
from haman.model.elector import Goodbye, Heartbeat
from haman.wire import link
end = socket.socket(fileno=int(sys.argv[-1]))
"""
SPEAK_AND_WAIT = PRELUDE + "end.sendall(link.encode(Goodbye(code=2)))\ntime.sleep(60)"
ECHO_COUNT = PRELUDE + (
    "decoder = link.Decoder(); seen = 0\n"
    "while seen < 500: seen += len(list(decoder.feed(end.recv(65536))))\n"
    "end.sendall(link.encode(Goodbye(code=seen % 256)))\ntime.sleep(60)"
)
SHORT_PATIENCE = PRELUDE + "end.sendall(link.encode(Heartbeat(sent=0.0, patience=0.2)))\ntime.sleep(60)"
GARBAGE = PRELUDE + "end.sendall(b'\\xff' * 64)\ntime.sleep(60)"
EXIT_3 = "import sys; sys.exit(3)"


@dataclass
class Witness:
    said: list[Message] = field(default_factory=list)
    starts: int = 0
    gone: list[tuple[str, int | None]] = field(default_factory=list)
    changed: asyncio.Event = field(default_factory=asyncio.Event)

    def child_said(self, message: Message) -> None:
        self.said.append(message)
        self.changed.set()

    def child_started(self) -> None:
        self.starts += 1
        self.changed.set()

    def child_gone(self, why: str, code: int | None) -> None:
        self.gone.append((why, code))
        self.changed.set()

    async def until(self, condition: str) -> None:
        async with asyncio.timeout(60):
            while not eval(condition, {"self": self}):
                self.changed.clear()
                await self.changed.wait()


def child(witness: Witness, program: str) -> Child:
    made = Child(asyncio.get_running_loop(), [sys.executable, "-c", program], witness)
    made.start()
    return made


def test_it_hears_what_the_director_says_and_that_it_was_killed() -> None:
    async def scene() -> None:
        witness = Witness()
        director = child(witness, SPEAK_AND_WAIT)
        await witness.until("self.said")
        assert witness.said == [Goodbye(code=2)]
        director.retire()
        assert director.pid is not None
        os.kill(director.pid, signal.SIGKILL)
        await witness.until("self.gone")
        assert witness.gone == [("was killed by SIGKILL", -9)]
        assert director.pid is None

    asyncio.run(scene())


def test_a_director_that_dies_is_started_again_and_again() -> None:
    async def scene() -> None:
        witness = Witness()
        director = child(witness, EXIT_3)
        await witness.until("self.starts == 3")
        director.retire()
        assert witness.gone[0] == ("ended with exit code 3", 3)
        if director.pid is not None:
            director.kill("the test is over")
            await witness.until("len(self.gone) == 3")

    asyncio.run(scene())


def test_a_director_that_reads_late_loses_no_message() -> None:
    async def scene() -> None:
        witness = Witness()
        director = child(witness, ECHO_COUNT)
        director.retire()
        padding = Roles(epoch=1, roles=())
        for _ in range(500):
            director.send(padding)
        await witness.until("self.said")
        assert witness.said == [Goodbye(code=500 % 256)]
        director.kill("the test is over")
        await witness.until("self.gone")

    asyncio.run(scene())


def test_a_director_whose_heart_stops_is_killed() -> None:
    async def scene() -> None:
        witness = Witness()
        director = child(witness, SHORT_PATIENCE)
        director.retire()
        await witness.until("self.said")
        assert isinstance(witness.said[0], Heartbeat)
        director.watch()
        assert director.pid is not None
        await asyncio.sleep(0.25)  # the patience it announced
        director.watch()
        await witness.until("self.gone")
        why, code = witness.gone[0]
        assert re.fullmatch(r"was silent for \d+\.?\d* s", why)
        assert code == -signal.SIGKILL

    asyncio.run(scene())


def test_a_director_that_speaks_nonsense_is_killed() -> None:
    async def scene() -> None:
        witness = Witness()
        child(witness, GARBAGE).retire()
        await witness.until("self.gone")
        assert witness.gone[0][0].startswith("spoke nonsense: frame of 4294967295 bytes on the link")

    asyncio.run(scene())


BIG = PRELUDE + (
    "from tests.wire.test_link import many\n"
    "end.sendall(link.Encoder().encode(many(1000, changed=500)))\n"
    "end.sendall(link.encode(Goodbye(code=2)))\ntime.sleep(60)"
)


def test_a_large_configuration_is_read_in_small_turns(monkeypatch: pytest.MonkeyPatch) -> None:
    """63 frames of 32 addresses; never more than 4 KB of them between two turns of the loop."""
    taken: list[int] = []
    take = Child._take
    monkeypatch.setattr(Child, "_take", lambda self, data: (taken.append(len(data)), take(self, data))[1])

    async def scene() -> None:
        witness = Witness()
        director = child(witness, BIG)
        await witness.until("len(self.said) == 2")
        director.retire()
        director.kill("test over")
        await witness.until("self.gone")
        assert witness.said[0] == many(1000, changed=500)

    asyncio.run(scene())
    assert max(taken) <= 4096
    assert len(taken) >= 16
