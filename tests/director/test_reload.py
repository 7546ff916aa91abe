"""A running director reads its file again: the difference, no more; and nothing at all when the file is wrong.

Real checks, a kernel of paper, files on disk. Servers are listening sockets on addresses of 127/8.
"""

from __future__ import annotations

import asyncio
import getpass
import socket
from dataclasses import replace
from typing import TYPE_CHECKING, Any

import pytest

from haman.director import loading
from haman.director.ask import ask
from haman.director.duty import Duty
from haman.director.link import Link
from haman.director.orders import Given, Orders, Planned
from haman.director.slice import slice_for
from haman.health.hysteresis import Verdict
from haman.model.elector import Configure, Readiness, Reload, Reloaded, Reloading
from haman.model.kernel import ServiceKey
from haman.model.services import Target
from haman.model.transition import Kind
from haman.plan.ops import Add, Remove, Set
from tests.director.paper import Paper
from tests.director.support import Elector, change
from tests.director.test_duty import surroundings  # noqa: F401 - a fixture for all tests here

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Iterator
    from pathlib import Path

    from haman.model.elector import Message

HEAD = """\
cluster: web
directors:
  lb1: {address: 10.0.0.1, priority: 150}
  lb2: {address: 10.0.0.2, priority: 100}
sync: false
checks:
  front: {tcp: {}, interval: 200ms, fast_interval: 100ms, timeout: 200ms, rise: 1, fall: 2, jitter: 0%}
  other: {tcp: {}, interval: 300ms, fast_interval: 100ms, timeout: 200ms, rise: 1, fall: 2, jitter: 0%}
"""
ROUTERS = "routers: {public: {interface: eth0, vrid: 51, addresses: [10.0.0.100/24, 10.0.0.101/24]}}\n"


def text(servers: str, more: str = "", routers: str = ROUTERS, check: str = "front") -> str:
    services = (
        f"services:\n  web: {{address: 10.0.0.100, port: PORT, scheduler: wlc, check: {check}, servers: {servers}}}\n"
    )
    return HEAD + routers + (services if servers else "") + more


TWO = "{rs1: {address: 127.0.0.1}, rs2: {address: 127.0.0.2}}"


class Bench:
    """lb1 with a file. `port` is answered on 127.0.0.1 and 127.0.0.2."""

    def __init__(self, directory: Path, port: int) -> None:
        self.file = directory / "haman.yaml"
        self.port = port
        self.paper = Paper()
        self.elector = Elector()
        self.messages: list[Message] = []

    def write(self, content: str) -> None:
        self.file.write_text(content.replace("PORT", str(self.port)))

    def run(self, scenario: Callable[[], Awaitable[None]]) -> None:
        async def inside() -> None:
            received: list[Message] = []
            link = Link(asyncio.get_running_loop(), self.elector.theirs, received.append)
            self.duty = Duty(
                loading.load(self.file, "lb1"), self.file, link, self.paper.open, self.paper.filter, override="lb1"
            )
            link._received = self.duty.received
            try:
                async with asyncio.TaskGroup() as tasks:
                    task = tasks.create_task(self.duty.run())
                    async with asyncio.timeout(60):
                        await scenario()
                    task.cancel()
            finally:
                link.close()
                self.elector.close()

        asyncio.run(inside())

    async def until(self, condition: Callable[[], Any]) -> None:
        while not condition():
            self.read()
            await asyncio.sleep(0.005)

    def read(self) -> list[Message]:
        self.elector.socket.setblocking(False)
        try:
            while True:
                self.messages += self.elector.receive()
        except BlockingIOError:
            return self.messages

    async def settled(self, servers: int = 2) -> None:
        """Everything checked, up and in the table."""
        await self.until(self.duty._begun.is_set)
        await self.until(lambda: not self.duty._board.unchecked and len(self.paper.kernel.destinations) == servers)
        await self.until(lambda: self.duty._assessment.waiting == {})
        self.read()

    async def reload(self, content: str) -> dict[str, Any]:
        """The outcome; `asked` and `messages` hold what came of it alone."""
        self.read()
        self.messages.clear()
        self.paper.asked.clear()
        self.write(content)
        outcome = await self.duty.reload()
        await asyncio.sleep(0.1)
        self.read()
        return outcome

    def asked(self) -> list[str]:
        return [str(op) for op in self.paper.asked]

    def verdict(self, service: str, server: str) -> Verdict:
        return self.duty._board.health[Target(service, server, self.port)].verdict

    def noted(self) -> list[str]:
        return [each.cause for each in self.duty.view().transitions if each.kind is Kind.CONFIG]


