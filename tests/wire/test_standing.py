from __future__ import annotations

import hashlib
import hmac
import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from haman.errors import BadPacket
from haman.model.ballot import Poll, Vote, Wanted
from haman.model.standing import Connections, Shares, Standing
from haman.wire import standing as wire
from haman.wire.standing import Reason

KEY = b"sixteen bytes or more"
LB2 = Standing(
    cluster="web",
    node="lb2",
    life=1_700_000_000_000_000_000,
    number=7,
    config="0123456789abcdef",
    roles={"public": "standby", "inside": "fault"},
    waiting={"inside": "1 of 2 servers not checked yet: web/rs2:80"},
    macs=("02:00:00:00:00:02", "02:00:00:00:01:02"),
    hearing=("inside",),
    giving={"public": "lb1"},
    connections={"public": Connections(812, 4242)},
)


SHARES = Shares(
    cluster="web",
    node="lb1",
    life=5,
    number=8,
    config="0123456789abcdef",
    of={"web": {80: ((1, 10), (0, 0)), 443: ()}},
)

POLL = Poll(
    cluster="web",
    node="lb2",
    number=2**62 - 1,
    wanted=Wanted.VOTE,
    router="public",
    priority=100,
    ready=True,
    interval=0.1,
    life=2**62,
    heard=7,
)
VOTE = Vote(cluster="web", node="lb3", number=12, yes=False, why="lb1 says that it is active")


def refused(datagram: bytes, key: bytes | None = None) -> object:
    with pytest.raises(BadPacket) as error:
        wire.decode(datagram, [] if key is None else [key])
    return error.value.reason


@pytest.mark.parametrize("key", [None, KEY])
@pytest.mark.parametrize("said", [LB2, SHARES, POLL, VOTE])
def test_what_is_said_is_heard(said: wire.Said, key: bytes | None) -> None:
    assert wire.decode(wire.encode(said, key, 9), [] if key is None else [key]) == (said, 9, None)


@pytest.mark.parametrize("mac", ["02:00:00:00:00:0", "02:00:00:00:00:02 }; flush ruleset; {", "02:00:00:00:00:AA", 7])
def test_what_is_no_mac_address_becomes_no_rule(mac: object) -> None:
    content = json.loads(wire.encode(LB2, None)[36:]) | {"macs": [mac]}
    assert refused(b"HMN\x01" + bytes(32) + json.dumps(content).encode()) is Reason.UNREADABLE


def test_an_older_director_tells_no_mac_address_and_no_connections() -> None:
    content = json.loads(wire.encode(LB2, None)[36:])
    del content["macs"], content["connections"]
    said = wire.decode(b"HMN\x01" + bytes(32) + json.dumps(content).encode(), []).said
    assert isinstance(said, Standing)
    assert (said.macs, said.connections) == ((), {})


@pytest.mark.parametrize(
    "of",
    [
        {"web": 1},
        {"web": {"x": []}},
        {"web": {"80": [[1]]}},
        {"web": {"80": [[-1, 1]]}},
        {"web": {"80": ""}},
        {"web": {"80": {}}},
        {"web": {"080": []}},
        {"web": {"8_0": []}},
        {"web": {" 80": []}},
        {"web": {"\N{ARABIC-INDIC DIGIT EIGHT}": []}},
        7,
    ],
)
def test_shares_that_cannot_be(of: object) -> None:
    body = json.dumps({"cluster": "web", "node": "lb1", "life": 5, "number": 8, "config": "", "of": of}).encode()
    assert refused(b"HMN\x01" + bytes(32) + body) is Reason.UNREADABLE


def test_the_form() -> None:
    """Other programs may want to read it: 3 letters, version 1, an HMAC over the rest, JSON."""
    datagram = wire.encode(LB2, KEY)
    assert datagram[:4] == b"HMN\x01"
    assert datagram[4:36] == hmac.new(KEY, b"HMN\x01" + datagram[36:], hashlib.sha256).digest()
    assert json.loads(datagram[36:])["node"] == "lb2"
    assert wire.encode(LB2, None)[4:36] == bytes(32)


def test_keys_must_agree() -> None:
    assert refused(wire.encode(LB2, None), KEY) is Reason.UNSIGNED
    assert refused(wire.encode(LB2, KEY), None) is Reason.NO_KEY
    assert refused(wire.encode(LB2, KEY), b"another key of 16") is Reason.SIGNATURE
    changed = wire.encode(LB2, KEY).replace(b'"number":7', b'"number":8')
    assert refused(changed, KEY) is Reason.SIGNATURE


