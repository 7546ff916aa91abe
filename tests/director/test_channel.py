"""Two directors' channels over the loopback's addresses, with real sockets."""

from __future__ import annotations

import asyncio
import socket
import time
from dataclasses import replace
from ipaddress import IPv4Address
from typing import TYPE_CHECKING

import pytest

from haman.director.channel import Channel
from haman.director.peers import Peers
from haman.errors import BadPacket
from haman.model.authentication import Credentials, Key, Mode
from haman.model.ballot import Poll, Vote, Wanted
from haman.model.cluster import Channel as Settings
from haman.model.standing import Shares, Standing
from haman.observe import journal
from haman.wire.standing import Reason

if TYPE_CHECKING:
    from collections.abc import Callable, Collection
    from pathlib import Path

    from haman.model.transition import Transition

ADDRESSES = {"lb1": IPv4Address("127.0.0.1"), "lb2": IPv4Address("127.0.0.2")}


def free_port() -> int:
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as sock:
        sock.bind(("127.0.0.1", 0))
        return int(sock.getsockname()[1])


class End:
    """One director's end."""

    def __init__(
        self, name: str, port: int, key_file: Path | None = None, credentials: Credentials | None = None
    ) -> None:
        self.credentials = credentials
        others = {other: (ADDRESSES[name], address) for other, address in ADDRESSES.items() if other != name}
        self.name = name
        self.number = 0
        self.waiting: dict[str, str] = {}
        self.transitions: list[Transition] = []
        self.peers = Peers("web", others, "same")
        self.held: dict[str, int] = {}
        self.heard: list[Shares] = []
        self.asked: list[tuple[str, Poll | Vote]] = []
        self.changed = asyncio.Event()
        self.channel = Channel(
            others,
            Settings(port=port, key_file=None if key_file is None else str(key_file)),
            self.peers,
            standing=self.standing,
            shares=self.shares,
            heard=self.hear,
            changed=self.changed.set,
            record=self.transitions.append,
            credentials=lambda: self.credentials,
            asked=self.ask,
        )

    def ask(self, name: str, said: Poll | Vote) -> None:
        self.asked.append((name, said))
        self.changed.set()

    def standing(self) -> Standing:
        self.number += 1
        return Standing(
            cluster="web",
            node=self.name,
            life=1,
            number=self.number,
            config="same",
            roles={"public": "standby"},
            waiting=dict(self.waiting),
        )

    def shares(self, services: Collection[str] | None) -> list[Shares]:
        of = {name: {80: ((0, weight),)} for name, weight in self.held.items() if services is None or name in services}
        self.number += 1
        return [Shares(cluster="web", node=self.name, life=1, number=self.number, config="same", of=of)] if of else []

    def hear(self, shares: Shares) -> None:
        self.heard.append(shares)
        self.changed.set()

    async def until(self, met: Callable[[], object]) -> None:
        async with asyncio.timeout(60):
            while not met():
                self.changed.clear()
                await self.changed.wait()


def test_they_hear_each_other_and_news_at_once() -> None:
    async def talk() -> None:
        port = free_port()
        lb1, lb2 = End("lb1", port), End("lb2", port)
        async with asyncio.TaskGroup() as tasks:
            running = [tasks.create_task(end.channel.run()) for end in (lb1, lb2)]
            await lb1.until(lambda: lb1.peers.could_take("public") == ["lb2"])
            await lb2.until(lambda: lb2.peers.could_take("public") == ["lb1"])
            lb2.waiting["public"] = "the IPVS table is not loaded yet"
            said = asyncio.get_running_loop().time()
            lb2.channel.tell()
            await lb1.until(lambda: lb1.peers.could_take("public") == [])
            assert asyncio.get_running_loop().time() - said < 0.9, "not with the next second's"
            for task in running:
                task.cancel()

    asyncio.run(talk())


def test_what_the_table_holds_is_said_at_once_and_again_and_again() -> None:
    async def talk() -> None:
        port = free_port()
        lb1, lb2 = End("lb1", port), End("lb2", port)
        async with asyncio.TaskGroup() as tasks:
            running = [tasks.create_task(end.channel.run()) for end in (lb1, lb2)]
            await lb1.until(lambda: lb1.peers.could_take("public"))
            lb2.held = {"web": 2, "mail": 1}
            lb2.channel.tell({"web"})
            await lb1.until(lambda: lb1.heard)
            assert lb1.heard[0].of == {"web": {80: ((0, 2),)}}, "of that service alone"
            await lb1.until(lambda: len(lb1.heard) > 2)
            assert lb1.heard[-1].of == {"web": {80: ((0, 2),)}, "mail": {80: ((0, 1),)}}, "who lost it hears it again"
            for task in running:
                task.cancel()

    asyncio.run(talk())


def test_a_question_and_its_answer_go_to_one_director_at_once_and_strangers_are_not_heard() -> None:
    async def talk() -> None:
        port = free_port()
        lb1, lb2 = End("lb1", port), End("lb2", port)
        poll = Poll(cluster="web", node="lb1", number=7, wanted=Wanted.THERE)
        vote = Vote(cluster="web", node="lb2", number=7, yes=True, why="it is there")
        async with asyncio.TaskGroup() as tasks:
            running = [tasks.create_task(end.channel.run()) for end in (lb1, lb2)]
            await lb1.until(lambda: lb1.peers.could_take("public") == ["lb2"])
            await lb2.until(lambda: lb2.peers.could_take("public") == ["lb1"])
            lb1.channel.post("lb2", replace(poll, cluster="other"))
            lb1.channel.post("lb2", replace(poll, node="lb3"))
            lb1.channel.post("lb2", poll)
            lb1.channel.post("lb3", poll)
            await lb2.until(lambda: lb2.asked)
            lb2.channel.post("lb1", vote)
            await lb1.until(lambda: lb1.asked)
            assert lb2.asked == [("lb1", poll)]
            assert lb1.asked == [("lb2", vote)]
            for task in running:
                task.cancel()

    asyncio.run(talk())


