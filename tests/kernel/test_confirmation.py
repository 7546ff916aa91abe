"""A takeover asks whether it took: neighbours that missed or ignore the announcements are made to follow, and an old
active director that keeps the VIP is seen, told of, and told gone.

The gateway stands for every neighbour in view of the new active director. The VIP is answered by the directors
themselves (a router without services).
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any
from urllib.request import urlopen

import pytest

from tests.kernel.pair import HEAD, Pair

if TYPE_CHECKING:
    from pathlib import Path

    from haman.lab.hosts import Host, Network

pytestmark = pytest.mark.kernel

FOUR, SIX = "10.0.0.100", "2001:db8::100"
PREFIX = {FOUR: 24, SIX: 64}
GATEWAY = {FOUR: "10.0.0.254", SIX: "2001:db8::254"}
IGNORE = {FOUR: "net/ipv4/conf/all/drop_gratuitous_arp", SIX: "net/ipv6/conf/eth0/drop_unsolicited_na"}
FRAMES = {FOUR: "arp", SIX: "ip6"}
ROUTERS = """
routers:
  public:
    interface: eth0
    vrid: 51
    addresses: [%s/%d]
    advert_interval: 200ms
    announce: {count: 1, repeat: []}
    confirm: %s
hooks:
  - {on: [takeover-confirmed, takeover-unconfirmed, second-owner], run: %s, user: root}
