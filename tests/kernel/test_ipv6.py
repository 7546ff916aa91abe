"""IPv6 routers on a real kernel: what the VIP looks like, who is told, and what is said while it cannot be."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING

import pytest
import yaml

from haman.lab.hosts import Host, Network
from tests.kernel.mixed import Haman
from tests.kernel.patience import until

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

pytestmark = pytest.mark.kernel

VIP = "2001:db8::100"
FILE = {
    "cluster": "six",
    "directors": {
        "lb1": {"address": "2001:db8::1", "priority": 150},
        "lb2": {"address": "2001:db8::2", "priority": 100},
    },
    "routers": {
        "public": {
            "interface": "eth0",
            "vrid": 51,
            "addresses": [f"{VIP}/64"],
            "advert_interval": "100ms",
            "preempt": True,
            "standby_address": "loopback",
        }
    },
}


@pytest.fixture
def hosts() -> Iterator[list[Host]]:
    """Two directors and a neighbour."""
    with Network() as network:
        lan = network.segment("lan")
        yield [network.host(f"lb{n}", {"eth0": (lan, f"2001:db8::{n}/64")}) for n in (1, 2, 9)]


@pytest.fixture
def sides(hosts: list[Host], tmp_path: Path) -> Iterator[list[Haman]]:
    sides = [Haman(host, tmp_path) for host in hosts]
    yield sides
    for side in sides[:2]:
        side.stop()
        assert not side.log.exists() or "Traceback" not in side.log.read_text()


@pytest.fixture
def file(tmp_path: Path) -> Path:
    path = tmp_path / "six.yaml"
    path.write_text(yaml.safe_dump(FILE))
    return path


def shown(side: Haman, device: str) -> str:
    """The VIP on a device, with its flags, as ip(8) shows it."""
    lines = side.host.run("ip", "-6", "-oneline", "address", "show", "dev", device, "to", VIP).stdout
    return " ".join(lines.split())


def as_made(words: str) -> bool:
    """Usable at once, and never a source."""
    return {"nodad", "deprecated"} <= set(words.split()) and not {"tentative", "dadfailed"} & set(words.split())


def router(side: Haman) -> dict[str, str]:
    return next(iter(side.status()["routers"]), {"role": "", "why": ""})


def test_the_vip_is_usable_at_once_and_no_source(sides: list[Haman], file: Path) -> None:
    first, second, neighbour = sides
    for side in (first, second):
        side.begin(file)
    until(lambda: bool(shown(first, "eth0")), what="lb1 is active", logs=[first.log])
    until(second.standby, what="lb2 stands by", logs=[second.log])
    assert f"{VIP}/64" in shown(first, "eth0")
    assert as_made(shown(first, "eth0"))
    assert f"{VIP}/128" in shown(first, "lo")
    assert f"{VIP}/128" in shown(second, "lo")
    assert shown(second, "eth0") == ""
    chosen = first.host.run("ip", "-6", "route", "get", "2001:db8::9").stdout
    assert "src 2001:db8::1 " in chosen
    neighbour.host.run("ping", "-6", "-c1", "-W2", VIP)
    macs = [side.host.mac("eth0") for side in (first, second)]

    def known() -> str:
        return neighbour.host.run("ip", "-6", "neighbour", "show", VIP).stdout

    assert macs[0] in known()
    first.stop()
    until(lambda: macs[1] in known(), 3.0, what="the neighbour was told", logs=[second.log])
    neighbour.host.run("ping", "-6", "-c1", "-W2", VIP)


def test_without_a_link_local_address_it_waits_and_says_so(sides: list[Haman], file: Path) -> None:
    side = sides[0]
    side.host.sysctl("net/ipv6/conf/eth0/disable_ipv6", 1)
    side.begin(file)
    until(lambda: router(side)["role"] == "fault", what="it waits", logs=[side.log])
    assert "address" in router(side)["why"]
    side.host.sysctl("net/ipv6/conf/eth0/disable_ipv6", 0)
    until(lambda: router(side)["role"] == "active" and bool(shown(side, "eth0")), what="it is active", logs=[side.log])
    side.host.sysctl("net/ipv6/conf/eth0/disable_ipv6", 1)
    until(lambda: router(side)["role"] == "fault", what="it gives up", logs=[side.log])
    side.host.sysctl("net/ipv6/conf/eth0/disable_ipv6", 0)
    until(
        lambda: router(side)["role"] == "active" and bool(shown(side, "eth0")),
        what="it is active again",
        logs=[side.log],
    )


def test_another_machine_with_our_link_local_address_is_named(sides: list[Haman], file: Path) -> None:
    side, other = sides[0], sides[1]
    link_local = side.host.run("ip", "-6", "-brief", "address", "show", "dev", "eth0", "scope", "link").stdout.split()
    address = next(word for word in link_local if word.startswith("fe80"))
    other.host.ip(f"address add {address} dev eth0 nodad")
    side.host.ip(f"address del {address} dev eth0", f"address add {address} dev eth0")
    side.begin(file)
    until(lambda: "another machine has fe80" in router(side)["why"], what="it says who", logs=[side.log])
    other.host.ip(f"address del {address} dev eth0")
    side.host.ip(f"address del {address} dev eth0", f"address add {address} dev eth0")
    until(lambda: router(side)["role"] == "active", what="it is active", logs=[side.log])


def test_a_vip_that_failed_its_check_is_made_anew(sides: list[Haman], file: Path) -> None:
    """Somebody put it on the director as any other address, and another machine has it: there it is of no use."""
    side, other = sides[0], sides[1]
    other.host.add_address("eth0", f"{VIP}/64")
    side.host.ip(f"address add {VIP}/64 dev eth0")
    until(lambda: "dadfailed" in shown(side, "eth0"), what="the kernel finds out", logs=[other.log])
    side.begin(file)
    until(lambda: as_made(shown(side, "eth0")), what="it is as haman makes it", logs=[side.log])
    time.sleep(1.0)
    assert as_made(shown(side, "eth0")), "and it stays so"
