"""From the last local server's death to the first answer of the other site: how much of it is not the check's.

One director, one local server, another site reached by full NAT; a client sends 1,000 UDP requests a second, and opens
200 TCP connections a second. The server dies in two ways, by turns: its programs are killed, so that checks are
refused, or its cable is cut, so that they time out. Detection: from the death to the director's verdict, by the
director's own record; it is the check's (an interval of 500 ms, three failures, a timeout of 500 ms). What the first
answer took beyond it is haman's: the choice of the site, the table, the packet.

How to read it: the goal is a first answer no later than the longest that the check may take, and 50 ms: 1.55 s after
programs were killed, 2.05 s after the cable was cut. What lies beyond the verdict itself says how much is left.
"""

from __future__ import annotations

import sys
import time
from typing import TYPE_CHECKING, Any, Final

from bench import session
from bench.figures import OURS, Measurement, Row, median
from bench.programs import START, Haman, running
from haman import config
from haman.director.ask import ask
from haman.errors import Unreachable
from haman.lab.hosts import Network
from haman.lab.records import Recording, Request, Short
from haman.lab.waiting import until
from haman.lab.workload import REAL_TIME, listens, program

if TYPE_CHECKING:
    from pathlib import Path

    from haman.lab.hosts import Host
    from haman.lab.processes import Process

VIP, WEB, VOICE = "10.0.0.100", 80, 5060
SOURCES: Final = "198.18.0.0/24"
TURNS: Final = 15
"""Deaths of each kind."""

FILE: Final = """
cluster: away
directors: {lb1: {address: 10.0.0.1}}
routers: {office: {interface: eth0, vrid: 51, addresses: [10.0.0.100/24], advert_interval: 100ms}}
checks:
  page: {http: {path: /healthz}, port: 80, interval: 500ms, timeout: 500ms, rise: 1, fall: 3}
services:
  web: &web
    address: 10.0.0.100
    port: 80
    check: page
    servers: {rs1: {address: 10.0.0.11}}
    backup: [{name: east, address: 203.0.113.10}]
    failover: {return: {after: 1s}}
  voice: {<<: *web, port: 5060, protocol: udp}
"""
DEATHS: Final = {"killed": "its programs are killed", "cut": "its cable is cut"}


class Office:
    """Everything runs and is up when it is made."""

    def __init__(self, network: Network, work: Path) -> None:
        lan, wan = network.segment("lan"), network.segment("wan")
        both = {"eth0": (lan, "10.0.0.1/24"), "eth1": (wan, "203.0.113.1/24")}
        self.director = network.host("lb1", both, forward=True)
        self.client = network.host("client", {"eth0": (lan, "10.0.0.9/24")})
        self.local = network.host("rs1", {"eth0": (lan, "10.0.0.11/24")})
        self.east = network.host("east", {"eth0": (wan, "203.0.113.10/24")})
        self.east.ip(f"route add {VIP}/32 via 203.0.113.1")
        for host in (self.director, self.local):
            host.ip(f"route add {SOURCES} via 10.0.0.9")
        self.local.sysctl("net/ipv4/conf/all/arp_ignore", 1)
        self.local.sysctl("net/ipv4/conf/all/arp_announce", 2)
        self.local.ip(f"address add {VIP}/32 dev lo")
        self.client.ip(f"route add local {SOURCES} dev lo")
        self._serve(self.east, "203.0.113.10")
        self._serving = self._serve(self.local, VIP)
        self.udp, self.tcp = Recording(work / "udp.records", Request), Recording(work / "tcp.records", Short)

    def call_on(self) -> None:
        """The clients begin."""
        udp = (
            "--address",
            VIP,
            "--port",
            VOICE,
            "--sources",
            SOURCES,
            "--real-time",
            REAL_TIME,
            "--out",
            self.udp.path,
        )
        tcp = ("--address", VIP, "--port", WEB, "--rate", 200, "--think", 0, "--patience", 5, "--out", self.tcp.path)
        for name, arguments in (("udp_client", udp), ("tcp_client", tcp)):
            self.client.spawn(*program(name, *map(str, arguments)), log=self.udp.path.with_name(f"{name}.log"))
        until("both clients to be answered here", lambda: self.answered_by("rs1", 0.0), START)

    def _serve(self, host: Host, address: str) -> list[Process]:
        """The checked one comes last."""
        found = [
            host.spawn(*program("udp_server", "--address", address, "--port", VOICE, "--name", host.name)),
            host.spawn(*program("tcp_server", "--port", WEB, "--name", host.name)),
        ]
        until(f"the servers of {host.name}", lambda: listens(host, "udp", VOICE) and listens(host, "tcp", WEB), START)
        return found

    def die(self, how: str) -> None:
        if how == "cut":
            self.local.cut("eth0")
        else:
            for process in reversed(self._serving):
                process.kill()

    def live(self, how: str) -> None:
        if how == "cut":
            self.local.heal("eth0")
        else:
            self._serving = self._serve(self.local, VIP)

    def well(self) -> bool:
        """The other site was checked, and the local one serves."""
        services = self._services()
        return len(services) == len(("web", "voice")) and all(
            each["site"]["serves"] == "local"
            and each["backups"][0]["state"] == "up"
            and all(server["state"] == "up" for server in each["servers"])
            for each in services
        )

    def _services(self) -> list[Any]:
        try:
            return list(self.director.call(ask, "status")["services"])
        except Unreachable:
            return []

    def first_answers(self, who: str, since: float) -> tuple[float | None, float | None]:
        """When this one answered for the first time after `since` (monotonic), by TCP and by UDP."""
        self.udp.read()
        self.tcp.read()
        tcp = [each.ended for each in self.tcp.records if each.server == who and each.outcome == "ok"]
        udp = [each.answered for each in self.udp.records if each.server == who and each.answered is not None]
        found = [[at for at in times if at > since] for times in (tcp, udp)]
        return min(found[0], default=None), min(found[1], default=None)

    def answered_by(self, who: str, since: float) -> bool:
        return None not in self.first_answers(who, since)

    def verdict(self, service: str, since: float) -> float:
        """When the director found its last server down, monotonic seconds; after `since`."""
        offset = time.time() - time.monotonic()
        entries = self.director.call(ask, "history", object=service)["entries"]
        at = [each["at"] - offset for each in entries if each["kind"] == "server" and each["after"] == "down"]
        return float(max(each for each in at if each > since))


