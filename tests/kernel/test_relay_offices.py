"""Two offices that back each other up by relay, and lose all their servers at once: nothing goes round.

client 10.0.0.9, west's director lb1 and server 10.0.0.11, east's director lb2 and server 10.0.0.12 on one segment
"""

from __future__ import annotations

from collections import Counter
from typing import TYPE_CHECKING, Any

import pytest

from haman.lab.stories import callers, servers
from tests.kernel.test_relay import Patient

if TYPE_CHECKING:
    from pathlib import Path

    from haman.lab.hosts import Host, Network

pytestmark = pytest.mark.kernel

VIPS = {"lb1": "10.0.0.100", "lb2": "10.0.0.200"}
SERVERS = {"lb1": "10.0.0.11", "lb2": "10.0.0.12"}
DIRECTORS = {"lb1": "10.0.0.1", "lb2": "10.0.0.2"}


def file(own: str, other: str, vrid: int) -> str:
    return f"""
cluster: {own}
directors: {{{own}: {{address: {DIRECTORS[own]}}}}}
routers: {{public: {{interface: eth0, vrid: {vrid}, addresses: [{VIPS[own]}/24], advert_interval: 100ms}}}}
checks:
  page: {{http: {{path: /healthz}}, port: 80, interval: 300ms, timeout: 2s, rise: 1, fall: 2}}
services:
  web: &web
    address: {VIPS[own]}
    port: 80
    check: page
    servers: {{local: {{address: {SERVERS[own]}}}}}
    backup: [{{name: other, address: {VIPS[other]}, forward: relay, from: [{DIRECTORS[other]}/32]}}]
    failover: {{return: {{above: 50%, after: 0s}}}}
  names: {{<<: *web, port: 53, protocol: udp}}
"""


class Client:
    """called: how often each VIP was."""

    def __init__(self, host: Host) -> None:
        self._host = host
        self.called: Counter[str] = Counter()

    def answer(self, vip: str) -> str:
        """Over TCP, and over UDP if it is the same; empty while there is none, or another one."""
        self.called[vip] += 1
        page = callers.page(self._host, vip)
        return page if callers.datagrams(self._host, vip, 53, 1) == {page: 1} else ""

    def refused(self, vip: str) -> bool:
        self.called[vip] += 1
        return callers.refused(self._host, vip, 80)


def backup(pair: Patient, director: str, service: str) -> dict[str, Any]:
    services = pair.ask(director, "status")["services"]
    found: dict[str, Any] = next(each for each in services if each["name"] == service)["backups"][0]
    return found


def test_what_comes_from_the_other_relay_is_not_relayed_again(network: Network, tmp_path: Path) -> None:
    pair = Patient(network, tmp_path)
    client = Client(network.host("client", {"eth0": (pair.lan, "10.0.0.9/24")}))
    health = {}
    for director, address in SERVERS.items():
        host = network.host(f"rs-{director}", {"eth0": (pair.lan, f"{address}/24")})
        servers.silent_vip(host, VIPS[director])
        servers.echo(host, VIPS[director], 53)
        health[director] = servers.web(host, 80)
    pair.start("lb1", file("lb1", "lb2", 51))
    pair.start("lb2", file("lb2", "lb1", 52))
    for director in DIRECTORS:
        pair.until(lambda director=director: pair.role(director) == "active")
        for service in ("web", "names"):
            pair.until(
                lambda d=director, s=service: backup(pair, d, s)["state"] == "up" and backup(pair, d, s)["relay"]
            )
    for director, vip in VIPS.items():
        pair.until(lambda d=director, vip=vip: client.answer(vip) == f"rs-{d}")

    # A planned move of each, and back. By then the relays have seen what came while their directors were starting.
    for director, other in (("lb1", "lb2"), ("lb2", "lb1")):
        for order, answers in (("backup", f"rs-{other}"), ("auto", f"rs-{director}")):
            for service in ("web", "names"):
                pair.ask(director, "site", service=service, order=order)
            pair.until(lambda vip=VIPS[director], answers=answers: client.answer(vip) == answers)
        pair.until(lambda d=director: all(backup(pair, d, s)["relay"]["total"] for s in ("web", "names")))

    def circles() -> dict[tuple[str, str], int]:
        """What came from the other relay as far as this one, which refused it."""
        return {(d, s): backup(pair, d, s)["relay"]["refused"]["circle"] for d in DIRECTORS for s in ("web", "names")}

    before = circles()

    # The west loses its server: its relay is served by the east's server, and not by the east's relay.
    health["lb1"].kill()
    pair.until(lambda: client.answer(VIPS["lb1"]) == "rs-lb2")
    pair.until(lambda: backup(pair, "lb2", "web")["state"] == "down")  # and it is not answered by itself
    assert client.answer(VIPS["lb1"]) == "rs-lb2"

    # The east loses its own as well: for a moment each holds the other for its way out.
    health["lb2"].kill()
    for vip in VIPS.values():
        pair.until(lambda vip=vip: client.refused(vip))
    for director in DIRECTORS:
        for service in ("web", "names"):
            pair.until(lambda d=director, s=service: backup(pair, d, s)["state"] == "down")
    for director, vip in VIPS.items():
        assert client.refused(vip)
        for service in ("web", "names"):
            relay = backup(pair, director, service)["relay"]
            assert relay["total"] <= client.called[vip]  # none but the client's own
    assert circles() == before  # the packet filter let none come so far
    for director in DIRECTORS:
        pair.stop(director)
