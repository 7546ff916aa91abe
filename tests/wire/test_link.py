from __future__ import annotations

import json
import struct
from dataclasses import replace
from ipaddress import IPv4Address, IPv4Interface, IPv4Network, IPv6Address, IPv6Interface, IPv6Network
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from haman.errors import BadFrame
from haman.model.cluster import LogFormat
from haman.model.confirmation import Confirm, Confirmation, TakeoverVerdict
from haman.model.elector import (
    AskArbiter,
    Configure,
    Counters,
    Covered,
    ElectorConfig,
    GiveAway,
    Goodbye,
    GroupConfig,
    Happened,
    Heartbeat,
    Kin,
    Maintenance,
    Message,
    Readiness,
    Reload,
    Reloaded,
    Reloading,
    RoleReport,
    Roles,
    RouterConfig,
    Ruled,
    Stopping,
    TakeoverConfirmed,
    TakeoverDone,
    Verdicts,
)
from haman.model.routers import Announce, ChecksumForm, Preempt, StandbyAddress, VirtualAddress
from haman.model.routing import VirtualRoute, VirtualRule
from haman.model.trackers import Standing, Track, TrackedInterface, Verdict
from haman.model.transition import Kind, Role, Transition
from haman.wire import link

ROUTER = RouterConfig(
    name="public",
    vrid=51,
    priority=150,
    interface="eth0",
    source=IPv4Address("10.0.0.1"),
    advert_interval=0.1,
    addresses=(
        VirtualAddress(interface=IPv4Interface("10.0.0.100/24"), device="eth0"),
        VirtualAddress(interface=IPv6Interface("2001:db8::100/64"), device="eth1", pinned=True),
    ),
    peers=(IPv4Address("10.0.0.2"), IPv4Address("10.0.0.3")),
    minimum_ttl=254,
    checksum=ChecksumForm.PSEUDO_HEADER,
    preempt=Preempt(allowed=True, after=30.0),
    track=(TrackedInterface(interface="eth1"), TrackedInterface(interface="eth2", penalty=60)),
    watch=(Track(tracker="gateway"), Track(tracker="drain", weight=-2, reverse=True)),
    routes=(
        VirtualRoute(destination=IPv4Network("10.9.0.0/16"), via=IPv4Address("10.0.0.254"), metric=50),
        VirtualRoute(destination=IPv6Network("2001:db8:9::/48"), device="eth1", table=100),
    ),
    rules=(VirtualRule(priority=1000, table=100, version=4, source=IPv4Network("10.0.0.100/32"), fwmark=7),),
    announce=Announce(count=3, spacing=0.01, repeat=(0.5, 2.0)),
    standby_address=StandbyAddress.NOWHERE,
    linger=0.25,
)

CHANGED = Transition(
    kind=Kind.ROUTER,
    who="public",
    before="standby",
    after="active",
    why='nothing heard for 3.61 s from "lb1" \N{EM DASH} \N{SNOWMAN}',
    cause="active_silent",
    at=1700000000.125,
)

REPORT = RoleReport(
    router="public",
    role=Role.STANDBY,
    priority=100,
    holds=False,
    since=12.5,
    why="listening before it speaks",
    peer=IPv4Address("10.0.0.1"),
    peer_priority=150,
)

