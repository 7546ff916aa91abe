"""Requests a second by each forwarding method: a table that haman made against the same table typed with ipvsadm; what
a firewall mark and full NAT cost; full NAT against HAProxy in TCP mode before the same servers.

All sites are up at the same time (bench.sites), so what the idle hamans take of the one processor is missing on both
sides alike; what is compared is what a packet costs. It starts with an assertion: the two tables and all settings below
net.ipv4.vs are the same, to the letter. Within a run all sites and methods are asked by turns, in another order each
time, for a fiftieth of a second each, fifty times, so that whatever else the machine does falls on all of them; a ratio
is taken within its run. Last of all the notes have the mean of all ratios, in which chance is smallest.

`connections`: each request on a TCP connection of its own. `datagrams`: UDP, from 16 sockets that stay.
`exchanges`: on 16 TCP connections that stay.

How to read it: clients, directors and servers share one processor, and most of it goes to the programs at both ends: a
ratio between two methods is nearer to one here than between two directors that do nothing else. "Within the spread"
means: some of the runs say that haman's table is the faster one, and some the other.
"""

from __future__ import annotations

import math
import socket
import statistics
import sys
import time
from contextlib import ExitStack
from itertools import product
from random import Random
from typing import TYPE_CHECKING, Final

from bench import methods, session
from bench.figures import OURS, Goal, Measurement, Row, median
from bench.load import Client
from bench.processor import cpu_seconds, family
from bench.sites import HAND, PROXY, Site

if TYPE_CHECKING:
    from pathlib import Path

    from haman.lab.hosts import Host

ROUNDS: Final = 5
TURNS: Final = 50
SLICE: Final = 0.02
"""Seconds of asking at a time."""
KINDS: Final = {
    "connections": (socket.SOCK_STREAM, True),
    "datagrams": (socket.SOCK_DGRAM, False),
    "exchanges": (socket.SOCK_STREAM, False),
}
"""What kind of socket, and whether each request has one of its own."""
COMPARED: Final = ("connections", "datagrams")
HAPROXY, DIRECT, NAT = "HAProxy", "plain dr", "plain nat"

Key = tuple[str, int, str, str]
"""Method, IP version, kind, who made the table."""
Asked = tuple[Key, "Host", str, int]
"""Which client asks which address and port for it."""


def measure(work: Path) -> Measurement:
    rates: dict[Key, list[float]] = {}
    with ExitStack() as open:
        sites = {(table, who): Site(table, who, work, open) for table in methods.TABLES for who in (OURS, HAND)}
        for table in methods.TABLES:
            sites[table, HAND].level_with(sites[table, OURS])
        sites[methods.FULL, OURS].proxy(work)
        session.say("the tables are the same")
        begun, spent = time.monotonic(), _spent(sites)
        for number in range(-1, ROUNDS):  # the first one only warms up
            for version, kind in [(version, kind) for kind in KINDS for version in methods.VIPS]:
                found = _run(_asked(sites, version, kind), Random(number), TURNS if number >= 0 else 1)
                for key, rate in found.items() if number >= 0 else ():
                    rates.setdefault(key, []).append(rate)
            session.say(f"run {number + 1} of {ROUNDS}")
        share = (_spent(sites) - spent) / (time.monotonic() - begun) / len(methods.TABLES)
    compared = [
        _row(rates, f"{method.name}, IPv{version}, {kind}", (method.name, version, kind, OURS), HAND)
        for kind in COMPARED
        for version in methods.VIPS
        for method in methods.METHODS
    ]
    beyond = [row.what for row in compared if not row.within_spread]
    every = [
        one / two
        for method, version, kind in product(methods.METHODS, methods.VIPS, COMPARED)
        for one, two in zip(*(rates[method.name, version, kind, who] for who in (OURS, HAND)), strict=True)
    ]
    spread = statistics.stdev(map(math.log, every)) / math.sqrt(len(every))
    notes = (
        f"tables and settings identical; {len(compared) - len(beyond)} of {len(compared)} ratios within the spread"
        + (f", beyond it: {'; '.join(beyond)}" if beyond else ""),
        f"all {len(every)} ratios together, geometric mean: {statistics.geometric_mean(every):.3f}x, standard error"
        f" {spread:.1%}",
        f"an idle haman beside a table: {share:.1%} of the laboratory's processor, in every column alike",
    )
    return Measurement(
        name="forwarding",
        title="Requests a second by forwarding method",
        statistic=f"median of {ROUNDS} runs of {TURNS * SLICE:g} s (smallest - largest)",
        rows=(*compared, *_prices(rates)),
        notes=notes,
        conditions=session.versions(HAND, "haproxy"),
    )


