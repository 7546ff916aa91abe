"""`haman realserver` on a real kernel: what it makes, keeps, prints and takes away again."""

from __future__ import annotations

import json
import signal
import sys
from typing import TYPE_CHECKING

import pytest

from tests.kernel.patience import until
from tests.kernel.test_forwarding import CASES, configuration

if TYPE_CHECKING:
    from pathlib import Path

    from haman.lab.hosts import Host, Network

HAMAN = (sys.executable, "-m", "haman", "realserver")
ALL = ("ip -o link", "ip -o -4 address", "ip -o -6 address", "ip fou show", "ip -6 fou show")
HOLDER = """
import socket, threading
held = socket.socket(type=socket.SOCK_DGRAM)
held.bind(("", 6080))
threading.Event().wait()
"""
KEPT = ("all/arp_ignore", "all/arp_announce")


def state(host: Host) -> dict[str, list[str]]:
    """Links, addresses, GUE ports and settings, but for what counts by itself."""
    seen = {}
    for command in ALL:
        lines = host.run(*command.split()).stdout.splitlines()
        # Without the link-local addresses, which the kernel makes and checks in its own time.
        seen[command] = sorted(_plain(line) for line in lines if " fe80::" not in line)
    for name in KEPT:
        seen[name] = [host.read(f"/proc/sys/net/ipv4/conf/{name}").strip()]
    return seen


def _plain(line: str) -> str:
    """Without numbers that are never the same twice."""
    return " ".join(line.partition(" ")[2].partition("valid_lft")[0].partition("permaddr")[0].split())


@pytest.fixture
def host(network: Network) -> Host:
    lan = network.segment("lan")
    made = network.host(
        "rs1",
        {"eth0": (lan, ["10.0.0.11/24", "fd00::11/64", "10.2.0.11/24", "fd00:2::11/64", "10.1.0.11/24"])},
    )
    made.run("ip", "fou", "add", "port", "6999", "gue")  # somebody else's
    return made


def write(directory: Path, name: str) -> Path:
    file = directory / "haman.yaml"
    file.write_text(configuration(CASES[name]))
    return file


@pytest.mark.parametrize("name", ["dr", "ipip", "gre, checksum", "gue", "gue across families"])
def test_what_it_makes_it_takes_away(host: Host, tmp_path: Path, name: str) -> None:
    file = write(tmp_path, name)
    before = state(host)
    said = host.run(*HAMAN, file).stdout
    assert "add 10.0.0.100/32 on " in said
    assert state(host) != before
    assert host.run(*HAMAN, file).stdout == "all is in place already\n"
    undone = host.run(*HAMAN, "--undo").stdout
    assert "remove 10.0.0.100/32 on " in undone
    assert state(host) == before
    assert host.run(*HAMAN, "--undo").stdout == "nothing of ours is here\n"


@pytest.mark.parametrize("name", CASES)
def test_the_printed_commands_do_the_same(host: Host, tmp_path: Path, name: str) -> None:
    file = write(tmp_path, name)
    printed = host.run(*HAMAN, file, "--print", "--node", "rs1").stdout
    if name == "nat":
        assert printed == ""
        return
    for line in printed.splitlines():
        host.run(*line.split())
    assert host.run(*HAMAN, file).stdout == "all is in place already\n"


def test_what_was_there_before_stays(host: Host, tmp_path: Path) -> None:
    host.ip("address add 10.0.0.100/32 dev lo")
    host.sysctl("net/ipv4/conf/all/arp_announce", 1)
    before = state(host)
    file = write(tmp_path, "dr")
    assert "10.0.0.100" not in host.run(*HAMAN, file).stdout
    host.run(*HAMAN, "--undo")
    assert state(host) == before
    assert "10.0.0.100/32" in host.run("ip", "address", "show", "dev", "lo").stdout


def test_a_setting_that_somebody_changed_since_is_his(host: Host, tmp_path: Path) -> None:
    host.run(*HAMAN, write(tmp_path, "dr"))
    host.sysctl("net/ipv4/conf/all/arp_ignore", 2)
    host.run(*HAMAN, "--undo")
    assert [host.read(f"/proc/sys/net/ipv4/conf/{name}").strip() for name in KEPT] == ["2", "0"]


