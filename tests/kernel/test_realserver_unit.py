"""systemd/haman-realserver.service, enabled once: what a real server needs is there after every boot.

A reboot is what it is to the unit: systemd stops everything and ends, and a new one begins on a machine whose network
and /run have nothing of before. /etc stays: there `systemctl enable` has left its mark.
"""

from __future__ import annotations

import json
import sys
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from haman.lab.covers import PROJECT
from haman.lab.waiting import until
from tests.kernel.booted import PATIENCE, TARGET, Booted

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from haman.lab.hosts import Host, Network

UNIT = PROJECT / "systemd" / "haman-realserver.service"
VIP = "10.0.0.100"
FILE = """
cluster: web
directors: {lb1: {address: 10.0.0.1, priority: 150}, lb2: {address: 10.0.0.2, priority: 100}}
routers: {public: {interface: eth0, vrid: 51, addresses: [10.0.0.100/24]}}
services: {web: {address: 10.0.0.100, port: 80, check: false, servers: {rs1: {address: 10.0.0.11}}}}
"""

# Of the system's own units only those that end it are there, so that nothing of this machine is started.
SYSTEM = Path("/usr/lib/systemd/system")
ENDING = ("reboot.target", "shutdown.target", "umount.target", "final.target", "systemd-reboot.service")
BOOT = """
set -e
mount -t tmpfs -o mode=0755 tmpfs /run
mkdir -p /run/lock /run/lab
mount -t tmpfs tmpfs /sys/fs/cgroup
mount -t cgroup2 none /sys/fs/cgroup
mount -t tmpfs tmpfs /usr/lib/systemd/system
mount --bind "$1"/etc /etc/systemd/system
cp "$1"/haman.yaml /run/lab/
exec env container=lab /lib/systemd/systemd --system --log-target=null --show-status=0
"""

DROP_IN = """
[Unit]
# Of a whole system only this, and of what is the default for all units, that a shutdown stops them.
DefaultDependencies=no
Conflicts=shutdown.target
Before=shutdown.target
[Service]
ExecStart=
ExecStart={haman} realserver /run/lab/haman.yaml --stay
BindReadOnlyPaths={paths}
StandardOutput=append:/run/lab/log
StandardError=append:/run/lab/log
"""


@pytest.fixture
def boot(network: Network, tmp_path: Path) -> Iterator[Callable[[str], Booted]]:
    etc = tmp_path / "etc"
    drop_ins = etc / "haman-realserver.service.d"
    drop_ins.mkdir(parents=True)
    for target in ("default.target", "multi-user.target"):
        (etc / target).write_text(TARGET)
    (etc / "default.target").write_text(f"{TARGET}Wants=multi-user.target\n")
    for unit in ENDING:
        (etc / unit).write_text((SYSTEM / unit).read_text())
    (etc / "haman-realserver.service").write_text(UNIT.read_text())
    paths = {PROJECT, Path(sys.prefix), Path(sys.base_prefix)}
    haman = Path(sys.prefix) / "bin" / "haman"
    (drop_ins / "lab.conf").write_text(DROP_IN.format(haman=haman, paths=" ".join(map(str, sorted(paths)))))
    (tmp_path / "haman.yaml").write_text(FILE)
    lan = network.segment("lan")
    made: list[Booted] = []

    def booted(address: str) -> Booted:
        name = f"rs{len(made) + 1}"
        host = network.host(name, {"eth0": (lan, address or [])})
        made.append(Booted(host, tmp_path, BOOT, "haman-realserver"))
        return made[-1]

    try:
        yield booted
    finally:
        for each in made:
            each.off()
        print((tmp_path / "boot.log").read_text())


def ready(host: Host) -> bool:
    silent = [host.read(f"/proc/sys/net/ipv4/conf/all/arp_{name}").strip() for name in ("ignore", "announce")]
    return taken(host) and silent == ["1", "2"]


def taken(host: Host) -> bool:
    found = json.loads(host.run("ip", "-j", "-4", "address", "show", "dev", "lo").stdout)
    return any(each["local"] == VIP for device in found for each in device["addr_info"])


def test_it_survives_a_reboot(boot: Callable[[str], Booted]) -> None:
    first = boot("10.0.0.11/24")
    assert not taken(first.host), "nobody has enabled it"
    first("systemctl", "enable", "--now", "haman-realserver")
    assert ready(first.host), "start returns once all is in place"

    first("systemctl", "reboot", check=False)
    until("the machine to go down", lambda: not first.process.running(), PATIENCE)
    assert not taken(first.host), "the unit was stopped, and has undone what it made"

    second = boot("")
    until("it to wait for an address", lambda: "waiting: " in second.log(), PATIENCE)
    second.host.add_address("eth0", "10.0.0.11/24")
    until("the VIP, silent", lambda: ready(second.host), PATIENCE)
    until("the unit to be up", lambda: second.show("ActiveState") == "active", PATIENCE)

    second.off()
    third = boot("10.0.0.11/24")
    until("the same after a power cut", lambda: ready(third.host), PATIENCE)
    until("the unit to be up", lambda: third.show("ActiveState") == "active", PATIENCE)


def test_without_being_enabled_it_does_not(boot: Callable[[str], Booted]) -> None:
    first = boot("10.0.0.11/24")
    first("systemctl", "start", "haman-realserver")
    assert ready(first.host)
    first.off()
    second = boot("10.0.0.11/24")
    until("the boot to be over", lambda: second("systemctl", "is-active", "multi-user.target", check=False), PATIENCE)
    assert second.show("ActiveState") == "inactive"
    assert not taken(second.host)