MESSAGES: tuple[Message, ...] = (
    TakeoverConfirmed(router="public", seconds=0.0031),
    Roles(
        epoch=3,
        roles=(
            replace(
                REPORT,
                confirmation=Confirmation(
                    verdict=TakeoverVerdict.SECOND_OWNER, seconds=1.5, why="second owner", owners=("52:54:00:aa:bb:02",)
                ),
            ),
        ),
    ),
    Configure(
        config=ElectorConfig(
            generation=2,
            node="lb1",
            routers=(replace(ROUTER, confirm=Confirm(attempts=4)),),
            kin=(Kin(address=IPv4Address("10.0.0.11")), Kin(address=IPv6Address("2001:db8::11"))),
        )
    ),
    Configure(config=ElectorConfig(generation=1, node="lb1", routers=())),
    Configure(
        config=ElectorConfig(
            generation=7,
            node="lb1",
            routers=(ROUTER, replace(ROUTER, name="inner", vrid=52, peers=(), track=(), announce=Announce(repeat=()))),
            groups=(
                GroupConfig(
                    name="both",
                    routers=("public", "inner"),
                    aliases={"10.0.0.1": IPv4Address("10.0.0.1"), "10.1.0.1": IPv4Address("10.0.0.1")},
                    watch=(Track(tracker="gateway", penalty=60),),
                ),
            ),
            log_format=LogFormat.JSON,
            log_level="debug",
        )
    ),
    Readiness(generation=7, waiting={}),
    Readiness(generation=7, waiting={"public": "rs2 of web was not checked yet", "": ""}),
    Verdicts(generation=7, trackers={"drain": Verdict(standing=Standing.DOWN, why="holds -2", number=-2)}),
    Reloading(),
    Reloaded(ok=False, words="haman.yaml:7:3: what is this?"),
    Goodbye(code=2),
    Ruled(router="public", asked=12.5, granted=False, why="10.0.0.254 does not answer"),
    AskArbiter(router="public", asked=12.5, interval=0.1, priority=150),
    Covered(by={"public": ("lb2", "lb3"), "inside": ()}),
    Maintenance(why="maintenance: new kernel"),
    Maintenance(why=None),
    GiveAway(to={"public": ("lb2",)}, why="anna gives it away"),
    Roles(epoch=0, roles=()),
    Roles(epoch=2**63, roles=(REPORT, replace(REPORT, role=Role.FAULT, peer=None, peer_priority=0, holds=True))),
    *(Roles(epoch=1, roles=(replace(REPORT, role=role),)) for role in Role),
    *(Happened(transition=replace(CHANGED, kind=kind)) for kind in Kind),
    TakeoverDone(router="public", seconds=0.0012, addresses=3),
    Counters(routers={"public": {"adverts_sent": 10**12, "refused_ttl": 0}, "idle": {}}, lag=0.0),
    Reload(),
    Stopping(),
    Heartbeat(sent=123456.789012345, patience=0.5),
)


def framed(body: Any) -> bytes:
    data = body if isinstance(body, bytes) else json.dumps(body).encode()
    return struct.pack("!I", len(data)) + data


def received(data: bytes) -> list[Message]:
    return list(link.Decoder().feed(data))


@pytest.mark.parametrize("message", MESSAGES, ids=lambda message: type(message).__name__)
def test_round_trip(message: Message) -> None:
    (back,) = received(link.encode(message))
    assert back == message
    assert type(back) is type(message)


def test_every_message_type_is_tried() -> None:
    assert {type(message).__name__ for message in MESSAGES} == set(link._MESSAGES)


def test_the_frame_on_the_wire() -> None:
    """The format is a contract between two processes that an upgrade may leave at different versions."""
    assert link.encode(Goodbye(code=2)) == b'\x00\x00\x00\x21{"v":1,"type":"Goodbye","code":2}'
    role = '{"router":"public","role":"standby","priority":100,"holds":false,"since":12.5'
    assert role.encode() in link.encode(Roles(epoch=1, roles=(REPORT,)))
    assert b'"peer":"10.0.0.1","peer_priority":150' in link.encode(Roles(epoch=1, roles=(REPORT,)))


def test_a_big_configuration() -> None:
    """100 routers of 20 addresses, in whatever pieces the socket gives."""
    addresses = tuple(
        VirtualAddress(interface=IPv4Interface(f"10.1.{number}.1/24"), device="eth0") for number in range(20)
    )
    routers = tuple(replace(ROUTER, name=f"r{vrid}", vrid=vrid, addresses=addresses) for vrid in range(1, 101))
    message = Configure(config=ElectorConfig(generation=1, node="lb1", routers=routers))
    data = link.encode(message)
    decoder = link.Decoder()
    back = [found for at in range(0, len(data), 65536) for found in decoder.feed(data[at : at + 65536])]
    assert back == [message]


@given(st.lists(st.sampled_from(MESSAGES), max_size=5), st.lists(st.integers(1, 64), min_size=1))
def test_the_pieces_do_not_matter(messages: list[Message], sizes: list[int]) -> None:
    data = b"".join(map(link.encode, messages))
    decoder = link.Decoder()
    back: list[Message] = []
    turn = 0
    while data:
        size = sizes[turn % len(sizes)]
        back += decoder.feed(data[:size])
        data, turn = data[size:], turn + 1
    assert back == messages


def test_an_unfinished_frame_gives_nothing_yet() -> None:
    data = link.encode(Goodbye(code=2))
    for length in range(len(data)):
        assert received(data[:length]) == []


def test_what_came_before_a_broken_frame_is_still_given() -> None:
    messages = link.Decoder().feed(link.encode(Goodbye(code=2)) + framed(b"{}"))
    assert next(messages) == Goodbye(code=2)
    with pytest.raises(BadFrame):
        next(messages)


def test_a_frame_beyond_the_limit_is_refused_before_it_comes() -> None:
    with pytest.raises(BadFrame, match="frame of 67108865 bytes on the link, limit 67108864"):
        received(struct.pack("!I", (64 << 20) + 1))
    assert received(struct.pack("!I", 64 << 20)) == []


