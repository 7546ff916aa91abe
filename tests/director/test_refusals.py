from __future__ import annotations

import errno
from ipaddress import IPv4Address

from haman.director.refusals import Refusals
from haman.errors import KernelRefused
from haman.kernel.refusal import Refusal
from haman.model.kernel import DestinationConfig, DestinationKey, ServiceConfig, ServiceKey
from haman.model.services import Forward, Protocol
from haman.plan.ops import Add, Op, Remove, Set

WEB = ServiceKey.at(Protocol.TCP, IPv4Address("10.0.0.100"), 80)
SHOP = ServiceKey.at(Protocol.TCP, IPv4Address("10.0.0.100"), 443)
RS1 = DestinationKey(WEB, IPv4Address("10.0.0.1"), 80)
ADD_WEB = Add(WEB, ServiceConfig("mh"))
ADD_SHOP = Add(SHOP, ServiceConfig("mh"))
ADD_RS1 = Add(RS1, DestinationConfig(Forward.DR, 1))


def refused(*ops: Op) -> list[Refusal]:
    return [Refusal(op, KernelRefused(str(op), errno.ENOENT)) for op in ops]


def test_the_wait_doubles_up_to_half_a_minute() -> None:
    book = Refusals()
    now, waits = 100.0, []
    for _ in range(9):
        book.tried([ADD_WEB], refused(ADD_WEB), now, 0.0)
        assert book.retry_at is not None
        waits.append(book.retry_at - now)
        assert book.allowed([ADD_WEB], book.retry_at - 0.01) == []
        assert book.allowed([ADD_WEB], book.retry_at) == [ADD_WEB]
        now = book.retry_at
    assert waits == [0.5, 1.0, 2.0, 4.0, 8.0, 16.0, 30.0, 30.0, 30.0]


def test_another_form_of_the_same_object_has_its_chance_at_once() -> None:
    book = Refusals()
    book.tried([ADD_WEB], refused(ADD_WEB), 100.0, 0.0)
    other = Add(WEB, ServiceConfig("rr"))
    assert book.allowed([ADD_WEB, other, ADD_SHOP], 100.1) == [other, ADD_SHOP]


def test_servers_of_a_refused_service_wait_with_it_and_are_not_told() -> None:
    book = Refusals()
    told = book.tried([ADD_WEB, ADD_RS1], refused(ADD_WEB, ADD_RS1), 100.0, 0.0)
    assert [(each.who, each.before, each.after) for each in told] == [("tcp 10.0.0.100:80", "ok", "refused")]
    assert book.allowed([ADD_RS1, Remove(RS1)], 100.1) == [Remove(RS1)]
    assert [refusal.op for refusal in book.current] == [ADD_WEB]


def test_told_once_and_again_when_it_is_accepted() -> None:
    book = Refusals()
    assert len(book.tried([ADD_WEB], refused(ADD_WEB), 100.0, 0.0)) == 1
    assert book.tried([ADD_WEB], refused(ADD_WEB), 101.0, 0.0) == []
    (told,) = book.tried([ADD_WEB, ADD_SHOP], [], 103.0, 0.0)
    assert (told.who, told.before, told.after, told.why) == (
        "tcp 10.0.0.100:80",
        "refused",
        "ok",
        "did: add tcp 10.0.0.100:80 (mh)",
    )
    assert book.current == ()
    assert book.retry_at is None


def test_many_are_told_together() -> None:
    book = Refusals()
    ops: list[Op] = [Set(DestinationKey(WEB, IPv4Address(f"10.0.0.{n}"), 80), ADD_RS1.config) for n in range(9)]
    (told,) = book.tried(ops, refused(*ops), 100.0, 0.0)
    assert (told.who, told.after) == ("IPVS table", "refused")
    assert told.why.startswith("9 operations, the first: set tcp 10.0.0.100:80 -> 10.0.0.0:80")


def test_what_is_not_to_be_done_any_more_is_forgotten() -> None:
    book = Refusals()
    book.tried([ADD_WEB, ADD_SHOP], refused(ADD_WEB, ADD_SHOP), 100.0, 0.0)
    (told,) = book.forget([ADD_SHOP], 0.0)
    assert (told.who, told.after) == ("tcp 10.0.0.100:80", "ok")
    assert [refusal.op for refusal in book.current] == [ADD_SHOP]
