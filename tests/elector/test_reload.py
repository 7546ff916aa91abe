"""A pair of directors is reloaded, one after the other, while it serves: no VIP is lost, none is held twice for long.

Interval 1 s. A linger is 50 ms; a peer's skew is below one interval.
"""

from __future__ import annotations

from dataclasses import replace
from ipaddress import IPv4Interface
from typing import TYPE_CHECKING

import pytest
from hypothesis import given
from hypothesis import strategies as st

from haman.model.routers import VirtualAddress
from tests.election.support import CONFIG
from tests.elector.pair import Pair

if TYPE_CHECKING:
    from haman.model.elector import RouterConfig

BETTER, WORSE = 150, 100
LINGER = 0.05


def router(name: str, vrid: int, *last: int, interface: str = "eth0") -> RouterConfig:
    vips = tuple(
        VirtualAddress(interface=IPv4Interface(f"10.0.0.{each}/24"), device=interface) for each in last or (vrid,)
    )
    return replace(CONFIG, name=name, vrid=vrid, interface=interface, addresses=vips)


A, B = router("a", 51), router("b", 52)


def serving(*routers: RouterConfig, first: tuple[int, ...], second: tuple[int, ...]) -> Pair:
    """The pair has settled, with these priorities of the routers on either side."""
    pair = Pair()
    pair.sides[0].reload(routers, first)
    pair.sides[1].reload(routers, second)
    pair.run(10)
    pair.watch(*routers)
    pair.run(5)
    assert pair.worst("nowhere") == pair.worst("twice") == 0.0
    return pair


def reload(pair: Pair, *routers: RouterConfig, order: tuple[int, int], apart: float, better: int = 0) -> None:
    """On both sides, `apart` seconds; side `better` has the higher priority in all of them."""
    for side in order:
        pair.sides[side].reload(routers, [BETTER if side == better else WORSE] * len(routers))
        pair.watch(*routers)
        pair.run(apart)
    pair.run(15)
    assert all(pair.sides[better].engine.holding()[each.name] for each in routers)


CHANGES = {
    "renamed": (router("front", 51), B),
    "names swapped": (replace(A, name="b"), replace(B, name="a")),
    "vrids swapped": (replace(A, vrid=52), replace(B, vrid=51)),
    "a vip moves": (router("a", 51, 51, 52), router("b", 52, 53)),
    "all vips change places": (router("a", 51, 52), router("b", 52, 51)),
    "renamed and a vip moves": (router("front", 51), router("a", 52, 52)),
    "one more": (A, B, router("c", 53)),
    "other settings": (replace(A, linger=0.2), replace(B, advert_interval=0.5)),
}


@pytest.mark.parametrize("name", CHANGES)
@pytest.mark.parametrize("order", [(0, 1), (1, 0)])
@pytest.mark.parametrize("apart", [0.0, 0.7, 30.0])
def test_one_side_serves_everything(name: str, order: tuple[int, int], apart: float) -> None:
    """Whoever is reloaded first, and however long the other one waits. VIPs that nobody had before are looked for
    only once they are served."""
    pair = serving(A, B, first=(BETTER, BETTER), second=(WORSE, WORSE))
    after = CHANGES[name]
    old = {vip.ip for each in (A, B) for vip in each.addresses}
    for side in order:
        pair.sides[side].reload(after, [BETTER if side == 0 else WORSE] * len(after))
        pair.run(apart)
    pair.run(15)
    assert old <= pair.sides[0].held()
    assert {vip.ip for each in after for vip in each.addresses} >= old
    assert {kind for (kind, vip), seconds in pair.longest.items() if vip in old and seconds > 0} == set()


@pytest.mark.parametrize("after", [router("a", 53, 51), router("a", 51, interface="eth1")])
def test_a_new_place_standby_first(after: RouterConfig) -> None:
    """The standby hears the active router in the old place for as long as it must."""
    pair = serving(A, first=(BETTER,), second=(WORSE,))
    reload(pair, after, order=(1, 0), apart=60.0)
    assert pair.worst("nowhere") == pair.worst("twice") == 0.0


@pytest.mark.parametrize("after", [router("a", 53, 51), router("a", 51, interface="eth1")])
def test_a_new_place_active_first(after: RouterConfig) -> None:
    """The standby may be reloaded as long as it is patient: three intervals after the last advertisement."""
    pair = serving(A, first=(BETTER,), second=(WORSE,))
    reload(pair, after, order=(0, 1), apart=2.5)
    assert pair.worst("nowhere") == pair.worst("twice") == 0.0


def test_a_router_that_is_removed_here_is_handed_over() -> None:
    pair = serving(A, B, first=(BETTER, BETTER), second=(WORSE, WORSE))
    pair.sides[0].reload([B], [BETTER])
    pair.run(10)
    assert pair.worst("nowhere") == 0.0
    assert pair.worst("twice") <= LINGER + 0.001
    assert pair.sides[1].engine.holding()["a"] is True


def test_a_router_that_comes_back_while_it_is_handed_over_serves() -> None:
    pair = serving(A, first=(BETTER,), second=(WORSE,))
    pair.sides[0].reload([], [])
    pair.run(0.1)
    pair.sides[0].reload([A], [BETTER])
    pair.run(10)
    assert pair.worst("nowhere") == 0.0
    assert pair.worst("twice") <= LINGER + 0.001


@given(
    names=st.lists(st.sampled_from("abcdef"), min_size=3, max_size=3, unique=True),
    vrids=st.permutations([51, 52, 53]),
    vips=st.permutations([51, 52, 53]),
    order=st.sampled_from([(0, 1), (1, 0)]),
    apart=st.floats(0, 20),
    settled=st.floats(0, 3),
)
def test_any_shuffle_of_names_vrids_and_vips(
    names: list[str], vrids: list[int], vips: list[int], order: tuple[int, int], apart: float, settled: float
) -> None:
    """One side serves all; every VIP stays where it is through both reloads, whatever is called what."""
    before = [router("a", 51), router("b", 52), router("c", 53)]
    after = [router(name, vrid, vip) for name, vrid, vip in zip(names, vrids, vips, strict=True)]
    pair = serving(*before, first=(BETTER,) * 3, second=(WORSE,) * 3)
    pair.run(settled)
    reload(pair, *after, order=order, apart=apart)
    assert pair.worst("nowhere") == pair.worst("twice") == 0.0
