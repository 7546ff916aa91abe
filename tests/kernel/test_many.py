"""A thousand VIPs of one router: they move, and no director takes another's work with them for its death.

All hosts here share one kernel, and with it its lock on addresses, so what is measured is more than one director's own.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from tests.kernel.pair import HEAD, Pair

if TYPE_CHECKING:
    from pathlib import Path

    from haman.lab.hosts import Host, Network

pytestmark = pytest.mark.kernel

MANY = 1000


def vip(number: int) -> str:
    return f"10.1.{number >> 8}.{number & 255}"


def text() -> str:
    listed = [f"{vip(number)}/32" for number in range(1, 256)]
    rest = [f"{{address: {vip(number)}/32, excluded: true, label: v{number}}}" for number in range(256, MANY + 1)]
    return (
        HEAD
        + "routers:\n  public: {interface: eth0, vrid: 51, advert_interval: 1s, preempt: true, addresses: ["
        + ", ".join(listed + rest)
        + "], announce: {count: 1, repeat: [500ms]}}\n"
    )


def held(host: Host) -> int:
    return host.run("ip", "-4", "-oneline", "address", "show", "dev", "eth0").stdout.count("10.1.")


def test_a_thousand_vips_move_and_nothing_else_does(network: Network, tmp_path: Path) -> None:
    pair = Pair(network, tmp_path)
    first, second = pair.hosts["lb1"], pair.hosts["lb2"]
    for name in pair.hosts:
        pair.start(name, text())
    pair.until(lambda: held(first) == MANY and pair.role("lb2") == "standby" and held(second) == 0)
    assert f"eth0:v{MANY}" in first.run("ip", "-4", "address", "show", "dev", "eth0").stdout
    changes = [pair.log(name).count("router public:") for name in ("lb1", "lb2")]

    first.cut("eth0")
    pair.until(lambda: held(second) == MANY)
    pair.until(lambda: held(first) == 0)
    first.heal("eth0")
    pair.until(lambda: held(first) == MANY and held(second) == 0)
    began = pair.ask("lb1", "status")["now"]
    pair.until(lambda: pair.ask("lb1", "status")["now"] > began + 3)
    moved = [
        pair.log(name).count("router public:") - before for name, before in zip(("lb1", "lb2"), changes, strict=True)
    ]
    assert moved == [3, 2], "no more than this test's own moves: fault, standby, active here; active, standby there"


def test_addresses_that_somebody_deletes_again_and_again_are_offered_to_the_other(
    network: Network, tmp_path: Path
) -> None:
    pair = Pair(network, tmp_path)
    first, second = pair.hosts["lb1"], pair.hosts["lb2"]
    few = text().split(", 10.1.0.2/32")[0] + "]}\n"
    pair.start("lb1", few)
    pair.until(lambda: held(first) == 1)

    def fight() -> bool:
        first.run("ip", "address", "del", "10.1.0.1/32", "dev", "eth0", check=False)
        return "contested" in pair.log("lb1")

    pair.until(fight)
    pair.until(lambda: held(first) == 1 and pair.role("lb1") == "active")  # alone it serves on
    pair.start("lb2", few)
    pair.until(lambda: pair.role("lb2") == "standby")
    pair.until(lambda: fight() and held(second) == 1)
    pair.until(lambda: pair.role("lb1") == "fault")
    assert "keeps deleting its addresses" in pair.ask("lb1", "status")["routers"][0]["why"]
