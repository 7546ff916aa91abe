"""systemd/haman.service under a systemd that is process 1: started, reloaded, watched, killed, stopped.

A whole systemd in namespaces of its own on a laboratory's host, with a target that wants nothing but haman. What the
unit says is taken as it stands; a drop-in replaces the command's paths, and shows it the project's folder.
"""

from __future__ import annotations

import json
import os
import signal
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
import yaml

from haman.lab.covers import PROJECT
from haman.lab.waiting import until
from tests.kernel.booted import PATIENCE, TARGET, Booted

if TYPE_CHECKING:
    from collections.abc import Iterator

    from haman.lab.hosts import Host

UNIT = PROJECT / "systemd" / "haman.service"
VIP = "10.0.0.100"

BOOT = """
set -e
mount -t tmpfs -o mode=0755 tmpfs /run
mkdir -p /run/systemd/system /run/lock /run/lab
mount -t tmpfs -o mode=0755 tmpfs /var/lib
mount -t tmpfs tmpfs /sys/fs/cgroup
mount -t cgroup2 none /sys/fs/cgroup
cp -r "$1"/system/. /run/systemd/system/
cp "$1"/haman.yaml /run/lab/
exec env container=lab /lib/systemd/systemd --system --unit=lab.target --log-target=null --show-status=0
"""

DROP_IN = """
[Unit]
# Of a whole system only this.
DefaultDependencies=no
[Service]
ExecStart=
ExecStart={haman} run --config /run/lab/haman.yaml --node lb1
ExecReload=
ExecReload={haman} reload
ExecStopPost=
ExecStopPost=-{haman} release
BindReadOnlyPaths={paths}
StandardOutput=append:/run/lab/log
StandardError=append:/run/lab/log
"""


class Machine(Booted):
    """A host with a running systemd, and haman as its unit."""

    def __init__(self, host: Host, work: Path) -> None:
        system = work / "system"
        (system / "haman.service.d").mkdir(parents=True)
        (system / "lab.target").write_text(TARGET)
        (system / "haman.service").write_text(UNIT.read_text())
        paths = {PROJECT, Path(sys.prefix), Path(sys.base_prefix)}
        haman = Path(sys.prefix) / "bin" / "haman"
        drop_in = DROP_IN.format(haman=haman, paths=" ".join(map(str, sorted(paths))))
        (system / "haman.service.d" / "lab.conf").write_text(drop_in)
        self.config = {
            "cluster": "web",
            "directors": {
                "lb1": {"address": "10.0.0.1", "priority": 150},
                "lb2": {"address": "10.0.0.2", "priority": 100},
            },
            "routers": {
                "public": {"interface": "eth0", "vrid": 51, "advert_interval": "100ms", "addresses": [f"{VIP}/24"]}
            },
            "services": {
                "web": {"address": VIP, "port": 80, "check": False, "servers": {"rs1": {"address": "10.0.0.11"}}}
            },
        }
        self.write(work / "haman.yaml")
        super().__init__(host, work, BOOT, "haman")

    def write(self, file: Path) -> None:
        file.write_text(yaml.safe_dump(self.config))

    @property
    def main(self) -> int:
        """The elector."""
        inner = self.show("MainPID")
        return self.pid(inner) if inner != "0" else 0

    def status(self) -> dict[str, Any]:
        answer = self(f"{sys.prefix}/bin/haman", "status", "--json", check=False)
        found: dict[str, Any] = json.loads(answer) if answer else {}
        return found

    def holds(self) -> bool:
        return f" {VIP}/" in self.host.run("ip", "-4", "-oneline", "address", "show", "dev", "eth0").stdout


@pytest.fixture
def machine(network, tmp_path: Path) -> Iterator[Machine]:
    lan = network.segment("lan")
    host = network.host("lb1", {"eth0": (lan, "10.0.0.1/24")})
    made = Machine(host, tmp_path)
    try:
        yield made
    finally:
        print(made.log(), (tmp_path / "boot.log").read_text())
        made.off()


def test_a_life_under_systemd(machine: Machine) -> None:
    machine("systemctl", "start", "haman")
    assert machine.show("ActiveState") == "active", "start returns once haman has said that it is ready"
    until("haman to be active", machine.holds, PATIENCE)

    limits = Path(f"/proc/{machine.main}/status").read_text()
    # NET_ADMIN 12, NET_RAW 13, NET_BIND_SERVICE 10, SETUID 7, SETGID 6, KILL 5
    assert f"CapBnd:\t{1 << 12 | 1 << 13 | 1 << 10 | 1 << 7 | 1 << 6 | 1 << 5:016x}\n" in limits
    assert "NoNewPrivs:\t1\n" in limits

    machine.config["routers"]["public"]["advert_interval"] = "200ms"
    machine.write(machine.work / "new.yaml")
    machine("sh", "-c", f"cat {machine.work}/new.yaml > /run/lab/haman.yaml")
    machine("systemctl", "reload", "haman")
    until("the new generation", lambda: machine.status().get("config", {}).get("generation") == 2, PATIENCE)
    assert machine.show("ActiveState") == "active"
    assert machine.holds()

    elector = machine.main
    os.kill(elector, signal.SIGKILL)
    until("another elector", lambda: machine.main not in (0, elector), PATIENCE)
    until("haman to be active again", machine.holds, PATIENCE)
    assert machine.show("NRestarts") == "1"

    machine("systemctl", "stop", "haman")
    assert machine.show("ActiveState") == "inactive"
    assert machine.show("Result") == "success"
    assert not machine.holds()
    assert machine("ls", "/run/haman"), "what a restart must find is kept"


def test_orders_are_kept_where_the_unit_may_write(machine: Machine) -> None:
    haman = f"{sys.prefix}/bin/haman"
    machine("systemctl", "start", "haman")
    until("haman to be active", machine.holds, PATIENCE)
    machine(haman, "maintenance", "on", "--force", "--why", "new disk")
    until("the VIP to be left", lambda: not machine.holds(), PATIENCE)
    machine("systemctl", "restart", "haman")
    shown = ("sh", "-c", f"{haman} maintenance; true")  # it says no by its exit status, too
    until("the order to be known", lambda: machine(*shown).endswith(": new disk\n"), PATIENCE)
    assert not machine.holds()
    machine(haman, "maintenance", "off")
    until("haman to be active again", machine.holds, PATIENCE)


def test_the_watchdog_ends_a_frozen_elector(machine: Machine) -> None:
    machine("systemctl", "start", "haman")
    until("haman to be active", machine.holds, PATIENCE)
    elector = machine.main
    os.kill(elector, signal.SIGSTOP)
    until("another elector", lambda: machine.main not in (0, elector), PATIENCE)
    until("haman to be active again", lambda: machine.status() and machine.holds(), PATIENCE)
    assert machine.show("NRestarts") == "1"


def test_a_file_with_mistakes_is_not_started_again_and_again(machine: Machine) -> None:
    machine("sh", "-c", "echo 'cluster: 1' > /run/lab/haman.yaml")
    machine("systemctl", "start", "haman", check=False)
    until("the end of it", lambda: machine.show("ActiveState") == "failed", PATIENCE)
    assert machine.show("ExecMainStatus") == "2"
    assert machine.show("NRestarts") == "0"
    assert "/run/lab/haman.yaml:1" in machine.log()
