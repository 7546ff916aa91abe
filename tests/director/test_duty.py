"""A whole director in this process: real checks of real servers, a real link, a kernel of paper."""

from __future__ import annotations

import asyncio
import socket
from dataclasses import replace
from ipaddress import IPv4Address
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from haman import paths
from haman.director import reconcile
from haman.director.ask import ask
from haman.director.duty import Duty
from haman.director.link import Link
from haman.director.slice import slice_for
from haman.kernel import sysctls
from haman.model.cluster import Hook, HookEvent
from haman.model.elector import Configure, Counters, Happened, Readiness, Roles, TakeoverDone
from haman.model.kernel import DestinationConfig, DestinationKey, Kernel, ServiceConfig
from haman.model.transition import Kind, Role
from haman.plan.desired import service_key
from tests.director.paper import Paper
from tests.director.support import Elector, change, cluster, report, service

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Iterator

    from haman.model.cluster import Cluster
    from haman.model.elector import Message


@pytest.fixture(autouse=True)
def surroundings(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HAMAN_RUN_DIR", str(tmp_path / "run"))
    monkeypatch.setattr(sysctls, "ROOT", tmp_path / "sys")
    (tmp_path / "sys/net/ipv4/vs").mkdir(parents=True)
    for name in ("expire_nodest_conn", "sloppy_tcp"):
        (tmp_path / "sys/net/ipv4/vs" / name).write_text("0\n")
    monkeypatch.setattr(reconcile, "TICK", 0.05)


@pytest.fixture
def port() -> Iterator[int]:
    """Answered on 127.0.0.1 (rs1), refused on 127.0.0.2 (rs2)."""
    with socket.create_server(("127.0.0.1", 0), backlog=100) as listener:
        yield listener.getsockname()[1]


class Bench:
    def __init__(self, of: Cluster, paper: Paper | None = None) -> None:
        self.cluster = of
        self.paper = paper or Paper()
        self.elector = Elector()
        self.messages: list[Message] = []

    def run(self, scenario: Callable[[], Awaitable[None]]) -> None:
        async def inside() -> None:
            received: list[Message] = []
            link = Link(asyncio.get_running_loop(), self.elector.theirs, received.append)
            self.duty = Duty(self.cluster, "lb1", Path("/etc/haman/haman.yaml"), link, self.paper.open)
            link._received = self.duty.received
            try:
                async with asyncio.TaskGroup() as tasks:
                    task = tasks.create_task(self.duty.run())
                    async with asyncio.timeout(10):
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
        """Everything the elector has got so far."""
        self.elector.socket.setblocking(False)
        try:
            while True:
                self.messages += self.elector.receive()
        except BlockingIOError:
            return self.messages

    def waiting(self) -> dict[str, str] | None:
        told = [message for message in self.read() if isinstance(message, Readiness)]
        return told[-1].waiting if told else None

    def status(self) -> dict[str, Any]:
        return self.duty._status()

    def weights(self) -> dict[str, int]:
        return {str(key.address): config.weight for key, config in self.paper.kernel.destinations.items()}


def test_from_configuration_to_a_loaded_table_and_readiness(port: int) -> None:
    bench = Bench(cluster(services={"web": service(port=port)}))

    async def scenario() -> None:
        await bench.until(lambda: bench.waiting() == {})
        assert bench.messages[0] == Configure(config=slice_for(bench.cluster, "lb1", 1))
        first = bench.messages[1]
        assert isinstance(first, Readiness)
        assert first.waiting == {"public": "the IPVS table is not loaded yet"}
        assert bench.weights() == {"127.0.0.1": 1}
        await bench.until(lambda: bench.status()["services"][0]["servers"][1]["state"] == "down")

    bench.run(scenario)


def test_a_dead_server_leaves_the_kernel_and_a_living_one_returns() -> None:
    first = socket.create_server(("127.0.0.1", 0))
    port = first.getsockname()[1]
    bench = Bench(cluster(services={"web": service(port=port)}))

    async def scenario() -> None:
        await bench.until(lambda: bench.weights() == {"127.0.0.1": 1})
        first.close()
        await bench.until(lambda: bench.weights() == {})
        told = [(each["who"], each["after"]) for each in bench.status()["transitions"]]
        assert told[-2:] == [(f"web/rs1:{port}", "down"), ("web", "down")]
        with socket.create_server(("127.0.0.1", port)):
            await bench.until(lambda: bench.weights() == {"127.0.0.1": 1})

    bench.run(scenario)


def test_a_restart_takes_over_what_the_kernel_serves(port: int) -> None:
    """rs2 is served and dead: it stays until its checks have failed, then it goes; rs1 comes."""
    web = service(port=port)
    key = service_key(web, port)
    on_rs2 = DestinationKey(key, IPv4Address("127.0.0.2"), port)
    held = Kernel(
        services={key: ServiceConfig("mh")},
        destinations={on_rs2: DestinationConfig(web.servers["rs2"].forward, 2)},
    )
    bench = Bench(cluster(services={"web": web}), Paper(held))
    seen: list[set[str]] = []

    def settled() -> bool:
        now = set(bench.weights())
        if not seen or seen[-1] != now:
            seen.append(now)
        return now == {"127.0.0.1"}

    async def scenario() -> None:
        await bench.until(settled)

    bench.run(scenario)
    assert seen == [{"127.0.0.2"}, {"127.0.0.1", "127.0.0.2"}, {"127.0.0.1"}]


def test_roles_of_an_older_epoch_are_refused(port: int) -> None:
    bench = Bench(cluster(services={}))

    async def scenario() -> None:
        bench.elector.send(Roles(epoch=7, roles=(report(Role.ACTIVE),)), Roles(epoch=6, roles=(report(Role.STANDBY),)))
        await bench.until(lambda: bench.status()["routers"])
        assert bench.status()["routers"][0]["role"] == "active"
        bench.elector.send(Roles(epoch=7, roles=(report(Role.FAULT),)))
        await bench.until(lambda: bench.status()["routers"][0]["role"] == "fault")

    bench.run(scenario)


def test_what_the_elector_tells_is_shown_and_counted() -> None:
    bench = Bench(cluster(services={}))

    async def scenario() -> None:
        bench.elector.send(
            Happened(transition=change("standby", "active")),
            TakeoverDone(router="public", seconds=0.002, addresses=2),
            Counters(routers={"public": {"adverts_sent": 5}}, lag=0.003),
        )
        await bench.until(lambda: bench.duty.view().counters)
        assert bench.status()["transitions"][-1]["after"] == "active"
        assert bench.status()["elector"]["lag_seconds"] == 0.003
        tally = bench.duty.view().tally
        assert tally.roles["public", "active", "test"] == 1
        assert tally.takeovers["public"].total == 0.002

    bench.run(scenario)


def test_without_ipvs_it_says_so_is_not_ready_and_goes_on(port: int) -> None:
    paper = Paper()
    paper.missing = "this kernel has no IPVS; load ip_vs"
    bench = Bench(cluster(services={"web": service(port=port)}), paper)

    async def scenario() -> None:
        await bench.until(lambda: bench.waiting() == {"public": "this kernel has no IPVS; load ip_vs"})
        await bench.until(lambda: bench.status()["services"][0]["state"] == "up")
        status = bench.status()
        assert status["kernel"]["ipvs"] == "this kernel has no IPVS; load ip_vs"
        assert status["problems"] == ["IPVS: this kernel has no IPVS; load ip_vs"]

    bench.run(scenario)


def test_without_services_it_is_ready_at_once_and_touches_nothing() -> None:
    bench = Bench(cluster(services={}))

    async def scenario() -> None:
        await bench.until(lambda: bench.waiting() == {})
        assert bench.paper.opened == 0

    bench.run(scenario)


def test_the_status_over_the_socket(port: int) -> None:
    bench = Bench(cluster(services={"web": service(port=port)}))

    async def scenario() -> None:
        bench.elector.send(
            Roles(
                epoch=1,
                roles=(report(Role.STANDBY, peer=IPv4Address("10.0.0.2"), peer_priority=100, holds=False),),
            )
        )
        await bench.until(lambda: bench.waiting() == {} and paths.control_socket().exists())
        status = await asyncio.to_thread(ask, "status")
        assert status["node"] == "lb1"
        assert status["config"]["file"] == "/etc/haman/haman.yaml"
        (router,) = status["routers"]
        assert router["addresses"] == ["10.0.0.100/24 on eth0", "10.0.1.100/24 on eth1"]
        assert router["active_peer"] == {"address": "10.0.0.2", "director": "lb2", "priority": 100}
        assert abs(router["since"] - status["now"]) < 5
        (web,) = status["services"]
        assert web["where"] == f"tcp 10.0.0.100:{port}"
        rs1, rs2 = web["servers"]
        assert (rs1["state"], rs1["weight"], rs1["last_check"]["outcome"]) == ("up", 1, "connected")
        assert (rs2["weight"], rs2["last_check"]["words"]) == (None, "connection refused")

    bench.run(scenario)


def test_services_of_other_directors_routers_are_not_checked(port: int) -> None:
    plain = cluster(services={"web": service(port=port)})
    router = plain.routers["public"]
    elsewhere = replace(plain, routers={"public": replace(router, members={"lb2": router.members["lb2"]})})
    bench = Bench(elsewhere)

    async def scenario() -> None:
        await bench.until(lambda: bench.waiting() == {})
        assert bench.status()["services"] == []
        assert bench.paper.opened == 0

    bench.run(scenario)


def test_a_break_in_one_part_ends_the_whole(port: int) -> None:
    """The elector starts a dead director anew; a half-dead one would go unnoticed."""
    bench = Bench(cluster(services={"web": service(port=port)}))

    async def scenario() -> None:
        async def broken() -> None:
            raise RuntimeError("planted")

        bench.duty._reconciler.run = broken  # type: ignore[method-assign]
        await asyncio.sleep(5)

    with pytest.raises(ExceptionGroup) as caught:
        bench.run(scenario)
    assert caught.group_contains(RuntimeError, match="planted", depth=2)


def test_hooks_run_for_what_happened(tmp_path: Path) -> None:
    script = tmp_path / "notify.sh"
    script.write_text(f'#!/bin/sh\necho "$HAMAN_NODE $HAMAN_CLUSTER $@" >> {tmp_path}/told\n')
    script.chmod(0o755)
    hook = Hook(on=frozenset(HookEvent), argv=(str(script),))
    bench = Bench(cluster(services={}, hooks=(hook,)))

    async def scenario() -> None:
        bench.elector.send(
            Happened(transition=change("standby", "active")), Roles(epoch=1, roles=(report(Role.ACTIVE),))
        )
        await bench.until(lambda: (tmp_path / "told").exists() and not bench.duty.hooks.waiting)
        assert bench.status()["transitions"][-1]["kind"] == Kind.HOOK.value

    bench.run(scenario)
    assert (tmp_path / "told").read_text() == "lb1 web INSTANCE public MASTER 150\n"
