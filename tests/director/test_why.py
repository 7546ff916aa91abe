from __future__ import annotations

import asyncio
import threading
from dataclasses import replace
from ipaddress import IPv4Address, IPv6Address, ip_address
from types import SimpleNamespace
from typing import TYPE_CHECKING, Any

from haman.director import telling, why
from haman.failover.choice import Choice
from haman.health.board import Board
from haman.model.elector import Counters
from haman.model.relay import Terms
from haman.model.routers import Preempt
from haman.model.services import Floor, Forward, OnFailure, Server
from haman.model.sites import Backup
from haman.model.trackers import Group
from haman.model.transition import Kind, Role
from haman.observe.history import History
from haman.relay.account import Account
from tests.director.support import change, cluster, report, service
from tests.director.test_report import board, view

if TYPE_CHECKING:
    import pytest

    from haman.director.report import View

AT = 1763780645.0  # wall clock of the view, when it is 1010.0 on the monotonic one


def told() -> History:
    history = History()
    for each in (
        change("stopped", "standby"),
        change("up", "down", "web/rs2:80", Kind.SERVER),
        replace(change("standby", "active"), at=AT - 6),
    ):
        history.record(each)
    return history


def said(word: str, of: View) -> list[str]:
    """The first chain, indented as it is shown."""
    return ["  " * line.depth + line.text for line in why.chains(word, of, told())[0]]


def test_an_active_router() -> None:
    counts = {"adverts_sent": 3000, "adverts_received": 1, "refused_ttl": 2, "mismatch_interval": 1, "rivals_heard": 1}
    lines = said("public", view(counters=Counters(routers={"public": counts}, lag=0.0)))
    assert lines == [
        "router public is active on lb1",
        "  because: said the test",
        "  our priority is 150",
        "  3,000 advertisements sent and 1 received since the elector started",
        "    1 advertisement taken although not ours in: interval",
        "    2 packets refused: ttl",
        "    another one was heard speaking as active beside us 1 time",
        "  its VIPs are on the NIC: 10.0.0.100/24 on eth0, 10.0.1.100/24 on eth1",
        "  service web is behind it: up, 1 of 2 servers up",
        "  its last changes here:",
        "    standby -> active: said the test",
        "    stopped -> standby: said the test",
    ]


def test_times_are_wall_clock() -> None:
    chain = why.chains("public", view(), told())[0]
    assert chain[0].at == AT - 6, "since 1004.0 of 1010.0"
    assert chain[-2].at == AT - 6


def test_a_better_standby_says_why_it_does_not_take_over() -> None:
    standby = report(Role.STANDBY, peer=IPv4Address("10.0.0.2"), peer_priority=100)
    of = view(roles=(standby,))
    assert "  active is lb2 (10.0.0.2) with priority 100" in said("public", of)
    off = "    our priority 150 is higher, but `preempt` is off: it stays until the other one goes"
    assert off in said("public", of)
    router = replace(cluster().routers["public"], preempt=Preempt(allowed=True, after=30.0))
    preempting = cluster(routers={"public": router})
    unready = view(roles=(standby,), cluster=preempting, waiting={"public": "no table"})
    assert "    our priority 150 is higher, but we are not ready: no table" in said("public", unready)
    delayed = view(roles=(standby,), cluster=preempting)
    assert "    our priority 150 is higher, and takes over 30 s after we are ready" in said("public", delayed)
    assert "  its VIPs lie silent on lo here: 10.0.0.100, 10.0.1.100" in said("public", delayed)


def test_a_lowered_priority_and_a_fault() -> None:
    fault = report(Role.FAULT, priority=90, why="interface eth1 has no carrier")
    lines = said("public", view(roles=(fault,)))
    assert lines[:3] == [
        "router public is fault on lb1",
        "  because: interface eth1 has no carrier",
        "  our priority is 90, lowered from 150 by what it tracks",
    ]


def test_a_vip_leads_to_its_router() -> None:
    lines = said("10.0.0.100", view())
    assert lines[:3] == [
        "10.0.0.100/24 is a VIP of router public, and on eth0 of lb1",
        "  router public is active on lb1",
        "    because: said the test",
    ]


def test_a_service_and_whether_its_packets_come_here() -> None:
    lines = said("web", view())
    assert lines == [
        "service web (tcp 10.0.0.100:80) is up",
        "  because: 1 of 2 servers up",
        "  its packets come here: router public is active",
        "  server rs1:80 (127.0.0.1) is up, weight 1 in the kernel: first check passed: connected",
        "  server rs2:80 (127.0.0.2) is down, no place in the kernel's table: 2 of 2 checks failed: connection refused",
        "  its last changes here:",
    ]
    standby = report(Role.STANDBY, peer=IPv4Address("10.0.0.2"), peer_priority=100, why="it is worse")
    lines = said("web", view(roles=(standby,)))
    assert lines[2:4] == [
        "  its packets do not come here: router public is standby; active is lb2",
        "    because: it is worse",
    ]


def test_the_active_director_has_its_name_at_each_of_its_addresses() -> None:
    public = cluster().routers["public"]
    six = IPv6Address("2001:db8::2")
    members = {name: replace(member, address6=six) for name, member in public.members.items() if name == "lb2"}
    inner = {
        name: replace(member, address=IPv4Address(f"10.1.0.{name[-1]}")) for name, member in public.members.items()
    }
    routers = {
        "public": replace(public, members=public.members | members),
        "inner": replace(public, name="inner", members=inner, addresses=()),
    }
    for peer in (six, IPv4Address("10.1.0.2")):  # in a group the address is that of another router
        of = view(cluster=cluster(routers=routers), roles=(report(Role.STANDBY, peer=peer, peer_priority=100),))
        assert f"  active is lb2 ({peer}) with priority 100" in said("public", of)
        assert "  its packets do not come here: router public is standby; active is lb2" in said("web", of)