@pytest.fixture
def bench(tmp_path: Path) -> Iterator[Bench]:
    with socket.create_server(("127.0.0.1", 0), backlog=100) as one:
        port = one.getsockname()[1]
        with socket.create_server(("127.0.0.2", port), backlog=100):
            yield Bench(tmp_path, port)


def test_nothing_new_does_nothing(bench: Bench) -> None:
    """Not an operation, not a word to the elector but that it was asked and has ended."""
    bench.write(text(TWO))

    async def scenario() -> None:
        await bench.settled()
        outcome = await bench.reload("# a comment\n" + text(TWO))
        assert (outcome["ok"], outcome["lines"], outcome["generation"]) == (True, [], 1)
        assert bench.paper.asked == []
        assert bench.messages == [Reloading(), Reloaded(ok=True, words=outcome["words"])]
        assert bench.noted() == ["loaded", "reload_unchanged"]

    bench.run(scenario)


def test_one_more_server_is_one_operation_once_it_answers(bench: Bench) -> None:
    bench.write(text("{rs1: {address: 127.0.0.1}}"))

    async def scenario() -> None:
        await bench.settled(1)
        outcome = await bench.reload(text(TWO))
        assert outcome["lines"] == ["new: server web/rs2", "changed: service web"]
        await bench.until(lambda: bench.paper.asked)
        assert [type(op) for op in bench.paper.asked] == [Add]
        assert bench.verdict("web", "rs1") is Verdict.UP
        assert [type(message) for message in bench.messages][:4] == [Reloading, Configure, Readiness, Reloaded]

    bench.run(scenario)


def test_a_weight_is_one_operation_and_a_removed_server_another(bench: Bench) -> None:
    bench.write(text(TWO))

    async def scenario() -> None:
        await bench.settled()
        await bench.reload(text("{rs1: {address: 127.0.0.1, weight: 7}, rs2: {address: 127.0.0.2}}"))
        assert [type(op) for op in bench.paper.asked] == [Set]
        await bench.reload(text("{rs1: {address: 127.0.0.1, weight: 7}}"))
        assert [type(op) for op in bench.paper.asked] == [Remove]
        assert set(bench.duty._board.health) == {Target("web", "rs1", bench.port)}
        assert len(bench.duty._checks._asked) == 1  # type: ignore[union-attr]

    bench.run(scenario)


@pytest.mark.parametrize(
    "changed",
    [
        text("{one: {address: 127.0.0.1}, two: {address: 127.0.0.2}}"),
        text(TWO, check="other"),
        text("{one: {address: 127.0.0.1}, rs2: {address: 127.0.0.2}}", check="other"),
        text(TWO).replace("  web:", "  site:"),
        text(TWO, "log: {level: debug}\n"),
    ],
    ids=["servers renamed", "another check", "renamed and another check", "service renamed", "log level"],
)
def test_health_follows_and_the_table_is_not_touched(bench: Bench, changed: str) -> None:
    bench.write(text(TWO))

    async def scenario() -> None:
        await bench.settled()
        outcome = await bench.reload(changed)
        assert outcome["generation"] == 2
        assert bench.paper.asked == []
        await bench.settled()
        assert bench.paper.asked == []

    bench.run(scenario)


def test_a_dead_server_stays_dead_under_a_new_check_until_that_has_spoken(bench: Bench) -> None:
    bench.write(text("{rs1: {address: 127.0.0.1}, dead: {address: 127.0.0.9}}"))

    async def scenario() -> None:
        await bench.until(lambda: bench.duty._begun.is_set() and bench.verdict("web", "dead") is Verdict.DOWN)
        await bench.settled(1)
        bench.write(text("{rs1: {address: 127.0.0.1}, dead: {address: 127.0.0.9}}", check="other"))
        await bench.duty.reload()
        health = bench.duty._board.health[Target("web", "dead", bench.port)]
        assert health.verdict is Verdict.DOWN
        assert len(bench.paper.kernel.destinations) == 1
        await bench.until(lambda: not bench.duty._board.unchecked)  # asked anew

    bench.run(scenario)