HEARTBEAT = {"v": 1, "type": "Heartbeat", "sent": 1.0, "patience": 0.5}
READINESS = {"v": 1, "type": "Readiness", "generation": 7, "waiting": {}}
ROLES = json.loads(link.encode(Roles(epoch=1, roles=(REPORT,)))[4:])
CONFIGURE = json.loads(link.encode(Configure(config=ElectorConfig(generation=1, node="lb1", routers=(ROUTER,))))[4:])


def changed(body: Any, value: Any, *path: str | int) -> Any:
    """A copy of `body` with `value` at `path`."""
    copy = json.loads(json.dumps(body))
    place = copy
    for step in path[:-1]:
        place = place[step]
    place[path[-1]] = value
    return copy


BROKEN = {
    "no bytes": b"",
    "no JSON": b"hello",
    "half of it": b'{"v":1,"type":"Stop',
    "no text": b"\xff\xfe\xfd",
    "a list": [],
    "a number": 5,
    "null": None,
    "no version": {"type": "Stopping"},
    "another version": {"v": 2, "type": "Stopping"},
    "truth for a version": {"v": True, "type": "Stopping"},
    "a fraction for a version": b'{"v":1.0,"type":"Stopping"}',
    "no type": {"v": 1},
    "an unknown type": {"v": 1, "type": "Takeover"},
    "a type that is no text": {"v": 1, "type": ["Stopping"]},
    "a field too many": changed(HEARTBEAT, 1, "colour"),
    "a field too few": {"v": 1, "type": "Heartbeat", "sent": 1.0},
    "text for a number": changed(HEARTBEAT, "1.0", "sent"),
    "truth for a number": changed(HEARTBEAT, True, "sent"),
    "a number no float can hold": b'{"v":1,"type":"Heartbeat","patience":1.0,"sent":1' + b"0" * 400 + b"}",
    "a number without end": b'{"v":1,"type":"Heartbeat","patience":1.0,"sent":1' + b"0" * 5000 + b"}",
    "truth for a count": changed(READINESS, True, "generation"),
    "a fraction for a count": changed(READINESS, 7.5, "generation"),
    "a list for a table": changed(READINESS, [], "waiting"),
    "a number for words": changed(READINESS, {"public": 5}, "waiting"),
    "an unknown role": changed(ROLES, "master", "roles", 0, "role"),
    "a number for truth": changed(ROLES, 1, "roles", 0, "holds"),
    "a table for a list": changed(ROLES, {}, "roles"),
    "text for a list": changed(ROLES, "", "roles"),
    "no address": changed(ROLES, "10.0.0.256", "roles", 0, "peer"),
    "a number for an address": changed(ROLES, 5, "roles", 0, "peer"),
    "nothing where something must be": changed(ROLES, None, "roles", 0, "role"),
    "a prefix beyond 32": changed(CONFIGURE, "10.0.0.1/33", "config", "routers", 0, "addresses", 0, "interface"),
    "text for an object": changed(CONFIGURE, "eth0", "config", "routers", 0, "addresses", 0),
    "nested beyond reason": b"[" * 200_000,
}


@pytest.mark.parametrize("body", BROKEN.values(), ids=BROKEN.keys())
def test_broken_frames(body: Any) -> None:
    with pytest.raises(BadFrame):
        received(framed(body))


def test_two_versions_say_so() -> None:
    with pytest.raises(BadFrame, match="speaks another version of the link; restart haman"):
        received(framed({"v": 2, "type": "Stopping"}))


JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=5), inner, max_size=3),
    max_leaves=10,
)


@given(st.binary(max_size=200))
def test_no_bytes_raise_anything_but_bad_frame(data: bytes) -> None:
    read_or_refuse(framed(data))
    read_or_refuse(data)


@given(st.sampled_from(MESSAGES), st.data())
def test_no_likely_frame_raises_anything_but_bad_frame(message: Message, data: st.DataObject) -> None:
    """One value somewhere in a good message is replaced by some other JSON."""
    body = json.loads(link.encode(message)[4:])
    path: list[str | int] = []
    place = body
    while isinstance(place, (dict, list)) and place and (not path or data.draw(st.booleans(), label="deeper")):
        step = data.draw(st.sampled_from(list(place) if isinstance(place, dict) else range(len(place))), label="step")
        path.append(step)
        place = place[step]
    read_or_refuse(framed(changed(body, data.draw(JSON, label="value"), *path)))


def read_or_refuse(frame: bytes) -> None:
    try:
        received(frame)
    except BadFrame as bad:
        assert str(bad)  # noqa: PT017 - any refusal will do, as long as it has words