metrics: {listen: "127.0.0.1:9112"}
"""
PATIENT = "{attempts: 12}"  # the last time after three minutes


class Scene(Pair):
    """The pair and a gateway. lb2 knows the gateway, and the gateway has the VIP at lb1."""

    def __init__(self, network: Network, directory: Path, vip: str) -> None:
        super().__init__(network, directory)
        self.vip = vip
        self.gateway = network.host("gw", {"eth0": (self.lan, ("10.0.0.254/24", "2001:db8::254/64"))})
        for number, host in enumerate(self.hosts.values(), 1):
            host.ip(f"address add 2001:db8::{number}/64 dev eth0 nodad")
        self.told = directory / "told"
        self.hook = directory / "hook.sh"
        self.hook.write_text(f'#!/bin/sh\necho "$HAMAN_EVENT" >> {self.told}\n')
        self.hook.chmod(0o755)

    def begin(self, confirm: str = "true") -> None:
        text = HEAD + ROUTERS % (self.vip, PREFIX[self.vip], confirm, self.hook)
        self.start("lb1", text)
        self.until(lambda: self.role("lb1") == "active" and self.held("lb1"))
        self.start("lb2", text)
        self.until(lambda: self.role("lb2") == "standby" and self.ask("lb2", "status")["directors"][0]["heard"])
        self.until(lambda: _reaches(self.gateway, self.vip) and self.believed() == self.hosts["lb1"].mac("eth0"))
        self.until(lambda: _reaches(self.hosts["lb2"], GATEWAY[self.vip]))

    def held(self, name: str) -> bool:
        return f" {self.vip}/" in self.hosts[name].run("ip", "-brief", "address", "show", "dev", "eth0").stdout

    def gateway_hears_nothing(self) -> None:
        """A switch port that loses what neighbours tell."""
        rules = f"""
            table netdev port {{
                chain in {{
                    type filter hook ingress device "eth0" priority 0; policy accept;
                    ether type {FRAMES[self.vip]} drop
                }}
            }}
        """
        self.gateway.run("nft", "-f", "-", input=rules)

    def gateway_hears_again(self) -> None:
        self.gateway.run("nft", "delete", "table", "netdev", "port")

    def cut(self, name: str) -> None:
        self.hosts[name].ip("link set eth0 down")

    def believed(self) -> str:
        """Where the gateway has the VIP; empty if it has no idea."""
        words = self.gateway.run("ip", "neigh", "show", self.vip, "dev", "eth0").stdout.split()
        return words[words.index("lladdr") + 1] if "lladdr" in words else ""

    def takeover(self) -> dict[str, Any]:
        """What lb2 says came of it; empty while it says nothing."""
        if self.role("lb2") != "active":
            return {}
        return dict(self.ask("lb2", "status")["routers"][0]["takeover"] or {})

    def verdict(self) -> str:
        return str(self.takeover().get("verdict", ""))

    def metric(self, name: str) -> float:
        def read() -> str:
            with urlopen("http://127.0.0.1:9112/metrics", timeout=20) as answer:
                return str(answer.read().decode())

        lines = self.hosts["lb2"].call(read).splitlines()
        return sum(float(line.split()[-1]) for line in lines if line.startswith(f"{name}{{"))

    def hooks(self) -> list[str]:
        return self.told.read_text().splitlines() if self.told.exists() else []


def _reaches(host: Host, address: str) -> bool:
    return host.run("ping", "-c1", "-W2", address, check=False).returncode == 0


@pytest.fixture(params=[FOUR, SIX], ids=["ipv4", "ipv6"])
def scene(network: Network, tmp_path: Path, request: pytest.FixtureRequest) -> Scene:
    tmp_path.chmod(0o755)
    return Scene(network, tmp_path, request.param)


def test_a_gateway_that_ignores_announcements_follows(scene: Scene) -> None:
    scene.gateway.sysctl(IGNORE[scene.vip], 1)
    scene.begin()
    scene.cut("lb1")
    scene.until(lambda: scene.verdict() == "confirmed")
    assert scene.believed() == scene.hosts["lb2"].mac("eth0")
    # Over IPv6 lb2 may know the gateway by its link-local address as well.
    words = r"confirmed in .*: [1-9] neighbours? in view follows?, and nobody else answers"
    assert re.fullmatch(words, scene.takeover()["why"])
    assert scene.metric("haman_takeover_confirmed_seconds_count") >= 1
    assert scene.metric("haman_second_owners") == 0
    scene.until(lambda: scene.hooks()[-1:] == ["takeover-confirmed"])


def test_and_does_not_if_it_is_not_asked(scene: Scene) -> None:
    """Else the test above would prove nothing."""
    scene.gateway.sysctl(IGNORE[scene.vip], 1)
    scene.begin("false")
    scene.cut("lb1")
    scene.until(lambda: scene.metric("haman_announcements_total") >= 1)
    # On a slow machine the gateway may have found nobody where it looked, and have no idea any more.
    assert scene.believed() != scene.hosts["lb2"].mac("eth0")
    assert scene.takeover() == {}


def test_a_gateway_behind_a_port_that_loses_frames_is_told_until_it_follows(scene: Scene) -> None:
    scene.begin(PATIENT)
    scene.gateway_hears_nothing()
    scene.cut("lb1")
    scene.until(lambda: scene.metric("haman_announcements_total") >= 3)
    assert scene.believed() != scene.hosts["lb2"].mac("eth0")
    assert scene.takeover() == {}
    scene.gateway_hears_again()
    scene.until(lambda: scene.verdict() == "confirmed")
    assert scene.believed() == scene.hosts["lb2"].mac("eth0")


def test_one_that_stays_behind_it_is_given_up_by_name(scene: Scene) -> None:
    scene.begin("{attempts: 2}")
    scene.gateway_hears_nothing()
    scene.cut("lb1")
    scene.until(lambda: scene.verdict() == "unconfirmed")
    words = rf"unconfirmed: {GATEWAY[scene.vip]}.* did not answer {scene.vip}, told 2 times; nobody else has it"
    assert re.fullmatch(words, scene.takeover()["why"])
    scene.until(lambda: scene.hooks()[-1:] == ["takeover-unconfirmed"])


def test_an_old_active_that_does_not_let_go(scene: Scene) -> None:
    """Both its processes are gone, and the VIP stayed on its NIC."""
    scene.begin()
    lb1, address = scene.hosts["lb1"], f"{scene.vip}/{PREFIX[scene.vip]}"
    old = lb1.mac("eth0")
    scene.crash("lb1")
    # Which of the two died first decides whether it was taken off.
    nodad = " nodad" if ":" in address else ""
    if not scene.held("lb1"):
        lb1.ip(f"address add {address} dev eth0{nodad}")
    scene.until(lambda: scene.verdict() == "second_owner")
    assert scene.takeover()["second_owners"] == [old]
    assert any(f"second owner {old} answers" in problem for problem in scene.ask("lb2", "status")["problems"])
    assert f"second owner {old} answers for {scene.vip} too" in scene.log("lb2")
    assert scene.metric("haman_second_owners") == 1
    begun = scene.metric("haman_announcements_total")
    scene.until(lambda: scene.metric("haman_announcements_total") > begun)
    lb1.ip("address flush dev eth0")
    scene.until(lambda: scene.verdict() == "confirmed")
    assert scene.takeover()["why"].endswith(f"{old} did, and is gone")
    assert scene.believed() == scene.hosts["lb2"].mac("eth0")
    assert scene.metric("haman_second_owners") == 0
    scene.until(lambda: scene.hooks()[-1:] == ["takeover-confirmed"])
    assert "second-owner" in scene.hooks()
