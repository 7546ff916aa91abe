from __future__ import annotations

from dataclasses import replace

import pytest

from haman.model.transition import Kind
from haman.observe.objects import about, known, told_of
from tests.director.support import cluster
from tests.observe.test_journal import TAKEOVER


@pytest.mark.parametrize(
    ("kind", "who", "words", "others"),
    [
        (Kind.ROUTER, "public", ["public", "router", "router public"], ["publi", "server"]),
        (
            Kind.SERVER,
            "web/rs1:80",
            ["web/rs1:80", "web/rs1", "web", "rs1", "rs1:80", "server web/rs1:80"],
            ["rs", "80", "web/"],
        ),
        (
            Kind.DRIFT,
            "tcp 10.0.0.100:80 -> 10.0.0.11:80",
            ["10.0.0.100", "10.0.0.100:80", "10.0.0.11", "drift"],
            ["->", "10.0.0.1"],
        ),
        (Kind.DRIFT, "10.0.0.100/24 on eth0", ["10.0.0.100", "10.0.0.100/24", "eth0"], ["on"]),
        (Kind.KERNEL, "tcp [2001:db8::100]:80", ["2001:db8::100", "[2001:db8::100]:80"], ["2001"]),
        (Kind.HOOK, "public/notify.sh", ["public", "notify.sh", "hook"], ["notify"]),
    ],
)
def test_by_what_words_a_transition_is_found(kind: Kind, who: str, words: list[str], others: list[str]) -> None:
    transition = replace(TAKEOVER, kind=kind, who=who)
    assert [word for word in words if not about(transition, word)] == []
    assert [word for word in others if about(transition, word)] == []


def test_what_can_be_asked_for() -> None:
    assert known(cluster(), "lb1") == [
        "public",
        "web",
        "10.0.0.100",
        "10.0.1.100",
        "web/rs1",
        "web/rs2",
        "rs1",
        "rs2",
        "127.0.0.1",
        "127.0.0.2",
        "web/rs1:80",
        "web/rs2:80",
    ]


def test_of_what_a_history_may_tell_before_anything_has_happened() -> None:
    more = told_of(cluster(), "lb1")[len(known(cluster(), "lb1")) :]
    assert more == ["lb2", *(kind.value for kind in Kind)]
