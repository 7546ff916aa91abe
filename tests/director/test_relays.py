"""The relay kept at work by its director: on loopback, with the real process."""

from __future__ import annotations

import asyncio
import errno
import os
import signal
import socket
from dataclasses import replace
from ipaddress import ip_address
from typing import TYPE_CHECKING, Any

from haman.director.relays.fronts import fronts, weights
from haman.director.relays.process import HEARD, Process
from haman.director.relays.relays import Relays
from haman.director.relays.words import Words
from haman.health.board import Board
from haman.model.relay import Terms
from haman.model.services import Forward, Protocol, Server, Service, Target
from haman.model.sites import Backup
from haman.relay import orders
from tests.director.support import cluster, service
from tests.relay.support import PATIENCE, accepted, is_reset, listening, port

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable

    import pytest

    from haman.model.transition import Transition

EAST = "web@east"
THERE = "127.0.0.2"
"""Another address than the clients have: who comes from a backup site is refused."""


def free_port() -> int:
    with socket.socket() as sock:
        sock.bind(("127.0.0.1", 0))
        return port(sock)


def relayed(front: int, there: int, **terms: Any) -> Service:
    server = Server(name="east", address=ip_address(THERE), port=there, forward=Forward.RELAY, relay=1)
    backup = Backup(name="east", servers={"east": server}, relay=Terms(**terms))
    return replace(service(), address=ip_address("127.0.0.1"), ports=(front,), protocol=Protocol.TCP, backups=(backup,))


def many(each: Service, count: int) -> Service:
    """The same with so many servers, all of them the one it has."""
    (backup,) = each.backups
    (server,) = backup.servers.values()
    names = [f"server-with-a-long-name-{number}" for number in range(count)]
    return replace(each, backups=(replace(backup, servers={name: replace(server, name=name) for name in names}),))


class Bench:
    """A director's part of it: weights and health by hand."""

    def __init__(self, each: Service) -> None:
        self.board = Board({part.name: part for part in (each, *each.pools())}, {}, 0.0)
        self.weights: dict[Target, int | None] = {target: 1 for pool in each.pools() for target, _ in pool.targets()}
        self.record: list[Transition] = []
        self.loaded = True
        self.relays = Relays(lambda: self.weights, lambda: self.board.health, lambda: self.loaded, self.record.append)
        self.each = each

    def configure(self, each: Service | None) -> None:
        made = cluster(services={} if each is None else {"web": each})
        self.relays.configure(made, "lb1")


async def until(condition: Callable[[], Any]) -> Any:
    async with asyncio.timeout(PATIENCE):
        while not (found := condition()):
            await asyncio.sleep(0.01)
    return found


async def heard(bench: Bench) -> None:
    """The relay has read what it was told before this: between two of its figures it has looked."""
    for _ in range(2):
        before = bench.relays.figures[EAST]
        await until(lambda before=before: bench.relays.figures[EAST] is not before)  # type: ignore[misc]


def refused(front: int) -> bool:
    try:
        with socket.create_connection(("127.0.0.1", front), PATIENCE) as client:
            return is_reset(client)
    except ConnectionError:
        return True


async def talk(front: int, server: socket.socket) -> None:
    """One connection that is answered."""
    with (
        await asyncio.to_thread(socket.create_connection, ("127.0.0.1", front), PATIENCE) as client,
        await asyncio.to_thread(accepted, server) as there,
    ):
        await asyncio.to_thread(there.sendall, b"x")
        assert await asyncio.to_thread(client.recv, 1) == b"x"


def play(scenario: Callable[[Bench, int, socket.socket], Awaitable[None]], **terms: Any) -> None:
    async def whole() -> None:
        with listening(THERE) as server:
            front = free_port()
            bench = Bench(relayed(front, port(server), **terms))
            bench.configure(bench.each)
            running = asyncio.ensure_future(bench.relays.run())
            try:
                await until(lambda: EAST in bench.relays.figures)
                await scenario(bench, front, server)
            finally:
                bench.relays.stop()
                running.cancel()

    asyncio.run(whole())


