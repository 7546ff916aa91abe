from __future__ import annotations

import errno
import json
from dataclasses import replace
from ipaddress import IPv4Address
from typing import Any

from haman.director.orders import Book, Orders
from haman.director.peers import Peers
from haman.director.report import View, document, figures
from haman.director.sites import Sites
from haman.director.state import Configured
from haman.errors import KernelRefused
from haman.health.agreement import Agreement
from haman.health.board import Board
from haman.kernel.refusal import Refusal
from haman.model.elector import Counters
from haman.model.kernel import ServiceConfig, ServiceKey
from haman.model.services import Floor, Target
from haman.model.standing import Shares
from haman.model.trackers import Group, Standing
from haman.model.trackers import Verdict as TrackerVerdict
from haman.model.transition import Role
from haman.observe.tally import Tally
from haman.plan.ops import Add
from haman.probes.outcome import Outcome, Result
from tests.director.support import change, cluster, report, service

CONFIGURED = Configured(
    file="/etc/haman/haman.yaml",
    generation=1,
    digest="0123456789ab",
    modified=1763780500.0,
    loaded_at=1763780600.0,
    attempted_at=1763780600.0,
)
RS1, RS2 = Target("web", "rs1", 80), Target("web", "rs2", 80)


def board(results: str = "", **changes: Any) -> Board:
    """`a+` is a passed check of rs1, `b-` a failed one of rs2, ..."""
    made = Board({"web": replace(service(), **changes)}, frozenset(), 1000.0)
    for step, (server, result) in enumerate(zip(results[::2], results[1::2], strict=True)):
        made.result(
            RS1 if server == "a" else RS2,
            passed=result == "+",
            words="connected" if result == "+" else "connection refused",
            now=1001.0 + step,
            at=0.0,
        )
    return made


def view(**changes: Any) -> View:
    plain = View(
        now=1010.0,
        at=1763780645.0,
        cluster=cluster(),
        node="lb1",
        configured=CONFIGURED,
        modified=1763780500.0,
        started_at=1763780599.0,
        pid=4711,
        roles=(report(Role.ACTIVE, since=1004.0),),
        waiting={},
        counters=Counters(routers={"public": {"adverts_sent": 3}}, lag=0.001),
        board=board("a+b-b-"),
        splits={},
        taken={},
        arbiter=None,
        agreement=Agreement(),
        weights={},
        own={},
        sites=Sites(lambda _: None, lambda: None, lambda _: None, Book(lambda: None)),
        relays={},
        relay_problems=(),
        latest={RS2: Result(Outcome.REFUSED, 0.002)},
        in_flight=1,
        check_lateness=0.0,
        unavailable=None,
        loaded=True,
        refused=(),
        strangers={},
        lag={"elector": 0.001, "director": 0.002},
        heartbeat_age=0.01,
        hooks_waiting=0,
        connections={},
        peers=Peers("web", ["lb2"], "same"),
        daemons={"master": True, "backup": True},
        orders=Orders(),
        trackers={"gateway": TrackerVerdict(standing=Standing.DOWN, why="3 of 3 failed: no answer")},
        unjudged=("proxy",),
        transitions=[change("standby", "active")],
        tally=Tally(),
    )
    made = replace(plain, **changes)
    made = replace(made, own=made.board.weights)
    return made if "weights" in changes else replace(made, weights=made.board.weights)


def test_trackers_judged_and_not() -> None:
    assert document(view())["trackers"] == [
        {"name": "gateway", "state": "down", "why": "3 of 3 failed: no answer", "number": 0},
        {"name": "proxy", "state": "unknown", "why": "not judged yet", "number": 0},
    ]


def test_weights_of_the_active_director_and_what_would_be_ours() -> None:
    agreement = Agreement()
    agreement.configure(cluster(), "lb1")
    shares = Shares(cluster="web", node="lb2", life=1, number=1, config="same", of={"web": {80: ((1, 5),)}})
    agreement.hear(shares, 1009.0)
    mine = board("a+b-b-")
    seen = view(agreement=agreement, board=mine, weights=agreement.weights(mine.weights))
    service = document(seen)["services"][0]
    assert service["follows"] == "lb2"
    assert [(each["weight"], each["own_weight"]) for each in service["servers"]] == [(None, 1), (5, None)]
    assert figures(seen).differing == {"web": 2}


def test_a_router_says_its_group() -> None:
    assert document(view())["routers"][0]["group"] is None
    grouped = cluster(groups={"both": Group(name="both", routers=("public", "inner"))})
    assert document(view(cluster=grouped))["routers"][0]["group"] == "both"


def test_all_of_it_is_plain_json() -> None:
    shown = document(view())
    assert json.loads(json.dumps(shown)) == shown
    assert shown["problems"] == []


