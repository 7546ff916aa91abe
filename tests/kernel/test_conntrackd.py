"""Full NAT over a takeover: sessions do not hang, and with conntrackd they go on (etc/examples/conntrackd.conf)."""

from __future__ import annotations

import contextlib
import socket
from typing import TYPE_CHECKING

import pytest

from haman.lab.stories import callers, servers
from haman.lab.stories.directors import EXAMPLES, Directors
from haman.lab.waiting import happens
from tests.kernel.office import end, flows

if TYPE_CHECKING:
    from pathlib import Path

    from haman.lab.hosts import Host, Network

pytestmark = pytest.mark.kernel

VIP, FILES, PORT = "10.0.0.100", 90, 40000
PATIENCE = 60.0


class Office:
    """Two directors and no local server: clients are served by the other site from the start."""

    def __init__(self, network: Network, work: Path) -> None:
        lan, wan = network.segment("lan"), network.segment("wan")
        self.lbs = {f"lb{n}": network.host(f"lb{n}", {"eth0": (lan, f"10.0.0.{n}/24")}, forward=True) for n in (1, 2)}
        network.host("border", {"eth0": (lan, "10.0.0.254/24"), "eth1": (wan, "203.0.113.14/24")}, forward=True)
        east = network.host("east", {"eth0": (wan, "203.0.113.10/24")})
        east.ip("route add 10.0.0.0/24 via 203.0.113.14")
        for host in self.lbs.values():
            host.ip("route add default via 10.0.0.254")
        self.clients = [network.host(f"client{n}", {"eth0": (lan, f"10.0.0.{n}/24")}) for n in (8, 9)]
        servers.downloads(east, FILES)
        servers.web(east, 80)
        self.work = work
        self.pair = Directors("backup-site.yaml", self.lbs, work, change=_told)

    def start(self) -> None:
        for node in self.pair.nodes.values():
            node.launch()
        assert happens(lambda: self.pair.active() and callers.page(self.clients[0], VIP) == "east", PATIENCE)

    def tell(self) -> None:
        """Debian's conntrackd on both."""
        for name, host in self.lbs.items():
            text = (EXAMPLES / "conntrackd.conf").read_text()
            if name == "lb2":
                swap = {"10.0.0.1": "10.0.0.2", "10.0.0.2": "10.0.0.1"}
                text = "\n".join(
                    " ".join(swap.get(word, word) for word in line.split(" ")) for line in text.splitlines()
                )
            host.write("/run/conntrackd.conf", text)
            host.spawn("conntrackd", "-C", "/run/conntrackd.conf", log=self.work / f"{name}-conntrackd.log")

    def connect(self, client: Host) -> socket.socket:
        return client.call(socket.create_connection, (VIP, FILES), 5.0, ("", PORT))


def _told(file: dict[str, object]) -> None:
    file["sync"] = {"interface": "eth0", "id": 31}


def _tracked(host: Host) -> int:
    """Downloads to the other site whose translation this director knows."""
    lines = host.run("cat", "/proc/net/nf_conntrack").stdout.splitlines()
    return sum(f"dport={FILES} " in line and "src=203.0.113.10" in line for line in lines)


def _held(host: Host) -> int:
    """Downloads that its IPVS knows."""
    return host.run("ipvsadm", "-Lcn").stdout.count(f":{FILES} ")


@pytest.mark.parametrize("told", [False, True], ids=["without", "with"])
def test_two_sessions_from_the_same_port_over_a_takeover(network: Network, tmp_path: Path, told: bool) -> None:
    """One of them has another port at the other site than at its client, which only the connection tracking knows."""
    office = Office(network, tmp_path)
    if told:
        office.tell()
    office.start()
    with contextlib.ExitStack() as stack:
        downloads = [stack.enter_context(office.connect(client)) for client in office.clients]
        assert all(map(flows, downloads))
        active = office.pair.active()
        (other,) = set(office.lbs) - {active}
        assert happens(lambda: _held(office.lbs[other]) >= 2, PATIENCE)
        if told:
            assert happens(lambda: _tracked(office.lbs[other]) == 2, PATIENCE)
        office.pair.stop(active)
        assert happens(lambda: office.pair.role(other) == "active", PATIENCE)
        if told:
            assert all(map(flows, downloads))
            assert [end(each, 5.0) for each in downloads] == ["open"] * len(downloads)
            assert all(map(flows, downloads))
        else:
            # One whose client's acknowledgement comes first is picked up in the middle: rare, and no hanging either.
            assert all(end(each, 5.0) == "reset" or flows(each) for each in downloads)
        assert happens(lambda: callers.page(office.clients[0], VIP) == "east", PATIENCE)
