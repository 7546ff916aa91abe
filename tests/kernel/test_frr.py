"""FRRouting's vrrpd beside haman: each wins, loses, is preempted, hands over, and dies.

vrrpd does as the RFC says where keepalived and haman do otherwise: it has the VIP for ever on a macvlan device with
the virtual router's hardware address, 00:00:5e:00:01:VRID (IPv6: ...:02:VRID), and a standby's device is down
("protodown", which its zebra sets). So a takeover between the two is also one between two hardware addresses, and a
third host says where the VIP is. For vrrpd the two families are two routers.
"""

from __future__ import annotations

import json
import time
from typing import TYPE_CHECKING, Any

import pytest
import yaml

from haman.lab.hosts import Host, Network
from tests.kernel.mixed import ADDRESSES, VIP, VRID, Haman, Pair, Side, Way

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from haman.lab.processes import Process

pytestmark = pytest.mark.kernel

WAYS = [
    Way("v3-ipv4", (4,), {"advert_interval": "100ms", "checksum": "pseudo-header"}),
    Way("v3-ipv6", (6,), {"advert_interval": "100ms"}),
    Way("v3-both", (4, 6), {"advert_interval": "100ms", "checksum": "pseudo-header"}),
    Way("v2-ipv4", (4,), {"version": 2, "advert_interval": "1s"}),
]
DEVICES = {4: "vrrp4", 6: "vrrp6"}
VIRTUAL_MAC = {4: f"00:00:5e:00:01:{VRID:02x}", 6: f"00:00:5e:00:02:{VRID:02x}"}
RUN = "/run/frr"


class Frr(Side):
    """zebra sees the devices and sets them down, vrrpd elects. Both drop their privileges to the user `frr`, so their
    files lie in the host's own /run, which belongs to it."""

    def __init__(self, host: Host, work: Path) -> None:
        super().__init__(host, work)
        self.zebra: Process | None = None

    def begin(self, file: Path) -> None:
        whole = yaml.safe_load(file.read_text())
        router, director = whole["routers"]["public"], whole["directors"][self.host.name]
        addresses = [address.partition("/")[0] for address in router["addresses"]]
        milliseconds = {"100ms": 100, "1s": 1000}[router["advert_interval"]]
        lines = [
            "debug vrrp protocol",
            "interface eth0",
            f" vrrp {VRID} version {router.get('version', 3)}",
            f" vrrp {VRID} priority {director['priority']}",
            f" vrrp {VRID} advertisement-interval {milliseconds}",
            *(f" vrrp {VRID} {'ipv6' if ':' in address else 'ip'} {address}" for address in addresses),
        ]
        self._devices({6 if ":" in address else 4 for address in addresses})
        self.host.write(f"{RUN}/vrrpd.conf", "\n".join(lines) + "\n")
        self.host.write(f"{RUN}/zebra.conf", "")
        self.host.run("chown", "-R", "frr:frr", RUN)
        self.zebra = self._daemon("zebra")
        self._until_it_listens("zebra")
        self.process = self._daemon("vrrpd")

    def _daemon(self, name: str) -> Process:
        argv = [f"/usr/lib/frr/{name}", "-f", f"{RUN}/{name}.conf", "-P", "0", "--log", "stdout"]
        return self.host.spawn(*argv, log=self.log)

    def _devices(self, families: set[int]) -> None:
        """New ones each time: vrrpd leaves them as it had them last."""
        for family in families:
            device = DEVICES[family]
            self.host.ip(
                f"link add {device} link eth0 type macvlan mode bridge",
                f"link set dev {device} address {VIRTUAL_MAC[family]}",
                # Without it both families' link-local addresses would follow from the hardware address, and so be
                # those of every router with this VRID.
                f"link set dev {device} addrgenmode random",
                *(f"address add {each} dev {device}" + " nodad" * (family == 6) for each in ADDRESSES[family]),
                f"link set dev {device} up",
            )

    def _until_it_listens(self, daemon: str, within: float = 60.0) -> None:
        begin = time.monotonic()
        while self.host.run("vtysh", "--vty_socket", RUN, "-d", daemon, "-c", "show version", check=False).returncode:
            assert time.monotonic() - begin < within, self.log.read_text()[-3000:]
            time.sleep(0.1)

    def stop(self) -> None:
        super().stop()
        if self.zebra is not None and self.zebra.running():
            self.zebra.kill()
            self.zebra.wait(20)
        self.remove()

    def remove(self) -> None:
        for device in DEVICES.values():
            self.host.run("ip", "link", "delete", device, check=False)

    def told(self) -> dict[str, Any]:
        """Its own word on the router; empty while it does not answer."""
        said = self.host.run("vtysh", "--vty_socket", RUN, "-d", "vrrpd", "-c", "show vrrp json", check=False)
        try:
            routers: list[dict[str, Any]] = json.loads(said.stdout)
        except ValueError:
            return {}
        return routers[0] if routers else {}

    def holds(self, vip: str) -> bool:
        """Is the device with the VIP up? In a standby's it is "protodown"."""
        family = 6 if ":" in vip else 4
        shown = self.host.run("ip", "-json", "-details", "link", "show", "dev", DEVICES[family], check=False).stdout
        if not shown or self.process is None or not self.process.running():
            return False
        (link,) = json.loads(shown)
        return not link.get("proto_down", False) and self.told().get(f"v{family}", {}).get("status") == "Master"


