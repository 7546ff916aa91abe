from __future__ import annotations

from dataclasses import replace
from ipaddress import IPv4Address

from haman.model.checks import Check, HttpProbe, TcpProbe
from haman.model.services import Server, Target
from haman.probes.question import Question

RS1 = Server(name="rs1", address=IPv4Address("10.0.0.11"), weight=3)
CHECK = Check(name="front", probe=TcpProbe())
WEB = Target("web", "rs1", 80)


def test_the_port_is_the_targets_unless_the_check_has_one() -> None:
    assert Question.about(WEB, RS1, CHECK).port == 80
    assert Question.about(WEB, RS1, replace(CHECK, port=8000)).port == 8000


def test_services_share_a_question_whatever_they_call_or_make_of_it() -> None:
    other = replace(CHECK, name="other", rise=5, fall=1)
    twin = replace(RS1, name="web-1", weight=1)
    assert Question.about(WEB, RS1, CHECK) == Question.about(Target("shop", "web-1", 80), twin, other)


def test_what_is_asked_or_how_often_makes_another_question() -> None:
    asked = Question.about(WEB, RS1, CHECK)
    for other in (
        replace(CHECK, probe=HttpProbe()),
        replace(CHECK, interval=9.0),
        replace(CHECK, fast_interval=0.1),
        replace(CHECK, timeout=0.1),
        replace(CHECK, port=81),
    ):
        assert Question.about(WEB, RS1, other) != asked
