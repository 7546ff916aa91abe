"""The director process on a real kernel: real checks of servers on other hosts, real IPVS; the elector is the test.

Servers are listening sockets of this process in the servers' namespaces: closing one is a service that died.
"""

from __future__ import annotations

import re
import signal
import socket
import subprocess
import sys
import time
from typing import TYPE_CHECKING

import pytest

from haman.lab.hosts import Host, Network
from haman.model.elector import Readiness, Stopping
from tests.director.support import Elector
from tests.kernel.patience import until

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

pytestmark = pytest.mark.kernel

VIP = "10.0.0.100"
TABLE = "/proc/thread-self/net/ip_vs"
"""`/proc/net` would be that of this process, and it is a thread of it that visits a host."""
YAML = """
cluster: test
directors:
  lb1: {address: 10.0.0.1, priority: 150}
  lb2: {address: 10.0.0.2, priority: 100}
routers:
  public: {interface: eth0, vrid: 51, addresses: [10.0.0.100/24], advert_interval: 100ms}
sync: {interface: eth0, wait: 0s}   # nobody here plays its elector: no role is ever told
timeouts: {udp: 30s}
checks:
  front: {tcp: {}, interval: 500ms, fast_interval: 100ms, timeout: 200ms, rise: 2, fall: 2, jitter: 0%}
services:
  web: {address: 10.0.0.100, port: 80, scheduler: mh, check: front, servers: {rs1: {address: 10.0.0.11},
        rs2: {address: 10.0.0.12}}}
"""
DETECTION = 1.0
"""Seconds: 500 ms interval, then 100 ms until the second refused or 200 ms until the second unanswered check, twice,
and 100 ms for a kernel with one slow processor."""


class Bench:
    def __init__(self, host: Host, servers: dict[str, Host], directory: Path) -> None:
        self.host = host
        self.servers = servers
        self.directory = directory
        self.listeners: dict[str, socket.socket] = {}
        self.file = directory / "haman.yaml"
        self.process: subprocess.Popen[str] | None = None

    def serve(self, name: str) -> None:
        self.listeners[name] = self.servers[name].call(socket.create_server, ("", 80), backlog=1000)

    def die(self, name: str) -> None:
        self.listeners.pop(name).close()

    def start(self, text: str = YAML) -> None:
        self.file.write_text(text)
        self.elector = Elector()
        self.elector.socket.settimeout(30)
        argv = [sys.executable, "-m", "haman.director", "--config", str(self.file), "--node", "lb1"]
        self.process = self.host.call(
            subprocess.Popen,
            [*argv, "--link-fd", str(self.elector.theirs.fileno())],
            pass_fds=[self.elector.theirs.fileno()],
            env={"HAMAN_RUN_DIR": str(self.directory / "run"), "PATH": "/usr/sbin:/usr/bin:/sbin:/bin"},
            stderr=subprocess.PIPE,
            text=True,
        )
        self.elector.theirs.close()

    def ready(self) -> None:
        """Until a Readiness without a waiting router; heartbeats are not needed for the first ten seconds."""
        while not any(isinstance(message, Readiness) and not message.waiting for message in self.elector.receive()):
            self.elector.beat(60.0)

    def serving(self) -> None:
        """Ready, and both servers in the table. A first check may fail on a slow machine: that is ready too."""
        self.ready()
        until(lambda: self.table() == BOTH)

    def end(self) -> tuple[int, str]:
        assert self.process is not None
        _, errors = self.process.communicate(timeout=30)
        code, self.process = self.process.returncode, None
        self.elector.close()
        return code, errors

    def kill(self) -> None:
        if self.process is not None:
            self.process.kill()
            self.end()

    def table(self) -> dict[str, int]:
        """Weight by server address, of the service on the VIP."""
        found: dict[str, int] = {}
        inside = False
        for line in self.host.read(TABLE).splitlines():
            if not line.startswith("  ->"):
                inside = line.startswith(f"TCP  {int_address(VIP)}:0050 ")
            elif inside:
                match = re.match(r"  -> ([0-9A-F]{8}):[0-9A-F]{4}\s+\S+\s+(\d+)", line)
                assert match is not None
                found[str(socket.inet_ntoa(bytes.fromhex(match[1])))] = int(match[2])
        return found

    def addresses(self, device: str) -> str:
        return self.host.run("ip", "-4", "-brief", "address", "show", "dev", device).stdout


def int_address(address: str) -> str:
    return socket.inet_aton(address).hex().upper()


BOTH = {"10.0.0.11": 1, "10.0.0.12": 1}


@pytest.fixture(scope="module")
def hosts() -> Iterator[tuple[Host, dict[str, Host]]]:
    with Network() as network:
        lan = network.segment("lan")
        director = network.host("lb1", {"eth0": (lan, "10.0.0.1/24")})
        servers = {f"rs{n}": network.host(f"rs{n}", {"eth0": (lan, f"10.0.0.1{n}/24")}) for n in (1, 2)}
        yield director, servers


@pytest.fixture
def bench(hosts: tuple[Host, dict[str, Host]], tmp_path: Path) -> Iterator[Bench]:
    made = Bench(*hosts, tmp_path)
    made.host.run("ipvsadm", "-C")
    for name in made.servers:
        made.servers[name].heal("eth0")
        made.serve(name)
    yield made
    made.kill()
    for name in list(made.listeners):
        made.die(name)
    for role in ("master", "backup"):
        made.host.run("ipvsadm", "--stop-daemon", role, check=False)
    for device, prefix in (("eth0", 24), ("lo", 32)):
        made.host.run("ip", "address", "del", f"{VIP}/{prefix}", "dev", device, check=False)