def test_what_it_is_to_do_follows_from_the_configuration() -> None:
    each = relayed(80, 8080, sessions=7)
    (front,) = fronts(cluster(services={"web": each}), "lb1").values()
    assert (front.name, front.port, front.ways[0].terms.sessions) == ("web:80", 80, 7)
    assert [(s.name, s.port) for s in front.ways[0].servers] == [("east", 8080)]
    board = Board({pool.name: pool for pool in each.pools()}, {}, 0.0)
    told = weights(cluster(services={"web": each}), "lb1", {Target(EAST, "east", 8080): 3}, board.health)
    assert told == {"web:80": {EAST: {"east": (3, True)}}}
    assert fronts(cluster(services={"web": service()}), "lb1") == {}


def test_it_relays_and_tells_how_much() -> None:
    async def scenario(bench: Bench, front: int, server: socket.socket) -> None:
        await talk(front, server)
        await until(lambda: bench.relays.figures[EAST]["total"] == 1 and bench.relays.figures[EAST]["bytes_down"] == 1)
        assert bench.relays.problems == ()

    play(scenario)


def test_one_that_dies_is_started_again_and_who_comes_meanwhile_waits() -> None:
    async def scenario(bench: Bench, front: int, server: socket.socket) -> None:
        first = bench.relays.pid
        assert first is not None
        os.kill(first, signal.SIGKILL)
        await talk(front, server)
        assert bench.relays.pid not in (first, None)
        await until(lambda: bench.relays.problems == ())
        assert [(each.who, each.before, each.after, each.why) for each in bench.record] == [
            ("relay", "stopped", "running", f"started as pid {first}"),
            (
                "relay",
                "running",
                "restarting",
                "the relay was killed by SIGKILL; it is started again, its sessions are broken off",
            ),
            ("relay", "stopped", "running", f"started as pid {bench.relays.pid}"),
        ]

    play(scenario)


def test_one_that_hangs_is_killed(monkeypatch: Any) -> None:
    async def scenario(bench: Bench, front: int, server: socket.socket) -> None:
        first = bench.relays.pid
        assert first is not None
        with monkeypatch.context() as hasty:
            hasty.setattr("haman.director.relays.process.PATIENCE", 3.0)
            os.kill(first, signal.SIGSTOP)
            await until(lambda: bench.relays.pid not in (first, None))
        await talk(front, server)

    play(scenario)


def test_one_that_says_what_it_never_says_is_killed(monkeypatch: Any) -> None:
    def refuse(message: bytes) -> str:
        raise ValueError("nonsense")

    async def scenario(bench: Bench, front: int, server: socket.socket) -> None:
        first = bench.relays.pid
        with monkeypatch.context() as planted:
            planted.setattr(orders, "heard", refuse)
            await until(lambda: bench.relays.problems)
        assert "said what it never says (nonsense)" in bench.relays.problems[0]
        await until(lambda: bench.relays.pid not in (first, None) and not bench.relays.problems)
        await talk(front, server)

    play(scenario)


def test_a_pool_may_be_larger_than_what_the_relay_is_told_at_once() -> None:
    """6,000 servers: some 500 KB of orders, while a socket holds 208 KiB."""

    async def whole() -> None:
        with listening(THERE) as server:
            front = free_port()
            bench = Bench(many(relayed(front, port(server)), 6000))
            bench.configure(bench.each)
            running = asyncio.ensure_future(bench.relays.run())
            try:
                await until(lambda: EAST in bench.relays.figures)
                first = bench.relays.pid
                await talk(front, server)
                assert (bench.relays.problems, bench.relays.pid) == ((), first)
            finally:
                bench.relays.stop()
                running.cancel()

    asyncio.run(whole())


def test_a_reload_changes_limits_under_running_sessions_and_takes_away_what_is_left_out() -> None:
    async def scenario(bench: Bench, front: int, server: socket.socket) -> None:
        with (
            socket.create_connection(("127.0.0.1", front), PATIENCE) as client,
            await asyncio.to_thread(accepted, server) as there,
        ):
            bench.configure(relayed(front, port(server), sessions=1, drain=0.5))
            await heard(bench)
            assert await asyncio.to_thread(refused, front)
            client.sendall(b"x")
            assert await asyncio.to_thread(there.recv, 1) == b"x"
            bench.configure(None)
            assert await asyncio.to_thread(is_reset, client)
        assert bench.relays.pid is None

    play(scenario)