def test_a_dead_server() -> None:
    assert said("rs2", view()) == [
        "server web/rs2:80 (127.0.0.2) is down",
        "  because: 2 of 2 checks failed: connection refused",
        "  its last check took 2.0 ms: connection refused",
        "  check front (tcp) asks every 200 ms, in doubt every 100 ms, and waits 200 ms:"
        " out after 2 in a row that fail, back after 1 that pass",
        "  it has no place in the kernel's table",
        "    it is down, and `on_failure: remove` takes it out",
        "  its service web is up: 1 of 2 servers up",
        "  its packets come here: router public is active",
        "  its last changes here:",
        "    up -> down: said the test",
    ]


def test_a_server_that_is_kept_quiesced_or_in_doubt() -> None:
    floored = replace(service(), minimum_up=Floor(count=2))
    kept = view(board=board("a+b+b-b-", minimum_up=Floor(count=2)), cluster=cluster(services={"web": floored}))
    assert "    although it fails: `minimum_up` keeps it, with its configured weight 2" in said("web/rs2", kept)
    assert "  `minimum_up` keeps 2 of its servers, whatever checks say" in said("web", kept)
    quiet = replace(service(), on_failure=OnFailure.QUIESCE)
    of = view(board=board("a+b+b-b-", on_failure=OnFailure.QUIESCE), cluster=cluster(services={"web": quiet}))
    lines = said("web/rs2:80", of)
    assert "  it has weight 0 in the kernel" in lines
    assert "    it is down, and `on_failure: quiesce` leaves it to its old connections" in lines
    doubtful = said("127.0.0.2", view(board=board("a+b+b-")))
    assert "  in doubt: 1 of the 2 results in a row that would change the verdict" in doubtful
    unasked = said("rs2", view(board=board("a+"), latest={}))
    assert "    no check has answered yet, and a server is down until it has answered once" in unasked


def test_a_group_is_its_routers() -> None:
    routers = {"public": cluster().routers["public"], "inner": replace(cluster().routers["public"], name="inner")}
    of = cluster(routers=routers, groups={"both": Group(name="both", routers=("public", "inner"))})
    roles = (report(Role.ACTIVE), report(Role.ACTIVE, "inner"))
    lines = said("both", view(cluster=of, roles=roles))
    assert lines[:2] == [
        "group both is active on lb1: its routers have one election",
        "  router public is active on lb1",
    ]
    assert "  it is in group both with inner: they have one election" in said("public", view(cluster=of, roles=roles))
    changing = said("both", view(cluster=of, roles=(report(Role.ACTIVE), report(Role.STANDBY, "inner"))))
    assert changing[0] == "group both is changing: its routers do not have one role yet"


def test_what_nothing_is_called() -> None:
    async def asked(**question: str) -> dict[str, Any]:
        return await why.answer(question, view(), told())

    answer = asyncio.run(asked(object="publik"))
    assert (answer["chains"], answer["meant"]) == ([], "public")
    assert asyncio.run(asked())["meant"] is None
    assert "meant" not in asyncio.run(asked(object="public"))


def test_what_may_have_been_meant_is_looked_for_beside_the_loop(monkeypatch: pytest.MonkeyPatch) -> None:
    threads = []

    def near(word: str, names: list[str]) -> None:
        threads.append(threading.current_thread())

    monkeypatch.setattr(why, "near", near)
    monkeypatch.setattr(telling, "near", near)
    asyncio.run(why.answer({"object": "publik"}, view(), told()))
    asyncio.run(telling.history({"object": "publik"}, told(), cluster(), "lb1"))
    assert len(threads) == 2
    assert threading.main_thread() not in threads


def test_every_known_object_has_an_answer() -> None:
    from haman.observe.objects import known

    of = view()
    assert [word for word in known(of.cluster, of.node) if not why.chains(word, of, told())] == []


def test_what_a_relay_has_and_has_refused() -> None:
    east = Server(name="east", address=ip_address("203.0.113.10"), forward=Forward.RELAY, relay=1)
    backup = Backup(name="east", servers={"east": east}, relay=Terms(sessions=7, memory=1000))
    web = replace(service(), backups=(backup,))
    choice = Choice(serving=1, open=False, why="no local server is up", cause="away", since=1005.0)
    sites = SimpleNamespace(choices={"web": choice}, name_of=lambda service, number: "east")
    figures = {
        **Account(Terms()).figures(),
        "sessions": 3,
        "held": 40,
        "refused": {"sessions": 2, "idle": 0, "memory": 1},
    }
    of = view(
        cluster=cluster(services={"web": web}),
        board=Board({each.name: each for each in (web, *web.pools())}, frozenset(), 1000.0),
        sites=sites,
        relays={"web@east": figures},
        relay_problems=("the relay was killed by SIGKILL",),
    )
    lines = said("web", of)
    place = lines.index("  its backup east serves: no local server is up")
    assert lines[place + 2 : place + 4] == [
        "      by relay: 3 of at most 7 sessions, 40 of 1000 bytes wait for slow receivers;"
        " refused or ended early: 2 sessions, 1 memory",
        "    the relay was killed by SIGKILL",
    ]
    assert said("web@east", of) == lines
    lines = said("web", replace(of, relays={}, relay_problems=()))
    assert lines[place + 2] == "      by relay, which has not told yet what it does"
