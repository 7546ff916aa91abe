"""The relay against the kernel's way, HAProxy in TCP mode and nginx's stream module, before the same remote; and
against the least relay that asyncio allows, which is why it has a loop of its own.

All ways stand at the same time (bench.remote), so what idle programs take of the one processor is missing everywhere
alike. Within a run all of them are asked by turns, in another order each time, for a fiftieth of a second each, so that
whatever else the machine does falls on all; a ratio is taken within its run.

`connections`: each request on a TCP connection of its own. `exchanges`: on 16 TCP connections that stay. `flows`: UDP,
each request from a new port. `datagrams`: UDP, from 16 sockets that stay. `downloads`: bytes a second, one download at
a time. `latency`: one client, one request after the other.

Client, remote and the way share one processor that is never idle, so a request costs what is left of a second by the
rate; what it costs more than through a plain router is the way's. Beside it stands what the process itself was
charged for, which leaves out what the kernel does in between.

First of all a crowd: TCP sessions and UDP flows that are held all at once, how long it takes to have everybody answered
once more, and the latency of a stranger beside them. `memory` is what the process grows by, of its own (RssAnon), for
each of them; each crowd is the first that its process ever has, so nothing is left in a heap from others. Not in it are
buffers of the kernel's sockets, two for each session.
"""

from __future__ import annotations

import resource
import socket
import sys
from collections import defaultdict
from contextlib import ExitStack, closing
from pathlib import Path
from random import Random
from typing import TYPE_CHECKING, Final, NamedTuple, Protocol

from bench import session
from bench.bulk import Download
from bench.crowd import Crowd, Pinger
from bench.figures import OURS, Measurement, Row, at_quantile, median
from bench.load import Client
from bench.processor import cpu_seconds
from bench.remote import ASYNCIO, BULK, CROWD, HAPROXY, KERNEL, NGINX, PORT, ROUTER, Place
from haman.errors import LabError

if TYPE_CHECKING:
    from collections.abc import Callable

    from haman.lab.hosts import Host

ROUNDS: Final = 3
TURNS: Final = 25
SLICE: Final = 0.02
"""Seconds of asking at a time."""
DOWNLOADS: Final = 5
"""Of a round, of each way; they take as long as they take."""
SIZE: Final = 8 << 20
"""Bytes of a download."""
SESSIONS: Final = 5_000
FLOWS: Final = 20_000
UDP_LIMITS: Final = Path("/proc/sys/net/ipv4/udp_mem")
UDP_MEMORY: Final = " ".join(["1000000"] * 3)
"""Pages (net.ipv4.udp_mem): each UDP socket that has received anything keeps one and more, of all hosts together."""
FILES: Final = 200_000
"""Descriptors: of the crowd's clients, and of whatever hands them on."""

TCP: Final = (OURS, HAPROXY, KERNEL, ASYNCIO, ROUTER)
UDP: Final = (OURS, NGINX, KERNEL, ROUTER)


class Asking(Protocol):
    def ask(self, seconds: float) -> None: ...

    def close(self) -> None: ...


class Kind(NamedTuple):
    """ways: those that are asked. make: a client, of an address. unit: of its rate; empty where latency counts."""

    ways: tuple[str, ...]
    make: Callable[[str], Asking]
    unit: str = "/s"


KINDS: Final = {
    "connections": Kind(TCP, lambda address: Client(address, PORT, socket.SOCK_STREAM, fresh=True)),
    "exchanges": Kind(TCP, lambda address: Client(address, PORT, socket.SOCK_STREAM, fresh=False)),
    "flows": Kind(UDP, lambda address: Client(address, PORT, socket.SOCK_DGRAM, fresh=True)),
    "datagrams": Kind(UDP, lambda address: Client(address, PORT, socket.SOCK_DGRAM, fresh=False)),
    "downloads": Kind((OURS, HAPROXY, KERNEL, ROUTER), lambda address: Download(address, BULK, SIZE), "MiB/s"),
    "latency, TCP": Kind(TCP, lambda address: Pinger(address, PORT, socket.SOCK_STREAM), ""),
    "latency, UDP": Kind(UDP, lambda address: Pinger(address, PORT, socket.SOCK_DGRAM), ""),
}
COUNTED: Final = ("connections", "exchanges", "flows", "datagrams")
QUANTILES: Final = {"p50": 0.5, "p99": 0.99}

Samples = dict[tuple[str, str], list[float]]
"""By quantity and way, one of each run."""


def measure(work: Path) -> Measurement:
    resource.setrlimit(resource.RLIMIT_NOFILE, (FILES, FILES))
    UDP_LIMITS.write_text(UDP_MEMORY)
    found: Samples = defaultdict(list)
    with ExitStack() as open:
        place = Place(work, open)
        session.say("all ways answer")
        crowds = _crowd(place, "TCP sessions", socket.SOCK_STREAM, PORT, SESSIONS, (OURS, HAPROXY))
        place.renew()
        crowds += _crowd(place, "UDP flows", socket.SOCK_DGRAM, CROWD, FLOWS, (OURS, NGINX))
        for number in range(-1, ROUNDS):  # the first one only warms up
            for kind in KINDS:
                _run(place, kind, Random(number), found if number >= 0 else defaultdict(list))
            session.say(f"run {number + 1} of {ROUNDS}")
    return Measurement(
        name="relay",
        title="The relay, the kernel's way, HAProxy and nginx before the same remote",
        statistic=f"median of {ROUNDS} runs of {TURNS * SLICE:g} s (smallest - largest)",
        rows=(*_rates(found), *_latencies(found), *_prices(found), *crowds),
        notes=(
            "ratios are against the first peer of a row; nginx takes its memory for all the sessions it may ever have"
            " when it starts, which is not in the sum",
        ),
        conditions=session.versions("haproxy", "nginx", "ipvsadm"),
    )


