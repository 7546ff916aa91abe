from __future__ import annotations

import io
import json
import time
from typing import TYPE_CHECKING, Any

import pytest
from rich.console import Console

from haman.cli import main, status
from haman.errors import Unreachable

if TYPE_CHECKING:
    from pathlib import Path

NOW = 1763780645.0


def router(**changes: Any) -> dict[str, Any]:
    return {
        "name": "public",
        "role": "active",
        "since": NOW - 192,
        "why": "nothing heard for 3.61 s",
        "priority": 150,
        "vrid": 51,
        "holds": True,
        "addresses": ["10.0.0.100/24 on eth0"],
        "active_peer": None,
        "group": None,
        "waiting": None,
    } | changes


def server(**changes: Any) -> dict[str, Any]:
    made = {
        "name": "rs1",
        "address": "10.0.0.11",
        "port": 80,
        "state": "up",
        "since": NOW - 30,
        "why": "first check passed: connected",
        "in_doubt": False,
        "weight": 2,
        "configured_weight": 2,
        "kept_by_minimum_up": False,
        "last_check": {"outcome": "connected", "words": "connected", "latency_seconds": 0.001},
    } | changes
    return made | {"own_weight": changes.get("own_weight", made["weight"])}


def document(**changes: Any) -> dict[str, Any]:
    return {
        "version": "0.1.0",
        "now": NOW,
        "cluster": "web",
        "node": "lb1",
        "pid": 1,
        "started": NOW - 200,
        "orders": {"maintenance": None, "given": {}, "planned": []},
        "config": {"file": "/etc/haman/haman.yaml", "generation": 1, "loaded": NOW - 199, "changed_since": False},
        "directors": [],
        "elector": {"heartbeat_age_seconds": 0.01, "lag_seconds": 0.0},
        "director": {"lag_seconds": 0.0, "checks_in_flight": 0, "checks_late_seconds": 0.0, "hooks_waiting": 0},
        "routers": [router()],
        "trackers": [],
        "services": [
            {
                "name": "web",
                "where": "tcp 10.0.0.100:80",
                "scheduler": "mh",
                "state": "up",
                "since": NOW - 30,
                "why": "1 of 2 servers up",
                "check": "front",
                "follows": None,
                "servers": [
                    server(),
                    server(name="rs2", address="10.0.0.12", state="down", weight=None, why="3 of 3 checks failed"),
                ],
            }
        ],
        "kernel": {"ipvs": "ok", "loaded": True, "refused": []},
        "problems": [],
        "transitions": [
            {
                "kind": "router",
                "who": "public",
                "before": "standby",
                "after": "active",
                "why": "nothing heard for 3.61 s",
                "cause": "master_down",
                "at": NOW - 192,
            }
        ],
    } | changes


def shown(of: dict[str, Any], last: int = 10, width: int = 160) -> list[str]:
    out = io.StringIO()
    status.show(of, Console(file=out, width=width, highlight=False), last)
    return [" ".join(line.split()) for line in out.getvalue().splitlines() if line.strip()]


