"""What a director keeps, by its configuration; and that what is given up is gone."""

from __future__ import annotations

import os
import subprocess
import sys
from dataclasses import replace
from ipaddress import IPv4Address
from typing import TYPE_CHECKING

import pytest

from haman.director import privileges
from haman.model.arbiter import Arbiter
from haman.model.checks import PingProbe
from haman.model.cluster import Listen
from haman.model.relay import Terms
from haman.model.sites import Backup
from haman.model.trackers import PingWatch, Tracker
from tests.director.support import CHECK, cluster, service

if TYPE_CHECKING:
    from haman.model.cluster import Cluster

PINGING = cluster(services={"web": service(check=replace(CHECK, probe=PingProbe()))})
FAR = Backup(name="east", servers={}, check=replace(CHECK, probe=PingProbe()))
AWAY = cluster(services={"web": replace(service(), backups=(FAR,))})
TRACKING = cluster(trackers={"gateway": Tracker(name="gateway", watched=PingWatch(address=IPv4Address("10.0.0.254")))})

GUARDED = cluster(arbiter=Arbiter(arp=(IPv4Address("10.0.0.254"),)))


@pytest.mark.parametrize(
    ("of", "raw"), [(cluster(), False), (PINGING, True), (AWAY, True), (TRACKING, True), (GUARDED, True)]
)
def test_raw_sockets_are_for_pings(of: Cluster, raw: bool) -> None:
    assert ("CAP_NET_RAW" in privileges.wanted(of)) is raw
    assert "CAP_NET_ADMIN" in privileges.wanted(of)
    assert "CAP_SYS_ADMIN" not in privileges.wanted(of)


@pytest.mark.parametrize(("port", "bind"), [(80, True), (8080, False)])
def test_low_ports_are_for_relays_and_metrics(port: int, bind: bool) -> None:
    backup = Backup(name="east", servers={}, relay=Terms())
    relayed = cluster(services={"web": replace(service(), ports=(port,), backups=(backup,))})
    assert ("CAP_NET_BIND_SERVICE" in privileges.wanted(relayed)) is bind
    metrics = cluster(metrics=Listen(host="127.0.0.1", port=port))
    assert ("CAP_NET_BIND_SERVICE" in privileges.wanted(metrics)) is bind
    assert "CAP_NET_BIND_SERVICE" not in privileges.wanted(cluster(services={"web": service()}))


@pytest.mark.skipif(os.geteuid() != 0, reason="only who has them can give them up")
def test_what_is_given_up_is_gone() -> None:
    code = """
import socket
from haman.director import privileges
before = privileges.held()
privileges.keep(frozenset({"CAP_NET_ADMIN"}))
print(sorted(before & {"CAP_NET_ADMIN", "CAP_NET_RAW"}), sorted(privileges.held()))
try:
    socket.socket(socket.AF_INET, socket.SOCK_RAW, 112)
except PermissionError:
    print("refused")
"""
    said = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert said.stdout == "['CAP_NET_ADMIN', 'CAP_NET_RAW'] ['CAP_NET_ADMIN']\nrefused\n"
