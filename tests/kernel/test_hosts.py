"""Hosts and segments on a real kernel."""

from __future__ import annotations

import os
import signal
import socket
import subprocess
import time
from pathlib import Path

import pytest

from haman.errors import LabError
from haman.lab.hosts import Network
from haman.lab.processes import in_network
from haman.lab.waiting import until


@pytest.fixture
def pair(network):
    """Two hosts on one segment."""
    lan = network.segment("lan")
    return (
        network.host("one", {"eth0": (lan, "10.0.0.1/24")}),
        network.host("two", {"eth0": (lan, ["10.0.0.2/24", "fd00::2/64"])}),
    )


def reaches(host, address):
    return host.run("ping", "-c1", "-W1", address, check=False).returncode == 0


def carrier(host):
    return host.read("/sys/class/net/eth0/carrier").strip()


def test_hosts_on_one_segment_see_each_other_in_both_families(pair):
    one, _ = pair
    one.add_address("eth0", "fd00::1/64")
    assert reaches(one, "10.0.0.2")
    assert reaches(one, "fd00::2")


def test_segments_are_apart_until_a_router_joins_them(network):
    left, right = network.segment("left"), network.segment("right")
    one = network.host("one", {"eth0": (left, "10.1.0.1/24")})
    two = network.host("two", {"eth0": (right, "10.2.0.1/24")})
    interfaces = {"eth0": (left, "10.1.0.254/24"), "eth1": (right, "10.2.0.254/24")}
    network.host("router", interfaces, forward=True)
    one.route("default", via="10.1.0.254")
    assert not reaches(one, "10.2.0.1")
    two.route("default", via="10.2.0.254")
    assert reaches(one, "10.2.0.1")


def test_two_networks_with_the_same_names_do_not_meet(pair):
    with Network() as other:
        lan = other.segment("lan")
        alone = other.host("one", {"eth0": (lan, "10.0.0.3/24")})
        assert not reaches(alone, "10.0.0.1")


def test_a_cut_takes_the_carrier_and_the_frames(pair):
    one, two = pair
    one.cut("eth0")
    assert carrier(one) == "0"
    assert carrier(two) == "1"
    assert not reaches(two, "10.0.0.1")
    one.heal("eth0")
    assert carrier(one) == "1"
    until("frames to pass again", lambda: reaches(two, "10.0.0.1"), within=20)


def test_behind_an_unplugged_switch_the_carrier_stays_and_the_frames_go(pair):
    one, two = pair
    one.unplug_switch("eth0")
    assert carrier(one) == "1"
    assert not reaches(two, "10.0.0.1")
    one.heal("eth0")
    until("frames to pass again", lambda: reaches(two, "10.0.0.1"), within=20)


def test_a_cut_is_done_within_milliseconds(pair):
    """The best of several, since a busy host may take the processor away at any time."""
    one, _ = pair
    took = []
    for _ in range(10):
        begun = time.monotonic()
        one.cut("eth0")
        took.append(time.monotonic() - begun)
        one.heal("eth0")
    assert min(took) < 0.002


def test_addresses_come_and_go(pair):
    one, two = pair
    one.add_address("eth0", "10.0.0.100/24")
    assert reaches(two, "10.0.0.100")
    one.del_address("eth0", "10.0.0.100/24")
    assert not reaches(two, "10.0.0.100")


def test_a_host_has_its_own_name_run_folder_and_sysctls(pair):
    one, two = pair
    one.run("touch", "/run/haman/mine")
    one.sysctl("net/ipv4/conf/all/arp_ignore", 1)
    assert one.run("hostname").stdout == "one\n"
    assert two.run("ls", "/run/haman").stdout == ""
    assert one.read("/proc/sys/net/ipv4/conf/all/arp_ignore") == "1\n"
    assert two.read("/proc/sys/net/ipv4/conf/all/arp_ignore") == "0\n"
    assert socket.gethostname() not in {"one", "two"}


def test_macs_are_local_unicast_and_differ(pair):
    one, two = pair
    assert one.mac("eth0") == "02:00:00:00:00:01"
    assert two.mac("eth0") == "02:00:00:00:00:02"


def test_a_socket_opened_on_a_host_stays_there(pair):
    one, two = pair
    receiver = two.call(socket.socket, socket.AF_INET, socket.SOCK_DGRAM)
    sender = one.call(socket.socket, socket.AF_INET, socket.SOCK_DGRAM)
    with receiver, sender:
        receiver.settimeout(5)
        receiver.bind(("10.0.0.2", 5000))
        sender.sendto(b"hello", ("10.0.0.2", 5000))
        assert receiver.recvfrom(100)[1][0] == "10.0.0.1"