def test_times_are_wall_clock() -> None:
    shown = document(view())
    assert shown["routers"][0]["since"] == 1763780639.0
    assert shown["services"][0]["since"] == 1763780636.0
    assert [server["since"] for server in shown["services"][0]["servers"]] == [1763780636.0, 1763780638.0]


def test_servers_with_their_evidence() -> None:
    rs1, rs2 = document(view())["services"][0]["servers"]
    assert (rs1["state"], rs1["weight"], rs1["configured_weight"], rs1["last_check"]) == ("up", 1, 1, None)
    assert (rs2["state"], rs2["weight"], rs2["configured_weight"]) == ("down", None, 2)
    assert rs2["why"] == "2 of 2 checks failed: connection refused"
    assert rs2["last_check"] == {
        "outcome": "refused",
        "words": "connection refused",
        "latency_seconds": 0.002,
        "certificate_ends": None,
        "certificate": None,
    }


def test_what_the_floor_keeps_is_marked() -> None:
    kept = board("a+a-a-b+b-b-", minimum_up=Floor(count=1))
    (web,) = document(view(board=kept))["services"]
    assert web["state"] == "floor"
    assert [server["kept_by_minimum_up"] for server in web["servers"]] == [False, True], "rs2 failed last"


def test_the_active_peer_by_name_and_an_unknown_one_by_address() -> None:
    known = report(Role.STANDBY, peer=IPv4Address("10.0.0.2"), peer_priority=100)
    unknown = report(Role.STANDBY, peer=IPv4Address("10.0.0.77"), peer_priority=7)
    shown = [document(view(roles=(each,)))["routers"][0]["active_peer"] for each in (known, unknown)]
    assert shown == [
        {"address": "10.0.0.2", "director": "lb2", "priority": 100},
        {"address": "10.0.0.77", "director": None, "priority": 7},
    ]


def test_a_router_that_is_in_no_configuration_any_more() -> None:
    (router,) = document(view(roles=(report(Role.ACTIVE, "gone"),)))["routers"]
    assert (router["vrid"], router["addresses"]) == (None, [])


def test_services_by_firewall_mark() -> None:
    marked = replace(service("web"), protocol=None, address=None, ports=(), fwmark=7)
    made = Board({"web": marked}, frozenset(), 1000.0)
    shown = document(view(cluster=cluster(services={"web": marked}), board=made))
    assert shown["services"][0]["where"] == "fwmark 7"


def test_problems() -> None:
    op = Add(ServiceKey.marked(7), ServiceConfig("mh"))
    refused = (Refusal(op, KernelRefused("add fwmark 7 (mh)", errno.ENOENT)),)
    trouble = view(
        roles=(report(Role.FAULT, why="eth0 has no carrier"),),
        board=board("a-a-b-b-"),
        unavailable="no IPVS here",
        refused=refused,
    )
    assert document(trouble)["problems"] == [
        "IPVS: no IPVS here",
        "router public is in fault: eth0 has no carrier",
        "service web: no server left: 2 of 2 are down",
        "the kernel refuses: add fwmark 7 (mh): No such file or directory (errno 2)",
    ]
    assert document(trouble)["kernel"]["refused"][0]["operation"] == "add fwmark 7 (mh)"


def test_a_single_dead_server_or_a_wait_is_no_problem() -> None:
    assert document(view(board=board("a+b-b-"), waiting={"public": "not yet"}))["problems"] == []


def test_the_same_in_numbers() -> None:
    numbers = figures(view())
    assert numbers.services == [("web", "up")]
    assert numbers.servers == [(RS1, True, 1, "check_passed"), (RS2, False, None, "refused")]
    assert numbers.counters == {"public": {"adverts_sent": 3}}
    assert figures(view(counters=None)).counters == {}


def test_a_refused_reload_is_a_problem_and_names_the_line() -> None:
    mistakes = ("/etc/haman/haman.yaml:7:3: unknown key", "/etc/haman/haman.yaml:9:1: another")
    shown = document(view(configured=replace(CONFIGURED, attempted_at=1763780640.0, mistakes=mistakes)))
    assert shown["config"]["last_reload"] == {"at": 1763780640.0, "ok": False, "mistakes": list(mistakes)}
    assert shown["problems"] == [
        "configuration: the last reload was refused, generation 1 goes on:"
        " /etc/haman/haman.yaml:7:3: unknown key (and 1 more)"
    ]
    assert figures(view(configured=replace(CONFIGURED, mistakes=mistakes))).reload_ok is False


def test_a_file_that_changed_since_it_was_read_is_said() -> None:
    assert document(view())["config"]["changed_since"] is False
    assert document(view(modified=1763780644.0))["config"]["changed_since"] is True
    assert document(view(modified=None))["config"]["changed_since"] is True


def test_a_relay_that_cannot_work_is_a_problem() -> None:
    words = "the relay of service web:80 cannot listen on 10.0.0.100: another program listens there"
    assert words in document(view(relay_problems=(words,)))["problems"]
