from __future__ import annotations

import asyncio
import math
import time
from dataclasses import replace
from ipaddress import IPv4Address
from typing import TYPE_CHECKING, Any

import pytest

from haman import paths
from haman.director import kernels, looking, reconcile
from haman.director.reconcile import Reconciler
from haman.health.board import Board
from haman.kernel import remembered, sysctls
from haman.model.checks import Check, ScriptProbe
from haman.model.kernel import (
    SENTINEL_FWMARK,
    DestinationConfig,
    DestinationKey,
    Kernel,
    ServiceConfig,
    ServiceKey,
    SysctlKey,
    TableConfig,
    TableKey,
)
from haman.model.services import Forward, Protocol, Target
from haman.model.transition import Kind, Transition
from haman.observe.tally import Tally
from haman.plan.ops import Add, Remove, Set
from tests.director.paper import Paper
from tests.director.support import cluster, service

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Collection
    from pathlib import Path

    from haman.model.cluster import Cluster

RS1, RS2 = Target("web", "rs1", 80), Target("web", "rs2", 80)
WEB = ServiceKey.at(Protocol.TCP, IPv4Address("10.0.0.100"), 80)
ON_RS1 = DestinationKey(WEB, IPv4Address("127.0.0.1"), 80)
ON_RS2 = DestinationKey(WEB, IPv4Address("127.0.0.2"), 80)
SENTINEL = ServiceKey.marked(SENTINEL_FWMARK)
FOREIGN = ServiceKey.at(Protocol.TCP, IPv4Address("10.7.7.7"), 80)
NODEST = SysctlKey("net/ipv4/vs/expire_nodest_conn")
PLAIN = ServiceConfig("rr")


class Bench:
    """A reconciler over a paper kernel, and what it recorded."""

    def __init__(
        self, paper: Paper, of: Cluster | None = None, weights: dict[Target, int | None] | None = None
    ) -> None:
        self.paper = paper
        self.weights = {RS1: 1, RS2: 2} if weights is None else weights
        self.macs: dict[str, tuple[str, ...]] = {}
        self.taken: dict[str, str] = {}
        self.asked: list[dict[str, str]] = []
        self.recorded: list[Transition] = []
        self.disturbed = 0
        self.tally = Tally()
        self.changes = 0
        self.order: dict[str, dict[int, tuple[str, ...]]] = {}
        self.written: list[Collection[ServiceKey]] = []
        self.reconciler = Reconciler(
            of or cluster(),
            "lb1",
            weights=lambda: self.weights,
            order=lambda: self.order,
            open_table=paper.open,
            packet_filter=paper.filter,
            macs=lambda: self.macs,
            taken=lambda: self.taken,
            asking=lambda: self.asked.append(dict(self.reconciler.asked)),
            checked=lambda: True,
            record=self.recorded.append,
            tally=self.tally,
            changed=self._changed,
            disturbed=self._disturbed,
            written=self.written.append,
        )

    def _disturbed(self) -> None:
        self.disturbed += 1

    def _changed(self) -> None:
        self.changes += 1

    def run(self, scenario: Callable[[], Awaitable[None]]) -> None:
        async def inside() -> None:
            async with asyncio.TaskGroup() as tasks:
                await self.reconciler.adopt()
                task = tasks.create_task(self.reconciler.run())
                async with asyncio.timeout(60):
                    await scenario()
                task.cancel()

        asyncio.run(inside())

    def told(self, kind: Kind) -> list[tuple[str, str, str]]:
        return [(each.who, each.before, each.after) for each in self.recorded if each.kind is kind]

    async def until(self, condition: Callable[[], Any]) -> None:
        while not condition():
            await asyncio.sleep(0.002)

    def is_level(self) -> bool:
        return set(self.paper.kernel.destinations) >= {ON_RS1, ON_RS2} and SENTINEL in self.paper.kernel.services