def death(office: Office, how: str) -> dict[str, tuple[float, float]]:
    """By protocol: seconds from the death to the verdict, and to the first answer of the other site."""
    until("the local server to serve", office.well, START)
    begun = time.monotonic()
    until("the clients to be answered here", lambda: office.answered_by("rs1", begun), START)
    office.udp.drop_before(begun)
    office.tcp.drop_before(begun)
    died = time.monotonic()
    office.die(how)
    until("the other site to answer", lambda: office.answered_by("east", died), START)
    tcp, udp = office.first_answers("east", died)
    assert tcp is not None
    assert udp is not None
    found = {
        "TCP": (office.verdict("web", died) - died, tcp - died),
        "UDP": (office.verdict("voice", died) - died, udp - died),
    }
    office.live(how)
    return found


def measure_all(work: Path) -> Measurement:
    samples: dict[tuple[str, str], list[tuple[float, float]]] = {}
    file = work / "haman.yaml"
    file.write_text(FILE)
    with Network() as network:
        office = Office(network, work)
        with running(Haman(), office.director, config.load(file), file, "lb1"):
            until("haman", office.well, START)
            office.call_on()
            for _ in range(TURNS):
                for how in DEATHS:
                    for protocol, times in death(office, how).items():
                        samples.setdefault((how, protocol), []).append(times)
    rows = []
    for (how, protocol), times in samples.items():
        what = f"{protocol}, {DEATHS[how]}"
        cells = {OURS: median([verdict for verdict, _ in times])}
        rows.append(Row(what=f"{what}: the check's verdict", unit="s", cells=cells))
        cells = {OURS: median([each for _, each in times])}
        rows.append(Row(what=f"{what}: first answer", unit="s", cells=cells))
        cells = {OURS: median([answer - verdict for verdict, answer in times])}
        rows.append(Row(what=f"{what}: beyond the verdict", unit="s", cells=cells))
    return Measurement(
        name="away",
        title="From the last local server's death to the other site's first answer",
        statistic=f"medians of {TURNS} deaths (smallest - largest)",
        rows=tuple(rows),
        notes=("Goal: the first answer after 1.55 s (killed) and 2.05 s (cut) at most.",),
        conditions=session.versions(),
    )


if __name__ == "__main__":
    sys.exit(session.main("away", measure_all, timeout=1800))