def test_the_pid_is_the_programs_own_so_it_can_be_frozen_and_killed(pair):
    one, _ = pair
    process = one.spawn("sleep", "100")
    until("it to be the program", lambda: Path(f"/proc/{process.pid}/cmdline").read_bytes() == b"sleep\x00100\x00", 10)
    process.signal(signal.SIGSTOP)
    os.waitid(os.P_PID, process.pid, os.WSTOPPED | os.WNOWAIT)
    assert Path(f"/proc/{process.pid}/stat").read_text().split()[2] == "T"
    os.kill(process.pid, signal.SIGKILL)
    assert process.wait() == -signal.SIGKILL
    until("nothing to be left of it", lambda: one.processes() == [], 10)


def test_a_stopped_program_says_how_it_ended_and_its_log_holds_both_streams(pair, tmp_path):
    one, _ = pair
    log = tmp_path / "log"
    script = "trap 'echo bye; exit 7' TERM; echo $GREETING >&2; while :; do sleep 0.01; done"
    process = one.spawn("bash", "-c", script, log=log, env={"GREETING": "hello"})
    until("its greeting", lambda: "hello" in log.read_text(), 10)
    assert process.stop() == 7
    assert log.read_text() == "hello\nbye\n"


def test_a_failing_program_is_an_error_that_shows_what_it_said(pair):
    one, _ = pair
    with pytest.raises(LabError, match=r"one: bash -c .*: exit status 3\n.*oh no"):
        one.run("bash", "-c", "echo oh no >&2; exit 3")
    assert one.run("bash", "-c", "cat; exit 3", check=False, input="given").stdout == "given"
    with pytest.raises(LabError, match=r"no end within 0\.2 s"):
        one.run("sleep", "100", timeout=0.2)
    with pytest.raises(LabError, match="cannot start nonsense"):
        one.spawn("nonsense")


def test_leaving_ends_everything_even_what_hid(tmp_path):
    with Network() as network:
        lan = network.segment("lan")
        host = network.host("one", {"eth0": (lan, "10.0.0.1/24")})
        network_inode = host.call(os.stat, "/proc/thread-self/ns/net").st_ino
        parent = host.spawn("bash", "-c", "setsid sleep 1000 & echo up; sleep 1000", stdout=subprocess.PIPE)
        assert parent.stdout.readline() == b"up\n"
        assert len(host.processes()) >= 2
        threads, descriptors = os.listdir("/proc/self/task"), os.listdir("/proc/self/fd")
    assert in_network(network_inode) == []
    assert len(os.listdir("/proc/self/task")) < len(threads)
    assert len(os.listdir("/proc/self/fd")) < len(descriptors)
    network.close()


def test_a_broken_drill_leaves_nothing_either():
    before = len(os.listdir("/proc/self/fd"))

    def drill():
        with Network() as network:
            host = network.host("one", {"eth0": (network.segment("lan"), "10.0.0.1/24")})
            host.spawn("sleep", "1000")
            host.run("false")

    with pytest.raises(LabError):
        drill()
    assert len(os.listdir("/proc/self/fd")) == before


def test_a_wrong_address_is_an_error_that_shows_the_command(network):
    lan = network.segment("lan")
    with pytest.raises(LabError, match=r"address add 10\.0\.0\.300/24 dev eth0"):
        network.host("one", {"eth0": (lan, "10.0.0.300/24")})


def test_what_a_host_does_not_have_is_named(pair):
    one, _ = pair
    with pytest.raises(LabError, match="one has no interface eth9, it has eth0"):
        one.cut("eth9")
    with pytest.raises(LabError, match=r"one: sysctl net/ipv4/nonsense=1: No such file"):
        one.sysctl("net/ipv4/nonsense", 1)
    with pytest.raises(LabError, match=r"one: /run/haman/nothing: No such file"):
        one.read("/run/haman/nothing")


def test_interfaces_and_segments_may_be_called_what_ip_takes_for_its_own_words(network):
    segment = network.segment("l")
    one = network.host("one", {"up": (segment, "10.0.0.1/24")})
    network.host("two", {"up": (segment, "10.0.0.2/24")})
    assert reaches(one, "10.0.0.2")
