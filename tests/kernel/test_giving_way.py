"""A director that cannot serve while its peer can gives way, whatever it is that it lacks."""

from __future__ import annotations

import contextlib
import os
import signal
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from haman.director.giving_way import SURE
from haman.lab.stories import callers, servers
from tests.kernel import crippled
from tests.kernel.pair import HEAD, Pair
from tests.kernel.test_tracking import parent

if TYPE_CHECKING:
    from haman.lab.hosts import Host, Network

pytestmark = pytest.mark.kernel

VIP = "10.0.0.100"
CRIPPLED = (str(Path(crippled.__file__)),)
GATEWAY = "trackers:\n  gateway: {ping: 10.0.0.254, interval: 200ms, timeout: 150ms, rise: 1, fall: 2}\n"
TEXT = (
    HEAD
    + GATEWAY
    + """
routers:
  public:
    interface: eth0
    vrid: 51
    addresses: [10.0.0.100/24]
    advert_interval: 1s  # a machine that stands still for a moment moves no role
    preempt: true
    track: [TRACK]
checks:
  front: {tcp: {}, interval: 200ms, timeout: 150ms, rise: 1, fall: 2}
services:
  web:
    address: 10.0.0.100
    port: 80
    scheduler: mh
    check: front
    servers:
      rs1: {address: 10.0.0.11}
"""
)


class Site:
    """Two directors, a server, a client, a gateway. lb1 was started first."""

    def __init__(self, network: Network, directory: Path, track: str = "") -> None:
        self.pair = Pair(network, directory)
        self.text = TEXT.replace("TRACK", track)
        lan = self.pair.lan
        self.client = network.host("client", {"eth0": (lan, "10.0.0.51/24")})
        self.gateway = network.host("gateway", {"eth0": (lan, "10.0.0.254/24")})
        self.server = network.host("rs1", {"eth0": (lan, "10.0.0.11/24")})
        servers.silent_vip(self.server, VIP)
        servers.web(self.server, 80)

    def start(self) -> None:
        for name in ("lb1", "lb2"):
            self.pair.start(name, self.text, program=CRIPPLED)
            self.pair.until(lambda: self.pair.role("lb1") == "active")
        self.pair.until(lambda: self.ready("lb2"))

    def ready(self, name: str) -> bool:
        """Could it serve, and does its peer know? A standby that is not ready takes nothing from one that lives."""
        other = "lb1" if name == "lb2" else "lb2"
        (seen,) = self.pair.ask(other, "status")["directors"] if self.pair.role(other) else ({},)
        return bool(seen.get("heard")) and seen["roles"].get("public") == "standby" and not seen["waiting"]

    def moved(self, role: str) -> None:
        """lb2 serves alone, and lb1 is what it should be."""
        pair = self.pair
        pair.until(lambda: (pair.role("lb2"), pair.role("lb1")) == ("active", role))
        pair.until(lambda: callers.page(self.client, VIP) and self.director("lb2"))
        pair.until(lambda: not pair.holds("lb1"))

    def director(self, name: str) -> bool:
        """Does the client send to this one?"""
        shown = self.client.run("ip", "neighbour", "show", VIP).stdout
        return self.pair.hosts[name].mac("eth0") in shown

    def host(self, name: str) -> Host:
        return self.pair.hosts[name]


def waits(pair: Pair) -> bool:
    """Does lb1 know that lb2 has no IPVS?"""
    (seen,) = pair.ask("lb1", "status")["directors"]
    return "this kernel has no IPVS" in seen["waiting"].get("public", "")


@pytest.fixture
def site(network: Network, tmp_path: Path) -> Site:
    tmp_path.chmod(0o755)
    return Site(network, tmp_path)


def test_its_own_link(site: Site) -> None:
    site.start()
    site.host("lb1").cut("eth0")
    site.moved("fault")


def test_the_gateway(network: Network, tmp_path: Path) -> None:
    site = Site(network, tmp_path, "gateway")
    site.start()
    rules = "chain out {\ntype filter hook output priority 0;\nip daddr 10.0.0.254 drop\n}"
    site.host("lb1").run("nft", "-f", "-", input=f"table ip lost {{\n{rules}\n}}\n")
    site.moved("fault")
    assert "gateway: 2 of 2 failed" in site.pair.log("lb1")


def test_servers_that_only_the_peer_reaches(network: Network, tmp_path: Path) -> None:
    site = Site(network, tmp_path, "{service: web}")
    site.start()
    rules = "chain out {\ntype filter hook output priority 0;\nip daddr 10.0.0.11 drop\n}"
    site.host("lb1").run("nft", "-f", "-", input=f"table ip lost {{\n{rules}\n}}\n")
    site.moved("fault")


def test_ipvs_that_is_missing(site: Site) -> None:
    """It was alone, so it is active without; then comes one that has it."""
    pair = site.pair
    site.host("lb1").write("/run/no-ipvs", "")
    pair.start("lb1", site.text, program=CRIPPLED)
    pair.until(lambda: pair.role("lb1") == "active")
    pair.start("lb2", site.text, program=CRIPPLED)
    site.moved("standby")
    assert "this director cannot serve it (this kernel has no IPVS), and lb2 could serve" in pair.log("lb1")


def test_nobody_gives_way_to_one_that_cannot_serve_either(site: Site) -> None:
    pair = site.pair
    for name in ("lb1", "lb2"):
        site.host(name).write("/run/no-ipvs", "")
        pair.start(name, site.text, program=CRIPPLED)
        pair.until(lambda: pair.role("lb1") == "active")
    pair.until(lambda: pair.role("lb2") == "standby" and waits(pair))
    heard = pair.ask("lb1", "status")["now"]
    pair.until(lambda: pair.ask("lb1", "status")["now"] > heard + 2 * SURE)
    assert "could serve" not in pair.log("lb1")
    site.host("lb2").run("rm", "/run/no-ipvs")
    site.moved("standby")
    assert "and lb2 could serve" in pair.log("lb1")


def test_a_director_process_that_is_dead_for_good(site: Site) -> None:
    site.start()
    site.host("lb1").write("/run/no-director", "")
    elector = site.pair.processes["lb1"].pid
    for pid in site.host("lb1").processes():
        with contextlib.suppress(OSError):  # a check that has just ended
            if parent(pid) == elector:
                os.kill(pid, signal.SIGKILL)
    pair = site.pair
    pair.until(lambda: pair.role("lb2") == "active" and not pair.holds("lb1"), within=180)
    pair.until(lambda: callers.page(site.client, VIP) and site.director("lb2"))
    assert "the director has ended 6 times in a row, and lb2 could serve" in pair.log("lb1")
