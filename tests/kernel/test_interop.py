"""Debian's keepalived beside haman, of the same file: each wins, loses, is preempted and hands over."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING

import pytest

from haman import config
from haman.lab.hosts import Host, Network
from haman.lab.keepalived import configuration
from tests.kernel.mixed import Haman, Pair, Side, Way

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

pytestmark = pytest.mark.kernel

OLD = {"version": 2, "advert_interval": "1s"}
NEW = {"advert_interval": "100ms", "checksum": "pseudo-header"}
UNICAST = {"transport": "unicast"}
HOPS = {"minimum_ttl": 64}
"""keepalived 2.2.7 sends unicast over IPv6 with the kernel's default hop limit."""

WAYS = [
    Way("v3-ipv4", (4,), NEW),
    Way("v3-ipv4-unicast", (4,), NEW | UNICAST),
    Way("v3-ipv6", (6,), NEW),
    Way("v3-ipv6-unicast", (6,), NEW | UNICAST | HOPS),
    Way("v3-both", (4, 6), NEW),
    Way("v3-both-unicast", (4, 6), NEW | UNICAST | HOPS),
    Way("v2-ipv4-password", (4,), OLD | {"auth": {"type": "pass", "password": "s3cret"}}),
    Way("v2-ipv4-unicast", (4,), OLD | UNICAST),
]


class Keepalived(Side):
    def begin(self, file: Path) -> None:
        conf = self.work / f"{self.host.name}.conf"
        conf.write_text("\n".join(configuration(config.load(str(file)), self.host.name)) + "\n")
        pids = [f"--{kind}={self.work}/{self.host.name}-{kind}" for kind in ("pid", "vrrp_pid", "checkers_pid")]
        argv = ["keepalived", "--dont-fork", "--log-console", "--use-file", str(conf), *pids]
        self.process = self.host.spawn(*argv, log=self.log)


@pytest.fixture(scope="module")
def hosts() -> Iterator[list[Host]]:
    with Network() as network:
        lan = network.segment("lan")
        hosts = [network.host(f"lb{n}", {"eth0": (lan, [f"10.0.0.{n}/24", f"2001:db8::{n}/64"])}) for n in (1, 2)]
        yield hosts


@pytest.fixture(params=WAYS, ids=lambda way: way.name)
def pair(request: pytest.FixtureRequest, hosts: list[Host], tmp_path: Path) -> Iterator[Pair]:
    pair = Pair(request.param, Haman(hosts[0], tmp_path), Keepalived(hosts[1], tmp_path))
    yield pair
    for side in (pair.haman, pair.peer):
        side.stop()
    assert "Traceback" not in pair.haman.log.read_text()


def test_the_better_one_wins_whichever_it_is(pair: Pair) -> None:
    """haman preempts a worse keepalived, hands over to it in good order, and is preempted by a better one."""
    ours, theirs = pair.haman, pair.peer
    first = pair.file(150, 100)
    theirs.begin(first)
    pair.until("keepalived is alone", lambda: pair.alone(theirs))
    ours.begin(first)
    pair.until("haman preempts it", lambda: pair.owned_by(ours))
    time.sleep(5 * pair.way.interval)
    assert pair.owned_by(ours), "and it stays so"
    pair.until("it has no complaint", lambda: ours.status()["problems"] == [])

    begin = time.monotonic()
    ours.stop()
    pair.until("keepalived takes over", lambda: pair.owned_by(theirs), 5.0)
    assert time.monotonic() - begin < 3 * pair.way.interval + 1.5, "the goodbye was understood"
    theirs.stop()

    second = pair.file(100, 150)
    ours.begin(second)
    pair.until("haman is alone", lambda: pair.alone(ours))
    theirs.begin(second)
    pair.until("keepalived preempts it", lambda: pair.owned_by(theirs))
    time.sleep(5 * pair.way.interval)
    assert pair.owned_by(theirs), "and it stays so"
    pair.until("haman stands by, and is ready", ours.standby)
    pair.until("it has no complaint", lambda: ours.status()["problems"] == [])

    theirs.stop()
    took = pair.until("haman takes over", lambda: pair.owned_by(ours))
    assert took < pair.way.interval + 0.5, "the goodbye was understood"
    assert "(priority 0)" in ours.log.read_text()


def test_a_crash_of_either_is_noticed(pair: Pair) -> None:
    ours, theirs = pair.haman, pair.peer
    file = pair.file(100, 150)
    theirs.begin(file)
    ours.begin(file)
    pair.until("keepalived is active", lambda: pair.owned_by(theirs) and ours.standby())
    theirs.host.unplug_switch("eth0")
    took = pair.until("haman takes over", lambda: pair.alone(ours))
    assert took > 2 * pair.way.interval
    theirs.host.heal("eth0")
    pair.until("keepalived takes it back", lambda: pair.owned_by(theirs))