def test_a_server_at_another_address_is_another_server(bench: Bench) -> None:
    bench.write(text(TWO))

    async def scenario() -> None:
        await bench.settled()
        bench.paper.asked.clear()
        bench.write(text("{rs1: {address: 127.0.0.9}, rs2: {address: 127.0.0.2}}"))
        await bench.duty.reload()
        assert bench.verdict("web", "rs1") is Verdict.UNKNOWN
        assert [type(op) for op in bench.paper.asked] == [Remove]

    bench.run(scenario)


def test_a_mistake_keeps_everything_and_is_shown_everywhere(bench: Bench) -> None:
    bench.write(text(TWO))

    async def scenario() -> None:
        await bench.settled()
        before = slice_for(bench.duty._cluster, "lb1", 1)
        outcome = await bench.reload(text(TWO) + "colour: red\nshape: round\n")
        assert (outcome["ok"], len(outcome["mistakes"])) == (False, 2)
        first = outcome["mistakes"][0]
        assert first.startswith(f"{bench.file}:12:1: ")
        assert bench.paper.asked == []
        assert bench.messages == [Reloading(), Reloaded(ok=False, words=outcome["words"])]
        assert bench.duty.slice == before
        status = bench.duty._status()
        assert status["config"]["last_reload"]["mistakes"] == outcome["mistakes"]  # type: ignore[index]
        assert status["config"]["changed_since"] is True  # type: ignore[index]
        assert first in status["problems"][0]  # type: ignore[index]
        assert bench.noted() == ["loaded", "reload_refused"]
        healed = await bench.reload(text(TWO))
        assert healed["ok"] is True
        assert bench.duty._status()["problems"] == []

    bench.run(scenario)


def test_hooks_are_told_the_new_name_of_the_cluster(bench: Bench) -> None:
    script, out = bench.file.with_name("tell.sh"), bench.file.with_name("told")
    script.write_text(f'#!/bin/sh\necho "$HAMAN_CLUSTER" > {out}.new && mv {out}.new {out}\n')
    script.chmod(0o755)
    hooks = f"hooks: [{{on: [rival], run: {script}, user: {getpass.getuser()}}}]\n"
    bench.write(text(TWO, hooks))

    async def scenario() -> None:
        await bench.settled()
        outcome = await bench.reload(text(TWO, hooks).replace("cluster: web", "cluster: shop"))
        assert outcome["lines"] == ["changed: the cluster's name"]
        bench.duty.hooks.happened(change("10.0.0.2", "active", kind=Kind.RIVAL))
        await bench.until(out.exists)
        assert out.read_text() == "shop\n"

    bench.run(scenario)


def test_a_second_director_may_be_asked_about_connections_from_the_reload_on(bench: Bench) -> None:
    alone = text(TWO).replace("  lb2: {address: 10.0.0.2, priority: 100}\n", "")
    bench.write(alone)

    async def scenario() -> None:
        await bench.settled()
        assert not bench.duty._chances.able
        assert (await bench.reload(text(TWO)))["ok"]
        assert bench.duty._chances.able

    bench.run(scenario)


def test_a_router_that_was_given_away_stays_so_under_another_name(bench: Bench) -> None:
    given = Given(to="lb2", by="anna", at=1.0)
    planned = Planned(routers=("public", "gone"), to=None, force=False, by="anna", at=2.0)
    bench.write(text(TWO))

    async def scenario() -> None:
        await bench.settled()
        bench.duty._book.note(Orders(given={"public": given, "gone": given}, planned=(planned,)))
        await bench.reload(text(TWO, routers=ROUTERS.replace("public", "front")))
        assert bench.duty._book.orders.given == {"front": given, "gone": given}
        assert bench.duty._book.orders.planned == (replace(planned, routers=("front", "gone")),)
        told = [each for each in bench.messages if isinstance(each, Readiness) and each.generation == 2]
        assert told
        assert all("it was given to lb2" in each.waiting["front"] for each in told)

    bench.run(scenario)


