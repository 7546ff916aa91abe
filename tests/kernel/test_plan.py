"""`haman plan` on a real kernel, beside a running haman and without one: it says all, and changes nothing."""

from __future__ import annotations

import json
import socket
import sys
from typing import TYPE_CHECKING, Any

import pytest

from tests.kernel.pair import HEAD, Pair

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from haman.lab.hosts import Host, Network

VIP = "10.0.0.100"
TABLE = "/proc/thread-self/net/ip_vs"
TEXT = (
    HEAD
    + """
routers: {public: {interface: eth0, vrid: 51, addresses: [10.0.0.100/24], advert_interval: 1s}}
sync: {interface: eth0}
checks: {front: {tcp: {}, interval: 500ms, fast_interval: 100ms, timeout: 200ms}}
services:
  web:
    address: 10.0.0.100
    port: 80
    scheduler: rr
    check: front
    servers:
      rs1: {address: 10.0.0.11}
      rs2: {address: 10.0.0.12}
"""
)


@pytest.fixture
def pair(network: Network, tmp_path: Path) -> Iterator[Pair]:
    made = Pair(network, tmp_path)
    for number in (1, 2):
        server = network.host(f"rs{number}", {"eth0": (made.lan, f"10.0.0.1{number}/24")})
        server.sysctl("net/ipv4/conf/all/arp_ignore", 1)
        server.sysctl("net/ipv4/conf/all/arp_announce", 2)
        server.add_address("lo", f"{VIP}/32")
        listener = server.call(socket.create_server, ("", 80), backlog=100)
        made.listeners.append(listener)
    yield made
    for listener in made.listeners:
        listener.close()


def plan(pair: Pair, text: str, *options: str) -> tuple[int, str]:
    file = pair.directory / "planned.yaml"
    file.write_text(text)
    host: Host = pair.hosts["lb1"]
    ran = host.run(sys.executable, "-m", "haman", "plan", file, "--node", "lb1", *options, check=False, timeout=60)
    return ran.returncode, ran.stdout + ran.stderr


def answer(pair: Pair, text: str) -> Any:
    code, said = plan(pair, text, "--json")
    assert code == 3, said
    return json.loads(said)


def test_beside_a_running_haman(pair: Pair, network: Network) -> None:
    pair.start("lb1", TEXT)
    pair.until(lambda: pair.role("lb1") == "active")
    pair.until(lambda: "0A00000C:0050" in pair.hosts["lb1"].read(TABLE))
    code, said = plan(pair, TEXT)
    assert (code, said.splitlines()[-1]) == (0, "nothing would change")

    client = network.host("client", {"eth0": (pair.lan, "10.0.0.9/24")})
    for _ in range(6):
        pair.listeners.append(client.call(socket.create_connection, (VIP, 80), 10))
    before = pair.hosts["lb1"].read(TABLE)
    code, said = plan(pair, TEXT.replace("      rs2: {address: 10.0.0.12}\n", ""))
    assert code == 3
    assert "  remove tcp 10.0.0.100:80 -> 10.0.0.12:80" in said.splitlines(), said
    loss = "service tcp 10.0.0.100:80: servers 2 -> 1 (50% of the weight is left); 3 of 6 established connections break"
    assert f"  {loss}" in said.splitlines(), said
    assert pair.hosts["lb1"].read(TABLE) == before, "a plan changes nothing"

    found = answer(pair, TEXT.replace("port: 80", "port: 8080"))
    assert found["services"][0] | {"weight": None} == {
        "service": "tcp 10.0.0.100:80",
        "servers": [2, 0],
        "weight": None,
        "weight_left": 0.0,
        "established": 6,
        "breaking": 6,
        "here": True,
    }
    assert "new, and taken as up" in found["assumed"][0]
    found = answer(pair, TEXT.replace("10.0.0.100", "10.0.0.101"))
    assert found["vips"] == [
        {"address": "10.0.0.100", "device": "eth0", "coming": False},
        {"address": "10.0.0.101", "device": "eth0", "coming": True},
    ]
    found = answer(pair, TEXT.replace("vrid: 51", "vrid: 52"))
    words = (
        "router public (active here) moves from VRID 51 on eth0 to VRID 52 on eth0: its election goes on;"
        " reload the active director last"
    )
    assert found["elections"] == [words]
    assert all("sync daemon" in each for each in found["operations"]), "their number is the first router's VRID"
    code, said = plan(pair, TEXT.replace("scheduler: rr", "scheduler: rrr"))
    assert (code, "is not a scheduler" in said) == (2, True)


def test_without_one(pair: Pair) -> None:
    code, said = plan(pair, TEXT)
    assert code == 3
    assert "  assumed: router public is in no running haman and is taken as standby" in said.splitlines()
    assert "every server is taken as up: web/rs1:80, web/rs2:80" in said
    assert "  add tcp 10.0.0.100:80 (rr)" in said.splitlines()
    assert "  add 10.0.0.100/32 on lo" in said.splitlines()
    assert "  nothing: no VIP moves, no connection breaks, no service loses a server" in said.splitlines()
    assert VIP not in pair.hosts["lb1"].run("ip", "address").stdout