# -- rows: what is long goes ahead, what is known is not sent again ----------------------------------------------------


def many(count: int, changed: int = -1) -> Configure:
    """Three routers of `count` addresses; one of the second router's is another when `changed` says which."""
    plain = tuple(
        VirtualAddress(interface=IPv4Interface(f"10.1.{number >> 8}.{number & 255}/24"), device="eth0")
        for number in range(count)
    )
    odd = tuple(replace(vip, device="eth9") if number == changed else vip for number, vip in enumerate(plain))
    routers = tuple(
        replace(ROUTER, name=f"r{vrid}", vrid=vrid, addresses=odd if vrid == 2 else plain) for vrid in (1, 2, 3)
    )
    return Configure(config=ElectorConfig(generation=1, node="lb1", routers=routers))


def frames(data: bytes) -> list[dict[str, Any]]:
    found = []
    while data:
        (length,) = struct.unpack_from("!I", data)
        found.append(json.loads(data[4 : 4 + length]))
        data = data[4 + length :]
    return found


def test_long_tuples_go_ahead_in_rows_of_32() -> None:
    sent = frames(link.Encoder().encode(many(100)))
    assert [len(each["items"]) for each in sent[:-1]] == [32, 32, 32, 4]
    assert [each["of"] for each in sent[:-1]] == ["VirtualAddress"] * 4
    addresses = [router["addresses"] for router in sent[-1]["config"]["routers"]]
    assert addresses == [{"rows": [1, 2, 3, 4]}] * 3  # the same for all three: sent once
    assert list(link.Decoder().feed(link.Encoder().encode(many(100)))) == [many(100)]


def test_no_frame_of_a_thousand_addresses_is_long() -> None:
    """32 addresses or routers are below a millisecond; the elector reads 4 KB in a turn of its loop."""
    sent = frames(link.Encoder().encode(many(1000)))
    assert max(len(json.dumps(each, separators=(",", ":"))) for each in sent) < 4096


def test_a_second_configuration_costs_what_changed() -> None:
    encoder, decoder = link.Encoder(), link.Decoder()
    assert list(decoder.feed(encoder.encode(many(100)))) == [many(100)]
    again = encoder.encode(many(100))
    assert [each.get("rows") for each in frames(again)] == [None]
    assert list(decoder.feed(again)) == [many(100)]
    change = encoder.encode(many(100, changed=40))
    assert [each.get("rows") for each in frames(change)] == [5, None]
    assert list(decoder.feed(change)) == [many(100, changed=40)]
    back = encoder.encode(many(100))
    assert frames(back)[-1]["forget"] == [5]
    assert list(decoder.feed(back)) == [many(100)]
    assert decoder._rows.keys() == {1, 2, 3, 4}


def test_what_did_not_change_is_the_same_object() -> None:
    encoder, decoder = link.Encoder(), link.Decoder()
    (first,) = decoder.feed(encoder.encode(many(100)))
    (second,) = decoder.feed(encoder.encode(many(100, changed=40)))
    assert isinstance(first, Configure)
    assert isinstance(second, Configure)
    one, two = (each.config.routers[1].addresses for each in (first, second))
    assert [a is b for a, b in zip(one, two, strict=True)].count(False) == 32


def test_rows_within_rows() -> None:
    message = Configure(
        config=ElectorConfig(
            generation=1,
            node="lb1",
            routers=tuple(
                replace(many(40).config.routers[0], name=f"r{number}", vrid=number) for number in range(1, 100)
            ),
        )
    )
    encoder, decoder = link.Encoder(), link.Decoder()
    assert list(decoder.feed(encoder.encode(message))) == [message]
    assert len(frames(encoder.encode(message))) == 1


@given(st.lists(st.tuples(st.integers(0, 80), st.integers(-1, 80)), min_size=1, max_size=4))
def test_any_row_of_configurations(sizes: list[tuple[int, int]]) -> None:
    encoder, decoder = link.Encoder(), link.Decoder()
    for count, changed in sizes:
        message = many(count, changed)
        assert list(decoder.feed(encoder.encode(message))) == [message]


@pytest.mark.parametrize(
    "frame",
    [
        {"v": 1, "rows": 1, "of": "Popen", "items": []},
        {"v": 1, "rows": "one", "of": "VirtualAddress", "items": []},
        {"v": 1, "rows": 1, "of": "VirtualAddress", "items": [{}]},
        {"v": 1, "type": "Stopping", "forget": [1]},
        {"v": 1, "type": "Roles", "epoch": 1, "roles": {"rows": [7]}},
    ],
)
def test_broken_rows(frame: dict[str, Any]) -> None:
    with pytest.raises(BadFrame):
        received(framed(frame))
