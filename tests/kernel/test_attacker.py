"""An attacker on the segment of two real directors. With keys the VIP never moves and a client loses nothing; without
them the very same programs take the service down, or these tests would prove nothing.

The VIP is answered by the directors themselves (a router without services), so a client is a series of pings.
"""

from __future__ import annotations

import re
import socket
import sys
from typing import TYPE_CHECKING
from urllib.request import urlopen

import pytest

from haman.elector.segment import RECEIVE_BUFFER, Segment
from haman.lab.stories.scene import STALLED
from tests.kernel.pair import HEAD, Pair

if TYPE_CHECKING:
    from pathlib import Path

    from haman.lab.hosts import Network
    from haman.lab.processes import Process

pytestmark = pytest.mark.kernel

ROUTERS = """
routers:
  public: {interface: eth0, vrid: 51, addresses: [10.0.0.100/24], advert_interval: 500ms, preempt: true}
"""
KEYS = "authentication: {keys: [%s], send: %d, window: 5s, mode: %s}\n"
METRICS = 'metrics: {listen: "127.0.0.1:9112"}\n'
OTHERS = ("--interval", "0.5")

FLOOD, FLOODS = 5_000, 3
"""Forged advertisements that each director has to refuse; how often that is tried."""


class Scene(Pair):
    """The pair, an attacker and a client on one segment."""

    def __init__(self, network: Network, directory: Path) -> None:
        super().__init__(network, directory)
        self.attacker = network.host("mallory", {"eth0": (self.lan, "10.0.0.66/24")})
        self.client = network.host("client", {"eth0": (self.lan, "10.0.0.9/24")})
        for number in (1, 2):
            file = directory / f"key{number}"
            file.write_text(f"hex:{number:02x}" + "ab" * 31)
            file.chmod(0o600)

    def text(self, *keys: int, send: int = 1, mode: str = "enforce") -> str:
        files = ", ".join(f"{{id: {number}, file: {self.directory}/key{number}}}" for number in keys)
        return HEAD + ROUTERS + (KEYS % (files, send, mode) if keys else "") + METRICS

    def begin(self, *keys: int) -> None:
        self.start("lb1", self.text(*keys))
        self.until(lambda: self.role("lb1") == "active" and self.holds("lb1"))
        self.start("lb2", self.text(*keys))
        self.until(lambda: self.role("lb2") == "standby" and self.ask("lb2", "status")["directors"][0]["heard"])

    def attack(self, kind: str, *words: str) -> Process:
        log = self.directory / "attack.log"
        process = self.attacker.spawn(sys.executable, "-m", "haman.lab.traffic.attacker", kind, *words, log=log)
        self.until(lambda: log.exists() and "begins" in log.read_text())
        return process

    def pings(self, seconds: int) -> Process:
        """Ten a second; a late answer is an answer."""
        log = self.directory / "ping.log"
        words = ("-n", "-i", "0.1", "-c", str(seconds * 10), "-W", "20", "10.0.0.100")
        return self.client.spawn("ping", *words, log=log)

    def lost(self, pings: Process) -> int:
        pings.wait(120)
        found = re.search(r"(\d+) packets transmitted, (\d+) received", (self.directory / "ping.log").read_text())
        assert found is not None
        return int(found[1]) - int(found[2])

    def roles(self, name: str) -> list[str]:
        """What became of its router since it began."""
        history = self.ask(name, "status")["transitions"]
        return [each["after"] for each in history if each["kind"] == "router"]

    def stalls(self) -> int:
        """How often a director found that it had stood still."""
        return sum(self.log(name).count(STALLED) for name in self.hosts)

    def forgeries(self, name: str) -> int:
        """How many wrong signatures it has refused so far."""

        def fetch() -> str:
            with urlopen("http://127.0.0.1:9112/metrics", timeout=60) as answer:
                return str(answer.read().decode())

        found = re.findall(
            r"^haman_packets_refused_total\{.*signature.*\} ([\d.e+]+)$", self.hosts[name].call(fetch), re.M
        )
        return int(sum(map(float, found)))

    def flood(self) -> None:
        """Until both have refused FLOOD more."""
        enough = {name: self.forgeries(name) + FLOOD for name in self.hosts}
        flood = self.attack("better", *OTHERS, "--signed", "--rate", "10000", "--seconds", "600")
        self.until(lambda: all(self.forgeries(name) >= count for name, count in enough.items()), within=180)
        flood.kill()

    def refused(self, name: str) -> str:
        """What `haman why` says."""
        return str(self.ask(name, "why", object="public"))