def test_from_nothing_to_a_balanced_service(bench: Bench) -> None:
    bench.start()
    bench.serving()
    assert bench.table() == BOTH
    saved = bench.host.run("ipvsadm", "-Sn").stdout
    assert "-A -f 1751215457 -s none" in saved, "the sentinel"

    def daemons() -> list[str]:
        return [line.split(" (")[0] for line in bench.host.run("ipvsadm", "-L", "--daemon").stdout.splitlines()]

    # The one that listens comes last, after all servers were checked.
    until(lambda: daemons() == ["master sync daemon", "backup sync daemon"])
    assert "30" in bench.host.run("ipvsadm", "-L", "--timeout").stdout.split()
    assert bench.host.read("/proc/sys/net/ipv4/vs/sloppy_tcp").strip() == "1"
    bench.elector.send(Stopping())
    code, errors = bench.end()
    assert code == 0, errors
    assert bench.table() == BOTH, "an orderly end leaves the table"


def test_a_dead_server_leaves_in_time_and_returns(bench: Bench) -> None:
    bench.start()
    bench.serving()
    bench.die("rs2")
    assert until(lambda: bench.table() == {"10.0.0.11": 1}, every=0.005) <= DETECTION
    bench.serve("rs2")
    until(lambda: bench.table() == BOTH)


def test_a_frozen_host_leaves_in_time(bench: Bench) -> None:
    bench.start()
    bench.serving()
    bench.servers["rs1"].cut("eth0")
    assert until(lambda: bench.table() == {"10.0.0.12": 1}, every=0.005) <= DETECTION + 0.1


def test_a_flushed_table_is_back_within_a_second_and_foreign_services_stay(bench: Bench) -> None:
    bench.start()
    bench.serving()
    bench.host.run("ipvsadm", "-A", "-t", "10.9.9.9:99", "-s", "rr")
    bench.host.run("ipvsadm", "-a", "-t", "10.9.9.9:99", "-r", "10.0.0.11")
    time.sleep(1)  # several looks
    assert "10.9.9.9:99" in bench.host.run("ipvsadm", "-Sn").stdout
    bench.host.run("ipvsadm", "-C")
    assert until(lambda: bench.table() == BOTH, every=0.005) <= 1.0
    bench.elector.send(Stopping())
    _, errors = bench.end()
    assert "drift tcp 10.0.0.100:80: missing -> repaired" in errors


def test_kill_9_and_a_new_director_never_disturb_the_table(bench: Bench) -> None:
    bench.start()
    bench.serving()
    before = bench.host.read(TABLE)
    assert bench.process is not None
    bench.process.kill()
    bench.end()
    assert bench.host.read(TABLE) == before
    bench.start()
    seen = []
    bench.elector.socket.settimeout(0.01)
    ready = False
    while not ready:
        seen.append(bench.table())
        try:
            ready = any(isinstance(each, Readiness) and not each.waiting for each in bench.elector.receive())
        except TimeoutError:
            continue
    assert all(each == BOTH for each in seen)
    bench.elector.send(Stopping())
    _, errors = bench.end()
    assert "2 servers are served by the kernel already" in errors
    assert "unknown -> " not in errors, "adopted servers were up all the time"


def test_a_dead_electors_vip_leaves_the_nic_and_stays_on_lo(bench: Bench) -> None:
    bench.start()
    bench.serving()
    bench.host.run("ip", "address", "add", f"{VIP}/24", "dev", "eth0")
    bench.host.run("ip", "address", "add", f"{VIP}/32", "dev", "lo")
    time.sleep(1)  # the director opens what it needs for this a little after its start
    bench.elector.close()
    assert until(lambda: VIP not in bench.addresses("eth0"), every=0.005) < 0.5
    code, errors = bench.end()
    assert code == 1
    assert f"removed {VIP}/24 on eth0" in errors
    assert f"{VIP}/32" in bench.addresses("lo")
    assert "10.0.0.1/24" in bench.addresses("eth0")
    assert bench.table() == BOTH, "what still arrives is balanced on"


def test_a_silent_elector_is_a_dead_one(bench: Bench) -> None:
    bench.start()
    bench.serving()
    bench.host.run("ip", "address", "add", f"{VIP}/24", "dev", "eth0")
    time.sleep(1)
    for _ in range(10):
        bench.elector.beat(0.25)
        time.sleep(0.05)
    assert until(lambda: VIP not in bench.addresses("eth0"), every=0.005) < 0.25 + 0.4
    assert bench.end()[0] == 1


def test_sigterm_alone_leaves_everything(bench: Bench) -> None:
    bench.start()
    bench.serving()
    bench.host.run("ip", "address", "add", f"{VIP}/24", "dev", "eth0")
    assert bench.process is not None
    bench.process.send_signal(signal.SIGTERM)
    assert bench.end()[0] == 0
    assert f"{VIP}/24" in bench.addresses("eth0")
    assert bench.table() == BOTH


def test_services_that_left_the_configuration_leave_the_kernel(bench: Bench) -> None:
    bench.start()
    bench.serving()
    bench.elector.send(Stopping())
    bench.end()
    bench.host.run("ipvsadm", "-A", "-t", "10.9.9.9:99", "-s", "rr")
    bench.start(YAML.partition("sync:")[0])
    until(lambda: VIP not in bench.host.run("ipvsadm", "-Sn").stdout)
    until(lambda: bench.host.run("ipvsadm", "-Sn").stdout == "-A -t 10.9.9.9:99 -s rr\n")


def test_without_services_ipvs_is_left_alone(bench: Bench) -> None:
    bench.host.run("ipvsadm", "-A", "-t", f"{VIP}:80", "-s", "rr")
    bench.start(YAML.partition("sync:")[0])
    bench.ready()
    time.sleep(1)
    assert bench.host.run("ipvsadm", "-Sn").stdout == f"-A -t {VIP}:80 -s rr\n"