@pytest.fixture(autouse=True, params=["on the loop", "in threads"])
def surroundings(request: pytest.FixtureRequest, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    if request.param == "in threads":
        monkeypatch.setattr(kernels, "SMALL", -1)
    monkeypatch.setenv("HAMAN_RUN_DIR", str(tmp_path / "run"))
    monkeypatch.setattr(sysctls, "ROOT", tmp_path / "sys")
    (tmp_path / "sys/net/ipv4/vs").mkdir(parents=True)
    for name in ("expire_nodest_conn", "conn_reuse_mode", "sloppy_tcp"):
        (tmp_path / "sys/net/ipv4/vs" / name).write_text("0\n")
    monkeypatch.setattr(looking, "TICK", 0.02)
    monkeypatch.setattr(reconcile, "REOPEN", 0.05)


def test_a_cold_start_loads_the_table_and_leaves_others_alone() -> None:
    foreign = DestinationKey(FOREIGN, IPv4Address("10.7.7.8"), 80)
    paper = Paper(Kernel(services={FOREIGN: PLAIN}, destinations={foreign: DestinationConfig(Forward.DR, 1)}))
    bench = Bench(paper)

    async def scenario() -> None:
        assert not bench.reconciler.loaded
        await bench.until(lambda: bench.reconciler.loaded)

    bench.run(scenario)
    assert set(paper.kernel.services) == {SENTINEL, WEB, FOREIGN}
    assert {key: config.weight for key, config in paper.kernel.destinations.items()} == {
        ON_RS1: 1,
        ON_RS2: 2,
        foreign: 1,
    }
    assert sysctls.read([NODEST])[NODEST].value == "1"
    assert bench.recorded == []
    assert bench.changes == 1
    assert remembered.load("ipvs") == {SENTINEL, WEB}


def test_a_changed_weight_is_in_the_kernel_within_one_turn_and_without_a_dump() -> None:
    bench = Bench(Paper())

    async def scenario() -> None:
        looks = bench.reconciler._looking
        await bench.until(lambda: looks.trusted is not None)
        looks.due = math.inf  # what looks for drift may dump at any moment
        await bench.until(lambda: not looks._under_way)
        dumps = bench.paper.dumps
        bench.weights = {RS1: None, RS2: 2}
        bench.reconciler.kick(["web"])
        bench.weights = {RS1: None, RS2: 7}
        bench.reconciler.kick(["web"])
        for _ in range(3):  # the event, the timeout's bookkeeping, the turn
            await asyncio.sleep(0)
        assert {key: config.weight for key, config in bench.paper.kernel.destinations.items()} == {ON_RS2: 7}
        assert bench.paper.dumps == dumps
        assert bench.paper.asked[-2:] == [Set(ON_RS2, bench.paper.kernel.destinations[ON_RS2]), Remove(ON_RS1)]

    bench.run(scenario)
    assert bench.told(Kind.DRIFT) == []


def test_a_restart_adopts_what_the_kernel_serves() -> None:
    quiesced = {ON_RS1: DestinationConfig(Forward.DR, 5), ON_RS2: DestinationConfig(Forward.DR, 0)}
    bench = Bench(Paper(Kernel(services={WEB: PLAIN}, destinations=quiesced)))
    assert asyncio.run(bench.reconciler.adopt()) == {RS1: 5}


def test_presence_is_enough_where_the_configured_weight_is_0() -> None:
    web = service()
    drained = replace(web, servers={name: replace(server, weight=0) for name, server in web.servers.items()})
    held = Kernel(services={WEB: PLAIN}, destinations={ON_RS1: DestinationConfig(Forward.DR, 0)})
    bench = Bench(Paper(held), cluster(services={"web": drained}))
    assert asyncio.run(bench.reconciler.adopt()) == {RS1: 0}


def test_presence_is_enough_where_the_check_may_have_asked_for_weight_0() -> None:
    """A server that a script has drained is not taken out by a restart, and gets no new clients before it is asked."""
    probe = ScriptProbe(argv=("/bin/check",), dynamic=True)
    web = replace(service(), check=Check(name="load", probe=probe))
    quiesced = {ON_RS1: DestinationConfig(Forward.DR, 5), ON_RS2: DestinationConfig(Forward.DR, 0)}
    bench = Bench(Paper(Kernel(services={WEB: PLAIN}, destinations=quiesced)), cluster(services={"web": web}))
    adopted = asyncio.run(bench.reconciler.adopt())
    assert adopted == {RS1: 5, RS2: 0}
    assert Board({"web": web}, adopted, 0.0).weights == {RS1: 5, RS2: 0}


def test_drift_is_repaired_and_told() -> None:
    bench = Bench(Paper())

    async def scenario() -> None:
        await bench.until(lambda: bench.reconciler._looking.trusted is not None)
        changed = replace(bench.paper.kernel.destinations[ON_RS2], weight=77)
        stray = DestinationKey(WEB, IPv4Address("10.66.6.6"), 80)
        bench.paper.behind_our_back(Remove(ON_RS1), Set(ON_RS2, changed), Add(stray, changed), Add(FOREIGN, PLAIN))
        began = time.monotonic()
        await bench.until(lambda: len(bench.told(Kind.DRIFT)) == 3)
        assert time.monotonic() - began < 1.0
        assert set(bench.paper.kernel.destinations) == {ON_RS1, ON_RS2}
        assert bench.paper.kernel.destinations[ON_RS2].weight == 2
        assert FOREIGN in bench.paper.kernel.services

    bench.run(scenario)
    assert sorted(bench.told(Kind.DRIFT)) == [
        ("tcp 10.0.0.100:80 -> 10.66.6.6:80", "unexpected", "repaired"),
        ("tcp 10.0.0.100:80 -> 127.0.0.1:80", "missing", "repaired"),
        ("tcp 10.0.0.100:80 -> 127.0.0.2:80", "changed", "repaired"),
    ]
    assert bench.tally.drift == {"missing": 1, "changed": 1, "unexpected": 1}
    assert bench.disturbed == 1


def test_a_flushed_table_comes_back_and_is_told_once() -> None:
    services = {f"s{n}": replace(service(f"s{n}"), ports=(8000 + n,)) for n in range(5)}
    weights: dict[Target, int | None] = {t: 1 for each in services.values() for t, _ in each.targets()}
    bench = Bench(Paper(), cluster(services=services), weights)

    async def scenario() -> None:
        await bench.until(lambda: bench.reconciler._looking.trusted is not None)
        before = bench.paper.kernel
        bench.paper.kernel = Kernel()
        await bench.until(lambda: bench.told(Kind.DRIFT))
        assert bench.paper.kernel == replace(before, sysctls={})

    bench.run(scenario)
    assert bench.told(Kind.DRIFT) == [("IPVS table", "16 missing", "repaired")]
    assert bench.tally.drift == {"missing": 16}


def test_what_is_done_again_right_after_its_repair_is_repaired_again(monkeypatch: pytest.MonkeyPatch) -> None:
    """The kernel then looks as it did before the repair: nothing that was seen before it may be trusted."""
    monkeypatch.setattr(looking, "AUDIT", 1000.0)
    bench = Bench(Paper())

    async def scenario() -> None:
        await bench.until(lambda: bench.reconciler._looking.trusted is not None)
        for count in range(1, 6):
            bench.paper.behind_our_back(Remove(ON_RS1))
            await bench.until(lambda wanted=count: len(bench.told(Kind.DRIFT)) == wanted)

    bench.run(scenario)
    assert bench.tally.drift == {"missing": 5}


def test_a_setting_changed_by_somebody_is_drift_too(tmp_path: Path) -> None:
    bench = Bench(Paper())

    async def scenario() -> None:
        await bench.until(lambda: bench.reconciler._looking.trusted is not None)
        (tmp_path / "sys/net/ipv4/vs/expire_nodest_conn").write_text("0\n")
        await bench.until(lambda: bench.told(Kind.DRIFT))

    bench.run(scenario)
    assert bench.told(Kind.DRIFT) == [("net/ipv4/vs/expire_nodest_conn", "changed", "repaired")]
    assert bench.disturbed == 0
    assert sysctls.read([NODEST])[NODEST].value == "1"


def test_what_the_digest_does_not_show_is_found_by_the_audit(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(looking, "AUDIT", 0.2)
    bench = Bench(Paper())

    async def scenario() -> None:
        await bench.until(lambda: bench.reconciler._looking.trusted is not None)
        hidden = replace(bench.paper.kernel.destinations[ON_RS1], upper_threshold=9)
        bench.paper.behind_our_back(Set(ON_RS1, hidden))
        await bench.until(lambda: bench.told(Kind.DRIFT))
        assert bench.paper.kernel.destinations[ON_RS1].upper_threshold == 0

    bench.run(scenario)


def test_an_unchanged_table_is_not_dumped_again() -> None:
    bench = Bench(Paper())

    async def scenario() -> None:
        await bench.until(lambda: bench.reconciler._looking.trusted is not None)
        dumps = bench.paper.dumps
        await asyncio.sleep(0.2)
        assert bench.paper.dumps == dumps

    bench.run(scenario)


def test_many_own_changes_do_not_make_dump_follow_dump() -> None:
    """A dump takes 0.1 s here; after each twice that time is left to others, while only we change the table."""
    bench = Bench(Paper())

    async def scenario() -> None:
        await bench.until(lambda: bench.reconciler._looking.trusted is not None)
        bench.paper.dump_time = 0.1
        dumps = bench.paper.dumps
        for number in range(100):
            bench.weights = {RS1: 1 + number, RS2: 2}
            bench.reconciler.kick(["web"])
            await asyncio.sleep(0.01)
        assert 1 <= bench.paper.dumps - dumps <= 6

    bench.run(scenario)
    assert bench.told(Kind.DRIFT) == []


def test_our_own_change_during_a_dump_is_no_drift() -> None:
    """The dump was taken before the change and arrives after it."""
    bench = Bench(Paper())

    async def scenario() -> None:
        await bench.until(lambda: bench.reconciler._looking.trusted is not None)
        bench.paper.dump_time = 0.3
        bench.paper.behind_our_back(Remove(ON_RS2))
        dumps = bench.paper.dumps
        await bench.until(lambda: bench.paper.dumps > dumps)
        bench.weights = {RS1: 9, RS2: 2}
        bench.reconciler.kick(["web"])
        await asyncio.sleep(0.05)
        assert bench.paper.kernel.destinations[ON_RS1].weight == 9, "a running dump holds nothing up"
        bench.paper.dump_time = 0.0
        await bench.until(lambda: bench.told(Kind.DRIFT))
        await asyncio.sleep(0.1)

    bench.run(scenario)
    assert bench.told(Kind.DRIFT) == [("tcp 10.0.0.100:80 -> 127.0.0.2:80", "missing", "repaired")]
    assert bench.paper.kernel.destinations[ON_RS1].weight == 9


def test_what_the_kernel_refuses_is_shown_and_tried_again_with_patience() -> None:
    paper = Paper()
    paper.refuses.add(WEB)
    bench = Bench(paper)

    def times() -> list[float]:
        return [at for op, at in zip(paper.asked, paper.asked_at, strict=True) if op.key == WEB]

    async def scenario() -> None:
        await bench.until(lambda: bench.reconciler.loaded)
        assert [str(each.op.key) for each in bench.reconciler.refused] == ["tcp 10.0.0.100:80"]
        paper.refuses.clear()
        await bench.until(bench.is_level)
        await bench.until(lambda: not bench.reconciler.refused)
        assert times()[1] - times()[0] >= 0.5

    bench.run(scenario)
    assert bench.told(Kind.KERNEL) == [("tcp 10.0.0.100:80", "ok", "refused"), ("tcp 10.0.0.100:80", "refused", "ok")]
    assert bench.recorded[0].why.startswith("add tcp 10.0.0.100:80")
    assert bench.told(Kind.DRIFT) == []
    assert bench.tally.refusals % 3 == 0  # the service and, with it, its two servers
    assert bench.tally.refusals
    assert bench.changes == 2


def test_a_kernel_without_ipvs_is_said_once_and_asked_again() -> None:
    paper = Paper()
    paper.missing = "this kernel has no IPVS"
    bench = Bench(paper)

    async def scenario() -> None:
        assert bench.reconciler.unavailable == "this kernel has no IPVS"
        await asyncio.sleep(0.2)
        assert not bench.reconciler.loaded
        paper.missing = None
        await bench.until(bench.is_level)
        assert bench.reconciler.unavailable is None

    bench.run(scenario)
    assert bench.told(Kind.KERNEL) == [("IPVS", "ok", "unavailable"), ("IPVS", "unavailable", "ok")]


def test_without_services_ipvs_is_not_touched() -> None:
    bench = Bench(Paper(Kernel(services={WEB: PLAIN})), cluster(services={}))

    async def scenario() -> None:
        assert bench.reconciler.loaded
        await asyncio.sleep(0.1)

    bench.run(scenario)
    assert bench.paper.opened == 0
    assert set(bench.paper.kernel.services) == {WEB}


def test_what_an_earlier_configuration_left_goes_and_then_nothing_is_touched() -> None:
    remembered.save("ipvs", [WEB, SENTINEL])
    held = Kernel(
        services={WEB: PLAIN, SENTINEL: ServiceConfig("none"), FOREIGN: PLAIN},
        destinations={ON_RS1: DestinationConfig(Forward.DR, 1)},
    )
    bench = Bench(Paper(held), cluster(services={}))

    async def scenario() -> None:
        await bench.until(lambda: not bench.reconciler.needed)

    bench.run(scenario)
    assert set(bench.paper.kernel.services) == {FOREIGN}
    assert remembered.load("ipvs") == frozenset()


def test_what_is_made_is_written_down_before() -> None:
    class Crashing(Paper):
        def open(self) -> Any:
            socket = super().open()

            async def apply(ops: object) -> None:
                assert remembered.load("ipvs") >= {WEB, SENTINEL}
                raise RuntimeError("the machine died here")

            socket.apply = apply  # type: ignore[assignment]
            return socket

    bench = Bench(Crashing())
    with pytest.raises(ExceptionGroup) as caught:
        bench.run(lambda: asyncio.sleep(5))
    assert caught.group_contains(RuntimeError, match="the machine died here", depth=2)


def test_an_unwritable_directory_stops_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HAMAN_RUN_DIR", "/proc/nowhere")
    assert str(paths.run_directory()) == "/proc/nowhere"
    bench = Bench(Paper())

    async def scenario() -> None:
        await bench.until(bench.is_level)

    bench.run(scenario)


def filtered() -> Cluster:
    """`web` with a service by full NAT."""
    plain = service()
    servers = {name: replace(each, forward=Forward.FULLNAT) for name, each in plain.servers.items()}
    return cluster(services={"web": replace(plain, servers=servers)})


def test_the_packet_filters_table_comes_before_the_servers_and_is_restored_and_kept_by_a_new_life() -> None:
    paper = Paper()
    bench = Bench(paper, filtered())

    async def scenario() -> None:
        await bench.until(bench.is_level)
        (table,) = paper.kernel.tables.items()
        kinds = [type(op.key) for op in paper.asked]
        assert kinds.index(TableKey) < kinds.index(DestinationKey)
        for damage in (Remove(TableKey()), Set(TableKey(), TableConfig(""))):
            paper.behind_our_back(damage)
            await bench.until(lambda: dict([table]) == paper.kernel.tables)
        await bench.until(lambda: len(bench.told(Kind.DRIFT)) == 2)
        assert bench.told(Kind.DRIFT) == [
            ("packet-filter table inet haman", "missing", "repaired"),
            ("packet-filter table inet haman", "changed", "repaired"),
        ]
        assert bench.disturbed == 0, "connections that are told meanwhile find their servers"

    bench.run(scenario)
    paper.asked.clear()
    again = Bench(paper, filtered())
    again.run(lambda: again.until(again.is_level))
    assert paper.asked == []
    plain = Bench(paper)  # nothing needs it any more, and it was ours
    plain.run(lambda: plain.until(lambda: plain.is_level() and TableKey() not in plain.reconciler.remembered))
    assert not paper.kernel.tables
    looks = paper.filter_looks
    last = Bench(paper)
    last.run(lambda: last.until(last.is_level))
    assert paper.filter_looks == looks  # and then nobody asks for it


def test_without_a_packet_filter_the_rest_goes_on_and_it_is_told_and_tried_again() -> None:
    paper = Paper()
    paper.filter_missing = "the program nft is missing"
    bench = Bench(paper, filtered())

    async def scenario() -> None:
        await bench.until(lambda: bench.reconciler.refused)
        assert paper.kernel.destinations
        assert "the program nft is missing" in str(bench.reconciler.refused[0].error)
        paper.filter_missing = None
        await bench.until(lambda: paper.kernel.tables and not bench.reconciler.refused)

    bench.run(scenario)


def test_it_says_for_whom_the_packet_filter_sends_back_what_is_unknown() -> None:
    """And the table goes when nobody is asked any more."""
    paper = Paper()
    of = cluster(services={"web": service()})
    (router,) = of.routers.values()
    bench = Bench(paper, of)
    bench.macs = {"lb2": ("02:00:00:00:00:02",)}

    async def scenario() -> None:
        await bench.until(bench.is_level)
        assert (bench.asked, paper.kernel.tables) == ([], {})
        bench.taken = {router.name: "lb2"}
        bench.reconciler.reconsider()
        await bench.until(lambda: bench.asked == [{router.name: "lb2"}])
        assert "dup to" in paper.kernel.tables[TableKey()].text
        bench.taken = {}
        bench.reconciler.reconsider()
        await bench.until(lambda: bench.asked[-1] == {})
        assert not paper.kernel.tables

    bench.run(scenario)
