"""`haman history`, `events` and `why`: what is asked of the director, and how its answers are shown."""

from __future__ import annotations

import json
import time
from typing import TYPE_CHECKING, Any

import pytest

from haman.cli import events, history, main, why
from haman.cli.times import clock
from haman.errors import Unreachable

if TYPE_CHECKING:
    from collections.abc import Iterator

NOW = time.time()
TAKEOVER = {
    "number": 7,
    "kind": "router",
    "who": "public",
    "before": "standby",
    "after": "active",
    "why": "nothing heard for 3.61 s",
    "cause": "active_silent",
    "at": int(NOW) - 60 + 0.25,
}
SHOWN = f"{clock(NOW - 60, NOW)}.250 router public: standby -> active: nothing heard for 3.61 s\n"


class Director:
    """Answers `answer`, and remembers what it was asked."""

    def __init__(self, answer: Any) -> None:
        self.answer = answer
        self.asked: list[tuple[str, dict[str, Any]]] = []

    def ask(self, question: str, **details: Any) -> Any:
        self.asked.append((question, details))
        return self.answer


def test_what_happened(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    director = Director({"number": 7, "entries": [TAKEOVER]})
    monkeypatch.setattr(history, "ask", director.ask)
    assert main(["history", "public", "--since", "10m", "--last", "5"]) == 0
    assert capsys.readouterr().out == SHOWN
    ((question, details),) = director.asked
    assert (question, details["object"], details["last"]) == ("history", "public", 5)
    assert abs(details["since"] - (time.time() - 600)) < 5
    assert main(["history", "--json"]) == 0
    assert json.loads(capsys.readouterr().out) == TAKEOVER
    assert director.asked[1] == ("history", {"object": None, "since": None, "last": 50})


def test_nothing_happened(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    monkeypatch.setattr(history, "ask", Director({"number": 7, "entries": []}).ask)
    assert main(["history", "public", "--since", "10m"]) == 0
    assert capsys.readouterr().out == "nothing happened since 10m\n"
    assert main(["history", "--json"]) == 0
    assert capsys.readouterr().out == ""


@pytest.mark.parametrize(
    ("meant", "words"),
    [("public", "did you mean 'public'?"), (None, "`haman status` shows what there is")],
)
def test_an_unknown_object(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], meant: str | None, words: str
) -> None:
    monkeypatch.setattr(history, "ask", Director({"number": 7, "entries": [], "meant": meant}).ask)
    monkeypatch.setattr(why, "ask", Director({"chains": [], "now": NOW, "meant": meant}).ask)
    for verb in ("history", "why"):
        assert main([verb, "publik"]) == 2
        assert capsys.readouterr().err == f"haman {verb}: nothing here is called 'publik'; {words}\n"


def test_a_time_that_is_none(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    monkeypatch.setattr(history, "ask", Director(None).ask)
    assert main(["history", "--since", "yesterday"]) == 2
    assert "--since 'yesterday' is no time: write 10m" in capsys.readouterr().err


def test_the_last_events(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    director = Director({"number": 7, "entries": [TAKEOVER]})
    monkeypatch.setattr(events, "ask", director.ask)
    assert main(["events", "public"]) == 0
    assert capsys.readouterr().out == SHOWN
    assert director.asked == [("history", {"object": "public", "last": 10})]


@pytest.mark.parametrize("option", [[], ["--follow"]])
def test_events_of_an_unknown_object(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], option: list[str]
) -> None:
    monkeypatch.setattr(events, "ask", Director({"number": 7, "entries": [], "meant": "public"}).ask)
    monkeypatch.setattr(events, "follow", lambda *_, **__: pytest.fail("nothing will ever come"))
    assert main(["events", *option, "publik"]) == 2
    shown = capsys.readouterr()
    assert shown.out == ""
    assert shown.err == "haman events: nothing here is called 'publik'; did you mean 'public'?\n"


def test_events_go_on_where_a_director_ended_and_gaps_are_said(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    lives: list[Any] = [
        [{"number": 6}, {"event": TAKEOVER}],
        Unreachable("no haman listens"),
        [{"number": 12}, {"gap": 4}, {"event": TAKEOVER | {"number": 12}}],
        Unreachable("no haman listens"),
    ]
    asked = []

    def follow(question: str, **details: Any) -> Iterator[Any]:
        asked.append((question, details))
        life = lives.pop(0)
        if isinstance(life, Unreachable):
            raise life
        yield from life

    monkeypatch.setattr(events, "follow", follow)
    monkeypatch.setattr(events, "AGAIN", 0.0)
    clocks = iter([0.0, 1.0, 2.0, 63.0])
    monkeypatch.setattr(events.time, "monotonic", lambda: next(clocks))
    assert main(["events", "--follow", "--last", "3"]) == 1
    shown = capsys.readouterr()
    assert shown.out == f"{SHOWN}(4 events were not kept for this reader: see haman history)\n{SHOWN}"
    assert "the director ended; waiting for the next one" in shown.err
    assert [details for _, details in asked] == [
        {"object": None, "last": 3},
        {"object": None, "after": 7},
        {"object": None, "after": 7},
        {"object": None, "after": 12},
    ]


def test_events_as_json(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    def follow(question: str, **details: Any) -> Iterator[Any]:
        if "after" in details:
            raise Unreachable("gone")
        yield from [{"number": 6}, {"event": TAKEOVER}, {"gap": 2}]

    monkeypatch.setattr(events, "follow", follow)
    monkeypatch.setattr(events, "PATIENCE", -1.0)
    monkeypatch.setattr(events, "AGAIN", 0.0)
    assert main(["events", "--follow", "--json"]) == 1
    assert [json.loads(line) for line in capsys.readouterr().out.splitlines()] == [{"event": TAKEOVER}, {"gap": 2}]


def test_why_in_sentences(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    chain = [
        {"text": "router public is active on lb1", "depth": 0, "at": NOW - 250},
        {"text": "because: nothing heard for 3.61 s", "depth": 1, "at": None},
    ]
    answer = {"object": "public", "node": "lb1", "now": NOW, "chains": [chain, chain[:1]]}
    monkeypatch.setattr(why, "ask", Director(answer).ask)
    assert main(["why", "public"]) == 0
    head = f"router public is active on lb1 ({clock(NOW - 250, NOW)}, 4 min 10 s ago)"
    assert capsys.readouterr().out == f"{head}\n  because: nothing heard for 3.61 s\n\n{head}\n"
    assert main(["why", "public", "--json"]) == 0
    assert json.loads(capsys.readouterr().out) == answer
