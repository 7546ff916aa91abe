from __future__ import annotations

import json
from ipaddress import IPv4Address

from haman.cli.plan import plain, text
from haman.director.foresee import Foreseen
from haman.model.kernel import DestinationConfig, DestinationKey, ServiceKey
from haman.model.services import Forward, Protocol
from haman.plan.blast import Blast, Move, Toll
from haman.plan.ops import Add, Remove

WEB = ServiceKey.at(Protocol.TCP, IPv4Address("10.0.0.100"), 80)
RS1, RS2 = (DestinationKey(WEB, IPv4Address(f"10.0.0.1{number}"), 80) for number in (1, 2))
SEEN = Foreseen(
    (Add(RS2, DestinationConfig(Forward.DR, 1)), Remove(RS1)),
    Blast(
        (Move(IPv4Address("10.0.0.100"), "eth0", coming=False),),
        (Toll(WEB, (2, 1), (4, 1), 1234, 17), Toll(ServiceKey.marked(7), (1, 0), (1, 0), 5, 5, here=False)),
        elsewhere=9,
    ),
    ("router public is taken as standby",),
    ("router old (active here) leaves the configuration",),
)


def test_for_people() -> None:
    assert (
        text(SEEN, "lb1", "haman.yaml")
        == """\
haman.yaml on lb1:
  assumed: router public is taken as standby

2 operations on this kernel, in this order:
  add tcp 10.0.0.100:80 -> 10.0.0.12:80 (dr, weight 1)
  remove tcp 10.0.0.100:80 -> 10.0.0.11:80

what that does to clients:
  router old (active here) leaves the configuration
  VIP 10.0.0.100 leaves eth0 of this director
  service tcp 10.0.0.100:80: servers 2 -> 1 (25% of the weight is left); 17 of 1,234 established connections break
  service fwmark 7: servers 1 -> 0 (0% of the weight is left); 5 of 5 established connections break when this director \
takes over: now they pass another one
  9 established connections of other services go on"""
    )


def test_nothing() -> None:
    assert text(Foreseen(), "lb1", "haman.yaml") == "haman.yaml on lb1:\nnothing would change"
    harmless = Foreseen((Add(RS2, DestinationConfig(Forward.DR, 1)),))
    assert "  nothing: no VIP moves, no connection breaks, no service loses a server" in text(harmless, "lb1", "x")


def test_for_programs() -> None:
    shown = plain(SEEN, "lb1")
    assert json.loads(json.dumps(shown)) == shown
    assert shown["services"][0] == {
        "service": "tcp 10.0.0.100:80",
        "servers": [2, 1],
        "weight": [4, 1],
        "weight_left": 0.25,
        "established": 1234,
        "breaking": 17,
        "here": True,
    }
    assert shown["changes"] is True
    assert plain(Foreseen(), "lb1")["changes"] is False