def test_what_it_says_for_the_log_is_bounded_and_the_rest_counted() -> None:
    words = Words()
    assert [words.take(f"line {number}", 10.0 + number / 1000) for number in range(5000)] == [
        *([f"line {number}"] for number in range(200)),
        *([] for _ in range(4800)),
    ]
    assert words.due(69.9) == []
    left_out = "the relay said 200 lines for the log within 60 s, and 4,800 more that were left out"
    assert words.due(70.0) == [left_out]
    assert words.due(200.0) == []
    assert words.take("again", 200.0) == ["again"]
    for _ in range(200):
        words.take("and again", 201.0)
    assert words.take("later", 260.0) == [left_out.replace("4,800", "1"), "later"]


def test_a_relay_that_says_something_all_the_time_does_not_fill_the_log(caplog: pytest.LogCaptureFixture) -> None:
    bench = Bench(relayed(1, 1))
    for number in range(5000):
        bench.relays._hear(f"relay web@east: {number}")
    assert len(caplog.records) == 200


def test_it_takes_nobody_before_the_kernel_has_its_table() -> None:
    async def whole() -> None:
        with listening(THERE) as server:
            front = free_port()
            bench = Bench(relayed(front, port(server)))
            bench.loaded = False
            bench.configure(bench.each)
            running = asyncio.ensure_future(bench.relays.run())
            try:
                await until(lambda: bench.relays.pid)
                assert await asyncio.to_thread(refused, front)
                assert bench.relays.problems == ()
                bench.loaded = True
                bench.relays.look()
                await talk(front, server)
                bench.loaded = False  # what was opened stays so while the kernel's table is lost
                await talk(front, server)
            finally:
                bench.relays.stop()
                running.cancel()

    asyncio.run(whole())


def test_a_port_that_is_taken_is_told_and_tried_again() -> None:
    async def whole() -> None:
        with listening(THERE) as server:
            taken = socket.create_server(("127.0.0.1", 0))
            front = port(taken)
            bench = Bench(relayed(front, port(server)))
            bench.configure(bench.each)
            running = asyncio.ensure_future(bench.relays.run())
            try:
                (words,) = bench.relays.problems
                assert words.endswith(
                    "cannot listen on 127.0.0.1: another program listens there; let it listen on other addresses"
                )
                taken.close()
                await until(lambda: not bench.relays.problems)
                await talk(front, server)
            finally:
                bench.relays.stop()
                running.cancel()

    asyncio.run(whole())


def test_a_problem_ends_with_what_had_it() -> None:
    """Of two services one has a port that is taken, and is left out by a reload."""

    async def whole() -> None:
        with listening(THERE) as server, socket.create_server(("127.0.0.1", 0)) as taken:
            each = relayed(free_port(), port(server))
            both = replace(each, ports=(*each.ports, port(taken)))
            bench = Bench(both)
            bench.configure(both)
            try:
                assert len(bench.relays.problems) == 1
                bench.configure(each)
                assert not bench.relays.problems
            finally:
                bench.relays.stop()

    asyncio.run(whole())


def test_one_that_talks_without_end_does_not_hold_the_director() -> None:
    async def whole() -> None:
        loop = asyncio.get_running_loop()
        heard: list[object] = []
        process = Process(loop, lambda: None, heard.append, lambda why: None)
        ours, theirs = orders.pair()
        with ours, theirs:
            process._link = ours
            for _ in range(HEARD + 1):
                theirs.send(orders.said("word"))
            process._readable()
            assert len(heard) == HEARD

    asyncio.run(whole())


def test_without_a_descriptor_for_it_it_is_tried_again(monkeypatch: Any) -> None:
    async def whole() -> None:
        started: list[bool] = []
        gone: list[str] = []
        process = Process(asyncio.get_running_loop(), lambda: started.append(True), lambda said: None, gone.append)
        for module, name in ((os, "pidfd_open"), (orders, "pair")):
            with monkeypatch.context() as patched:
                patched.setattr(module, name, exhausted)
                process.start()
            assert gone.pop() == "could not be started: Too many open files"
            assert process.pid is None
        await until(lambda: started)
        process.stop()

    asyncio.run(whole())


def exhausted(*_: object) -> None:
    raise OSError(errno.EMFILE, os.strerror(errno.EMFILE))
