"""A whole director in this process: real checks of real servers, a real link, a kernel of paper."""

from __future__ import annotations

import asyncio
import getpass
import socket
import time
from dataclasses import replace
from ipaddress import IPv4Address
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from haman import paths
from haman.director import foresee, hearing, holding, looking
from haman.director.ask import ask
from haman.director.duty import Duty
from haman.director.link import Link
from haman.director.loading import Loaded
from haman.director.slice import slice_for
from haman.kernel import sysctls
from haman.model.cluster import Hook, HookEvent, Sync
from haman.model.elector import Configure, Counters, Happened, Maintenance, Readiness, Roles, TakeoverDone
from haman.model.kernel import DestinationConfig, DestinationKey, Kernel, ServiceConfig
from haman.model.routers import Preempt
from haman.model.services import Forward, Server
from haman.model.sites import Backup
from haman.model.standing import Connections, Standing
from haman.model.transition import Kind, Role
from haman.plan.identity import service_key
from tests.director.paper import Paper
from tests.director.support import CHECK, Elector, change, cluster, report, service

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Iterator

    from haman.model.cluster import Cluster
    from haman.model.elector import Message


@pytest.fixture(autouse=True)
def surroundings(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HAMAN_RUN_DIR", str(tmp_path / "run"))
    monkeypatch.setattr(sysctls, "ROOT", tmp_path / "sys")
    (tmp_path / "sys/net/ipv4/vs").mkdir(parents=True)
    for name in ("expire_nodest_conn", "conn_reuse_mode", "sloppy_tcp"):
        (tmp_path / "sys/net/ipv4/vs" / name).write_text("0\n")
    monkeypatch.setattr(looking, "TICK", 0.05)


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
            self.loaded = Loaded(cluster=self.cluster, node="lb1", digest="0123456789ab", modified=0.0)
            self.duty = Duty(self.loaded, Path("/etc/haman/haman.yaml"), link, self.paper.open, self.paper.filter)
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
        assert bench.messages[:2] == [Maintenance(why=None), Configure(config=slice_for(bench.cluster, "lb1", 1))]
        first = bench.messages[2]
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
    hook = Hook(on=frozenset(HookEvent), argv=(str(script),), user=getpass.getuser())
    bench = Bench(cluster(services={}, hooks=(hook,)))

    async def scenario() -> None:
        bench.elector.send(
            Happened(transition=change("standby", "active")), Roles(epoch=1, roles=(report(Role.ACTIVE),))
        )
        await bench.until(lambda: (tmp_path / "told").exists() and not bench.duty.hooks.waiting)
        assert bench.status()["transitions"][-1]["kind"] == Kind.HOOK.value

    bench.run(scenario)
    assert (tmp_path / "told").read_text() == "lb1 web INSTANCE public MASTER 150\n"


def backed(port: int, far: int) -> Cluster:
    """`web` with a backup on 127.0.0.3."""
    east = Server(name="east", address=IPv4Address("127.0.0.3"), port=far, forward=Forward.FULLNAT)
    flags = frozenset({"mh-port", "mh-fallback"})
    web = replace(service(port=port), flags=flags, backups=(Backup(name="east", servers={"east": east}, check=CHECK),))
    return cluster(services={"web": web})


def test_the_last_local_server_dies_and_the_backup_serves_until_the_operator_says_otherwise() -> None:
    first, other = (socket.create_server((address, 0)) for address in ("127.0.0.1", "127.0.0.3"))
    port, far = first.getsockname()[1], other.getsockname()[1]
    bench = Bench(backed(port, far))
    site = lambda: bench.status()["services"][0]["site"]  # noqa: E731

    async def scenario() -> None:
        await bench.until(lambda: bench.weights() == {"127.0.0.1": 1, "127.0.0.3": 0})
        assert site()["serves"] == "local"
        first.close()
        await bench.until(lambda: bench.weights() == {"127.0.0.3": 1})
        assert (site()["serves"], site()["why"]) == ("east", "no local server is up")
        assert foresee.weigh(bench.cluster, "lb1", bench.status())[0] == dict(bench.duty._weights())
        assert any("its backup east serves" in problem for problem in bench.status()["problems"])
        answer = await asyncio.to_thread(ask, "why", object="web")
        assert "its backup east serves: no local server is up" in [line["text"] for line in answer["chains"][0]]
        figures = await bench.duty._exhibit.figures()
        assert ("web", "east", True) in figures.sites
        with socket.create_server(("127.0.0.1", port)):
            await asyncio.to_thread(ask, "site", service="web", order="local")
            await bench.until(lambda: bench.weights() == {"127.0.0.1": 1, "127.0.0.3": 0})
        other.close()

    bench.run(scenario)


def test_a_director_that_starts_in_the_middle_goes_on_with_the_backup() -> None:
    """The kernel has it, and no local server has been asked: nothing moves before one was."""
    with socket.create_server(("127.0.0.3", 0)) as listener:
        far = listener.getsockname()[1]
        of = backed(1, far)
        web = of.services["web"]
        key = service_key(web, 1)
        place = DestinationKey(key, IPv4Address("127.0.0.3"), far)
        kernel = Kernel(
            services={key: ServiceConfig("mh", frozenset({"mh-port", "mh-fallback"}))},
            destinations={place: DestinationConfig(Forward.NAT, 1)},
        )
        bench = Bench(of, Paper(kernel))

        async def scenario() -> None:
            await bench.until(lambda: bench.waiting() == {})
            assert bench.weights() == {"127.0.0.3": 1}
            assert bench.status()["services"][0]["site"]["serves"] == "east"
            assert [each for each in bench.status()["transitions"] if each["kind"] == "site"] == []

        bench.run(scenario)


FAR = 3e6
"""Seconds."""

SYNCED = ("backup_only", "sync_threshold", "sync_refresh_period")


def test_a_standby_leaves_a_living_peer_active_until_it_holds_its_connections(
    port: int, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """It says so to the elector, to its own status and to the peers; its elector need not hesitate for it."""
    for name in SYNCED:
        (tmp_path / "sys/net/ipv4/vs" / name).write_text("0\n")
    monkeypatch.setattr(holding, "EVERY", 0.05)
    web = service(port=port)
    sync = Sync(interfaces={"lb1": "eth0", "lb2": "eth0"}, sync_id=1, group=IPv4Address("224.0.0.81"), wait=FAR)
    bench = Bench(cluster(services={"web": web}, sync=sync))
    numbers = iter(range(1, 10**6))

    def listen_for(seconds: float) -> None:
        bench.duty._assessment.hearing.configure(seconds - hearing.DELAY, FAR)

    def waiting() -> dict[str, str] | None:
        """After another word from lb2."""
        bench.duty._company.peers.configure("web", ["lb2"], "0123456789ab")
        bench.duty._company.peers.take(
            "lb2",
            Standing(
                cluster="web",
                node="lb2",
                life=1,
                number=next(numbers),
                config="0123456789ab",
                roles={"public": "active"},
                connections={"public": Connections(1034, 0)},
            ),
            time.monotonic(),
            0.0,
        )
        return bench.waiting()

    async def scenario() -> None:
        listen_for(FAR)
        bench.elector.send(Roles(epoch=1, roles=(report(Role.STANDBY, holds=False),)))
        bench.paper.connections = {service_key(web, port): Connections(812, 3)}
        words = "listens to connections for 3e+06 s; holds 812 of 1,034 connections of lb2"
        await bench.until(lambda: waiting() == {"public": words})
        told = [message for message in bench.messages if isinstance(message, Readiness)]
        assert told[-1].eager == ("public",)
        assert told[0].eager == ()
        router = bench.status()["routers"][0]
        assert router["waiting"] == words
        assert router["connections"] == {"held": 812, "director": "lb2", "of": 1034}
        assert bench.duty._company._standing().connections == {"public": Connections(812, 3)}
        assert "public" in bench.duty._company._standing().waiting
        bench.paper.connections = {service_key(web, port): Connections(1030, 3)}
        await bench.until(lambda: bench.duty._holding.by_router == {"public": Connections(1030, 3)})
        listen_for(0.0)
        await bench.until(lambda: waiting() == {})
        (begun, ended) = [each for each in bench.status()["transitions"] if each["kind"] == "sync"]
        assert (begun["after"], ended["after"], ended["cause"]) == ("waiting", "ready", "held")
        assert ended["why"] == "holds 1,030 of 1,034 connections of lb2"
        # Somebody clears the table: what is told meanwhile is bound to no server, so it is to be told again.
        listen_for(FAR)
        bench.paper.kernel = Kernel()
        await bench.until(waiting)

    bench.run(scenario)


def test_whoever_is_about_to_preempt_can_send_back_what_it_does_not_know_before_it_may(port: int) -> None:
    plain = cluster(services={"web": service(port=port)})
    router = replace(plain.routers["public"], preempt=Preempt(allowed=True))
    bench = Bench(replace(plain, routers={"public": router}))

    def hear(number: int) -> None:
        peers = bench.duty._company.peers
        peers.configure("web", ["lb2"], "0123456789ab")
        standing = Standing(
            cluster="web",
            node="lb2",
            life=1,
            number=number,
            config="0123456789ab",
            roles={"public": "active"},
            macs=("02:00:00:00:00:02",),
        )
        peers.take("lb2", standing, time.monotonic(), 0.0)
        bench.duty._meet()

    def told() -> list[Readiness]:
        return [message for message in bench.read() if isinstance(message, Readiness)]

    def taken_over(cause: str) -> Happened:
        return Happened(transition=replace(change("standby", "active"), cause=cause))

    def sends_on() -> bool:
        return "dup to 10.0.0.2" in str(list(bench.paper.kernel.tables.values()))

    async def scenario() -> None:
        roles = (report(Role.STANDBY, priority=150, peer_priority=100),)
        bench.elector.send(Roles(epoch=1, roles=roles))
        await bench.until(lambda: bench.duty._roles.roles == roles and bench.duty._chances.able)
        hear(1)
        words = {"public": "prepares to send on to lb2 what it does not know"}
        await bench.until(lambda: words in [each.waiting for each in told()])
        assert next(each.eager for each in told() if each.waiting == words) == ("public",)
        await bench.until(lambda: bench.waiting() == {})
        assert sends_on()
        bench.elector.send(taken_over("preempting"))
        bench.elector.send(Roles(epoch=2, roles=(report(Role.ACTIVE),)))
        await bench.until(lambda: bench.duty._chances.taken and not bench.duty._chances._chances._wishes)
        assert sends_on()
        bench.elector.send(taken_over("active_silent"))
        await bench.until(lambda: not sends_on())

    bench.run(scenario)