KEYS = "authentication: {keys: [{id: 1, file: KEY1}, {id: 2, file: KEY2}], send: SEND}\n"


def test_a_new_secret_is_a_change_and_a_bad_key_file_keeps_everything(bench: Bench) -> None:
    first, second = bench.file.with_name("1"), bench.file.with_name("2")
    for file, letter in ((first, "a"), (second, "b")):
        file.write_text(letter * 32)
        file.chmod(0o600)
    keys = KEYS.replace("KEY1", str(first)).replace("KEY2", str(second))
    bench.write(text(TWO, keys.replace("SEND", "1")))

    async def scenario() -> None:
        await bench.settled()
        ring = bench.duty.slice.routers[0].credentials
        assert ring is not None
        assert [(key.number, key.secret) for key in ring.keys] == [(1, "61" * 32), (2, "62" * 32)]
        outcome = await bench.reload(text(TWO, keys.replace("SEND", "2")))
        assert (outcome["ok"], outcome["lines"]) == (True, ["changed: authentication"])
        (configured,) = (each.config for each in bench.messages if isinstance(each, Configure))
        assert configured.routers[0].credentials == replace(ring, send=2)
        second.write_text("c" * 32)
        outcome = await bench.reload(text(TWO, keys.replace("SEND", "2")))
        assert (outcome["ok"], outcome["lines"]) == (True, ["changed: the secret in a key's file"])
        second.chmod(0o644)
        outcome = await bench.reload(text(TWO, keys.replace("SEND", "1")))
        assert outcome["ok"] is False
        (mistake,) = outcome["mistakes"]
        assert mistake.startswith(f"{bench.file}:12:")
        assert f"authentication.keys[1].file: {second} is open to others (mode 0644); chmod 600 {second}" in mistake
        shown = str(bench.duty._status()) + str(outcome) + str(bench.noted())
        assert not [
            secret for secret in ("61" * 8, "62" * 8, "63" * 8, "a" * 16, "b" * 16, "c" * 16) if secret in shown
        ]

    bench.run(scenario)


def test_a_file_of_which_this_machine_is_no_director_is_refused(bench: Bench) -> None:
    bench.write(text(TWO))

    async def scenario() -> None:
        await bench.settled()
        outcome = await bench.reload(text(TWO).replace("lb1:", "lb7:"))
        assert outcome["ok"] is False
        assert "lb1" in outcome["mistakes"][0]

    bench.run(scenario)


def test_services_come_and_go_with_the_last_one(bench: Bench) -> None:
    bench.write(text(""))

    async def scenario() -> None:
        await bench.until(bench.duty._begun.is_set)
        assert bench.paper.opened == 0
        await bench.reload(text(TWO))
        await bench.settled()
        await bench.reload(text(""))
        await bench.until(lambda: not bench.paper.kernel.services)
        assert len(bench.duty._checks._asked) == 0  # type: ignore[union-attr]
        await bench.reload(text(TWO))
        await bench.settled()

    bench.run(scenario)


def test_what_reload_removed_is_nobodys(bench: Bench) -> None:
    """A service that left the configuration may be made by hand afterwards, on an address that is no VIP any more."""
    both = "  odd: {address: 10.0.0.101, port: 9, scheduler: wlc, servers: {rs1: {address: 127.0.0.1}}}\n"
    one_vip = ROUTERS.replace(", 10.0.0.101/24", "")
    bench.write(text(TWO, both))

    async def scenario() -> None:
        await bench.settled(3)
        await bench.reload(text(TWO, routers=one_vip))
        odd = next(op.key for op in bench.paper.asked if isinstance(op.key, ServiceKey))
        assert odd not in bench.paper.kernel.services
        bench.paper.behind_our_back(Add(odd, next(iter(bench.paper.kernel.services.values()))))
        await asyncio.sleep(0.5)
        assert odd in bench.paper.kernel.services

    bench.run(scenario)