def test_any_of_several_keys_is_believed() -> None:
    keys = [b"another key of 16", KEY]
    assert wire.decode(wire.encode(LB2, KEY), keys).said == LB2
    assert wire.decode(wire.encode(LB2, keys[0]), keys).said == LB2


def test_what_is_not_signed_as_it_should_be_is_believed_and_named_where_that_is_asked_for() -> None:
    assert wire.decode(wire.encode(LB2, None), [KEY], enforced=False) == (LB2, 0, Reason.UNSIGNED)
    assert wire.decode(wire.encode(LB2, KEY), [b"another key of 16"], enforced=False).doubt is Reason.SIGNATURE
    assert wire.decode(wire.encode(LB2, KEY), [KEY], enforced=False).doubt is None
    with pytest.raises(BadPacket):
        wire.decode(b"HMN\x01" + bytes(32) + b"{}", [KEY], enforced=False)


@pytest.mark.parametrize(
    ("datagram", "reason"),
    [
        (b"", Reason.FOREIGN),
        (b"GET / HTTP/1.0\r\n\r\n" + bytes(40), Reason.FOREIGN),
        (b"HMN\x01" + bytes(32), Reason.FOREIGN),
        (b"HMN\x02" + bytes(32) + b"{}", Reason.VERSION),
        (b"HMN\x01" + bytes(32) + b"{}", Reason.UNREADABLE),
        (b"HMN\x01" + bytes(32) + b"[" * 5000, Reason.UNREADABLE),
        (b"HMN\x01" + bytes(32) + b"\xff", Reason.UNREADABLE),
    ],
)
def test_what_is_none(datagram: bytes, reason: Reason) -> None:
    assert refused(datagram) is reason


@pytest.mark.parametrize(
    "change",
    [
        {"node": 5},
        {"life": -1},
        {"life": True},
        {"number": 1 << 63},
        {"roles": ["public"]},
        {"roles": {"public": None}},
        {"cluster": "\x1b[2J"},
        {"waiting": {"a\nb": "c"}},
        {"sent": -1},
        {"sent": 1 << 64},
        {"sent": "now"},
        {"macs": ""},
        {"hearing": "public"},
        {"connections": {"public": 7}},
        {"connections": {"public": [7]}},
        {"connections": {"public": [7, -1]}},
        {"connections": [["public", 7, 8]]},
    ],
)
def test_wrong_content_is_unreadable(change: dict[str, object]) -> None:
    content = json.loads(wire.encode(LB2, None)[36:]) | change
    assert refused(b"HMN\x01" + bytes(32) + json.dumps(content).encode()) is Reason.UNREADABLE


def test_a_thousand_waiting_routers_fit_and_all_are_named() -> None:
    names = [f"router-{number:03}" for number in range(255)]
    crowd = Standing(
        cluster="web", node="lb2", life=1, number=1, config="0", waiting=dict.fromkeys(names, "not yet, because " * 40)
    )
    datagram = wire.encode(crowd, KEY)
    assert len(datagram) <= 60_000
    said = wire.decode(datagram, [KEY]).said
    assert isinstance(said, Standing)
    assert sorted(said.waiting) == names


@given(st.binary(max_size=200))
def test_nothing_else_is_ever_raised(noise: bytes) -> None:
    for datagram in (noise, b"HMN\x01" + bytes(32) + noise):
        with pytest.raises(BadPacket):
            wire.decode(datagram, [])


def test_who_could_take_a_router() -> None:
    assert LB2.could_take("public")
    assert not LB2.could_take("inside")
    assert not LB2.could_take("unknown")


@pytest.mark.parametrize(
    ("said", "wrong"),
    [
        (POLL, {"number": -1}),
        (POLL, {"number": 2**63}),
        (POLL, {"wanted": "everything"}),
        (POLL, {"router": "\x1b[2J"}),
        (POLL, {"priority": 256}),
        (POLL, {"ready": 1}),
        (POLL, {"life": -1}),
        (POLL, {"heard": "7"}),
        (POLL, {"interval": -0.1}),
        (POLL, {"interval": 41.0}),
        (POLL, {"interval": float("nan")}),
        (POLL, {"interval": True}),
        (POLL, {"cluster": None}),
        (VOTE, {"yes": "true"}),
        (VOTE, {"why": ["so"]}),
        (VOTE, {"about": 7}),
        (VOTE, {"about": "veto"}),
    ],
)
def test_what_is_no_poll_and_no_vote_is_refused(said: wire.Said, wrong: dict[str, object]) -> None:
    content = json.loads(wire.encode(said, None)[36:]) | wrong
    assert refused(b"HMN\x01" + bytes(32) + json.dumps(content).encode()) is Reason.UNREADABLE