def _run(place: Place, name: str, order: Random, found: Samples) -> None:
    """One run of one kind, by turns."""
    kind = KINDS[name]
    clients: dict[str, Asking] = {}
    spent: dict[str, float] = defaultdict(float)
    try:
        for way in kind.ways:
            clients[way] = place.client.call(kind.make, place.ways[way].called)
        for _ in range(TURNS if name != "downloads" else DOWNLOADS):
            for way in order.sample(kind.ways, len(kind.ways)):
                pid = place.ways[way].pid
                before = cpu_seconds(pid) if pid is not None else 0.0
                place.client.call(clients[way].ask, SLICE)
                if pid is not None:
                    spent[way] += cpu_seconds(pid) - before
    finally:
        for client in clients.values():
            client.close()
    for way, client in clients.items():
        if isinstance(client, Pinger):
            for words, quantile in QUANTILES.items():
                found[f"{name}, {words}", way].append(at_quantile(client.seconds, quantile))
        elif isinstance(client, Download):
            found[name, way].append(client.rate / (1 << 20))
        elif isinstance(client, Client):
            found[name, way].append(client.rate)
            if place.ways[way].pid is not None:
                found[f"{name}, own", way].append(spent[way] / client.asked)


def _crowd(
    place: Place, words: str, kind: socket.SocketKind, port: int, count: int, ways: tuple[str, ...]
) -> list[Row]:
    """What so many at once cost, of each way in turn."""
    memory: dict[str, float] = {}
    open_rate: dict[str, float] = {}
    rate: dict[str, float] = {}
    beside: dict[str, list[float]] = {}
    for name in ways:
        way = place.ways[name]
        before = way.memory()
        try:
            made = place.client.call(Crowd, way.called, port, kind, count)
        except LabError as error:
            if name == OURS:
                raise
            session.say(f"{count} {words}, {name}: not held: {error}")
            continue
        with closing(made) as crowd:
            memory[name] = (way.memory() - before) / count / 1024
            open_rate[name] = count / crowd.opened
            rate[name] = count / place.client.call(crowd.speak)
            beside[name] = _stranger(place.client, way.called, kind)
        session.say(f"{count} {words}, {name}: held")
    told = f"{count:,} {words} at once"
    return [
        _cells(f"{told}: memory of the process for each", "KiB", {name: [each] for name, each in memory.items()}),
        _cells(f"{told}: opened and answered", "/s", {name: [each] for name, each in open_rate.items()}),
        _cells(f"{told}: all of them answered once more", "/s", {name: [each] for name, each in rate.items()}),
        *(
            _cells(
                f"{told}: latency of one beside them, {label}",
                "s",
                {name: [at_quantile(each, quantile)] for name, each in beside.items()},
            )
            for label, quantile in QUANTILES.items()
        ),
    ]


def _stranger(host: Host, address: str, kind: socket.SocketKind) -> list[float]:
    with closing(host.call(Pinger, address, PORT, kind)) as pinger:
        host.call(pinger.ask, TURNS * SLICE)
        return pinger.seconds


def _cells(what: str, unit: str, samples: dict[str, list[float]]) -> Row:
    """Ours first; with more than one run the ratio is that of the runs."""
    runs = len(samples[OURS])
    others = [each for name, each in samples.items() if name != OURS]
    pairs = [one / two for one, two in zip(samples[OURS], others[0], strict=True) if two] if others else []
    return Row(
        what=what,
        unit=unit,
        cells={name: median(each) for name, each in samples.items()},
        paired=median(pairs) if runs > 1 and pairs else None,
    )


def _of(found: Samples, quantity: str, ways: tuple[str, ...]) -> dict[str, list[float]]:
    return {way: found[quantity, way] for way in ways if (quantity, way) in found}


def _rates(found: Samples) -> list[Row]:
    rows = []
    for name, kind in KINDS.items():
        if not kind.unit:
            continue
        samples = _of(found, name, kind.ways)
        rows.append(_cells(name, kind.unit, samples))
        rows.append(_cells(f"{name}, against full NAT", kind.unit, {way: samples[way] for way in (OURS, KERNEL)}))
        if ASYNCIO in samples:
            row = _cells(f"{name}, against asyncio", kind.unit, {way: samples[way] for way in (OURS, ASYNCIO)})
            rows.append(row)
    return rows


def _latencies(found: Samples) -> list[Row]:
    return [
        _cells(f"{name}, {label}", "s", _of(found, f"{name}, {label}", kind.ways))
        for name, kind in KINDS.items()
        if not kind.unit
        for label in QUANTILES
    ]


def _prices(found: Samples) -> list[Row]:
    """Processor for a request: what it costs more than through a router, and what its own process was charged for."""
    rows = []
    for name in COUNTED:
        ways = [way for way in KINDS[name].ways if way != ROUTER]
        more = {
            way: [1 / one - 1 / two for one, two in zip(found[name, way], found[name, ROUTER], strict=True)]
            for way in ways
        }
        rows.append(
            Row(
                what=f"{name}: processor for a request, beyond a router's",
                unit="s",
                cells={way: median(each) for way, each in more.items()},
            )
        )
        rows.append(_cells(f"{name}: of it the process itself", "s", _of(found, f"{name}, own", KINDS[name].ways)))
    return rows


if __name__ == "__main__":
    sys.exit(session.main("relay", measure, timeout=1500, memory=2048))