def _asked(sites: dict[tuple[str, str], Site], version: int, kind: str) -> list[Asked]:
    """What one run asks in turn."""
    found: list[Asked] = []
    for method in methods.METHODS:
        if kind in COMPARED or method.name in ("dr", "fullnat"):
            for who in (OURS, HAND) if kind in COMPARED else (OURS,):
                key = (method.name, version, kind, who)
                found.append((key, sites[method.table, who].client, methods.VIPS[version], method.port))
    if kind != "datagrams":
        (full,) = methods.of(methods.FULL)
        key = (HAPROXY, version, kind, HAPROXY)
        found.append((key, sites[methods.FULL, OURS].client, PROXY[version], full.port))
    return found


def _run(asked: list[Asked], order: Random, turns: int) -> dict[Key, float]:
    """Rates of one run. order: another one in each turn, since what one of them leaves behind (connections that are
    being closed) takes the processor from the next."""
    clients: dict[Key, Client] = {}
    try:
        for key, host, address, port in asked:
            kind, fresh = KINDS[key[2]]
            clients[key] = host.call(Client, address, port, kind, fresh=fresh)
        for _ in range(turns):
            for key, host, _, _ in order.sample(asked, len(asked)):
                host.call(clients[key].ask, SLICE)
        return {key: client.rate for key, client in clients.items()}
    finally:
        for client in clients.values():
            client.close()


def _row(rates: dict[Key, list[float]], what: str, ours: Key, peer: str, theirs: Key | None = None) -> Row:
    """theirs: the same by hand, unless told; only that has to be the same."""
    other = rates[theirs or (*ours[:3], HAND)]
    return Row(
        what=what,
        unit="/s",
        cells={OURS: median(rates[ours]), peer: median(other)},
        goal=None if theirs else Goal(within_spread=True),
        paired=median([one / two for one, two in zip(rates[ours], other, strict=True)]),
    )


def _prices(rates: dict[Key, list[float]]) -> list[Row]:
    """haman's own tables against each other, and full NAT against HAProxy."""
    rows = []
    for what, method, peer, other, kinds in (
        ("a firewall mark", "dr by mark", DIRECT, "dr", COMPARED),
        ("full NAT", "fullnat", DIRECT, "dr", tuple(KINDS)),
        ("full NAT", "fullnat", NAT, "nat", COMPARED),
        ("full NAT", "fullnat", HAPROXY, HAPROXY, ("connections", "exchanges")),
    ):
        for kind in kinds:
            for version in methods.VIPS:
                theirs = (other, version, kind, HAPROXY if other == HAPROXY else OURS)
                words = f"{what} against {peer}, IPv{version}, {kind}"
                rows.append(_row(rates, words, (method, version, kind, OURS), peer, theirs))
    return rows


def _spent(sites: dict[tuple[str, str], Site]) -> float:
    """CPU seconds of all hamans so far."""
    hamans = [site.haman for site in sites.values() if site.haman is not None]
    return sum(cpu_seconds(pid) for process in hamans for pid in family(process.pid))


if __name__ == "__main__":
    sys.exit(session.main("forwarding", measure, timeout=1500))
