"""Reload, restart and crash of the real thing on a real kernel: what stays, what goes, and how little is asked for it.

The table of docs/explanation/reload.md: each of its rows is a test here.
"""

from __future__ import annotations

import signal
import sys
import time
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from tests.kernel.pair import HEAD, ROUTERS, Pair

if TYPE_CHECKING:
    from collections.abc import Iterator

    from haman.lab.hosts import Network

pytestmark = pytest.mark.kernel

COUNTED = Path(__file__).with_name("counted.py")
SERVICES = """
services:
  web: {address: 10.0.0.100, port: 80, scheduler: mh, servers: {rs1: {address: 10.0.0.11}, rs2: {address: 10.0.0.12}}}
"""
TEXT = HEAD + ROUTERS.replace("100ms", "1s") + SERVICES
"""An interval that no pause of a busy machine is longer than three of: roles move when a test moves them."""

TABLE = "/proc/thread-self/net/ip_vs"


@pytest.fixture
def pair(network: Network, tmp_path: Path) -> Pair:
    return Pair(network, tmp_path)


@pytest.fixture
def running(pair: Pair) -> Iterator[Pair]:
    """Both run; lb1 is active and holds the VIP."""
    pair.start("lb1", TEXT)
    pair.until(lambda: pair.role("lb1") == "active")
    pair.start("lb2", TEXT)
    pair.until(lambda: pair.role("lb2") == "standby")
    pair.until(lambda: all(loaded(pair, name) for name in ("lb1", "lb2")))
    yield pair
    for name in ("lb1", "lb2"):
        assert "Traceback" not in pair.log(name)


def loaded(pair: Pair, name: str, servers: int = 2) -> bool:
    return pair.hosts[name].read(TABLE).count("  -> 0A00") == servers


def silent(pair: Pair, name: str) -> bool:
    return pair.holds(name, device="lo")


def watch(pair: Pair, name: str, seconds: float, **held: bool) -> None:
    """What lies on eth0 and lo of `name`, and its table, stays as it is for so long."""
    end = time.monotonic() + seconds
    while time.monotonic() < end:
        assert pair.holds(name) is held["nic"]
        assert silent(pair, name) is held["lo"]
        assert loaded(pair, name) is held["table"]
        time.sleep(0.05)


def test_an_unchanged_reload_asks_nothing_of_the_kernel(pair: Pair, monkeypatch: pytest.MonkeyPatch) -> None:
    notes = pair.directory / "notes"
    notes.touch()
    monkeypatch.setenv("COUNTED", str(notes))
    pair.start("lb1", TEXT, program=(str(COUNTED),))
    pair.until(lambda: pair.role("lb1") == "active" and loaded(pair, "lb1"))
    time.sleep(1)
    assert notes.read_text().splitlines(), "the counter counts"
    notes.write_text("")
    assert pair.reload("lb1", "# another comment\n" + TEXT)["lines"] == []
    time.sleep(2)
    assert notes.read_text() == ""
    outcome = pair.reload("lb1", TEXT.replace("rs2: {address: 10.0.0.12}", "rs2: {address: 10.0.0.12, weight: 7}"))
    assert outcome["lines"] == ["changed: service web", "changed: server web/rs2"]
    time.sleep(1)
    assert len(notes.read_text().splitlines()) == 1
    assert "Traceback" not in pair.log("lb1")


def test_a_reload_keeps_what_it_does_not_mention(running: Pair) -> None:
    more = TEXT.replace("addresses: [10.0.0.100/24]", "addresses: [10.0.0.100/24, 10.0.0.101/24]")
    for name in ("lb2", "lb1"):
        assert running.reload(name, more)["ok"]
    running.until(lambda: running.holds("lb1", "10.0.0.101"))
    watch(running, "lb1", 1, nic=True, lo=True, table=True)
    watch(running, "lb2", 1, nic=False, lo=True, table=True)
    assert "active ->" not in running.log("lb1")
    for name in ("lb2", "lb1"):
        assert running.reload(name, TEXT)["ok"]
    running.until(lambda: not running.holds("lb1", "10.0.0.101") and not running.holds("lb2", "10.0.0.101", "lo"))


def test_a_renamed_router_with_another_vrid_keeps_the_vip(running: Pair) -> None:
    """The standby first, as the documentation says."""
    for name in ("lb2", "lb1"):
        assert running.reload(name, TEXT.replace("vrid: 51", "vrid: 61"))["ok"]
        watch(running, "lb1", 2, nic=True, lo=True, table=True)
        assert not running.holds("lb2")
    for name in ("lb2", "lb1"):
        assert running.reload(name, TEXT.replace("vrid: 51", "vrid: 61").replace("public:", "front:"))["ok"]
        watch(running, "lb1", 2, nic=True, lo=True, table=True)
        assert not running.holds("lb2")


def test_a_mistake_is_refused_at_the_signal_too(running: Pair) -> None:
    file = running.directory / "lb1.yaml"
    file.write_text(TEXT + "colour: red\n")
    running.processes["lb1"].signal(signal.SIGHUP)
    running.until(lambda: running.ask("lb1", "status")["config"]["last_reload"]["ok"] is False)
    assert f"{file}:" in running.ask("lb1", "status")["problems"][0]
    watch(running, "lb1", 1, nic=True, lo=True, table=True)


def test_stop_of_the_active_and_its_return(running: Pair) -> None:
    """Upgrade in place, active side: the peer has the VIP before it leaves here; the table and the silent VIP stay."""
    running.stop("lb1")
    assert running.holds("lb2")
    assert not running.holds("lb1")
    watch(running, "lb1", 1, nic=False, lo=True, table=True)
    running.start("lb1", TEXT)
    running.until(lambda: running.role("lb1") == "standby")
    watch(running, "lb1", 1, nic=False, lo=True, table=True)
    assert running.holds("lb2")


def test_restart_of_the_standby_changes_nothing(running: Pair) -> None:
    """Upgrade in place, standby side: its table, and the VIP on its `lo`, stay through all of it."""
    running.processes["lb2"].signal(signal.SIGTERM)
    while running.processes["lb2"].running():
        watch(running, "lb2", 0.05, nic=False, lo=True, table=True)
    watch(running, "lb2", 0.5, nic=False, lo=True, table=True)
    running.start("lb2", TEXT)
    while running.role("lb2") != "standby":
        watch(running, "lb2", 0.05, nic=False, lo=True, table=True)
    watch(running, "lb1", 0.5, nic=True, lo=True, table=True)


def test_crash_of_everything_and_release(running: Pair) -> None:
    """The VIP stays on the NIC until `haman release` takes it off; what is silent stays."""
    running.stop("lb2")
    running.crash("lb1")
    watch(running, "lb1", 0.5, nic=True, lo=True, table=True)
    words = running.hosts["lb1"].run(sys.executable, "-m", "haman", "release").stdout
    assert words == "removed 10.0.0.100/32 on eth0\n"
    watch(running, "lb1", 0.5, nic=False, lo=True, table=True)
    assert running.hosts["lb1"].run(sys.executable, "-m", "haman", "release").stdout == (
        "no VIP of haman's is on a NIC\n"
    )


def test_release_leaves_a_running_haman_alone(running: Pair) -> None:
    said = running.hosts["lb1"].run(sys.executable, "-m", "haman", "release", check=False)
    assert said.returncode == 3
    assert running.holds("lb1")
