from __future__ import annotations

import asyncio
from dataclasses import replace
from ipaddress import IPv4Address
from typing import TYPE_CHECKING

import pytest

from haman.director.slice import slice_for
from haman.director.withdraw import NOTHING, removals, withdraw
from haman.kernel import remembered, sysctls
from haman.model.kernel import BACKUP_ONLY, AddressConfig, AddressKey, Kernel
from haman.model.routers import StandbyAddress
from haman.plan.ops import Remove
from tests.director.support import cluster

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

    from haman.kernel.refusal import Refusal
    from haman.plan.ops import Op


def key(device: str, address: str, prefix: int) -> AddressKey:
    return AddressKey(device, IPv4Address(address), prefix)


VIPS = [key("eth0", "10.0.0.100", 24), key("eth1", "10.0.1.100", 24)]
ON_LO = [key("lo", "10.0.0.100", 32), key("lo", "10.0.1.100", 32)]
OTHERS = [key("eth0", "10.0.0.1", 24), key("lo", "127.0.0.1", 8), key("eth1", "10.0.0.100", 24)]
HELD = Kernel(addresses=dict.fromkeys([*VIPS, *ON_LO, *OTHERS], AddressConfig()))


@pytest.fixture(autouse=True)
def run_directory(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HAMAN_RUN_DIR", str(tmp_path))


def test_vips_leave_the_nics_and_nothing_else_moves() -> None:
    ops = removals(slice_for(cluster(), "lb1", 1), HELD)
    assert {op.key for op in ops} == set(VIPS)


def test_nothing_is_added_even_where_something_is_missing() -> None:
    assert removals(slice_for(cluster(), "lb1", 1), Kernel()) == []


def test_a_vip_left_on_lo_by_a_router_that_keeps_none_there_stays() -> None:
    router = replace(cluster().routers["public"], standby_address=StandbyAddress.NOWHERE)
    ops = removals(slice_for(cluster(routers={"public": router}), "lb1", 1), HELD)
    assert {op.key for op in ops} == set(VIPS)


def test_without_a_configuration_what_is_remembered_goes() -> None:
    remembered.save("addresses", [VIPS[0], ON_LO[0], key("eth7", "10.9.9.9", 24)])
    assert [op.key for op in removals(NOTHING, HELD)] == [VIPS[0]]
    assert removals(NOTHING, Kernel()) == []


def test_it_is_carried_out() -> None:
    class Addresses:
        def __init__(self) -> None:
            self.done: list[Op] = []

        async def snapshot(self) -> Kernel:
            return HELD

        async def apply(self, ops: Sequence[Op]) -> list[Refusal]:
            self.done += ops
            return []

    addresses = Addresses()
    ops, refused = asyncio.run(withdraw(addresses, slice_for(cluster(), "lb1", 1)))  # type: ignore[arg-type]
    assert ops == addresses.done == [Remove(VIPS[0]), Remove(VIPS[1])]
    assert refused == []


def test_a_director_that_holds_no_vip_schedules_nothing_where_that_is_so(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    class Addresses:
        async def snapshot(self) -> Kernel:
            return HELD

        async def apply(self, ops: Sequence[Op]) -> list[Refusal]:
            assert all(op.key != BACKUP_ONLY for op in ops)
            assert gate.read_text() == "0"  # the addresses go first
            return []

    monkeypatch.setattr(sysctls, "ROOT", tmp_path)
    gate = tmp_path / BACKUP_ONLY.path
    gate.parent.mkdir(parents=True)
    gate.write_text("0")
    asyncio.run(withdraw(Addresses(), slice_for(cluster(), "lb1", 1)))  # type: ignore[arg-type]
    assert gate.read_text() == "0"  # this is not our switch
    remembered.save("addresses", [VIPS[0], BACKUP_ONLY])
    asyncio.run(withdraw(Addresses(), NOTHING))  # type: ignore[arg-type]
    assert gate.read_text() == "1"