def test_addresses_wait_for_their_table(bench: Bench) -> None:
    bench.write(text(TWO))

    async def scenario() -> None:
        await bench.settled()
        order: list[str] = []
        apply, configure = type(bench.paper.open()).apply, bench.duty._link.configure

        async def applied(self: Any, ops: Any) -> Any:
            order.append("table")
            return await apply(self, ops)

        async def configured(message: Configure) -> None:
            order.append("addresses")
            await configure(message)

        type(bench.paper.open()).apply = applied  # type: ignore[method-assign]
        bench.duty._link.configure = configured  # type: ignore[method-assign]
        try:
            await bench.reload(
                text(TWO, "  more: {address: 10.0.0.101, port: 81, servers: {rs1: {address: 127.0.0.1}}}\n")
            )
        finally:
            type(bench.paper.open()).apply = apply  # type: ignore[method-assign]
        assert order[0] == "table"
        assert "addresses" in order

    bench.run(scenario)


def test_at_the_electors_word_and_over_the_control_socket(bench: Bench) -> None:
    bench.write(text(TWO))

    async def scenario() -> None:
        await bench.settled()
        bench.write(text(TWO, "log: {level: debug}\n"))
        bench.elector.send(Reload())
        await bench.until(lambda: bench.duty.slice.generation == 2)
        bench.write(text(TWO))
        outcome = await asyncio.to_thread(ask, "reload")
        assert outcome["generation"] == 3
        assert outcome["lines"] == ["changed: the log's level"]

    bench.run(scenario)


def test_reloads_at_once_follow_one_another(bench: Bench) -> None:
    bench.write(text(TWO))

    async def scenario() -> None:
        await bench.settled()
        bench.write(text(TWO, "log: {level: debug}\n"))
        outcomes = await asyncio.gather(*(bench.duty.reload() for _ in range(3)))
        assert [each["generation"] for each in outcomes] == [2, 2, 2]

    bench.run(scenario)


def large(servers: int, changed: bool = False) -> str:
    """`servers` in services of ten, without checks; the last one has another weight when `changed`."""
    lines = []
    for number in range(servers // 10):
        inside = ", ".join(
            f"rs{each}: {{address: 10.{1 + (number >> 8)}.{number & 255}.{each + 1}"
            + (", weight: 9}" if changed and number == servers // 10 - 1 and each == 9 else "}")
            for each in range(10)
        )
        lines.append(
            f"  s{number}: {{address: 10.0.0.100, port: {1000 + number}, scheduler: wlc, servers: {{{inside}}}}}"
        )
    return HEAD + ROUTERS + "services:\n" + "\n".join(lines) + "\n"


def test_a_thousand_servers_with_one_change(bench: Bench) -> None:
    """One operation, and none for the same again. (bench.reload does it with ten thousand.)"""
    bench.write(large(1_000))

    async def scenario() -> None:
        await bench.until(bench.duty._begun.is_set)
        await bench.until(lambda: len(bench.paper.kernel.destinations) == 1_000)
        outcome = await bench.reload(large(1_000, changed=True))
        assert outcome["lines"] == ["changed: service s99", "changed: server s99/rs9"]
        assert [type(op) for op in bench.paper.asked] == [Set]
        assert (await bench.reload(large(1_000, changed=True)))["lines"] == []
        assert bench.paper.asked == []

    bench.run(scenario)


def test_taking_up_gives_way_after_a_hundred_targets(bench: Bench, monkeypatch: pytest.MonkeyPatch) -> None:
    """A literal bound: 400 servers that all change are put in place in four turns, and their old forms taken out in
    four more."""
    from haman.director import takeup

    bench.write(large(400))
    turns = 0

    async def turn() -> None:
        nonlocal turns
        turns += 1

    async def scenario() -> None:
        await bench.until(bench.duty._begun.is_set)
        with monkeypatch.context() as patch:
            patch.setattr(takeup, "give_way", turn)
            old = bench.duty._loaded
            new = replace(old, cluster=loading.load(bench.file, "lb1").cluster)
            services = {name: replace(service, scheduler="rr") for name, service in new.cluster.services.items()}
            change = loading.change(
                old,
                replace(new, cluster=replace(new.cluster, services=services)),
                bench.duty.slice,
                held=bench.duty._reconciler.believed,
                remembered=(),
            )
            async for _ in takeup.take_up(change, bench.duty._board, bench.duty._checks):  # type: ignore[arg-type]
                pass
        assert turns == 8

    bench.run(scenario)
