"""The relay's pure parts: who is idle, who may come in, who takes it."""

from __future__ import annotations

from dataclasses import dataclass
from ipaddress import ip_address, ip_network

import pytest
from hypothesis import given
from hypothesis import strategies as st

from haman.model.relay import Terms
from haman.relay import orders
from haman.relay.account import CHUNK, LEAN, REASONS, Account
from haman.relay.origins import Origins
from haman.relay.pool import Pool, Server
from haman.relay.wheel import Wheel


@dataclass(eq=False)
class Member:
    seen: float


def test_who_moves_stays_and_who_does_not_goes_in_time() -> None:
    wheel: Wheel[Member] = Wheel(10.0, slot=0.5)
    quiet, busy = Member(0.0), Member(0.0)
    wheel.add(quiet)
    wheel.add(busy)
    assert wheel.due(9.9) == []
    busy.seen = 9.0
    assert wheel.due(10.6) == [quiet]
    assert wheel.due(18.0) == []
    assert wheel.due(19.6) == [busy]
    assert len(wheel) == 0


@given(st.lists(st.tuples(st.floats(0, 100), st.floats(0, 100)), max_size=30), st.floats(1, 50))
def test_nobody_is_forgotten_and_nobody_goes_early(moves: list[tuple[float, float]], idle: float) -> None:
    """Each member comes at one time and moves once more at another."""
    wheel: Wheel[Member] = Wheel(idle, slot=0.5)
    members = [(Member(min(pair)), max(pair)) for pair in moves]
    gone: dict[Member, float] = {}
    waiting = sorted(members, key=lambda each: each[0].seen)
    moving = sorted(members, key=lambda each: each[1])
    now = 0.0
    while now < 160.0:
        now += 0.25
        while waiting and waiting[0][0].seen <= now:
            wheel.add(waiting.pop(0)[0])
        while moving and moving[0][1] <= now:
            member, at = moving.pop(0)
            if member not in gone:
                member.seen = at
        for member in wheel.due(now):
            assert member not in gone
            assert now - member.seen >= idle
            gone[member] = now
    assert len(gone) == len(members)
    assert all(at - member.seen <= idle + 1.25 for member, at in gone.items())


def test_who_has_ended_by_itself_is_kept_by_nobody() -> None:
    wheel: Wheel[Member] = Wheel(600.0)
    stays, ends = Member(0.0), Member(0.0)
    for each in (stays, ends):
        wheel.add(each)
    for _ in range(2):
        wheel.remove(ends)
    assert len(wheel) == 1
    wheel.retime(5.0)
    assert wheel.due(6.0) == [stays]
    wheel.remove(stays)
    wheel.add(ends)
    assert wheel.due(6.0) == [ends]


def test_another_time_holds_for_those_that_wait_already() -> None:
    wheel: Wheel[Member] = Wheel(600.0)
    member = Member(0.0)
    wheel.add(member)
    wheel.retime(5.0)
    assert wheel.due(6.0) == [member]


def test_the_account_lets_in_what_it_may_and_tells_a_reason_once_a_minute() -> None:
    account = Account(Terms(sessions=2, memory=1000))
    assert [account.admit() for _ in range(3)] == [None, None, "sessions"]
    account.leave()
    account.held = 1000
    assert account.admit() == "memory"
    account.held = 0
    assert account.admit() is None
    assert (account.sessions, account.total) == (2, 3)
    assert account.refuse("sessions", 100.0) == "there are as many as `sessions` allows"
    assert account.refuse("sessions", 159.9) is None
    assert account.refuse("memory", 159.9) == "what waits for slow receivers fills `memory`"
    again = "there are as many as `sessions` allows (2 times since the last such line)"
    assert account.refuse("sessions", 160.0) == again
    assert account.figures()["refused"]["sessions"] == 3  # type: ignore[index]


def test_chunks_are_small_when_half_the_memory_is_taken() -> None:
    account = Account(Terms(memory=1000))
    account.held = 499
    assert account.chunk == CHUNK
    account.held = 500
    assert account.chunk == LEAN


def servers(*weights: int) -> list[Server]:
    found = []
    for number, weight in enumerate(weights):
        address = ip_address("203.0.113.0") + number
        found.append(Server(name=f"s{number}", address=address, port=80, weight=weight, up=True))
    return found