def test_a_machine_that_is_no_server_is_told_so(host: Host, tmp_path: Path) -> None:
    host.ip("address del 10.0.0.11/24 dev eth0", "address del fd00::11/64 dev eth0")
    refused = host.run(*HAMAN, write(tmp_path, "dr"), check=False)
    assert refused.returncode == 2
    assert "this machine is no real server of cluster 'test'" in refused.stderr
    assert "rs1 (10.0.0.11)" in refused.stderr


def test_a_method_that_does_not_fit_is_refused(host: Host, tmp_path: Path) -> None:
    refused = host.run(*HAMAN, write(tmp_path, "dr"), "--method", "tunnel", check=False)
    assert refused.returncode == 2
    assert "nothing to unwrap" in refused.stderr


def test_a_port_that_is_taken_is_told_and_all_else_is_done(host: Host, tmp_path: Path) -> None:
    file = write(tmp_path, "gue")
    holder = host.spawn(sys.executable, "-c", HOLDER)
    until(lambda: ":6080" in host.run("ss", "-lun").stdout)
    refused = host.run(*HAMAN, file, check=False)
    assert refused.returncode == 1
    assert "somebody else listens on this UDP port" in refused.stderr
    assert "10.0.0.100/32" in host.run("ip", "address", "show", "dev", "haman-ipip").stdout
    holder.kill()
    holder.wait(10)
    assert host.run(*HAMAN, file).stdout == "add GUE on IPv4 port 6080\n"


def test_it_stays_and_puts_back_what_is_removed(host: Host, tmp_path: Path) -> None:
    file, log = write(tmp_path, "ipip"), tmp_path / "log"
    before = state(host)

    def there() -> bool:
        return state(host) == complete

    host.run(*HAMAN, file)
    complete = state(host)
    host.run(*HAMAN, "--undo")
    process = host.spawn(*HAMAN, file, "--stay", log=log)
    until(there, logs=[log])
    host.ip("address del 10.0.0.100/32 dev haman-ipip")
    until(there, logs=[log])
    host.ip("link del haman-ipip")
    until(there, logs=[log])
    host.sysctl("net/ipv4/conf/haman-ipip/rp_filter", 1)
    until(lambda: host.read("/proc/sys/net/ipv4/conf/haman-ipip/rp_filter") == "2\n", logs=[log])
    host.sysctl("net/ipv4/conf/all/arp_ignore", 0)
    until(there, logs=[log])
    assert "missing or changed: add 10.0.0.100/32 on haman-ipip" in log.read_text()

    process.signal(signal.SIGKILL)  # a crash leaves all in place, and the next one takes it up
    process.wait(10)
    assert there()
    process = host.spawn(*HAMAN, file, "--stay", log=log)
    until(lambda: log.read_text().count("wanted: 2 addresses, 2 tunnel devices") == 2, logs=[log])

    file.write_text("cluster: {")  # a mistake changes nothing
    process.signal(signal.SIGHUP)
    until(lambda: "was not taken up" in log.read_text(), logs=[log])
    assert there()
    write(tmp_path, "gre, checksum")
    process.signal(signal.SIGHUP)
    until(
        lambda: "haman-gre" in host.run("ip", "link").stdout and "haman-ipip" not in host.run("ip", "link").stdout,
        logs=[log],
    )

    process.signal(signal.SIGTERM)
    assert process.wait(30) == 0
    assert state(host) == before


def test_only_the_director_answers_for_the_vip(network: Network, tmp_path: Path) -> None:
    """And a server that asks for its gateway does not give the VIP away."""
    lan = network.segment("lan")
    server = network.host("rs1", {"eth0": (lan, "10.0.0.11/24")})
    client = network.host("client", {"eth0": (lan, "10.0.0.9/24")})
    server.run(*HAMAN, write(tmp_path, "dr"))
    assert client.run("ping", "-c2", "-W1", "10.0.0.100", check=False).returncode == 1
    server.run("ping", "-c1", "-W1", "-I", "10.0.0.100", "10.0.0.9", check=False)
    known = {each["dst"]: each.get("lladdr") for each in json.loads(client.run("ip", "-j", "neigh").stdout)}
    assert known.get("10.0.0.100") is None
