from __future__ import annotations

from ipaddress import IPv4Address

from haman.director import drift
from haman.model.kernel import DestinationConfig, DestinationKey, ServiceConfig, ServiceKey
from haman.model.services import Forward, Protocol
from haman.model.transition import Kind
from haman.plan.ops import Add, Remove, Set

WEB = ServiceKey.at(Protocol.TCP, IPv4Address("10.0.0.100"), 80)


def on(last: int) -> DestinationKey:
    return DestinationKey(WEB, IPv4Address(f"10.0.0.{last}"), 80)


WEIGHT_1 = DestinationConfig(Forward.DR, 1)


def test_each_kind_in_its_words() -> None:
    told = drift.transitions([Add(WEB, ServiceConfig("mh")), Set(on(1), WEIGHT_1), Remove(on(2))], 7.0)
    assert [(each.who, each.before, each.after, each.cause) for each in told] == [
        ("tcp 10.0.0.100:80", "missing", "repaired", "missing"),
        ("tcp 10.0.0.100:80 -> 10.0.0.1:80", "changed", "repaired", "changed"),
        ("tcp 10.0.0.100:80 -> 10.0.0.2:80", "unexpected", "repaired", "unexpected"),
    ]
    assert all(each.kind is Kind.DRIFT and each.at == 7.0 for each in told)
    assert told[2].why == ("somebody added it where only haman's belong; did: remove tcp 10.0.0.100:80 -> 10.0.0.2:80")


def test_many_are_told_together() -> None:
    (told,) = drift.transitions(
        [*(Add(on(n), WEIGHT_1) for n in range(1, 8)), Remove(on(8)), Set(on(9), WEIGHT_1)], 7.0
    )
    assert (told.who, told.before, told.after) == ("IPVS table", "7 missing, 1 unexpected, 1 changed", "repaired")
    assert told.cause == "missing"
    assert told.why.endswith("-> 10.0.0.3:80 and 6 more")


def test_nothing_is_no_news() -> None:
    assert drift.transitions([], 7.0) == []
