"""Two electors on one segment of a real kernel, with the director played by a stub.

Limits are the protocol's; where a test waits, it waits for the state itself and fails when it does not come.
"""

from __future__ import annotations

import os
import signal
import sys
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from haman.lab.hosts import Host, Network
from tests.kernel.patience import until

if TYPE_CHECKING:
    from collections.abc import Iterator

    from haman.lab.processes import Process

pytestmark = pytest.mark.kernel

ALONE = Path(__file__).with_name("elector_alone.py")
VIP = "10.0.0.100"


class Node:
    """A director's host with an elector on it."""

    def __init__(self, host: Host, log: Path) -> None:
        self.host = host
        self.log = log
        self.process: Process | None = None

    def alive(self) -> bool:
        return self.process is not None and self.process.running()

    def start(self) -> None:
        self.process = self.host.spawn(sys.executable, ALONE, self.host.name, "0.1", log=self.log)

    def signal(self, number: int) -> None:
        assert self.process is not None
        self.process.signal(number)

    def ended(self) -> int:
        assert self.process is not None
        return self.process.wait(20)

    def kill_stub(self) -> None:
        for pid in self.host.processes():
            if b"stub_director" in Path(f"/proc/{pid}/cmdline").read_bytes():
                os.kill(pid, signal.SIGKILL)

    def holds(self) -> bool:
        return VIP in self.host.run("ip", "-4", "-brief", "address", "show", "dev", "eth0").stdout

    def silent(self) -> bool:
        return f"{VIP}/32" in self.host.run("ip", "-4", "-brief", "address", "show", "dev", "lo").stdout


@pytest.fixture(scope="module")
def nodes(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[Node, Node]]:
    logs = tmp_path_factory.mktemp("electors")
    with Network() as network:
        lan = network.segment("lan")
        hosts = [network.host(f"lb{n}", {"eth0": (lan, f"10.0.0.{n}/24")}) for n in (1, 2)]
        yield Node(hosts[0], logs / "lb1.log"), Node(hosts[1], logs / "lb2.log")


@pytest.fixture
def pair(nodes: tuple[Node, Node]) -> Iterator[tuple[Node, Node]]:
    """Both run and are connected; lb1 (priority 150) is active, lb2 standby. Their logs begin here."""
    first, second = nodes
    for node in nodes:
        node.host.heal("eth0")
        if not node.alive():
            node.start()
    until(lambda: first.holds() and not second.holds() and second.silent(), 60)
    for node in nodes:
        node.log.write_text("")
    yield first, second
    if any("Traceback" in node.log.read_text() for node in nodes):
        pytest.fail(first.log.read_text() + second.log.read_text())


def test_the_vip_is_silent_on_a_standby_before_it_is_there(pair: tuple[Node, Node]) -> None:
    _, second = pair
    assert second.host.read("/proc/sys/net/ipv4/conf/all/arp_ignore").strip() == "1"
    assert second.host.read("/proc/sys/net/ipv4/conf/all/arp_announce").strip() == "2"


def test_a_cut_cable_moves_the_vip_and_a_healed_one_moves_it_back(pair: tuple[Node, Node]) -> None:
    first, second = pair
    first.host.cut("eth0")
    until(second.holds)
    until(lambda: not first.holds())
    first.host.heal("eth0")
    until(lambda: first.holds() and not second.holds())
    assert "interface eth0 has no carrier" in first.log.read_text()
    assert "nothing heard from 10.0.0.1 (priority 150)" in second.log.read_text()


def test_a_partition_that_heals_has_one_owner_again(pair: tuple[Node, Node]) -> None:
    first, second = pair
    first.host.unplug_switch("eth0")
    until(second.holds)
    assert first.holds()
    first.host.heal("eth0")
    until(lambda: not second.holds())
    assert first.holds()


def test_an_orderly_stop_hands_over_and_leaves_the_silent_address(pair: tuple[Node, Node]) -> None:
    first, second = pair
    first.signal(signal.SIGTERM)
    assert first.ended() == 0
    assert second.holds()
    assert not first.holds()
    assert first.silent()
    assert "Stopping" in first.log.read_text()


def test_a_deleted_vip_is_back_and_named_in_the_log(pair: tuple[Node, Node]) -> None:
    first, _ = pair
    first.host.del_address("eth0", f"{VIP}/32")
    until(first.holds, 2)
    assert f"{VIP}/32 on eth0 was deleted by somebody else; put back" in first.log.read_text()


def test_a_foreign_address_is_left_alone(pair: tuple[Node, Node]) -> None:
    first, second = pair
    first.host.add_address("eth0", "10.0.0.77/24")
    first.host.cut("eth0")
    until(second.holds)
    until(lambda: not first.holds())
    assert "10.0.0.77/24" in first.host.run("ip", "-4", "-brief", "address", "show", "dev", "eth0").stdout


def test_a_killed_director_costs_no_role_and_is_started_again(pair: tuple[Node, Node]) -> None:
    first, second = pair
    first.kill_stub()
    until(lambda: "started as pid" in first.log.read_text())
    assert first.holds()
    assert not second.holds()
    assert "killed by SIGKILL" in first.log.read_text()


def test_a_frozen_elector_listens_before_it_speaks(pair: tuple[Node, Node]) -> None:
    first, second = pair
    first.signal(signal.SIGSTOP)
    until(second.holds)
    first.signal(signal.SIGCONT)
    until(lambda: "longer than its peers' patience; listening before it speaks" in first.log.read_text())


def test_a_restart_keeps_the_vip_it_finds_when_nobody_else_is_heard(pair: tuple[Node, Node]) -> None:
    first, second = pair
    for node in (second, first):
        node.signal(signal.SIGKILL)
        node.kill_stub()  # the stub takes nothing off the NIC: as if both processes had been killed at once
        node.ended()
    assert first.holds()
    first.start()
    while "standby -> active" not in first.log.read_text():
        assert first.holds()
    assert first.holds()