@pytest.fixture
def scene(network: Network, tmp_path: Path) -> Scene:
    tmp_path.chmod(0o755)
    return Scene(network, tmp_path)


def test_without_keys_the_attacks_work(scene: Scene) -> None:
    scene.begin()
    attack = scene.attack("better", *OTHERS, "--seconds", "600")
    scene.until(lambda: scene.role("lb1") == "standby" and not scene.holds("lb1"))
    assert not scene.holds("lb2"), "nobody serves"
    attack.kill()
    scene.until(lambda: scene.role("lb1") == "active" and scene.role("lb2") == "standby")
    before = scene.roles("lb2").count("active")
    attack = scene.attack("goodbye", *OTHERS, "--source", "10.0.0.1", "--seconds", "600")
    scene.until(lambda: scene.roles("lb2").count("active") > before)
    attack.kill()


@pytest.mark.parametrize(
    ("kind", "words"),
    [
        ("better", ()),
        ("better", ("--signed",)),
        ("goodbye", ("--source", "10.0.0.1")),
        ("goodbye", ("--source", "10.0.0.1", "--signed")),
        ("replay", ()),
    ],
)
def test_with_keys_nothing_moves_and_nothing_is_lost(scene: Scene, kind: str, words: tuple[str, ...]) -> None:
    scene.begin(1)
    before = scene.roles("lb1"), scene.roles("lb2")
    pings = scene.pings(8)
    attack = scene.attack(kind, *OTHERS, *words, "--seconds", "6")
    assert attack.wait(60) == 0
    assert scene.lost(pings) == 0
    assert (scene.roles("lb1"), scene.roles("lb2")) == before
    assert scene.holds("lb1")
    assert not scene.holds("lb2")
    reason = {"better": "unsigned", "goodbye": "unsigned", "replay": "replay"}[kind]
    scene.until(lambda: f"refused: {'signature' if '--signed' in words else reason}" in scene.refused("lb2"))
    assert "ab" * 16 not in scene.log("lb1") + scene.log("lb2") + str(scene.ask("lb1", "status"))


def test_a_flood_moves_nothing(scene: Scene) -> None:
    """10,000 a second is asked for; how many a busy machine's one processor sends is its own affair, so the flood goes
    on until so many were refused. Only a role that moved while an elector itself says that it was not run at all is no
    answer: then the machine is asked again."""
    scene.begin(1)
    for attempt in range(1, FLOODS + 1):
        stalls, before = scene.stalls(), (scene.roles("lb1"), scene.roles("lb2"))
        scene.flood()
        if scene.stalls() == stalls or attempt == FLOODS:
            break
        scene.until(lambda: scene.role("lb1") == "active" and scene.role("lb2") == "standby")
    assert (scene.roles("lb1"), scene.roles("lb2")) == before
    assert scene.holds("lb1")
    assert not scene.holds("lb2")


def test_more_may_wait_for_a_director_than_most_systems_begin_with(scene: Scene) -> None:
    """Or honest advertisements are lost with the forged ones whenever it is not run for a twentieth of a second."""

    def room() -> int:
        segment = Segment("eth0")
        try:
            return segment._receiver.getsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF)
        finally:
            segment.close()

    for host in scene.hosts.values():
        assert int(host.read("/proc/sys/net/core/rmem_max")) < RECEIVE_BUFFER
        assert host.call(room) == 2 * RECEIVE_BUFFER


def test_keys_are_brought_in_and_rotated_by_reloads_while_a_client_looks(scene: Scene) -> None:
    scene.begin()
    before = scene.roles("lb1"), scene.roles("lb2")
    pings = scene.pings(15)
    steps = [
        scene.text(1, mode="permissive"),
        scene.text(1),
        scene.text(1, 2),
        scene.text(1, 2, send=2),
        scene.text(2, send=2),
    ]
    for text in steps:
        for name in ("lb1", "lb2"):
            assert scene.reload(name, text)["ok"]
    assert scene.lost(pings) == 0
    assert (scene.roles("lb1"), scene.roles("lb2")) == before
    scene.until(lambda: scene.ask("lb1", "status")["directors"][0]["heard"])
    assert scene.ask("lb1", "status")["directors"][0]["refused"] is None


def test_a_key_that_others_can_read_is_refused_at_its_line(scene: Scene) -> None:
    (scene.directory / "key1").chmod(0o644)
    scene.start("lb1", scene.text(1))
    assert scene.processes["lb1"].wait(60) == 2
    assert "lb1.yaml:9:" in scene.log("lb1")
    assert "is open to others (mode 0644); chmod 600" in scene.log("lb1")