@pytest.fixture(autouse=True)
def utc(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("time.localtime", time.gmtime)


def test_trackers_and_groups() -> None:
    trackers = [
        {"name": "gateway", "state": "down", "why": "3 of 3 failed: no answer", "number": 0},
        {"name": "proxy", "state": "unknown", "why": "not judged yet", "number": 0},
    ]
    lines = shown(document(trackers=trackers, routers=[router(group="both")]))
    assert "Trackers" in lines
    assert "gateway down 3 of 3 failed: no answer" in lines
    assert "public active for 3 min 12 s priority 150 group both: nothing heard for 3.61 s" in lines


def test_at_a_glance() -> None:
    assert shown(document()) == [
        "lb1 of cluster web haman 0.1.0, running for 3 min 20 s",
        "/etc/haman/haman.yaml: generation 1, loaded 03:00:46",
        "Routers",
        "public active for 3 min 12 s priority 150 nothing heard for 3.61 s",
        "10.0.0.100/24 on eth0",
        "Services",
        "web tcp 10.0.0.100:80 up mh for 30 s 1 of 2 servers up",
        "rs1 10.0.0.11:80 up weight 2 for 30 s first check passed: connected",
        "rs2 10.0.0.12:80 down not served for 30 s 3 of 3 checks failed",
        "Last transitions",
        "03:00:53 router public standby -> active nothing heard for 3.61 s",
    ]


def test_a_standby_names_the_active_and_what_it_waits_for() -> None:
    peer = {"address": "10.0.0.2", "director": "lb2", "priority": 100}
    waiting = router(role="standby", holds=False, active_peer=peer, why="started", waiting="1 of 2 servers not checked")
    lines = shown(document(routers=[waiting]))
    assert lines[3] == (
        "public standby for 3 min 12 s priority 150 started; active is lb2 (priority 100); "
        "does not preempt yet: 1 of 2 servers not checked"
    )
    assert lines[4] == "10.0.0.100/24 on eth0 (not held)"
    unknown = router(role="standby", active_peer=peer | {"director": None})
    assert "active is 10.0.0.2 (priority 100)" in shown(document(routers=[unknown]))[3]


def test_servers_in_doubt_and_kept() -> None:
    services = document()["services"]
    services[0]["servers"] = [
        server(in_doubt=True, last_check={"words": "connection refused"}),
        server(state="down", kept_by_minimum_up=True),
        server(state="unknown", in_doubt=True, last_check=None, why="not checked yet"),
    ]
    lines = shown(document(services=services))
    assert lines[7].endswith("first check passed: connected; last check: connection refused")
    assert "down (kept) weight 2" in lines[8]
    assert lines[9].endswith("not checked yet")


def test_weights_that_are_the_active_directors() -> None:
    services = document()["services"]
    services[0] |= {"follows": "lb2", "servers": [server(weight=None, own_weight=2)]}
    lines = shown(document(services=services))
    assert lines[6].endswith("; weights as lb2 has them")
    assert lines[7].endswith("not served for 30 s first check passed: connected, but lb2 is active and has it so")


def test_problems_are_listed() -> None:
    lines = shown(document(problems=["service web: no server left: 2 of 2 are down"]))
    assert lines[lines.index("Problems") + 1] == "service web: no server left: 2 of 2 are down"


def test_words_of_others_are_no_markup() -> None:
    services = document()["services"]
    services[0]["servers"] = [server(why="bad status: 500 [red]oops[/nonsense]")]
    assert shown(document(services=services))[7].endswith("bad status: 500 [red]oops[/nonsense]")


def test_a_narrow_terminal_loses_nothing() -> None:
    text = " ".join(shown(document(), width=80))
    for word in ("nothing", "heard", "3.61", "10.0.0.12:80", "checks", "failed"):
        assert word in text


def test_before_the_elector_reported() -> None:
    assert "the elector has not reported yet" in shown(document(routers=[]))


def test_as_many_transitions_as_asked_for() -> None:
    many = [document()["transitions"][0] | {"why": f"reason {n}"} for n in range(5)]
    lines = shown(document(transitions=many), last=2)
    assert [line.split(" active ")[1] for line in lines[-2:]] == ["reason 3", "reason 4"]
    assert "Last transitions" not in shown(document(transitions=many), last=0)


@pytest.mark.parametrize(
    ("seconds", "words"),
    [
        (-1, "0.0 s"),
        (3.25, "3.2 s"),
        (59.4, "59 s"),
        (61, "1 min 1 s"),
        (3600 * 5 + 125, "5 h 2 min"),
        (86400 * 3 + 3600 * 4, "3 d 4 h"),
    ],
)
def test_spans(seconds: float, words: str) -> None:
    assert status.span(seconds) == words


def test_another_day_is_named() -> None:
    assert status.clock(NOW - 86400, NOW) == "2025-11-21 03:04:05"


@pytest.mark.parametrize(("problems", "code"), [([], 0), (["service web: no server left"], 3)])
def test_exit_codes_and_json(
    problems: list[str], code: int, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(status, "ask", lambda question: document(problems=problems))
    assert main(["status", "--json"]) == code
    assert json.loads(capsys.readouterr().out)["problems"] == problems
    assert main(["status"]) == code


def test_no_daemon(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    monkeypatch.setenv("HAMAN_RUN_DIR", str(tmp_path))
    assert main(["status"]) == 1
    assert capsys.readouterr().err == (
        f"haman status: no haman runs here: there is no {tmp_path}/control.sock.\n"
        "Start it: systemctl start haman, or: haman run --config FILE\n"
    )


def test_a_daemon_that_is_not_understood(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    def broken(question: str) -> Any:
        raise Unreachable("what answers is no haman that is understood here")

    monkeypatch.setattr(status, "ask", broken)
    assert main(["status"]) == 1
    assert "understood" in capsys.readouterr().err


def test_the_other_directors_and_what_is_wrong_with_them() -> None:
    def director(name: str, **changes: Any) -> dict[str, Any]:
        return {
            "name": name,
            "heard": True,
            "heard_seconds_ago": 0.4,
            "same_configuration": True,
            "refused": None,
            "roles": {"public": "standby"},
            "waiting": {},
        } | changes

    others = [
        director("lb2"),
        director("lb3", same_configuration=False, waiting={"public": "the IPVS table is not loaded yet"}),
        director("lb4", heard=False, heard_seconds_ago=None, roles={}, refused="signed with another key"),
    ]
    lines = [" ".join(line.split()) for line in shown(document(directors=others))]
    assert "lb2 up public standby" in lines
    assert "lb4 silent never heard its messages are refused: signed with another key" in lines
    reasons = "runs another configuration than this one; cannot take public over yet: the IPVS table is not loaded yet"
    assert f"lb3 up public standby {reasons}" in " ".join(lines)


def test_again_and_again_until_ctrl_c(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    """A director that is being restarted is waited for; the exit code is that of the last look."""
    looks: list[Any] = [document(), Unreachable("no haman listens"), document(problems=["service web: no server"])]

    def ask(question: str) -> Any:
        if not looks:
            raise KeyboardInterrupt
        look = looks.pop(0)
        if isinstance(look, Unreachable):
            raise look
        return look

    monkeypatch.setattr(status, "ask", ask)
    monkeypatch.setattr(status.time, "sleep", lambda _: None)
    given = list(looks)
    assert main(["status", "--watch", "--json"]) == 3
    lines = [json.loads(line) for line in capsys.readouterr().out.splitlines()]
    assert [line.get("error", line.get("problems")) for line in lines] == [
        [],
        "no haman listens",
        ["service web: no server"],
    ]
    looks[:] = given
    assert main(["status", "--watch", "0.5", "--last", "0"]) == 3
    shown_text = capsys.readouterr().out
    assert shown_text.count("Routers") == 2
    assert "no haman listens" in shown_text


@pytest.mark.parametrize("seconds", ["0", "x", "1s", "1e9"])
def test_a_pace_that_is_none(seconds: str, capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as ended:
        main(["status", "--watch", seconds])
    assert ended.value.code == 2
    assert f"argument --watch: '{seconds}' is no number of seconds, 0.1 to 3600" in capsys.readouterr().err


def test_what_does_not_fit_the_screen_is_cut_at_its_end() -> None:
    console = Console(file=io.StringIO(), width=60, height=6, highlight=False)
    console.print(status._fitting(status.page(document(), 10), console))
    lines = console.file.getvalue().splitlines()  # type: ignore[attr-defined]
    assert lines[0].startswith("lb1 of cluster web")
    assert len([line for line in lines if line]) <= 5


def test_what_the_operator_ordered_stands_above_all_else():
    orders = {
        "maintenance": {"why": "new kernel", "by": "anna", "at": NOW - 60},
        "given": {},
        "planned": [{"routers": ["public"], "to": None, "force": False, "by": "ben", "at": NOW + 60}],
        "sites": {"web": {"site": "backup", "by": "eve", "at": NOW - 60}},
    }
    lines = shown(document(orders=orders))
    moment = time.strftime("%H:%M:%S", time.localtime(NOW - 60))
    later = time.strftime("%H:%M:%S", time.localtime(NOW + 60))
    above = lines[: lines.index("Routers")]
    assert f"MAINTENANCE, ordered by anna at {moment}: new kernel" in above
    assert f"planned by ben: at {later} public to whoever can" in above
    assert f"A BACKUP SERVES web, ordered by eve at {moment} (haman site use auto web ends it)" in above