@pytest.fixture(scope="module")
def hosts() -> Iterator[list[Host]]:
    """Two directors and a neighbour."""
    with Network() as network:
        lan = network.segment("lan")
        hosts = [network.host(f"lb{n}", {"eth0": (lan, [f"10.0.0.{n}/24", f"2001:db8::{n}/64"])}) for n in (1, 2, 9)]
        # Else eth0, which is up on a standby too, answers for an address of the macvlan device beside it.
        hosts[1].sysctl("net/ipv4/conf/all/arp_ignore", 1)
        yield hosts


@pytest.fixture(params=WAYS, ids=lambda way: way.name)
def pair(request: pytest.FixtureRequest, hosts: list[Host], tmp_path: Path) -> Iterator[Pair]:
    pair = Pair(request.param, Haman(hosts[0], tmp_path), Frr(hosts[1], tmp_path))
    yield pair
    for side in (pair.haman, pair.peer):
        side.stop()
    assert "Traceback" not in pair.haman.log.read_text()


def seen(neighbour: Host, vip: str) -> str:
    """The hardware address that answers for the VIP, as the neighbour has it in its table after a ping."""
    neighbour.run("ping", "-c1", "-W1", vip, check=False)
    shown = neighbour.run("ip", "-json", "neighbour", "show", vip).stdout
    return next((str(entry["lladdr"]) for entry in json.loads(shown or "[]") if "lladdr" in entry), "")


def test_the_better_one_wins_whichever_it_is(pair: Pair, hosts: list[Host]) -> None:
    """haman preempts a worse vrrpd, hands over to it in good order, and is preempted by a better one. The neighbour is
    told each time: from the virtual router's hardware address to haman's, and back."""
    ours, theirs, neighbour = pair.haman, pair.peer, hosts[2]
    virtual = {vip: VIRTUAL_MAC[6 if ":" in vip else 4] for vip in pair.way.vips}
    real = dict.fromkeys(pair.way.vips, ours.host.mac("eth0"))

    def believes(macs: dict[str, str]) -> bool:
        return all(seen(neighbour, vip) == mac for vip, mac in macs.items())

    first = pair.file(150, 100)
    theirs.begin(first)
    pair.until("vrrpd is alone", lambda: pair.alone(theirs))
    pair.until("the neighbour sees it", lambda: believes(virtual))
    ours.begin(first)
    pair.until("haman preempts it", lambda: pair.owned_by(ours))
    pair.until("the neighbour sees that", lambda: believes(real))
    time.sleep(5 * pair.way.interval)
    pair.until("and it stays so", lambda: pair.owned_by(ours))
    pair.until("it has no complaint", lambda: ours.status()["problems"] == [])

    ours.stop()
    pair.until("vrrpd takes over", lambda: pair.owned_by(theirs))
    pair.until("the neighbour sees that", lambda: believes(virtual))
    theirs.stop()

    second = pair.file(100, 150)
    ours.begin(second)
    pair.until("haman is alone", lambda: pair.alone(ours))
    theirs.begin(second)
    pair.until("vrrpd preempts it", lambda: pair.owned_by(theirs))
    pair.until("the neighbour sees that", lambda: believes(virtual))
    time.sleep(5 * pair.way.interval)
    pair.until("and it stays so", lambda: pair.owned_by(theirs))
    pair.until("haman stands by, and is ready", ours.standby)
    pair.until("it has no complaint", lambda: ours.status()["problems"] == [])

    theirs.stop()
    pair.until("haman takes over", lambda: pair.owned_by(ours))
    pair.until("the neighbour sees that", lambda: believes(real))
    assert "(priority 0)" in ours.log.read_text(), "the goodbye was understood"


@pytest.mark.parametrize("pair", [way for way in WAYS if way.name == "v3-both"], indirect=True, ids=["v3-both"])
def test_a_partition_is_survived(pair: Pair) -> None:
    ours, theirs = pair.haman, pair.peer
    file = pair.file(100, 150)
    theirs.begin(file)
    ours.begin(file)
    pair.until("vrrpd is active", lambda: pair.owned_by(theirs) and ours.standby())
    theirs.host.unplug_switch("eth0")
    pair.until("haman takes over", lambda: pair.alone(ours))
    assert pair.alone(theirs), "both are active now"
    theirs.host.heal("eth0")
    pair.until("vrrpd has it alone", lambda: pair.owned_by(theirs))


def test_vrrpd_knows_one_checksum_over_ipv4(hosts: list[Host], tmp_path: Path) -> None:
    """haman believes both forms and sends that of RFC 9568 unless told. vrrpd 8.4 knows only the one with a
    pseudo-header, so without `checksum: pseudo-header` it hears nobody, and haman keeps the better one waiting."""
    way = Way("v3-ipv4", (4,), {"advert_interval": "100ms"})
    ours, theirs = Haman(hosts[0], tmp_path), Frr(hosts[1], tmp_path)
    pair = Pair(way, ours, theirs)
    file = pair.file(150, 100)
    theirs.begin(file)
    try:
        pair.until("vrrpd is alone", lambda: pair.alone(theirs))
        ours.begin(file)
        pair.until("both are active", lambda: ours.holds(VIP) and theirs.holds(VIP))
        ours.stop()
        ours.begin(pair.file(150, 100, checksum="pseudo-header"))
        pair.until("haman alone is", lambda: pair.owned_by(ours))
    finally:
        ours.stop()
        theirs.stop()