def test_a_peer_that_is_away_at_first_is_heard_when_it_comes() -> None:
    """Until then the kernel answers each of our messages with "port unreachable"."""

    async def talk() -> None:
        port = free_port()
        lb1, lb2 = End("lb1", port), End("lb2", port)
        async with asyncio.TaskGroup() as tasks:
            first = tasks.create_task(lb1.channel.run())
            await asyncio.sleep(0.2)
            second = tasks.create_task(lb2.channel.run())
            await lb1.until(lambda: lb1.peers.could_take("public"))
            first.cancel()
            second.cancel()

    asyncio.run(talk())


def test_strangers_are_not_even_read_and_wrong_keys_are_refused(tmp_path: Path) -> None:
    async def talk() -> None:
        port = free_port()
        keys = [tmp_path / name for name in ("one", "other")]
        for key in keys:
            key.write_text(f"a secret in {key.name}, long enough\n")
            key.chmod(0o600)
        lb1, lb2 = End("lb1", port, keys[0]), End("lb2", port, keys[1])
        async with asyncio.TaskGroup() as tasks:
            running = [tasks.create_task(end.channel.run()) for end in (lb1, lb2)]
            with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as stranger:
                stranger.bind(("127.0.0.3", 0))
                stranger.sendto(b"HMN\x01 noise", ("127.0.0.1", port))
            await lb1.until(lambda: lb1.peers.all["lb2"].refused)
            assert lb1.peers.all["lb2"].refused == "signed with another key"
            assert [change.why for change in lb1.transitions] == [
                "a message from director lb2 is refused: signed with another key"
            ]
            for task in running:
                task.cancel()

    asyncio.run(talk())


ONE, TWO = Key(number=1, secret="11" * 32), Key(number=2, secret="22" * 32)


def test_keys_are_brought_in_and_rotated_while_they_talk() -> None:
    """Each step on one end after the other; nothing is refused at any."""

    async def talk() -> None:
        port = free_port()
        first = Credentials(keys=(ONE,), send=1, mode=Mode.RECEIVE_ONLY)
        ends = End("lb1", port, credentials=first), End("lb2", port, credentials=first)
        both = Credentials(keys=(ONE, TWO), send=1)
        steps = [
            replace(first, mode=Mode.PERMISSIVE),
            replace(first, mode=Mode.ENFORCE),
            both,
            replace(both, send=2),
            Credentials(keys=(TWO,), send=2),
        ]
        async with asyncio.TaskGroup() as tasks:
            running = [tasks.create_task(end.channel.run()) for end in ends]
            for step in [first, *steps]:
                for end in ends:
                    end.credentials = step
                for end, name in zip(ends, ("lb2", "lb1"), strict=True):
                    before = end.peers.all[name].standing
                    said = 0 if before is None else before.number
                    await end.until(lambda end=end, name=name, said=said: number(end, name) > said + 1)
            assert [end.peers.all[name].refused for end, name in zip(ends, ("lb2", "lb1"), strict=True)] == ["", ""]
            assert not ends[0].peers.refusals
            causes = [change.cause for change in ends[0].transitions]
            assert causes == ["not_signed", "heard", "signed"]
            for task in running:
                task.cancel()

    asyncio.run(talk())


def number(end: End, name: str) -> int:
    standing = end.peers.all[name].standing
    return 0 if standing is None else standing.number


def test_what_is_not_signed_with_our_keys_or_now_is_refused_and_counted(monkeypatch: pytest.MonkeyPatch) -> None:
    async def talk() -> None:
        end = End("lb1", free_port(), credentials=Credentials(keys=(ONE,), send=1))
        peer = End("lb2", free_port(), credentials=Credentials(keys=(TWO,), send=2))
        said = peer.channel._sealed(peer.standing())
        with pytest.raises(BadPacket) as caught:
            end.channel._judged("lb2", said)
        assert caught.value.reason is Reason.SIGNATURE
        peer.credentials = end.credentials
        said = peer.channel._sealed(peer.standing())
        assert end.channel._judged("lb2", said).node == "lb2"
        with pytest.raises(BadPacket) as caught:
            end.channel._judged("lb2", said)
        assert caught.value.reason is Reason.REPLAY
        now = time.time()
        monkeypatch.setattr(time, "time", lambda: now + 60)
        with pytest.raises(BadPacket) as caught:
            end.channel._judged("lb2", said)
        assert caught.value.reason is Reason.STALE

    asyncio.run(talk())


def test_without_its_address_or_key_it_says_so_and_goes_on_trying(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    async def talk() -> None:
        short = tmp_path / "key"
        short.write_text("short\n")
        short.chmod(0o600)
        end = End("lb1", free_port(), short)
        task = asyncio.ensure_future(end.channel.run())
        async with asyncio.timeout(60):
            while not caplog.records:
                await asyncio.sleep(0)
        task.cancel()

    journal.log.propagate = True
    asyncio.run(talk())
    assert caplog.records[0].message.startswith(
        f"no channel to director lb2: {tmp_path}/key holds a secret of 5 bytes, 16 to 1024 are wanted; make one: "
    )
