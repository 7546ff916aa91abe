from __future__ import annotations

from dataclasses import replace

from haman.director.peers import Peers
from haman.model.standing import Connections, Standing
from haman.model.transition import Kind, Transition

LB2 = Standing(cluster="web", node="lb2", life=100, number=1, config="same", roles={"public": "standby"})


def peers() -> Peers:
    return Peers("web", ["lb2", "lb3"], "same")


def told(changes: list[Transition]) -> list[str]:
    assert all(change.kind is Kind.PEER for change in changes)
    return [f"{change.who}: {change.before} -> {change.after}" for change in changes]


def test_heard_silent_and_heard_again() -> None:
    """The patience is 5 s."""
    known = peers()
    assert told(known.take("lb2", LB2, 10.0, 0.0)) == ["lb2: silent -> heard"]
    assert known.look(14.9, 0.0) == []
    assert told(known.look(15.1, 0.0)) == ["lb2: heard -> silent"]
    assert known.look(16.0, 0.0) == []
    assert known.could_take("public") == []
    assert told(known.take("lb2", replace(LB2, number=2), 20.0, 0.0)) == ["lb2: silent -> heard"]
    assert known.could_take("public") == ["lb2"]


def test_who_was_never_heard_is_not_told_to_be_silent() -> None:
    known = peers()
    assert known.look(1000.0, 0.0) == []
    assert known.all["lb3"].silent


def test_another_configuration_is_told_once_and_its_end_too() -> None:
    known = peers()
    other = replace(LB2, config="other")
    changes = known.take("lb2", other, 1.0, 0.0)
    assert told(changes) == ["lb2: silent -> heard", "lb2: same configuration -> another configuration"]
    assert known.take("lb2", replace(other, number=2), 2.0, 0.0) == []
    assert told(known.take("lb2", replace(LB2, number=3), 3.0, 0.0)) == [
        "lb2: another configuration -> same configuration"
    ]


def test_after_a_reload_here_it_is_compared_anew() -> None:
    known = peers()
    known.take("lb2", LB2, 1.0, 0.0)
    known.configure("web", ["lb2"], "newer")
    assert known.same_config(known.all["lb2"]) is False
    assert list(known.all) == ["lb2"]


def test_what_is_played_back_is_passed_over() -> None:
    known = peers()
    known.take("lb2", replace(LB2, number=5), 1.0, 0.0)
    old = replace(LB2, number=4, waiting={"public": "not yet"})
    assert known.take("lb2", old, 2.0, 0.0) == []
    assert known.could_take("public") == ["lb2"]
    assert known.all["lb2"].heard == 1.0
    known.take("lb2", replace(old, life=101, number=1), 3.0, 0.0)
    assert known.could_take("public") == [], "a later life begins to count anew"


def test_a_clock_that_was_set_back_is_believed_after_a_silence() -> None:
    known = peers()
    known.take("lb2", LB2, 1.0, 0.0)
    known.look(10.0, 0.0)
    assert told(known.take("lb2", replace(LB2, life=5), 11.0, 0.0)) == ["lb2: silent -> heard"]


def test_who_says_to_be_somebody_else_is_refused_once() -> None:
    known = peers()
    wrong = replace(LB2, cluster="shop")
    assert told(known.take("lb2", wrong, 1.0, 0.0)) == ["lb2: believed -> refused"]
    assert known.take("lb2", wrong, 2.0, 0.0) == []
    assert known.all["lb2"].refused == "it calls itself lb2 of cluster shop"
    assert known.all["lb2"].standing is None
    assert told(known.take("lb3", LB2, 1.0, 0.0)) == ["lb3: believed -> refused"]
    known.take("lb2", LB2, 3.0, 0.0)
    assert known.all["lb2"].refused == ""


def test_who_serves_and_how_many_connections_it_has() -> None:
    known = peers()
    serving = replace(LB2, roles={"public": "active", "inside": "active"}, connections={"public": Connections(5, 1)})
    known.take("lb2", serving, 10.0, 0.0)
    assert known.serving("public") == ("lb2", Connections(5, 1), 10.0)
    assert known.serving("inside") is None, "it does not say"
    known.take("lb3", replace(serving, node="lb3", roles={"public": "standby"}), 11.0, 0.0)
    assert known.serving("public") == ("lb2", Connections(5, 1), 10.0)
    known.take("lb3", replace(serving, node="lb3", number=2, connections={"public": Connections(9, 0)}), 12.0, 0.0)
    assert known.serving("public") == ("lb3", Connections(9, 0), 12.0), "of two the one with more"
    known.look(15.5, 0.0)
    assert known.serving("public") == ("lb3", Connections(9, 0), 12.0), "lb2 is silent"
    known.look(17.5, 0.0)
    assert known.serving("public") is None