def test_sessions_are_shared_out_by_weight() -> None:
    pool = Pool(servers(1, 2, 0))
    for _ in range(30):
        chosen = pool.choose("192.0.2.1")
        assert chosen is not None
        chosen.sessions += 1
    assert [server.sessions for server in pool.servers.values()] == [10, 20, 0]


def test_with_persistence_clients_of_one_network_stay_together_and_a_loss_moves_only_its_own() -> None:
    pool = Pool(servers(1, 1, 2), prefix=24)
    clients = [f"10.{number // 250}.{number % 250}.7" for number in range(1000)]
    before = {client: pool.choose(client) for client in clients}
    assert all(pool.choose(client.removesuffix("7") + "200") is chosen for client, chosen in before.items())
    shares = [sum(chosen is server for chosen in before.values()) for server in pool.servers.values()]
    assert 200 < shares[0] < 300
    assert 440 < shares[2] < 560
    pool.weigh({"s0": (0, False), "s1": (1, True), "s2": (2, True)})
    lost = pool.servers["s0"]
    assert all(pool.choose(client) is chosen for client, chosen in before.items() if chosen is not lost)


def test_before_the_word_that_it_serves_whoever_is_up_takes_it() -> None:
    pool = Pool(servers(0, 0))
    assert pool.choose("192.0.2.1") is not None
    pool.weigh({"s0": (0, False), "s1": (0, True)})
    assert pool.choose("192.0.2.1") is pool.servers["s1"]
    assert pool.choose("192.0.2.1", tried=("s1",)) is None
    pool.weigh({})
    assert pool.choose("192.0.2.1") is None


def test_a_long_order_comes_whole_in_parts_that_have_room() -> None:
    joined = orders.Joined()
    for size in (0, 1, 65536, 65537, 1_000_000):
        message = b"x" * size
        *rest, last = orders.parts(message)
        assert len(rest) == max(0, (size - 1) // 65536)
        assert max(map(len, (*rest, last))) <= 65537
        assert [joined.add(part) for part in rest] == [None] * len(rest)
        assert joined.add(last) == message


def test_figures_of_many_ways_come_in_messages_of_their_own() -> None:
    account = Account(Terms())
    account.total = account.up = account.down = account.held = 1 << 60
    account.refused = dict.fromkeys(REASONS, 1 << 60)
    ways = {f"{number:064d}": account.figures() for number in range(250)}
    messages = orders.figures(ways)
    assert len(messages) == 3
    assert max(map(len, messages)) <= orders.PART
    assert {name for each in messages for name in orders.read(each)["ways"]} == ways.keys()
    assert [orders.read(each)["ways"] for each in orders.figures({})] == [{}]


@pytest.mark.parametrize(
    "change",
    [
        b"",
        b"{",
        b"[]",
        b'{"say": "figures"}',
        b'{"say": "figures", "ways": {"web@east": {}}}',
        b'{"say": "words", "words": 7}',
        b'{"say": "words", "words": "two\\nlines"}',
        b'{"say": "words", "words": "' + b"x" * 501 + b'"}',
        b'{"do": "stop"}',
    ],
)
def test_what_a_relay_never_says_is_not_believed(change: bytes) -> None:
    with pytest.raises(ValueError, match=r"."):
        orders.heard(change)


def test_figures_are_believed_that_are_numbers() -> None:
    told = Account(Terms()).figures()
    (good,) = orders.figures({"web@east": told})
    assert orders.heard(good) == {"web@east": told}
    assert orders.heard(orders.said("relay web@east: hello")) == "relay web@east: hello"
    for name, value in (("held", -1), ("held", 10**400), ("held", True), ("held", "7"), ("refused", {}), ("more", 1)):
        with pytest.raises(ValueError, match="neither figures nor words"):
            orders.heard(orders.figures({"web@east": {**told, name: value}})[0])


def test_who_is_another_site() -> None:
    origins = Origins([ip_network("203.0.113.10/32"), ip_network("198.51.100.0/28"), ip_network("2001:db8:5::/48")])
    for client in ("203.0.113.10", "198.51.100.15", "2001:db8:5::7"):
        assert client in origins
    for client in ("203.0.113.11", "198.51.100.16", "2001:db8:6::7", "fe80::1%eth0"):
        assert client not in origins
    assert "203.0.113.10" not in Origins([])
